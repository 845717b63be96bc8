"""Tiny random models as GGUF files, with what transformers computes on the numbers in them.

Per model and type of storage (`f16`, `q8_0`; vectors stay F32, as llama.cpp keeps them):

    NAME-TYPE.gguf         the weights as llama.cpp's converter lays them out
    NAME-TYPE.safetensors  input_ids, hidden, logits, as in backbones.py
    NAME.config.json       the model's config.json before it was converted

The file is written, read again, dequantized by the `gguf` package, and what comes out is put into the
model that transformers computes with: the golden is what a correct reader of that very file gets.

`kquants.gguf` is an input: the package can read K-quants but not make them. Its weights are
quantized by our own program, in eleven types that take turns, and the package is the witness of how
they are to be read:

    gguf_models.py --kquants-source kquants-f32.gguf
    cargo run --release -p stepladder-engine --example quantize_gguf -- \\
        kquants-f32.gguf tests/goldens/gguf/kquants.gguf \\
        Q2_K Q3_K Q4_K Q5_K Q6_K Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 BF16
"""

import argparse
import copy
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize

from backbones import ACCEPTED_STD, LLAMA3_ROPE, decoder, run
from common import DEFAULT_OUTPUT, MUST_BREAK, difference_in_tolerances, integers, save
from families import ORIGINAL, WINDOW, default_rope, measure, randomize, scale
from gguf_parameters import add_parameters, rotary_divisors
from switches import assert_features_matter
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

SEQ = 20
KQUANTS = "kquants"
QUANTIZED = gguf.GGMLQuantizationType
TYPES = {"f16": QUANTIZED.F16, "q8_0": QUANTIZED.Q8_0}

# Every row is a multiple of 32 long, the block of Q8_0.
SIZES = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=96,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    rms_norm_eps=0.05,  # large enough to be missed
)
# What the converter does not write is what llama.cpp takes for granted: scores are scaled by the
# head's width, and one block of six sees everything.
GEMMA = SIZES | dict(
    rms_norm_eps=1e-3,  # no special gates then (families.py), and with them less noise
    head_dim=16,
    query_pre_attn_scalar=16,
    sliding_window=WINDOW,
    bos_token_id=2,
    eos_token_id=1,
    pad_token_id=0,
)

# name -> the config, the name of the architecture, what of the config a GGUF file cannot say
MODELS = {
    "llama2": dict(
        config=LlamaConfig(**(SIZES | dict(num_key_value_heads=4))),
        architecture="llama",
    ),
    "llama3": dict(
        config=LlamaConfig(**SIZES, head_dim=16, tie_word_embeddings=True, rope_parameters=dict(LLAMA3_ROPE)),
        architecture="llama",
    ),
    "llama-biases": dict(
        config=LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
        architecture="llama",
    ),
    "llama-yarn": dict(
        config=LlamaConfig(
            **SIZES,
            head_dim=24,
            rope_parameters=dict(
                rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=ORIGINAL
            ),
        ),
        architecture="llama",
    ),
    "llama-linear": dict(
        config=LlamaConfig(**SIZES, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
        architecture="llama",
    ),
    "mistral": dict(
        config=MistralConfig(**SIZES, head_dim=16, sliding_window=WINDOW, rope_parameters=default_rope(1000000.0)),
        architecture="llama",
        unsaid=dict(sliding_window=None),
    ),
    "qwen2": dict(
        config=Qwen2Config(
            **SIZES,
            use_sliding_window=True,
            max_window_layers=1,
            sliding_window=WINDOW,
            rope_parameters=default_rope(1000000.0),
        ),
        architecture="qwen2",
        unsaid=dict(use_sliding_window=False, sliding_window=None, layer_types=["full_attention"] * 3),
    ),
    "qwen3": dict(
        config=Qwen3Config(
            **SIZES, head_dim=16, tie_word_embeddings=True, rope_parameters=default_rope(1000000.0)
        ),
        architecture="qwen3",
    ),
    "gemma2": dict(
        config=Gemma2Config(**GEMMA, attn_logit_softcapping=4.0, final_logit_softcapping=10.0),
        architecture="gemma2",
    ),
    "gemma3": dict(
        config=Gemma3TextConfig(
            **(GEMMA | dict(num_hidden_layers=6)),
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=500000.0),
                sliding_attention=default_rope(300.0),
            ),
        ),
        architecture="gemma3",
    ),
    "phi3": dict(
        config=Phi3Config(**SIZES, pad_token_id=0, sliding_window=WINDOW, rope_parameters=default_rope(10000.0)),
        architecture="phi3",
    ),
    "phi4-mini": dict(
        config=Phi3Config(
            **SIZES,
            pad_token_id=0,
            tie_word_embeddings=True,
            sliding_window=262144,  # far beyond any sequence, as published
            original_max_position_embeddings=ORIGINAL,
            partial_rotary_factor=0.75,
            rope_parameters=dict(
                rope_type="longrope",
                rope_theta=10000.0,
                short_factor=[1.0, 1.5, 1.25],
                long_factor=[1.25, 3.0, 9.5],
                original_max_position_embeddings=ORIGINAL,
                partial_rotary_factor=0.75,
            ),
        ),
        architecture="phi3",
    ),
    # Every row is a multiple of 256 long, the block of the K-quants.
    KQUANTS: dict(
        config=LlamaConfig(
            **(SIZES | dict(hidden_size=256, intermediate_size=256, num_hidden_layers=2, vocab_size=256)),
            head_dim=64,
        ),
        architecture="llama",
    ),
}


# ---- as llama.cpp's converter lays weights out ----------------------------------------


class Layout:
    """Names and numbers of a model's parameters in a GGUF file, there and back."""

    def __init__(self, architecture, config):
        self.architecture = architecture
        self.config = config
        kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
        self.names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)

    def name(self, parameter):
        name = self.names.get_name(parameter, try_suffixes=(".weight", ".bias"))
        assert name, parameter
        return name

    def heads(self, parameter):
        """How many heads' rows the tensor has, if llama.cpp reorders them."""
        module = parameter.split(".")[-2]
        if self.architecture != "llama" or module not in ("q_proj", "k_proj"):
            return None
        return self.config.num_attention_heads if module == "q_proj" else self.config.num_key_value_heads

    def is_shifted(self, parameter):
        return self.architecture.startswith("gemma") and parameter.endswith("norm.weight")

    def to_file(self, parameter, tensor):
        if heads := self.heads(parameter):
            tensor = tensor.view(heads, 2, -1, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)
        return tensor + 1 if self.is_shifted(parameter) else tensor

    def from_file(self, parameter, tensor):
        if heads := self.heads(parameter):
            tensor = tensor.view(heads, -1, 2, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)
        return tensor - 1 if self.is_shifted(parameter) else tensor


@torch.no_grad()
def write(path, model, layout, matrices):
    """The model with its matrices in the given type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, layout.architecture)
    add_parameters(writer, layout.architecture, model.config)
    tensors = {layout.name(name): layout.to_file(name, tensor) for name, tensor in model.named_parameters()}
    tensors |= rotary_divisors(layout.architecture, model.config)
    for name, tensor in tensors.items():
        kind = matrices if tensor.dim() > 1 else QUANTIZED.F32
        writer.add_tensor(name, quantize(tensor.contiguous().numpy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"wrote {path.name} ({path.stat().st_size:,} bytes)")


@torch.no_grad()
def read(path, model, layout):
    """A copy of the model with the numbers in the file."""
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        tensor = found.pop(layout.name(name))
        numbers = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        parameter.copy_(layout.from_file(name, numbers.reshape(parameter.shape)))
    assert set(found) == set(rotary_divisors(layout.architecture, model.config)), set(found)
    return model


# ---- goldens that can fail ------------------------------------------------------------


@torch.no_grad()
def assert_layout_matters(path, model, layout, input_ids, logits):
    """What only a GGUF file can be read wrongly in: each mistake once."""

    def without(change):
        class Wrong(Layout):
            pass

        change(Wrong)
        return run(read(path, model, Wrong(layout.architecture, layout.config)), input_ids)[1]

    mistakes = {}
    if layout.architecture == "llama":
        mistakes["rows put back in order"] = lambda wrong: setattr(wrong, "heads", lambda *_: None)
        if getattr(layout.config, "attention_bias", False):
            right = Layout.heads
            mistakes["biases put back in order"] = lambda wrong: setattr(
                wrong, "heads", lambda self, name: None if name.endswith(".bias") else right(self, name)
            )
    if layout.architecture.startswith("gemma"):
        mistakes["norms that hold the one"] = lambda wrong: setattr(wrong, "is_shifted", lambda *_: False)
    for name, change in mistakes.items():
        ratio = difference_in_tolerances(without(change), logits)
        print(f"  without {name}: {ratio:,.0f} x tolerance")
        assert ratio > MUST_BREAK, f"{name} hardly matters ({ratio})"


@torch.no_grad()
def assert_every_tensor_matters(original, model, input_ids, logits):
    """Each quantized matrix, with its numbers before quantization, must be noticed."""
    for name, before in original.named_parameters():
        if before.dim() > 1:
            changed = copy.deepcopy(model)
            changed.get_parameter(name).copy_(before)
            ratio = difference_in_tolerances(run(changed, input_ids)[1], logits)
            print(f"  {name} unquantized: {ratio:,.0f} x tolerance")
            assert ratio > 5.0, f"how {name} is stored hardly matters ({ratio})"


def make_golden(path, original, layout, input_ids):
    model = read(path, original, layout)
    hidden, logits = run(model, input_ids)
    # The golden must not itself hang on the last bit: the same model in float64.
    noise = difference_in_tolerances(logits.double(), run(copy.deepcopy(model).double(), input_ids)[1])
    moved = difference_in_tolerances(run(original, input_ids)[1], logits)
    print(f"  float32 is {noise:.3f} x tolerance from float64; storage moved logits {moved:,.0f} x tolerance")
    assert noise < 0.1, noise
    assert moved > 1.0, moved
    assert_layout_matters(path, original, layout, input_ids, logits)
    if path.stem.endswith("-f16"):
        assert_features_matter(model, input_ids, logits)
    if path.stem == KQUANTS:
        assert_every_tensor_matters(original, model, input_ids, logits)
    save(path.with_suffix(".safetensors"), {"input_ids": input_ids, "hidden": hidden, "logits": logits})


# ---- one model ------------------------------------------------------------------------


def build(name, config, unsaid):
    """The random model that the file will describe, without what it cannot say."""
    told = copy.deepcopy(config)
    for key, value in unsaid.items():
        setattr(told, key, value)
    input_ids = integers(f"gguf/{name}/input_ids", 2, SEQ, high=config.vocab_size - 3)
    model = AutoModelForCausalLM.from_config(told, attn_implementation="eager", dtype=torch.float32).eval()
    randomize(model, f"gguf/{name}")
    scale(model, input_ids)
    score_std, logits_std = measure(model, input_ids)
    for std in (*score_std, logits_std):
        assert ACCEPTED_STD[0] <= std <= ACCEPTED_STD[1], (name, score_std, logits_std)
    return model, input_ids


def make(name, folder, config, architecture, unsaid=None):
    print(f"{name}:")
    model, input_ids = build(name, config, unsaid or {})
    layout = Layout(architecture, model.config)
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    content = json.dumps(json.loads(config.to_json_string(use_diff=True)), indent=2, sort_keys=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.config.json").write_text(content + "\n")
    if name == KQUANTS:
        path = folder / f"{name}.gguf"
        committed = DEFAULT_OUTPUT / "gguf" / path.name
        if committed != path:
            shutil.copy(committed, path)
        make_golden(path, model, layout, input_ids)
        return
    for suffix, kind in TYPES.items():
        path = folder / f"{name}-{suffix}.gguf"
        write(path, model, layout, kind)
        make_golden(path, model, layout, input_ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder of the goldens")
    parser.add_argument("--kquants-source", type=Path, help="write the weights to be quantized there, and no more")
    arguments = parser.parse_args()
    if source := arguments.kquants_source:
        settings = MODELS[KQUANTS]
        model, _ = build(KQUANTS, settings["config"], {})
        write(source, model, Layout(settings["architecture"], model.config), QUANTIZED.F32)
        return
    for name, settings in MODELS.items():
        make(name, arguments.output / "gguf", **settings)


if __name__ == "__main__":
    main()
