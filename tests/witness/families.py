"""More decoder families as tiny Hugging Face folders: what Llama, Qwen2 and Qwen3 do not have.

The files are those of backbones.py, and beside `config.json` there is the same config in the other
style: `config.published.json` as published checkpoints have it (`rope_theta`, `rope_scaling`,
`torch_dtype`, no `layer_types`), or `config.transformers5.json` (`rope_parameters`, `dtype`).
Both are loaded and must compute the same.

longrope has two sets of frequencies, so its golden has two more sequences: `short.*`, and
`boundary.*` of exactly `original_max_position_embeddings` tokens, which still takes the short set.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from backbones import ACCEPTED_STD, LAYERS, SEQ, WANTED_STD, ScoreRecorder, decoder, load, run
from common import difference_in_tolerances, integers, normal, parse_output, save, uniform
from styles import (
    published,
    published_gemma2,
    published_gemma3,
    published_gemma3_text,
    published_linear,
    published_phi3,
    published_yarn,
)
from switches import assert_features_matter, gelu_form_matters, query_and_key_rows, windows
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    SiglipVisionConfig,
)

VOCAB = 96
WINDOW = 7
ORIGINAL = 16  # original_max_position_embeddings: shorter than SEQ

SIZES = dict(
    hidden_size=48,
    intermediate_size=64,
    num_hidden_layers=LAYERS,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=VOCAB,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    rms_norm_eps=0.05,  # large enough to be missed
)
GEMMA = SIZES | dict(
    head_dim=16,  # not d_model / heads
    query_pre_attn_scalar=40,  # not head_dim
    sliding_window=WINDOW,
    bos_token_id=2,
    eos_token_id=1,
    pad_token_id=0,
)


def default_rope(theta):
    return dict(rope_type="default", rope_theta=theta)


# name -> the config, how its publisher would write it, which of the two is config.json
MODELS = {
    "mistral": dict(
        config=MistralConfig(**SIZES, head_dim=16, sliding_window=WINDOW, rope_parameters=default_rope(1000000.0)),
        to_published=published,
        published_is_main=True,
    ),
    "qwen2-window": dict(
        config=Qwen2Config(
            **SIZES,
            use_sliding_window=True,
            max_window_layers=1,
            sliding_window=WINDOW,
            rope_parameters=default_rope(1000000.0),
        ),
        to_published=published,
    ),
    "gemma2": dict(
        config=Gemma2Config(**GEMMA, attn_logit_softcapping=4.0, final_logit_softcapping=10.0),
        to_published=published_gemma2,
        published_is_main=True,
    ),
    "gemma3-text": dict(
        config=Gemma3TextConfig(
            **GEMMA,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=500000.0),
                sliding_attention=default_rope(300.0),
            ),
        ),
        to_published=published_gemma3_text,
        published_is_main=True,
    ),
    "gemma3-nested": dict(
        config=Gemma3Config(
            text_config=GEMMA
            | dict(
                hidden_size=32,
                rms_norm_eps=1e-6,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                rope_parameters=dict(
                    full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                    sliding_attention=default_rope(10000.0),
                ),
            ),
            vision_config=SiglipVisionConfig(
                hidden_size=8,
                intermediate_size=8,
                num_hidden_layers=1,
                num_attention_heads=1,
                image_size=4,
                patch_size=2,
                vision_use_head=False,
            ).to_dict(),
            mm_tokens_per_image=4,
            image_token_index=VOCAB - 1,
            boi_token_index=VOCAB - 2,
            eoi_token_index=VOCAB - 3,
        ),
        to_published=published_gemma3,
    ),
    "phi3": dict(
        config=Phi3Config(**SIZES, pad_token_id=0, sliding_window=WINDOW, rope_parameters=default_rope(10000.0)),
        to_published=published_phi3,
    ),
    "phi4-mini": dict(
        config=Phi3Config(
            **(SIZES | dict(num_attention_heads=6)),
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
        to_published=published_phi3,
        published_is_main=True,
        shorter={"short": 12, "boundary": ORIGINAL},
    ),
    "llama-yarn": dict(
        config=LlamaConfig(
            **(SIZES | dict(hidden_size=32)),
            head_dim=24,
            # With theta 1000 the ramp ends at 1.62, rounded up to 2: `truncate` matters.
            rope_parameters=dict(
                rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=ORIGINAL
            ),
        ),
        to_published=published_yarn,
    ),
    "llama-linear": dict(
        config=LlamaConfig(
            **(SIZES | dict(hidden_size=32)),
            rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
        ),
        to_published=published_linear,
        published_is_main=True,
    ),
    "smollm": dict(
        config=LlamaConfig(
            **(SIZES | dict(num_attention_heads=6)),
            tie_word_embeddings=True,
            rope_parameters=default_rope(100000.0),
        ),
        to_published=published,
    ),
}


# ---- random weights -------------------------------------------------------------------


def is_gemma(model):
    return model.config.model_type.startswith("gemma")


def randomize(model, name):
    """As in backbones.py; Gemma stores a norm's weight minus one."""
    with torch.no_grad():
        for tensor_name, tensor in model.named_parameters():
            key, shape = f"{name}/{tensor_name}", tensor.shape
            if "norm" in tensor_name:
                tensor.copy_(uniform(key, *shape, low=0.5, high=1.5))
                if is_gemma(model):
                    tensor.sub_(1.0)
            elif tensor_name.endswith(".bias"):
                tensor.copy_(normal(key, *shape, std=0.5))
            elif "embed_tokens" in tensor_name:
                tensor.copy_(normal(key, *shape))
            else:
                tensor.copy_(normal(key, *shape, std=shape[-1] ** -0.5))
        if gelu_form_matters(model):
            push_gates_down(model)


def push_gates_down(model):
    """gelu's tanh form is less than 0.0005 away from the exact one, but around -3 that is a tenth of it.

    So one feature of the residual stream is about the same for every token, and in the second block it
    pushes all gates down there; a larger down_proj brings the output back to the size of the others.
    """
    decoder(model).embed_tokens.weight[:, 0] = 3.0
    layer = decoder(model).layers[1]
    gate = layer.mlp.gate_proj.weight
    gate.mul_(0.3)
    gate[:, 0] = -1.3 / (1.0 + layer.pre_feedforward_layernorm.weight[0])
    layer.mlp.down_proj.weight.mul_(100.0)


@torch.no_grad()
def measure(model, input_ids):
    """Standard deviation of each layer's attention scores (before any soft-cap), and of the logits."""
    with ScoreRecorder(model) as scores:
        logits = model(input_ids=input_ids, use_cache=False).logits
    assert len(scores.std) == len(decoder(model).layers)
    return scores.std, logits.std().item()


@torch.no_grad()
def scale(model, input_ids):
    """Multiplies q and k (the q norm where there is one) and the head until the spread is as wanted."""
    tied = model.config.get_text_config().tie_word_embeddings
    head = (decoder(model).embed_tokens if tied else model.lm_head).weight
    # (tensor, what it is before scaling, what the storage leaves out, factor), per layer
    knobs = []
    for layer in decoder(model).layers:
        attention = layer.self_attn
        if hasattr(attention, "q_norm"):  # the norm undoes any scale of q_proj
            tensors = [(attention.q_norm.weight, 1.0)]
        else:
            tensors = [(rows, 0.0) for rows in query_and_key_rows(attention)]
        knobs.append([[tensor, tensor + left_out, left_out, 1.0] for tensor, left_out in tensors])
    knobs.append([[head, head.clone(), 0.0, 1.0]])

    for iteration in range(13):
        score_std, logits_std = measure(model, input_ids)
        for layer_knobs, std in zip(knobs, (*score_std, logits_std)):
            for knob in layer_knobs:
                if iteration < 12:
                    knob[3] *= (WANTED_STD / std) ** (1.0 / len(layer_knobs))
                else:  # rounded, so that another machine's last bit cannot change a weight
                    knob[3] = round(knob[3], 2)
                tensor, original, left_out, factor = knob
                tensor.copy_(original * factor - left_out)


# ---- one folder -----------------------------------------------------------------------


def write_config(path, config):
    path.write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")


def without_type(rope_parameters):
    """`type`, the old name of `rope_type`, stays in the dictionary; it says nothing more."""
    if isinstance(rope_parameters, dict):
        return {key: without_type(value) for key, value in rope_parameters.items() if key != "type"}
    return rope_parameters


def assert_other_prefixes_mean_the_same(folder, input_ids, logits):
    """Published: `language_model.model.*`; some tools save the module's own names, `model.language_model.*`."""
    with tempfile.TemporaryDirectory() as other:
        other = Path(other)
        shutil.copy(folder / "config.json", other)
        tensors = load_file(folder / "model.safetensors")
        assert any(name.startswith("language_model.model.") for name in tensors)
        renamed = {}
        for name, tensor in tensors.items():
            name = name.replace("language_model.model.", "language_model.")
            renamed[f"model.{name}"] = tensor
        save_file(renamed, other / "model.safetensors", metadata={"format": "pt"})
        assert torch.equal(run(load(other), input_ids)[1], logits), "both prefixes must mean the same"
        print("  model.language_model.* loads as language_model.model.* does")


def write_both_styles(folder, to_published, published_is_main, model, input_ids, logits):
    """`config.json` in one style and the other beside it; asserts that they compute the same."""
    config = json.loads((folder / "config.json").read_text())
    styles = {"transformers5": config, "published": to_published(copy.deepcopy(config))}
    for style, content in styles.items():
        write_config(folder / "config.json", content)
        again = load(folder)
        text, expected = again.config.get_text_config(), model.config.get_text_config()
        assert without_type(text.rope_parameters) == expected.rope_parameters, (style, text.rope_parameters)
        assert windows(text) == windows(expected), style
        assert torch.equal(run(again, input_ids)[1], logits), f"{style}: config.json must mean the same"
    if hasattr(model.model, "language_model"):
        assert_other_prefixes_mean_the_same(folder, input_ids, logits)
    main, other = ("published", "transformers5") if published_is_main else ("transformers5", "published")
    write_config(folder / "config.json", styles[main])
    write_config(folder / f"config.{other}.json", styles[other])


def make(name, folder, config, to_published, published_is_main=False, shorter=None):
    print(f"{name}:")
    if folder.exists():
        shutil.rmtree(folder)
    input_ids = integers(f"{name}/input_ids", 2, SEQ, high=VOCAB - 3)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    randomize(model, name)
    scale(model, input_ids)
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)

    model = load(folder)
    hidden, logits = run(model, input_ids)
    write_both_styles(folder, to_published, published_is_main, model, input_ids, logits)

    score_std, logits_std = measure(model, input_ids)
    print(f"  attention scores std {', '.join(f'{std:.2f}' for std in score_std)}; logits std {logits_std:.2f}")
    for std in (*score_std, logits_std):
        assert ACCEPTED_STD[0] <= std <= ACCEPTED_STD[1], std
    # The golden must not itself hang on the last bit: the same model in float64.
    noise = difference_in_tolerances(logits.double(), run(copy.deepcopy(model).double(), input_ids)[1])
    print(f"  float32 is {noise:.3f} x tolerance from float64")
    assert noise < 0.1, noise
    assert_features_matter(model, input_ids, logits)
    assert hidden.shape == (LAYERS, 2, SEQ, config.get_text_config().hidden_size) and hidden.dtype == torch.float32

    tensors = {"input_ids": input_ids, "hidden": hidden, "logits": logits}
    for prefix, length in (shorter or {}).items():
        ids = integers(f"{name}/{prefix}.input_ids", 2, length, high=VOCAB - 3)
        hidden, logits = run(model, ids)
        print(f"  {prefix}, {length} tokens:")
        assert_features_matter(model, ids, logits)
        tensors |= {f"{prefix}.input_ids": ids, f"{prefix}.hidden": hidden, f"{prefix}.logits": logits}
    save(folder / "golden.safetensors", tensors)


def main():
    output = parse_output(__doc__.splitlines()[0]) / "backbones"
    for name, settings in MODELS.items():
        make(name, output / name, **settings)


if __name__ == "__main__":
    main()
