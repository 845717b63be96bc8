"""transformers and peft on the same card and the same shapes as `stepladder-cuda check --part speed`: QLoRA with
bitsandbytes where it can be imported, LoRA in 16 bits otherwise, with and without gradient checkpointing.

The rival is set up as its users set it up where that is to its advantage: weights of the blocks in NF4 with double
quantization or in bf16, products in bf16 by autocast, scaled-dot-product attention, PyTorch's fused AdamW, and no copy of
embedding, head or norms in f32 (`prepare_model_for_kbit_training` would make one). Weights are random and made on the card.
Writes one JSON document that `stepladder-cuda check --join` takes.
"""

import argparse
import gc
import importlib
import json
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

try:
    import bitsandbytes
except Exception:  # whatever it fails with, it cannot be used
    bitsandbytes = None

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# As in assets/catalogue.json.
SHAPES = {
    "qwen2.5-7b": lambda: Qwen2Config(
        hidden_size=3584, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4, intermediate_size=18944,
        vocab_size=152064, max_position_embeddings=131072, rms_norm_eps=1e-6, use_sliding_window=False,
        tie_word_embeddings=False, **rope(rope_theta=1e6)),
    "llama-3.1-8b": lambda: LlamaConfig(
        hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, intermediate_size=14336,
        vocab_size=128256, max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=False,
        **rope(rope_theta=5e5, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
               original_max_position_embeddings=8192)),
    "small": lambda: LlamaConfig(
        hidden_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=320,
        vocab_size=1000, max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=False,
        **rope(rope_theta=1e4)),
}


def rope(rope_theta, **scaling):
    """The rotary embedding as the installed transformers wants it told."""
    if int(transformers.__version__.split(".")[0]) >= 5:
        return dict(rope_parameters=dict(dict(rope_type="default", rope_theta=rope_theta), **scaling))
    return dict(rope_theta=rope_theta, **(dict(rope_scaling=scaling) if scaling else {}))


def in_four_bits(model, device):
    """Replaces the linear maps of the blocks by bitsandbytes' in NF4, one after the other."""
    for name, module in list(model.named_modules()):
        parent, _, child = name.rpartition(".")
        if child not in TARGETS:
            continue
        four_bits = bitsandbytes.nn.Linear4bit(
            module.in_features, module.out_features, bias=module.bias is not None, compute_dtype=torch.bfloat16,
            compress_statistics=True, quant_type="nf4", device="meta")
        four_bits.weight = bitsandbytes.nn.Params4bit(
            module.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4")
        four_bits.bias = module.bias
        setattr(model.get_submodule(parent), child, four_bits.to(device))
    # What peft asks before it adds to them.
    model.is_loaded_in_4bit = True
    return model


def build(name, method, recompute, device):
    torch.manual_seed(1)
    # Under this name in every version of transformers; what `from_config` calls it has changed.
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(SHAPES[name](), attn_implementation="sdpa").to(torch.bfloat16)
    finally:
        torch.set_default_dtype(before)
    model.requires_grad_(False)
    if method == "qlora":
        model = in_four_bits(model, device)
    model.config.use_cache = False
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
    lora = LoraConfig(r=16, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(model, lora).to(device)
    model.train()
    return model


def measure(name, method, recompute, batch, context, device):
    """Median step of two to ten, in 6 seconds, after one that does not count; PyTorch's peaks."""
    model = build(name, method, recompute, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0, fused=device == "cuda")
    ids = torch.randint(0, model.config.vocab_size, (batch, context), device=device)
    gc.collect()
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def step():
        wait()
        began = time.perf_counter()
        with torch.autocast(device, torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.3)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()
        return time.perf_counter() - began

    step()
    began, steps = time.perf_counter(), []
    while len(steps) < 2 or (len(steps) < 10 and time.perf_counter() - began < 6):
        steps.append(step())
    steps.sort()
    peak = torch.cuda.max_memory_allocated if device == "cuda" else lambda: 0
    reserved = torch.cuda.max_memory_reserved if device == "cuda" else lambda: 0
    return dict(tokens_per_second=batch * context / steps[len(steps) // 2], allocated_peak=peak(), reserved_peak=reserved())


def version(name):
    try:
        return importlib.import_module(name).__version__
    except Exception:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", default="rival.json")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", action="append", choices=SHAPES)
    parser.add_argument("--method", action="append", choices=["qlora", "lora"])
    parser.add_argument("--batch", action="append", type=int)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu tries the script where there is no card")
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    methods = asked.method or ["qlora" if bitsandbytes else "lora"]
    device_name = torch.cuda.get_device_name() if asked.device == "cuda" else "cpu"
    versions = {name: version(name) for name in ["torch", "transformers", "peft", "bitsandbytes"]}
    rows, left_out = [], []

    def write():
        with open(asked.json, "w") as file:
            json.dump(dict(rival=dict(device=device_name, versions=versions, rows=rows), left_out=left_out), file, indent=2)
            file.write("\n")

    for name in asked.model or ["qwen2.5-7b", "llama-3.1-8b"]:
        for method in methods:
            for recompute in [True, False]:
                for batch in asked.batch or [1, 4]:
                    what = f"{name}, {method}{', recompute' if recompute else ''}, batch {batch}"
                    if time.monotonic() > until:
                        left_out.append(f"no time was left for the rival's {what}")
                        continue
                    row = dict(model=name, method=method, recompute=recompute, batch=batch, context=asked.context)
                    try:
                        row.update(measure(name, method, recompute, batch, asked.context, asked.device))
                    except torch.OutOfMemoryError:
                        row["failed"] = "out of memory"
                    except Exception as error:  # one shape that fails is no reason to lose the others
                        row["failed"] = f"{type(error).__name__}: {error}".split("\n")[0][:200]
                    gc.collect()
                    if asked.device == "cuda":
                        torch.cuda.empty_cache()
                    rows.append(row)
                    print(f"{what}: {row.get('failed') or round(row['tokens_per_second'])}", flush=True)
                    write()
    write()


if __name__ == "__main__":
    main()
