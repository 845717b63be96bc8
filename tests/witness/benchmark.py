"""Times our program beside PyTorch, in turns, in one run, and prints ratios ours / PyTorch's.

    python tests/witness/benchmark.py step EXAMPLES [--rounds 5] [--threads 2]
    python tests/witness/benchmark.py decode EXAMPLES [--rounds 5] [--threads 2]
    python tests/witness/benchmark.py nf4 EXAMPLES [--rounds 5] [--threads 2]
    python tests/witness/benchmark.py lora EXAMPLES [--rounds 5] [--threads 2]
    python tests/witness/benchmark.py methods EXAMPLES [--rounds 5] [--threads 2]
    python tests/witness/benchmark.py load EXAMPLES [--threads 2]
    python tests/witness/benchmark.py data EXAMPLES [--rounds 5] [--threads 2]

`step` is the training step of a Ladder, `decode` prompt and greedy decoding of the base model.
`lora` is the step of LoRA and QLoRA beside PEFT, blocks recomputed or kept on both sides.
`methods` is our step of every method on the large model, in seconds and bytes.
`nf4` compares our step on an NF4 backbone with our own on the same in f32, `load` shows how a model
of 500 M parameters loads.
`data` reads 200,000 short chats into masked tokens beside `datasets` and `transformers` (one process
per thread; needs `datasets` from PyPI, which no witness does), then shows that our peak does not grow
with the file.
EXAMPLES is the folder of our half: target/release/examples, after
`cargo build --release -p stepladder --examples`. Each round runs both programs once, each in a
process of its own; a figure is the median over the rounds of the ratio. Peak memory is what the
process took beyond its start (PyTorch: beyond its imports; ours: counted by the allocator, weights
included on both sides).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT / "target" / "witness" / "benchmark"

BUILTIN, SMALL, LARGE = "built-in", "6 layers, d 512", "24 layers, d 896"
# batch, tokens per row, repeats
STEPS = {BUILTIN: (4, 110, 10), SMALL: (4, 256, 3), LARGE: (2, 512, 1)}
# tokens of the prompt, tokens decoded
DECODES = {BUILTIN: (110, 256), SMALL: (256, 128), LARGE: (256, 48)}


def run(command, threads):
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    output = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True, check=True)
    measured = json.loads(output.stdout.strip().splitlines()[-1])
    figures = {name.removesuffix("_secs"): statistics.median(values)
               for name, values in measured.items() if name.endswith("_secs")}
    if "step" in figures:
        figures["step - forward"] = figures["step"] - figures["forward"]
    return figures | {"peak": measured["peak_bytes"]}


def shapes():
    return {
        SMALL: (LlamaForCausalLM, LlamaConfig(
            vocab_size=8192, hidden_size=512, intermediate_size=1408, num_hidden_layers=6,
            num_attention_heads=8, num_key_value_heads=8, tie_word_embeddings=True)),
        LARGE: (Qwen2ForCausalLM, Qwen2Config(
            vocab_size=32768, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
            num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True)),
    }


def folder_of(name, kind, config, dtype=torch.float32):
    """A random model, made once."""
    folder = MODELS / name.replace(" ", "-").replace(",", "")
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(1)
        kind(config).to(dtype).save_pretrained(folder)
    return folder


def folders():
    """Name -> folder. The built-in model is BF16, the others f32."""
    made = {name: folder_of(name, kind, config) for name, (kind, config) in shapes().items()}
    return {BUILTIN: ROOT / "assets" / "builtin-model"} | made


def load(options):
    config = LlamaConfig(vocab_size=32768, hidden_size=1024, intermediate_size=4096, num_hidden_layers=28,
                         num_attention_heads=16, num_key_value_heads=16, tie_word_embeddings=True)
    folder = folder_of("500 M", LlamaForCausalLM, config, torch.bfloat16)
    environment = dict(os.environ, RAYON_NUM_THREADS=str(options.threads))
    subprocess.run([options.examples / "bench_load", folder], env=environment, check=True)


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"
    "{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = ("the a of with and we have there are boxes apples tables seven twelve how many in all left right first "
         "then each every other big small red green blue takes gives away sold bought market garden").split()


def chats(rows):
    """A file of short chats, made once."""
    path = MODELS / f"chats-{rows}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = Random(1)
        text = lambda least, most: " ".join(random.choices(WORDS, k=random.randint(least, most)))
        with path.open("w") as file:
            for _ in range(rows):
                turns = [{"role": "system", "content": text(5, 15)}] if random.random() < 0.3 else []
                for _ in range(random.choice([1, 1, 2])):
                    turns += [{"role": "user", "content": text(8, 40)}, {"role": "assistant", "content": text(10, 60)}]
                file.write(json.dumps({"messages": turns}) + "\n")
    return path


def data(options):
    folder = MODELS / "built-in-with-chatml"
    if not folder.exists():
        shutil.copytree(ROOT / "assets" / "builtin-model", folder)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": CHAT_TEMPLATE}))
    environment = dict(os.environ, RAYON_NUM_THREADS=str(options.threads), TOKENIZERS_PARALLELISM="false")

    def measure(command):
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        measured = json.loads(output.stdout.strip().splitlines()[-1])
        return measured | {"secs": measured["load_secs"][0]}

    path = chats(200_000)
    ratios = []
    for _ in range(options.rounds):
        ours = measure([options.examples / "bench_data", folder, path])
        theirs = measure([sys.executable, HERE / "bench_data.py", folder, path, "--processes", str(options.threads)])
        same = ["examples", "tokens", "trained"]
        assert [ours[key] for key in same] == [theirs[key] for key in same], (ours, theirs)
        ratios.append(theirs["secs"] / ours["secs"])
        print(f"ours {ours['secs']:.1f} s, theirs {theirs['secs']:.1f} s, {ours['tokens']:,} tokens, "
              f"{ours['trained']:,} trained", flush=True)
    print(f"throughput, ours / theirs: {statistics.median(ratios):.2f}")
    for rows in [200_000, 2_000_000]:
        path = chats(rows)
        ours = measure([options.examples / "bench_data", folder, path])
        print(f"{path.stat().st_size / 1e6:.0f} MB: {ours['secs']:.1f} s, peak {ours['peak_bytes'] / 2**20:.1f} MiB", flush=True)


def medians(rounds, columns):
    return [f"{statistics.median(round[column] for round in rounds):.2f}" for column in columns]


def lora(options):
    columns = ["forward", "step", "step - forward", "peak"]
    print(f"| model | method | {' | '.join(columns)} | ms per step |")
    print("|---" * (len(columns) + 3) + "|")
    for name, folder in folders().items():
        numbers = [str(number) for number in STEPS[name]]
        for method, blocks in [("lora", "recompute"), ("lora", "keep"), ("qlora", "recompute")]:
            ratios, milliseconds = [], []
            for _ in range(options.rounds):
                mine = run([options.examples / "bench_step", folder, *numbers, method, blocks], options.threads)
                other = run([sys.executable, HERE / "bench_lora.py", folder, *numbers, method, blocks,
                             str(options.threads)], options.threads)
                ratios.append({column: mine[column] / other[column] for column in columns})
                milliseconds.append(1000 * mine["step"])
            print(f"| {name}, {'x'.join(numbers[:2])} | {method}, {blocks} | " + " | ".join(medians(ratios, columns))
                  + f" | {statistics.median(milliseconds):.1f} |", flush=True)


def methods(options):
    folder, numbers = folders()[LARGE], [str(number) for number in STEPS[LARGE]]
    print("| method | seconds per step | peak, MiB |")
    print("|---|---|---|")
    for words in [["ladder"], ["ladder", "nf4"], ["xladder"], ["xladder", "nf4"], ["lora", "recompute"],
                  ["lora", "keep"], ["qlora", "recompute"], ["qlora", "keep"]]:
        rounds = [run([options.examples / "bench_step", folder, *numbers, *words], options.threads)
                  for _ in range(options.rounds)]
        secs, peak = (statistics.median(round[column] for round in rounds) for column in ("step", "peak"))
        print(f"| {', '.join(words)} | {secs:.2f} | {peak / 2**20:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["step", "decode", "nf4", "lora", "methods", "load", "data"])
    parser.add_argument("examples", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.examples = options.examples.resolve()
    alone = {"data": data, "load": load, "lora": lora, "methods": methods}
    if options.what in alone:
        return alone[options.what](options)
    program = "decode" if options.what == "decode" else "step"
    ours = options.examples / f"bench_{program}"
    theirs = [sys.executable, HERE / f"bench_{program}.py"]
    sizes = STEPS if program == "step" else DECODES
    columns = {"step": ["forward", "step", "step - forward", "peak"], "decode": ["prompt", "token", "peak"]}[program]
    absolute = "step" if program == "step" else "token"
    print(f"| model | {' | '.join(columns)} | ms per {absolute} |")
    print("|---" * (len(columns) + 2) + "|")
    for name, folder in folders().items():
        ratios, milliseconds = {column: [] for column in columns}, []
        numbers = [str(number) for number in sizes[name]]
        for _ in range(options.rounds):
            if options.what == "nf4":
                mine = run([ours, folder, *numbers, "nf4"], options.threads)
                other = run([ours, folder, *numbers], options.threads)
            else:
                mine = run([ours, folder, *numbers], options.threads)
                other = run([*theirs, folder, *numbers, str(options.threads)], options.threads)
            for column, values in ratios.items():
                values.append(mine[column] / other[column])
            milliseconds.append(1000 * mine[absolute])
        row = [f"{statistics.median(values):.2f}" for values in ratios.values()]
        shape = "x".join(numbers[:2]) if program == "step" else " + ".join(numbers)
        print(f"| {name}, {shape} | " + " | ".join(row) + f" | {statistics.median(milliseconds):.1f} |", flush=True)


if __name__ == "__main__":
    main()
