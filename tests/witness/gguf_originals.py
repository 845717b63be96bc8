"""The originals of `gguf_tokenizers.py`: normalizers, expressions, added tokens and decoders as in the
tokenizer.json that each family publishes, on vocabularies of some hundred tokens."""

import io
import json
from dataclasses import dataclass, field

import sentencepiece
from gguf import TokenType
from gguf_samples import CORPUS
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers.convert_slow_tokenizer import generate_merges

TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TAIL_WITH_SLASH = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORD = r"|[^\r\n\p{L}\p{N}]?\p{L}+"
LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
UPPER = r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
LLAMA3 = CONTRACTIONS + WORD + r"|\p{N}{1,3}" + TAIL
QWEN2 = CONTRACTIONS + WORD + r"|\p{N}" + TAIL
TEKKEN = LOWER + UPPER + r"|\p{N}" + TAIL_WITH_SLASH
GPT4O = LOWER + CONTRACTIONS + "?" + UPPER + CONTRACTIONS + "?" + r"|\p{N}{1,3}" + TAIL_WITH_SLASH

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INSTRUCT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST] "
    "{{ message['content'] }}[/INST]{% else %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
LLAMA3_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TINY_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@dataclass
class Original:
    style: "Style"
    tokenizer: Tokenizer
    # Of a SentencePiece model: text, type and score by id.
    pieces: dict = field(default_factory=dict)


@dataclass
class Style:
    folder: str
    name: str
    architecture: str
    pre: str
    chat_template: str
    special: dict
    # Special tokens that are tried inside of texts.
    tried: list
    # Added after the vocabulary: text and attributes.
    added: list
    padding: int = 0
    # What the published generation_config.json lists beside the end of sequence.
    ends: list = field(default_factory=list)


def merges_by_ids(vocabulary, scored):
    """The merges as transformers made them up to 4.42, with which everything up to Gemma 2 was
    published; since 4.45 `generate_merges` breaks ties by the lengths of the two parts."""
    merges = []
    for token, score in dict(scored).items():
        cuts = ((token[:at], token[at:], score) for at in range(1, len(token)))
        cuts = [cut for cut in cuts if cut[0] in vocabulary and cut[1] in vocabulary]
        merges += sorted(cuts, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))
    return [(left, right) for left, right, _ in sorted(merges, key=lambda merge: merge[2], reverse=True)]


def text_of(name, **attributes):
    return name, {"special": True, "normalized": False, **attributes}


@dataclass
class ByteLevelStyle(Style):
    expression: str | None = None
    digits: bool = False
    normalizer: dict | None = None
    ignore_merges: bool = False
    behavior: str = "Isolated"
    model: str = "gpt2"

    def build(self):
        step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        first = []
        if self.expression:
            step["use_regex"] = False
            first = [
                {
                    "type": "Split",
                    "pattern": {"Regex": self.expression},
                    "behavior": self.behavior,
                    "invert": self.behavior == "Removed",
                }
            ]
        if self.digits:
            first = [{"type": "Digits", "individual_digits": True}]
        document = json.loads(Tokenizer(BPE(ignore_merges=self.ignore_merges)).to_str())
        document["normalizer"] = self.normalizer
        document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*first, step]} if first else step
        document["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        tokenizer = Tokenizer.from_str(json.dumps(document))
        trainer = BpeTrainer(
            vocab_size=560, show_progress=False, initial_alphabet=sorted(ByteLevel.alphabet()), min_frequency=1
        )
        tokenizer.train_from_iterator([CORPUS], trainer)
        document = json.loads(tokenizer.to_str())
        # The trainer's own settings are not the family's; and a token that no merge leads to shows
        # whether merges are ignored.
        document["model"]["ignore_merges"] = self.ignore_merges
        vocabulary = document["model"]["vocab"]
        for token in ("Ġunreachable", "unreachable"):
            vocabulary[token] = len(vocabulary)
        tokenizer = Tokenizer.from_str(json.dumps(document))
        tokenizer.add_tokens([AddedToken(text, **attributes) for text, attributes in self.added])
        return Original(self, tokenizer)


@dataclass
class SentencePieceStyle(Style):
    space_prefix: bool | None = None
    # Normalizer, pre-tokenizer and decoder as published.
    shape: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    controls: list = field(default_factory=list)
    user_defined: list = field(default_factory=list)
    tab_for_byte: bool = False
    # How the published file orders merges of one score.
    ties: str = "ids"
    # Whether the converter found a SentencePiece model to take scores from.
    scored: bool = True
    model: str = "llama"

    def build(self):
        file = io.BytesIO()
        # Without tabs where the tab takes the place of its byte.
        corpus = CORPUS.replace("\t", "    ") if self.tab_for_byte else CORPUS
        lines = [line for line in corpus.split("\n") if line]
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=file,
            model_type="bpe",
            vocab_size=1000,
            byte_fallback=True,
            character_coverage=0.98,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            num_threads=1,
            minloglevel=2,
            control_symbols=self.controls,
            user_defined_symbols=self.user_defined,
            **self.training,
        )
        model = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
        pieces = {}
        for id in range(model.get_piece_size()):
            text = model.id_to_piece(id)
            kind = (
                TokenType.UNKNOWN
                if model.is_unknown(id)
                else TokenType.CONTROL
                if model.is_control(id)
                else TokenType.BYTE
                if model.is_byte(id)
                else TokenType.USER_DEFINED
                if text in self.user_defined
                else TokenType.NORMAL
            )
            pieces[id] = (text, kind, model.get_score(id))
        return self.assembled(pieces)

    def assembled(self, pieces):
        scored = [(text, score) for text, _, score in pieces.values()]
        if self.tab_for_byte:
            assert "\t" not in dict(scored)
            at = [text for text, _ in scored].index("<0x09>")
            scored[at] = ("\t", 0.0)
        vocabulary = {text: id for id, (text, _) in enumerate(scored)}
        unknown = next(text for text, kind, _ in pieces.values() if kind == TokenType.UNKNOWN)
        merges = generate_merges(vocabulary, scored) if self.ties == "lengths" else merges_by_ids(vocabulary, scored)
        model = BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
        document = json.loads(Tokenizer(model).to_str()) | self.shape
        tokenizer = Tokenizer.from_str(json.dumps(document))
        added = {
            text: {"special": kind != TokenType.USER_DEFINED, "normalized": False}
            for text, kind, _ in pieces.values()
            if kind in (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.USER_DEFINED)
        }
        added |= dict(self.added)
        tokenizer.add_tokens([AddedToken(text, **attributes) for text, attributes in added.items()])
        if not self.scored:
            pieces = {id: (text, kind, -1000.0) for id, (text, kind, _) in pieces.items()}
        return Original(self, tokenizer, pieces)


SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
DECODERS = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
LEGACY = {
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACE]},
    "decoder": {"type": "Sequence", "decoders": [*DECODERS, STRIP]},
}
METASPACE = {
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    "decoder": {"type": "Sequence", "decoders": [*DECODERS, STRIP]},
}
GEMMA = {
    "normalizer": SPACE,
    "pre_tokenizer": {
        "type": "Split",
        "pattern": {"String": " "},
        "behavior": "MergedWithPrevious",
        "invert": False,
    },
    "decoder": {"type": "Sequence", "decoders": DECODERS},
}
LLAMA2_TRAINING = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}
GEMMA_TRAINING = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "add_dummy_prefix": False}

STYLES = [
    ByteLevelStyle(
        "llama3", "Llama 3", "llama", "llama-bpe", LLAMA3_CHAT,
        {"bos": "<|begin_of_text|>", "eos": "<|eot_id|>", "pad": "<|finetune_right_pad_id|>"},
        ["<|begin_of_text|>", "<|eot_id|>"],
        [
            text_of(text)
            for text in (
                "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
                "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>",
            )
        ],
        expression=LLAMA3, ignore_merges=True, ends=["<|end_of_text|>", "<|eom_id|>"],
    ),
    ByteLevelStyle(
        "qwen2", "Qwen2", "qwen2", "qwen2", CHATML,
        {"eos": "<|im_end|>", "pad": "<|endoftext|>"},
        ["<|im_start|>", "<|im_end|>", "<tool_call>", "</think>", "<|fim_prefix|>"],
        [text_of(text) for text in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
        + [text_of(text, special=False) for text in ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|file_sep|>", "<think>", "</think>")],
        expression=QWEN2, normalizer={"type": "NFC"}, padding=11, ends=["<|endoftext|>"],
    ),
    ByteLevelStyle(
        "gpt2", "GPT-2", "gpt2", "gpt-2", CHATML,
        {"bos": "<|endoftext|>", "eos": "<|endoftext|>"},
        ["<|endoftext|>"],
        [text_of("<|endoftext|>")],
    ),
    ByteLevelStyle(
        "smollm", "SmolLM2", "llama", "smollm", CHATML,
        {"bos": "<|im_start|>", "eos": "<|im_end|>", "unk": "<|endoftext|>", "pad": "<|im_end|>"},
        ["<|im_start|>", "<|im_end|>", "<file_sep>"],
        [text_of(text) for text in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>")],
        digits=True, ends=["<|endoftext|>"],
    ),
    ByteLevelStyle(
        "mistral-nemo", "Mistral Nemo", "llama", "tekken", INSTRUCT,
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>"},
        ["<s>", "[INST]", "[/INST]"],
        [text_of(text) for text in ("<unk>", "<s>", "</s>", "[INST]", "[/INST]")],
        expression=TEKKEN, ignore_merges=True,
    ),
    ByteLevelStyle(
        "phi4-mini", "Phi 4 Mini", "phi3", "gpt-4o", PHI_CHAT,
        {"bos": "<|endoftext|>", "eos": "<|endoftext|>", "pad": "<|endoftext|>"},
        ["<|endoftext|>", "<|user|>", "<|end|>", "<|tool|>"],
        [text_of("<|endoftext|>"), text_of("<|endofprompt|>")]
        + [text_of(text, rstrip=True) for text in ("<|assistant|>", "<|end|>", "<|user|>", "<|system|>")]
        + [text_of("<|tool|>")],
        expression=GPT4O, behavior="Removed", ends=["<|end|>"],
    ),
    SentencePieceStyle(
        "tinyllama", "TinyLlama", "llama", "default", TINY_CHAT,
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "</s>"},
        ["<s>", "</s>", "<unk>"],
        [],
        shape=LEGACY, training=LLAMA2_TRAINING,
    ),
    SentencePieceStyle(
        "mistral-v3", "Mistral v0.3", "llama", "default", INSTRUCT,
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>"},
        ["<s>", "[INST]", "[/INST]"],
        [],
        space_prefix=True, shape=METASPACE, training=LLAMA2_TRAINING, controls=["[INST]", "[/INST]"],
    ),
    SentencePieceStyle(
        "phi3", "Phi 3 Mini", "phi3", "default", PHI_CHAT,
        {"bos": "<s>", "eos": "<|endoftext|>", "unk": "<unk>", "pad": "<|endoftext|>"},
        ["<s>", "</s>", "<|user|>", "<|end|>", "<|endoftext|>"],
        [text_of("</s>", special=False, rstrip=True), text_of("<|endoftext|>")]
        + [text_of(text, rstrip=True) for text in ("<|assistant|>", "<|system|>", "<|end|>", "<|user|>")],
        shape=LEGACY, training=LLAMA2_TRAINING, padding=5, ends=["<|end|>"],
    ),
    SentencePieceStyle(
        "llama-unscored", "Llama of a folder without tokenizer.model", "llama", "default", TINY_CHAT,
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>"},
        ["<s>", "</s>"],
        [],
        shape=LEGACY, training=LLAMA2_TRAINING, scored=False,
    ),
    *(
        SentencePieceStyle(
            folder, name, architecture, "default", GEMMA_CHAT,
            {"bos": "<bos>", "eos": "<eos>", "unk": "<unk>", "pad": "<pad>"},
            ["<bos>", "<start_of_turn>", "<end_of_turn>", "<table>"],
            [],
            space_prefix=False, shape=GEMMA,
            training=GEMMA_TRAINING | {"pad_piece": "<pad>", "bos_piece": "<bos>", "eos_piece": "<eos>"},
            controls=["<start_of_turn>", "<end_of_turn>"],
            user_defined=[
                "<mask>", "<unused0>", *("\n" * count for count in range(1, 6)),
                *("▁" * count for count in range(2, 32)), "<table>", "</table>",
            ],
            tab_for_byte=True, ties=ties, ends=["<end_of_turn>"],
        )
        for folder, name, architecture, ties in (
            ("gemma", "Gemma 2", "gemma2", "ids"),
            ("gemma3", "Gemma 3", "gemma3", "lengths"),
        )
    ),
]
