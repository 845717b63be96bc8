"""Times our training step beside PyTorch's, in turns, in one run, and prints ratios.

    python tests/witness/benchmark.py EXECUTABLE [--rounds 5] [--threads 2]

EXECUTABLE is target/release/examples/bench_step. Each round runs both programs once, each in a
process of its own; a figure is the median over the rounds of the ratio ours / PyTorch's. Peak memory
is what the process took beyond its start (PyTorch: beyond its imports; ours: counted by the
allocator, weights included on both sides).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT / "target" / "witness" / "benchmark"


def models():
    """Name -> (folder, batch, seq, repeats); random weights, made once."""
    shapes = {
        "6 layers, d 512": (LlamaForCausalLM, LlamaConfig(
            vocab_size=8192, hidden_size=512, intermediate_size=1408, num_hidden_layers=6,
            num_attention_heads=8, num_key_value_heads=8, tie_word_embeddings=True)),
        "24 layers, d 896": (Qwen2ForCausalLM, Qwen2Config(
            vocab_size=32768, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
            num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True)),
    }
    found = {"built-in, 4x110": (ROOT / "assets" / "builtin-model", 4, 110, 10)}
    sizes = {"6 layers, d 512": (4, 256, 3), "24 layers, d 896": (2, 512, 1)}
    for name, (kind, config) in shapes.items():
        folder = MODELS / name.replace(" ", "-").replace(",", "")
        if not (folder / "model.safetensors").exists():
            torch.manual_seed(1)
            kind(config).float().save_pretrained(folder)
        batch, seq, repeats = sizes[name]
        found[f"{name}, {batch}x{seq}"] = (folder, batch, seq, repeats)
    return found


def run(command, threads):
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    output = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True, check=True)
    return json.loads(output.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("executable", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    executable = options.executable.resolve()
    print("| model | forward | step | step - forward | peak | ours, s per step |")
    print("|---|---|---|---|---|---|")
    for name, (folder, batch, seq, repeats) in models().items():
        ratios = {"forward": [], "step": [], "backward": [], "peak": []}
        ours_step = []
        for _ in range(options.rounds):
            sizes = [str(number) for number in (batch, seq, repeats)]
            ours = run([executable, folder, *sizes], options.threads)
            theirs = run([sys.executable, HERE / "bench_step.py", folder, *sizes, str(options.threads)],
                         options.threads)
            both = [{"forward": statistics.median(side["forward_secs"]),
                     "step": statistics.median(side["step_secs"]), "peak": side["peak_bytes"]}
                    for side in (ours, theirs)]
            for side in both:
                side["backward"] = side["step"] - side["forward"]
            for figure, values in ratios.items():
                values.append(both[0][figure] / both[1][figure])
            ours_step.append(both[0]["step"])
        row = [f"{statistics.median(ratios[figure]):.2f}" for figure in ("forward", "step", "backward", "peak")]
        print(f"| {name} | " + " | ".join(row) + f" | {statistics.median(ours_step):.3f} |", flush=True)


if __name__ == "__main__":
    main()
