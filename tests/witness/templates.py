"""Chat templates as transformers renders them: `templates/`.

    tokenizer.json  a small tokenizer that has the special tokens of all of them
    STYLE.json      one template: its special tokens, and for each conversation what it becomes
    expressions.json what single expressions of Jinja and Python become, null where they fail

The templates are `witness/templates/STYLE.jinja`, written in the styles of well-known families, and
those that come with the program (`assets/templates`). `witness/templates/expressions.txt` has what
templates may ask of the interpreter, one a line. In a STYLE.json a case has `text`, with
`tokens` and `ids_fnv` (FNV-1a over the ids as four bytes each, the lowest first) or `ids`, or it has
`refused`, the template's own words, or `failed`.
"""

import copy
import datetime
import json
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from common import DEFAULT_OUTPUT, REPOSITORY, parse_output
from jinja2.exceptions import TemplateError
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

STYLES = REPOSITORY / "tests" / "witness" / "templates"
NAMED = REPOSITORY / "assets" / "templates"
VOCABULARY = DEFAULT_OUTPUT / "gguf_tokenizers" / "qwen2" / "tokenizer.json"

# What the Rust test's clock says.
NOW = datetime.datetime(2024, 2, 9, 13, 5, 9)

CHATML = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
GEMMA = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
LLAMA3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
SENTENCEPIECE = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}

SPECIAL = {
    "chatml-default-system": CHATML,
    "command-r": {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>"},
    "deepseek-r1": {"bos_token": "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "eos_token": "<\uff5cend\u2581of\u2581sentence\uff5c>"},
    "gemma2": GEMMA,
    "gemma3": GEMMA,
    "granite": {"bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>"},
    "harmony": {"bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>"},
    "llama3-tools": LLAMA3,
    "mistral-v3-tools": SENTENCEPIECE,
    "olmo": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    "phi3": {"bos_token": "<s>", "eos_token": "<|endoftext|>"},
    "phi4-mini": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    "qwen2.5-tools": CHATML,
    "qwen3": CHATML,
    "smollm3": {"bos_token": None, **CHATML},
    "zephyr": SENTENCEPIECE,
    "alpaca": SENTENCEPIECE,
    "chatml": CHATML,
    "gemma": GEMMA,
    "llama3": LLAMA3,
    "mistral": SENTENCEPIECE,
    "phi": {"eos_token": "<|end|>"},
    # No token begins its sequences: what a template prints of it is nothing.
    "plain": {"eos_token": "</s>"},
}

# Further tokens, which no field of the above names.
FURTHER = """
<|start_header_id|> <|end_header_id|> <tool_response> </tool_response> <\uff5cUser\uff5c> <\uff5cAssistant\uff5c>
<\uff5ctool\u2581calls\u2581begin\uff5c> <\uff5ctool\u2581calls\u2581end\uff5c> <\uff5ctool\u2581call\u2581begin\uff5c> <\uff5ctool\u2581call\u2581end\uff5c> <\uff5ctool\u2581sep\uff5c>
<\uff5ctool\u2581outputs\u2581begin\uff5c> <\uff5ctool\u2581outputs\u2581end\uff5c> <\uff5ctool\u2581output\u2581begin\uff5c> <\uff5ctool\u2581output\u2581end\uff5c>
[INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS]
<start_of_turn> <end_of_turn> <|system|> <|user|> <|assistant|> <|tool|> <|/tool|> <|end|>
<|START_OF_TURN_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|> <|SYSTEM_TOKEN|>
<|start_of_role|> <|end_of_role|> <|tool_call|> <|start|> <|message|> <|channel|> <|call|>
""".split()

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks a word's \"meaning\" up in <books>.",
            "parameters": {
                "type": "object",
                "properties": {
                    "word": {"type": "string", "description": "L\u2019\u00e9tat"},
                    "most": {"type": "integer", "default": 3},
                    "in": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["word"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "Tells the time.", "parameters": {}}},
]


def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text, reasoning=None, **fields):
    return {"role": "assistant", "content": text, **fields} | ({"reasoning": reasoning} if reasoning is not None else {})


def call(name, arguments):
    return {"id": "abcdef123", "type": "function", "function": {"name": name, "arguments": arguments}}


def answer_of_tool(text):
    return {"role": "tool", "content": text, "name": "look_up", "tool_call_id": "abcdef123"}


ARGUMENTS = {"word": "ca\u00f1a \U0001f600", "most": 1, "exact": True, "ratio": 0.5, "in": ["a/b", None]}

CONVERSATIONS = {
    "single": {"messages": [user("What is 2 + 3?"), assistant("5")]},
    "unicode": {
        "messages": [
            user("\u00c7\u0131\u011f \u00fc\u015f\u00fcyor, \u4f60\u597d \U0001f642\U0001f44d\U0001f3fd <b>&amp;</b> 'a' \"b\" {{ c }} {% raw %}"),
            assistant("caf\u00e9 \u041f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628\u0627"),
        ]
    },
    "spaces": {"messages": [user("  a\n\n b \t\n"), assistant("\n c\n\nd  \n")]},
    "system": {"messages": [system(" Be brief.\n"), user("Hi"), assistant("Ho")]},
    "turns": {
        "messages": [user("1 + 1?"), assistant("2"), user("+ 1?"), assistant("3"), user("+ 1?"), assistant("4")]
    },
    "out-of-order": {"messages": [user("a"), user("b"), assistant("c")]},
    "reasoning": {
        "messages": [user("1 + 1?"), assistant("2", "one\n\nand one"), user("+ 1?"), assistant("3", "two and one")]
    },
    "reasoning-empty": {"messages": [user("1 + 1?"), assistant("2", "")]},
    "inline": {
        "messages": [
            user("1 + 1?"),
            assistant("<think>\nso\n</think>\n\n2"),
            user("+ 1?"),
            assistant("<think>\nthus\n</think>\n\n3"),
        ]
    },
    "thinking-off": {"messages": [user("1 + 1?"), assistant("2", "so")], "enable_thinking": False},
    "thinking-on": {"messages": [user("1 + 1?"), assistant("2", "so")], "enable_thinking": True},
    "tools-offered": {"messages": [user("Hi"), assistant("Ho")], "tools": TOOLS},
    "tools-called": {
        "messages": [
            system("Look it up."),
            user("What is it?"),
            assistant("", tool_calls=[call("look_up", ARGUMENTS)]),
            answer_of_tool('{"found": "un b\u00e2ton"}'),
            assistant("A stick."),
        ],
        "tools": TOOLS,
    },
    "tools-called-twice": {
        "messages": [
            user("Both?"),
            assistant("", tool_calls=[call("look_up", {"word": "a"}), call("now", {})]),
            answer_of_tool("A"),
            answer_of_tool("12:00"),
            assistant("A at noon."),
        ],
        "tools": TOOLS,
    },
}

# Its ids are told one by one.
IDS_TOLD = "unicode"


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def build_tokenizer():
    tokenizer = Tokenizer.from_file(str(VOCABULARY))
    tokens = {token for special in SPECIAL.values() for token in special.values() if token}
    tokens |= set(FURTHER)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in sorted(tokens)])
    return tokenizer


def as_templates_take_it(messages):
    """Reasoning under each of the names that templates know it by, as the program gives it."""
    messages = copy.deepcopy(messages)
    for message in messages:
        if "reasoning" in message:
            text = message.pop("reasoning")
            message |= {"reasoning_content": text, "reasoning": text, "thinking": text}
    return messages


def fingerprint(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(id.to_bytes(4, "little") for id in ids):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def rendered(chat, name, conversation, prompt):
    options = {key: conversation[key] for key in ("tools", "enable_thinking") if key in conversation}
    messages = as_templates_take_it(conversation["messages"])
    if prompt:
        messages = messages[:-1]
    try:
        text = chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **options)
    except TemplateError as error:
        # What `raise_exception` raises is of this class itself; others are defects of the template.
        return {"refused": str(error)} if type(error) is TemplateError else {"failed": str(error)}
    except TypeError as error:
        return {"failed": str(error)}
    ids = chat(text, add_special_tokens=False)["input_ids"]
    if name == IDS_TOLD:
        return {"text": text, "ids": ids}
    return {"text": text, "tokens": len(ids), "ids_fnv": fingerprint(ids)}


def golden(tokenizer, source, special):
    chat = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{k: v for k, v in special.items() if v})
    chat.chat_template = source
    cases = []
    for name, conversation in CONVERSATIONS.items():
        for prompt in (False, True):
            case = {"conversation": name, "prompt": prompt}
            cases.append(case | rendered(chat, name, conversation, prompt))
    return {"special": special, "cases": cases}


def expression_told(source):
    try:
        return chat_template_utils.render_jinja_template([[user("hi")]], chat_template=source)[0][0]
    except (AttributeError, IndexError, TemplateError, TypeError, ValueError):
        return None


def expressions():
    sources = (STYLES / "expressions.txt").read_text().splitlines()
    lines = [json.dumps([source, expression_told(source)], ensure_ascii=False) for source in sources]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def as_json(value):
    """One line per case, so that a change reads well in a diff."""
    cases = ",\n".join(json.dumps(case, ensure_ascii=False) for case in value["cases"])
    return f'{{"special": {json.dumps(value["special"], ensure_ascii=False)},\n"cases": [\n{cases}\n]}}\n'


def main():
    chat_template_utils.datetime = Clock
    folder = parse_output(__doc__.splitlines()[0]) / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(build_tokenizer().to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n")
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in CONVERSATIONS.items())
    (folder / "conversations.json").write_text(f"{{\n{lines}\n}}\n")
    sources = {path.stem: path.read_text() for place in (STYLES, NAMED) for path in sorted(place.glob("*.jinja"))}
    assert sources.keys() == SPECIAL.keys(), sources.keys() ^ SPECIAL.keys()
    for style, source in sources.items():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        value = golden(tokenizer, source, SPECIAL[style])
        told = [case for case in value["cases"] if "text" in case]
        # A golden in which nothing is told could not fail.
        assert len(told) >= 10, style
        (folder / f"{style}.json").write_text(as_json(value))
        print(f"wrote {style}: {len(told)} of {len(value['cases'])} told")
    (folder / "expressions.json").write_text(expressions())
    print(f"{sum(file.stat().st_size for file in folder.iterdir()):,} bytes in all")


if __name__ == "__main__":
    main()
