"""Rotary frequencies of published sizes, `frequencies.{json,safetensors}`: what transformers computes.

The tiny models cannot show everything: with 16 original positions yarn's `beta_fast` never matters.
Here are configs of real size, in the published style, and for each

    <case>.<which>.inverse_frequencies  f32 [rotary_dim / 2]
    <case>.<which>.attention_factor     f64 [1]   multiplies cos and sin

where <which> is `every_layer`, `full_attention` and `sliding_attention` (gemma3), or `short` and `long`.
The formulas are written out below in float64 as well and must agree.
"""

import json
import math

import torch

from common import parse_output, save
from transformers import AutoConfig, AutoModelForCausalLM

LLAMA = dict(
    model_type="llama",
    hidden_size=4096,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=131072,
    rope_theta=500000.0,
)
LLAMA3_SCALING = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192
)
QWEN = dict(
    model_type="qwen2",
    hidden_size=3584,
    num_attention_heads=28,
    num_key_value_heads=4,
    max_position_embeddings=32768,
    rope_theta=1000000.0,
)
PHI = dict(
    model_type="phi3",
    hidden_size=3072,
    num_attention_heads=24,
    num_key_value_heads=8,
    max_position_embeddings=131072,
    original_max_position_embeddings=4096,
    partial_rotary_factor=0.75,
    rope_theta=10000.0,
)
YARN = dict(type="yarn", factor=4.0, original_max_position_embeddings=32768)

CASES = {
    "llama-3.1": LLAMA | dict(rope_scaling=LLAMA3_SCALING),
    "llama-3.2-1b": LLAMA | dict(hidden_size=2048, rope_scaling=LLAMA3_SCALING | dict(factor=32.0)),
    "qwen2.5-yarn": QWEN | dict(rope_scaling=YARN),
    "yarn-no-original": QWEN | dict(rope_scaling=dict(type="yarn", factor=4.0)),
    "yarn-betas": QWEN | dict(rope_scaling=YARN | dict(beta_fast=16.0, beta_slow=2.0, attention_factor=1.25)),
    "yarn-mscale": QWEN | dict(rope_scaling=YARN | dict(factor=40.0, mscale=1.0, mscale_all_dim=0.707)),
    "yarn-no-truncation": QWEN | dict(rope_scaling=YARN | dict(truncate=False)),
    "linear": LLAMA | dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0)),
    # Shape and factors like Phi-4-mini's, whose long factors grow by a constant ratio at first.
    "phi-4-mini": PHI
    | dict(
        rope_scaling=dict(
            type="longrope",
            short_factor=[1.0] * 48,
            long_factor=[round(1.118 ** min(i, 31), 6) for i in range(48)],
        )
    ),
    "gemma-3-4b": dict(
        model_type="gemma3_text",
        hidden_size=2560,
        num_hidden_layers=34,
        rope_scaling=dict(factor=8.0, rope_type="linear"),
        sliding_window=1024,
    ),
    "gemma-3-27b": dict(
        model_type="gemma3_text",
        hidden_size=5376,
        num_hidden_layers=62,
        num_attention_heads=32,
        num_key_value_heads=16,
        head_dim=128,
        query_pre_attn_scalar=168,
        rope_scaling=dict(factor=8.0, rope_type="linear"),
        sliding_window=1024,
    ),
}


# ---- transformers ---------------------------------------------------------------------


def from_transformers(config):
    """{which: (inverse frequencies, attention factor)} of a model without weights' sizes mattering."""
    fields = {key: value for key, value in config.items() if key != "model_type"}
    small = dict(vocab_size=8, intermediate_size=8)
    loaded = AutoConfig.for_model(config["model_type"], **json.loads(json.dumps(fields)), **small)
    loaded.pad_token_id = None
    with torch.device("meta"):
        model_class = type(AutoModelForCausalLM.from_config(loaded).model.rotary_emb)
    rotary = model_class(loaded)
    if config["model_type"] == "gemma3_text":
        return {
            kind: (getattr(rotary, f"{kind}_inv_freq"), getattr(rotary, f"{kind}_attention_scaling"))
            for kind in ("full_attention", "sliding_attention")
        }
    if rotary.rope_type == "longrope":
        found = {}
        for which, length in (("short", 4096), ("long", 4097)):
            rotary(torch.zeros(1), torch.arange(length)[None])
            found[which] = rotary.inv_freq.clone(), rotary.attention_scaling
        return found
    return {"every_layer": (rotary.inv_freq, rotary.attention_scaling)}


# ---- the formulas, in float64 ---------------------------------------------------------


def powers(theta, rotary_dim):
    """theta^(2i / rotary_dim): the wavelengths, divided by 2 pi."""
    return [theta ** (2 * i / rotary_dim) for i in range(rotary_dim // 2)]


def llama3(theta, dim, scaling):
    factor, original = scaling["factor"], scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    found = []
    for power in powers(theta, dim):
        turns = original / (2 * math.pi * power)  # in the original context
        kept = min(max((turns - low) / (high - low), 0.0), 1.0)
        found.append((kept + (1 - kept) / factor) / power)
    return found, 1.0


def yarn(theta, dim, scaling, original):
    factor = scaling["factor"]

    def index(turns):
        """The (fractional) pair that turns this often within the original context."""
        return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = index(scaling.get("beta_fast") or 32), index(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    found = []
    for i, power in enumerate(powers(theta, dim)):
        interpolated = min(max((i - low) / (high - low), 0.0), 1.0)
        found.append((interpolated / factor + (1 - interpolated)) / power)

    def mscale(weight):
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    attention_factor = scaling.get("attention_factor")
    if attention_factor is None:
        if scaling.get("mscale") and scaling.get("mscale_all_dim"):
            attention_factor = mscale(scaling["mscale"]) / mscale(scaling["mscale_all_dim"])
        else:
            attention_factor = mscale(1.0)
    return found, attention_factor


def longrope(theta, dim, factors, length, original):
    attention_factor = math.sqrt(1 + math.log(length / original) / math.log(original)) if length > original else 1.0
    return [1 / (factor * power) for factor, power in zip(factors, powers(theta, dim))], attention_factor


def from_formulas(config):
    theta, scaling = config.get("rope_theta"), config["rope_scaling"]
    if config["model_type"] == "gemma3_text":
        dim = config.get("head_dim", 256)
        return {
            "full_attention": ([1 / (scaling["factor"] * power) for power in powers(1000000.0, dim)], 1.0),
            "sliding_attention": ([1 / power for power in powers(10000.0, dim)], 1.0),
        }
    dim = int(config["hidden_size"] // config["num_attention_heads"] * config.get("partial_rotary_factor", 1.0))
    kind = scaling.get("rope_type", scaling.get("type"))
    length = config["max_position_embeddings"]
    if kind == "longrope":
        original = config["original_max_position_embeddings"]
        return {
            which: longrope(theta, dim, scaling[f"{which}_factor"], length, original) for which in ("short", "long")
        }
    if kind == "llama3":
        return {"every_layer": llama3(theta, dim, scaling)}
    if kind == "yarn":
        return {"every_layer": yarn(theta, dim, scaling, scaling.get("original_max_position_embeddings", length))}
    return {"every_layer": ([1 / (scaling["factor"] * power) for power in powers(theta, dim)], 1.0)}


def main():
    output = parse_output(__doc__.splitlines()[0])
    tensors = {}
    for case, config in CASES.items():
        expected = from_formulas(config)
        for which, (frequencies, attention_factor) in from_transformers(config).items():
            ours, our_factor = expected[which]
            ours = torch.tensor(ours, dtype=torch.float64)
            error = ((frequencies.double() - ours).abs() / ours).max().item()
            print(f"{case}, {which}: attention factor {attention_factor:.6f}, formula within {error:.1e}")
            assert error < 2e-6 and math.isclose(attention_factor, our_factor, rel_tol=1e-12), (case, which)
            tensors[f"{case}.{which}.inverse_frequencies"] = frequencies
            tensors[f"{case}.{which}.attention_factor"] = torch.tensor([attention_factor], dtype=torch.float64)
    output.mkdir(parents=True, exist_ok=True)
    save(output / "frequencies.safetensors", tensors)
    (output / "frequencies.json").write_text(json.dumps(CASES, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
