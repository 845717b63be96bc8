"""Tiny random backbones as Hugging Face folders, with what transformers computes on them.

Per model: `config.json` and `model.safetensors` as transformers saves them, and
`golden.safetensors` with

    input_ids  i64 [2, seq]
    hidden     f32 [layers, 2, seq, d_model]   the output of each decoder block
    logits     f32 [2, seq, vocab]

`hidden` is recorded by forward hooks on the blocks: the last entry of transformers'
own `hidden_states` is taken after the final norm and would not be block output.

A default initialisation hides mistakes: scores near zero make attention an average,
norm weights of one and biases of zero can be dropped unnoticed. So everything is random,
and scaled until attention scores and logits have a standard deviation of 2 to 5.
"""

import copy
import importlib
import json
import shutil

import torch
from torch import nn

from common import MUST_BREAK, difference_in_tolerances, integers, normal, parse_output, save, uniform
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

D_MODEL, D_FF, LAYERS, VOCAB, SEQ = 64, 96, 3, 160, 40
WANTED_STD = 3.0
ACCEPTED_STD = (2.0, 5.0)

SIZES = dict(
    hidden_size=D_MODEL,
    intermediate_size=D_FF,
    num_hidden_layers=LAYERS,
    num_attention_heads=4,
    vocab_size=VOCAB,
    max_position_embeddings=128,
    bos_token_id=1,
    eos_token_id=2,
)

# The wavelengths of a 16-wide head at theta 500,000 are 6.3, 32, 167, ...: with these
# factors the first is kept (< 16/2), the second interpolated, the rest divided by 8.
LLAMA3_ROPE = dict(
    rope_type="llama3",
    rope_theta=500000.0,
    factor=8.0,
    low_freq_factor=0.25,
    high_freq_factor=2.0,
    original_max_position_embeddings=16,
)

# name -> config, dtype of the checkpoint, whether it is split into shards, whether
# config.json is rewritten in the style of published checkpoints. An rms_norm_eps of
# several hundredths is what makes a forgotten epsilon visible.
MODELS = {
    "llama2": dict(
        config=LlamaConfig(**SIZES, num_key_value_heads=4, rms_norm_eps=1e-5),
    ),
    "llama3": dict(
        config=LlamaConfig(
            **SIZES,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            rms_norm_eps=0.05,
            rope_parameters=dict(LLAMA3_ROPE),
        ),
        published_style=True,
    ),
    "qwen2": dict(
        config=Qwen2Config(
            **SIZES,
            num_key_value_heads=2,
            tie_word_embeddings=False,
            rms_norm_eps=0.05,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        ),
    ),
    "qwen2-tied-bf16": dict(
        config=Qwen2Config(
            **SIZES,
            num_key_value_heads=1,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        ),
        dtype=torch.bfloat16,
    ),
    "qwen3": dict(
        config=Qwen3Config(
            **SIZES,
            num_key_value_heads=2,
            head_dim=32,  # not d_model / heads
            tie_word_embeddings=True,
            rms_norm_eps=0.05,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        ),
    ),
    "llama3-f16-sharded": dict(
        config=LlamaConfig(
            **SIZES,
            num_key_value_heads=2,
            tie_word_embeddings=False,
            rms_norm_eps=1e-5,
            rope_parameters=dict(LLAMA3_ROPE, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0),
        ),
        dtype=torch.float16,
        shard_size="100KB",
    ),
}


# ---- random weights -------------------------------------------------------------------


def randomize(model, name):
    """Every tensor from its own stream: norms U(0.5, 1.5), biases N(0, 0.5), weights N(0, 1/fan_in)."""
    with torch.no_grad():
        for tensor_name, tensor in model.named_parameters():
            key, shape = f"{name}/{tensor_name}", tensor.shape
            if "norm" in tensor_name:
                tensor.copy_(uniform(key, *shape, low=0.5, high=1.5))
            elif tensor_name.endswith(".bias"):
                tensor.copy_(normal(key, *shape, std=0.5))
            elif "embed_tokens" in tensor_name:
                tensor.copy_(normal(key, *shape))
            else:
                tensor.copy_(normal(key, *shape, std=shape[1] ** -0.5))


class ScoreRecorder:
    """Records the attention scores (scaled, before the mask and the softmax) of every layer."""

    def __init__(self, model):
        self.module = importlib.import_module(type(model).__module__)
        self.original = self.module.eager_attention_forward
        self.std = []

    def __enter__(self):
        def recording(module, query, key, value, attention_mask, scaling, **kwargs):
            repeated = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
            scores = query @ repeated.transpose(2, 3) * scaling  # [batch, heads, seq, seq]
            visible = attention_mask[0, 0] == 0
            self.std.append(scores[..., visible].std().item())
            return self.original(module, query, key, value, attention_mask, scaling=scaling, **kwargs)

        self.module.eager_attention_forward = recording
        return self

    def __exit__(self, *_):
        self.module.eager_attention_forward = self.original


@torch.no_grad()
def measure(model, input_ids):
    """Standard deviation of each layer's attention scores, and of the logits."""
    with ScoreRecorder(model) as scores:
        logits = model(input_ids=input_ids, use_cache=False).logits
    assert len(scores.std) == LAYERS
    return scores.std, logits.std().item()


@torch.no_grad()
def scale(model, input_ids):
    """Multiplies q, k (the q norm where there is one) and the head until the spread is as wanted.

    The factors are rounded, so that another machine's last bit cannot change a weight; numpy's
    random numbers do the rest.
    """
    original = {name: tensor.clone() for name, tensor in model.named_parameters()}
    factors = {}

    def multiply(module, factor):
        key = f"{module}.weight"
        factors[key] = factors.get(key, 1.0) * factor
        model.get_parameter(key).copy_(original[key] * factors[key])

    head = "model.embed_tokens" if model.config.tie_word_embeddings else "lm_head"
    for _ in range(8):
        score_std, logits_std = measure(model, input_ids)
        for layer, std in enumerate(score_std):
            attention = f"model.layers.{layer}.self_attn"
            if model.config.model_type == "qwen3":  # the norm undoes any scale of q_proj
                multiply(f"{attention}.q_norm", WANTED_STD / std)
            else:
                multiply(f"{attention}.q_proj", (WANTED_STD / std) ** 0.5)
                multiply(f"{attention}.k_proj", (WANTED_STD / std) ** 0.5)
        multiply(head, WANTED_STD / logits_std)
    for key, factor in factors.items():
        model.get_parameter(key).copy_(original[key] * round(factor, 2))


# ---- what transformers computes -------------------------------------------------------


def decoder(model):
    """The module with the embedding, the blocks and the final norm; models with a vision part nest it."""
    return getattr(model.model, "language_model", model.model)


@torch.no_grad()
def run(model, input_ids, **kwargs):
    """Block outputs by forward hooks, [layers, batch, seq, d_model], and logits."""
    blocks = []
    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, output: blocks.append(output))
        for layer in decoder(model).layers
    ]
    logits = model(input_ids=input_ids, use_cache=False, **kwargs).logits
    for hook in hooks:
        hook.remove()
    return torch.stack(blocks), logits


def load(folder):
    """The saved folder, upcast to float32, with the attention written out in PyTorch."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


# ---- features switched off ------------------------------------------------------------
# Each takes a copy of the model and breaks one thing, the way an implementation would.


def rebuild_rope(model, **changes):
    config = copy.deepcopy(model.config)
    config.rope_parameters = {**config.rope_parameters, **changes}
    model.model.rotary_emb = type(model.model.rotary_emb)(config)


def without_rope(model):
    model.model.rotary_emb.inv_freq.zero_()


def interleaved_rope(model):
    """Pairs (2i, 2i+1) instead of (i, i + half): the same as permuting q's and k's rows."""
    head_dim = model.model.layers[0].self_attn.head_dim
    order = torch.cat([torch.arange(0, head_dim, 2), torch.arange(1, head_dim, 2)])
    for layer in model.model.layers:
        attention = layer.self_attn
        for linear in (attention.q_proj, attention.k_proj):
            for tensor in (linear.weight, linear.bias):
                if tensor is not None:
                    heads = tensor.view(-1, head_dim, *tensor.shape[1:])
                    tensor.copy_(heads[:, order].reshape(tensor.shape))
        if hasattr(attention, "q_norm"):
            attention.q_norm.weight.copy_(attention.q_norm.weight[order])
            attention.k_norm.weight.copy_(attention.k_norm.weight[order])


def tiled_heads(model):
    """Query head i reads key head i % kv_heads instead of i // group: swap query heads 1 and 2."""
    for layer in model.model.layers:
        attention = layer.self_attn
        swapped = [0, 2, 1, 3]
        for tensor in (attention.q_proj.weight, attention.q_proj.bias):
            if tensor is not None:
                heads = tensor.view(4, -1, *tensor.shape[1:])
                tensor.copy_(heads[swapped].reshape(tensor.shape))
        output = attention.o_proj.weight
        output.copy_(output.view(output.shape[0], 4, -1)[:, swapped].reshape(output.shape))


def without_bias(linear):
    def switch_off(model):
        for layer in model.model.layers:
            getattr(layer.self_attn, linear).bias.zero_()

    return switch_off


def without_head_norm(norm):
    def switch_off(model):
        for layer in model.model.layers:
            setattr(layer.self_attn, norm, nn.Identity())

    return switch_off


def without_norm_weight(norm):
    def switch_off(model):
        for name, tensor in model.named_parameters():
            if name.endswith(f"{norm}.weight"):
                tensor.fill_(1.0)

    return switch_off


def default_epsilon(model):
    for module in model.modules():
        if hasattr(module, "variance_epsilon"):
            module.variance_epsilon = 1e-6


def features(config):
    """The features this model has, by name."""
    found = {
        "rotary embedding": without_rope,
        "half-split rotary": interleaved_rope,
        "input_layernorm weight": without_norm_weight("input_layernorm"),
        "post_attention_layernorm weight": without_norm_weight("post_attention_layernorm"),
        "final norm weight": without_norm_weight("model.norm"),
    }
    if config.rope_parameters["rope_theta"] != 10000.0:
        found["rope_theta"] = lambda model: rebuild_rope(model, rope_theta=10000.0)
    if config.rope_parameters["rope_type"] == "llama3":
        found["llama3 rope scaling"] = lambda model: rebuild_rope(model, rope_type="default")
        found["original_max_position_embeddings"] = lambda model: rebuild_rope(
            model, original_max_position_embeddings=config.max_position_embeddings
        )
    if config.num_key_value_heads == 2:
        found["head grouping"] = tiled_heads
    if config.model_type == "qwen2":
        for linear in ("q_proj", "k_proj", "v_proj"):
            found[f"{linear} bias"] = without_bias(linear)
    if config.model_type == "qwen3":
        for norm in ("q_norm", "k_norm"):
            found[norm] = without_head_norm(norm)
            found[f"{norm} weight"] = without_norm_weight(norm)
    if config.rms_norm_eps > 1e-3:
        found["rms_norm_eps"] = default_epsilon
    return found


@torch.no_grad()
def assert_features_matter(model, input_ids, logits):
    for name, switch_off in features(model.config).items():
        broken = copy.deepcopy(model)
        switch_off(broken)
        ratio = difference_in_tolerances(run(broken, input_ids)[1], logits)
        print(f"  without {name}: {ratio:,.0f} x tolerance")
        assert ratio > MUST_BREAK, f"{name} hardly matters ({ratio})"
    everything_visible = torch.zeros(2, 1, SEQ, SEQ)
    ratio = difference_in_tolerances(run(model, input_ids, attention_mask=everything_visible)[1], logits)
    print(f"  without causal mask: {ratio:,.0f} x tolerance")
    assert ratio > MUST_BREAK, f"the causal mask hardly matters ({ratio})"


# ---- one folder -----------------------------------------------------------------------


def write_published_style(folder):
    """config.json as published checkpoints have it: transformers 5 itself writes
    `rope_parameters` and `dtype`, older versions `rope_theta`, `rope_scaling` and `torch_dtype`."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.43.0"
    path.write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")


def make(name, folder, config, dtype=torch.float32, shard_size=None, published_style=False):
    print(f"{name}:")
    if folder.exists():
        shutil.rmtree(folder)
    input_ids = integers(f"{name}/input_ids", 2, SEQ, high=VOCAB)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    randomize(model, name)
    scale(model, input_ids)
    model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard_size} if shard_size else {}))
    assert (folder / "model.safetensors.index.json").exists() == bool(shard_size)

    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)

    model = load(folder)
    hidden, logits = run(model, input_ids)
    if published_style:
        write_published_style(folder)
        again = load(folder)
        assert torch.equal(run(again, input_ids)[1], logits), "both styles of config.json must mean the same"
        assert again.config.rope_parameters == model.config.rope_parameters

    score_std, logits_std = measure(model, input_ids)
    print(f"  attention scores std {', '.join(f'{std:.2f}' for std in score_std)}; logits std {logits_std:.2f}")
    for std in (*score_std, logits_std):
        assert ACCEPTED_STD[0] <= std <= ACCEPTED_STD[1], std
    # The golden must not itself hang on the last bit: the same model in float64.
    noise = difference_in_tolerances(logits.double(), run(copy.deepcopy(model).double(), input_ids)[1])
    print(f"  float32 is {noise:.3f} x tolerance from float64")
    assert noise < 0.1, noise
    assert_features_matter(model, input_ids, logits)
    assert hidden.shape == (LAYERS, 2, SEQ, D_MODEL) and hidden.dtype == torch.float32
    save(folder / "golden.safetensors", {"input_ids": input_ids, "hidden": hidden, "logits": logits})


def main():
    output = parse_output(__doc__.splitlines()[0]) / "backbones"
    for name, settings in MODELS.items():
        make(name, output / name, **settings)


if __name__ == "__main__":
    main()
