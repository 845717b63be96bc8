"""Small tokenizers in the style of published families, as a tokenizer.json and as a GGUF file:
`gguf_tokenizers/<style>/`.

    tokenizer.json  the original, assembled the way the family publishes it
    vocabulary.gguf the same as llama.cpp's converter writes it, without tensors
    golden.json     ids and decoded text of the original, its special tokens, its chat template
"""

import json
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from common import parse_output
from gguf import GGUFWriter, TokenType
from gguf_originals import STYLES
from gguf_samples import TEXTS, around
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

MESSAGES = [
    {"role": "user", "content": "  What is 2 + 3?\n"},
    {"role": "assistant", "content": "5"},
    {"role": "user", "content": "\nAnd doubled, the café's?"},
]


def looks_special(text):
    """The converter makes control tokens of these, whatever the original calls them."""
    known = text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
    return known or (text.startswith("<|") and text.endswith("|>")) or text.startswith("<unused")


def listed(original):
    """Text, type and score of every token as the converter lists them."""
    style, tokenizer = original.style, original.tokenizer
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    by_id = {id: (text, TokenType.NORMAL, 0.0) for text, id in vocabulary.items()}
    for id, (text, kind, score) in original.pieces.items():
        by_id[id] = (text, kind, score)
    for id, token in tokenizer.get_added_tokens_decoder().items():
        text = token.content
        if token.special or looks_special(text):
            kind = TokenType.CONTROL
        else:
            text, kind = text.replace("▁", " "), TokenType.USER_DEFINED
        by_id[id] = (text, kind, -1000.0)
    size = max(by_id) + 1 + style.padding
    return [by_id.get(id, (f"[PAD{id}]", TokenType.UNUSED, -1000.0)) for id in range(size)]


def write_gguf(path, original):
    style, tokenizer = original.style, original.tokenizer
    writer = GGUFWriter(path, style.architecture)
    writer.add_name(style.name)
    texts, kinds, scores = zip(*listed(original))
    writer.add_tokenizer_model(style.model)
    writer.add_tokenizer_pre(style.pre)
    writer.add_token_list([text.encode() for text in texts])
    if style.model == "llama":
        writer.add_token_scores(scores)
        if style.space_prefix is not None:
            writer.add_add_space_prefix(style.space_prefix)
    else:
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_token_types(kinds)
    for name, text in style.special.items():
        getattr(writer, f"add_{name}_token_id")(tokenizer.token_to_id(text))
    writer.add_add_bos_token("bos" in style.special)
    writer.add_add_eos_token(False)
    writer.add_chat_template(style.chat_template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def described(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return {
        "text": text,
        "ids": ids,
        "decoded": tokenizer.decode(ids, skip_special_tokens=False),
        "decoded_without_special_tokens": tokenizer.decode(ids, skip_special_tokens=True),
    }


def golden(original, tokenizer):
    style = original.style
    fields = {"bos": "bos_token", "eos": "eos_token", "unk": "unk_token", "pad": "pad_token"}
    special = {field: style.special.get(name) for name, field in fields.items()}
    chat = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{k: v for k, v in special.items() if v})
    chat.chat_template = style.chat_template
    rendered = chat.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    ends = [style.special["eos"], *style.ends]
    cases = TEXTS + around(style.tried)
    return {
        "special": special,
        "stop_tokens": sorted({tokenizer.token_to_id(end) for end in ends}),
        "special_ids": sorted(id for id, t in tokenizer.get_added_tokens_decoder().items() if t.special),
        "vocabulary_size": max(tokenizer.get_vocab().values()) + 1,
        "chat_template": style.chat_template,
        "messages": MESSAGES,
        "rendered": described(tokenizer, rendered),
        "texts": [described(tokenizer, text) for text in cases],
    }


def as_json(value):
    """One line per text, so that a change reads well in a diff."""
    texts = ",\n".join(json.dumps(case, ensure_ascii=False) for case in value["texts"])
    head = json.dumps({k: v for k, v in value.items() if k != "texts"}, ensure_ascii=False)
    return f'{head[:-1]},\n"texts": [\n{texts}\n]}}\n'


def main():
    folder = parse_output(__doc__.splitlines()[0]) / "gguf_tokenizers"
    total = 0
    for style in STYLES:
        original = style.build()
        place = folder / style.folder
        place.mkdir(parents=True, exist_ok=True)
        text = json.dumps(json.loads(original.tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
        (place / "tokenizer.json").write_text(text + "\n")
        # What is judged is the file, not what is in memory.
        tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        (place / "golden.json").write_text(as_json(golden(original, tokenizer)))
        write_gguf(place / "vocabulary.gguf", original)
        sizes = [file.stat().st_size for file in sorted(place.iterdir())]
        total += sum(sizes)
        print(f"wrote {style.folder}: {tokenizer.get_vocab_size()} tokens, {sum(sizes):,} bytes")
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main()
