"""PEFT's half of the LoRA benchmark: the same training step as app/examples/bench_step.rs with `lora` or
`qlora`: all linears of the blocks, rank 16, final norm, head and cross-entropy in chunks of tokens, with
the blocks recomputed (gradient checkpointing) or kept. `qlora` has its weights in bitsandbytes' NF4
with double quantization, computed in f32. Prints one JSON object.
"""

import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from bench_step import batch_of, chunked, time_steps

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
    ids, labels = batch_of(vocabulary, batch, seq)

    def head_loss(hidden, targets):
        return F.cross_entropy(inner.lm_head(hidden), targets, reduction="sum")

    def loss_sum():
        hidden = inner.model(ids, use_cache=False).last_hidden_state[:, :-1].reshape(len(labels), -1)
        return chunked(head_loss, hidden, labels, vocabulary)

    time_steps(repeats, loss_sum, labels, trained, 0.3, optimizer)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]), sys.argv[5], sys.argv[6], int(sys.argv[7]))
