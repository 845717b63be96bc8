"""Tiny Llamas that transformers and bitsandbytes saved in NF4, under `bnb/<name>/`.

`config.json` and `model.safetensors` are what `save_pretrained` writes after loading with a
`BitsAndBytesConfig` on the CPU. `golden.safetensors` holds

    input_ids  i64 [2, seq]
    hidden     f32 [layers, 2, seq, d_model]   the output of each decoder block
    logits     f32 [2, seq, vocab]
    dequantized.<name>  f32, one weight of each layer
    checksum.<name>     i64, see nf4.py, of the f32 bits of every dequantized weight

All is computed in float32 from weights that bitsandbytes dequantized to float32. Its own 4-bit
layers round the dequantized weight to the type the model had, or compute in bfloat16 where the
processor can: that would make the golden depend on the machine.
"""

import shutil
import tempfile

import bitsandbytes.functional as bnb
import torch
from safetensors.torch import load_file

from backbones import run
from common import MUST_BREAK, difference_in_tolerances, integers, normal, parse_output, save, uniform
from nf4 import checksum
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

VOCAB, SEQ = 96, 24

# down_proj has 320 scales: a whole block of 256 and a short one.
SIZES = dict(
    hidden_size=64,
    intermediate_size=320,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=VOCAB,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    rms_norm_eps=1e-5,
)

# So that attention scores and logits spread.
LARGER = {"q_proj": 1.8, "k_proj": 1.8, "lm_head": 3.0}

# name -> dtype of what is quantized, and of what is not; are the scales quantized again
MODELS = {
    "llama-nf4": dict(dtype=torch.float32, double=False),
    "llama-nf4-double": dict(dtype=torch.bfloat16, double=True),
}


@torch.no_grad()
def random_model(name, dtype):
    """As in backbones.py: nothing near a default that would hide a mistake."""
    model = LlamaForCausalLM(LlamaConfig(**SIZES, dtype=dtype)).to(dtype).eval()
    for tensor_name, tensor in model.named_parameters():
        key, shape = f"{name}/{tensor_name}", tensor.shape
        if "norm" in tensor_name:
            tensor.copy_(uniform(key, *shape, low=0.5, high=1.5))
        elif "embed_tokens" in tensor_name:
            tensor.copy_(normal(key, *shape))
        else:
            factor = next((factor for part, factor in LARGER.items() if part in tensor_name), 1.0)
            tensor.copy_(normal(key, *shape, std=factor * shape[-1] ** -0.5))
    return model


def save_quantized(model, dtype, double, folder):
    """The way users make such a folder: load a checkpoint with a quantization config, save it."""
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=dtype,
    )
    with tempfile.TemporaryDirectory() as plain:
        model.save_pretrained(plain)
        quantized = AutoModelForCausalLM.from_pretrained(
            plain, quantization_config=config, dtype=dtype, device_map={"": "cpu"}
        )
    # No forward before this: it would repack the weights for bfloat16 and lose the scales' bits.
    quantized.save_pretrained(folder)


def dequantize(folder):
    """Every weight of the folder in float32, by bitsandbytes; the names of those in NF4."""
    tensors = load_file(folder / "model.safetensors")
    mark = ".quant_state.bitsandbytes__nf4"
    quantized = sorted(name.removesuffix(mark) for name in tensors if name.endswith(mark))
    plain = {name: tensor.float() for name, tensor in tensors.items() if not any(name.startswith(q) for q in quantized)}
    for name in quantized:
        parts = {key: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
        state = bnb.QuantState.from_dict(parts, device=torch.device("cpu"))
        state.dtype = torch.float32
        plain[name] = bnb.dequantize_4bit(tensors[name], state)
        assert plain[name].shape == state.shape
    return plain, quantized


@torch.no_grad()
def main():
    output = parse_output(__doc__.splitlines()[0]) / "bnb"
    for name, settings in MODELS.items():
        folder = output / name
        shutil.rmtree(folder, ignore_errors=True)
        model = random_model(name, settings["dtype"])
        save_quantized(model, **settings, folder=folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        (folder / "model.safetensors").chmod(0o644)
        weights, quantized = dequantize(folder)
        assert len(quantized) == 14 and "lm_head.weight" in weights

        reference = LlamaForCausalLM(LlamaConfig(**SIZES)).float().eval()
        reference.load_state_dict(weights, strict=True)
        input_ids = integers(f"{name}.input_ids", 2, SEQ, high=VOCAB)
        hidden, logits = run(reference, input_ids)
        unquantized, _ = run(model.float(), input_ids)
        golden = {"input_ids": input_ids, "hidden": hidden, "logits": logits}
        for layer, part in ((0, "self_attn.k_proj"), (1, "self_attn.v_proj")):
            weight = f"model.layers.{layer}.{part}.weight"
            golden[f"dequantized.{weight}"] = weights[weight]
        golden |= {f"checksum.{weight}": checksum(weights[weight]) for weight in quantized}
        ratio = difference_in_tolerances(unquantized, hidden)
        print(f"  {name} without quantization: {ratio:,.0f} x tolerance; logits' deviation {logits.std():.2f}")
        assert ratio > MUST_BREAK and 2.0 < logits.std() < 5.0
        save(folder / "golden.safetensors", golden)


if __name__ == "__main__":
    main()
