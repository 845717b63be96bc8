"""PEFT's half of the LoRA benchmark: the same training step as app/examples/bench_step.rs with `lora` or
`qlora`: all linears of the blocks, rank 16, final norm, head and cross-entropy in chunks of tokens, with
the blocks recomputed (gradient checkpointing) or kept. `qlora` has its weights in bitsandbytes' NF4
with double quantization, computed in f32. Prints one JSON object.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from bench_step import BASELINE, CHUNK_NUMBERS, resident

FOUR_BITS = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                               bnb_4bit_compute_dtype=torch.float32)


def main(folder, batch, seq, repeats, method, blocks, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    four_bits = dict(quantization_config=FOUR_BITS) if method == "qlora" else {}
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32, **four_bits)
    model.requires_grad_(False)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM"))
    model.train()
    inner = model.get_base_model()
    if blocks == "recompute":
        inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0)
    vocabulary = inner.config.vocab_size
    ids = torch.tensor([(i * 7919 + 13) % vocabulary for i in range(batch * seq)]).view(batch, seq)
    targets = ids[:, 1:].reshape(-1)
    chunk = min(512, max(16, CHUNK_NUMBERS // vocabulary))

    def head_loss(hidden, labels):
        return F.cross_entropy(inner.lm_head(hidden), labels, reduction="sum")

    def loss_sum():
        hidden = inner.model(ids, use_cache=False).last_hidden_state[:, :-1].reshape(len(targets), -1)
        total = 0.0
        for first in range(0, len(targets), chunk):
            part = slice(first, first + chunk)
            if torch.is_grad_enabled():
                total = total + checkpoint(head_loss, hidden[part], targets[part], use_reentrant=False)
            else:
                total = total + head_loss(hidden[part], targets[part])
        return total

    forward, step = [], []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        with torch.no_grad():
            loss_sum()
        forward_secs = time.perf_counter() - start
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_sum() / len(targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.3)
        optimizer.step()
        if repeat > 0:  # the first round warms up
            forward.append(forward_secs)
            step.append(time.perf_counter() - start)
    print(json.dumps({"forward_secs": forward, "step_secs": step, "loss": loss.item(),
                      "peak_bytes": resident("VmHWM") - BASELINE}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]), sys.argv[5], sys.argv[6], int(sys.argv[7]))
