#!/usr/bin/env python3
"""Runs a Ladder or xLadder adapter that Stepladder trained, on a model loaded by transformers.

Needs torch, transformers and safetensors, and nothing else; copy this file to where you need it.

    from transformers import AutoModelForCausalLM, AutoTokenizer
    from stepladder_adapter import generate, load_adapter

    base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct", dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    model = load_adapter(base, "runs/2026-01-31-ladder")  # a run folder, or the adapter folder in it

    print(generate(model, tokenizer, "What is 12 + 30?", max_new_tokens=200))
    logits = model(input_ids).logits    # [batch, seq, vocabulary]; rows of equal length, no padding
    plain = base(input_ids).logits      # the base model itself stays as it was

or on a command line

    python stepladder_adapter.py MODEL ADAPTER "prompt"

What is computed. x_i is the output of block i of the frozen model, from 1 to L; the side network
reads some of them ("taps") and adds its result to the last one, before the final norm and the head:

    s_0 = 0
    u_j = inject(s_{j-1}, downsample_j(RMSNorm(x_tap_j)))   for the connected side layers
    u_j = s_{j-1}                                           for the free ones after them
    s_j = u_j + attention, then SwiGLU, each behind an RMSNorm without weight
    x_L' = x_L + upsample(s_l)

Stepladder computes in float32 whatever the type of the file, so load the model with
`dtype="float32"` to get its very numbers. Trained with `--quantize nf4`, an adapter has learned to
correct a 4-bit model: load that with a `BitsAndBytesConfig`; a note on standard error says so.
With `--quantize-head on` the head was in 4 bits too (and the embedding, where it is the same matrix),
which bitsandbytes leaves as it is stored; a note says that as well.
The model has to be the one the adapter was trained on; sizes and some of its weights are compared.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

FORMAT, VERSION = "stepladder-adapter", 1
ROPE_THETA = 10000.0  # inside the side network, whatever the model's
GATE_TEMPERATURE = 0.1
BOTTLENECK = 16  # width inside an `adapter` downsample
TAP_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class AdapterError(Exception):
    """The adapter is damaged, or belongs to another model; the message says what does not fit."""


# ---- the folder ---------------------------------------------------------------------------


def read_config(folder):
    """The adapter folder (`folder` itself, or `adapter` in a run folder) and its description."""
    folder = Path(folder)
    if (folder / "adapter" / "adapter_config.json").is_file():
        folder = folder / "adapter"
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise AdapterError(f"{folder}: no adapter_config.json in here")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AdapterError(f"{path}: not JSON ({error})") from error
    if "peft_type" in config:
        raise AdapterError(f"{path}: a PEFT adapter ({config['peft_type']}); load it with the peft package")
    if (config.get("format"), config.get("version")) != (FORMAT, VERSION):
        raise AdapterError(
            f"{path}: format {config.get('format')!r} version {config.get('version')}, "
            f"this file reads {FORMAT!r} version {VERSION}"
        )
    return folder, config


def check_wiring(wiring, layers):
    """Says which number of the wiring cannot be."""
    for field in ("d_model", "d_side", "heads", "d_ff"):
        if not 0 < wiring[field] <= 1 << 20:
            raise AdapterError(f"wiring.{field} is {wiring[field]}")
    if wiring["d_side"] % wiring["heads"] or wiring["d_side"] // wiring["heads"] % 2:
        raise AdapterError(f"wiring.heads is {wiring['heads']} for d_side {wiring['d_side']}")
    taps = wiring["taps"]
    if not taps or taps != sorted(set(taps)) or taps[0] < 1 or taps[-1] > layers:
        raise AdapterError(f"wiring.taps is {taps}, the model has blocks 1 to {layers}")
    if wiring["downsample"] not in ("linear", "shared", "adapter"):
        raise AdapterError(f"wiring.downsample is {wiring['downsample']!r}, unknown to this file")
    if wiring["inject"] not in ("sum", "gate"):
        raise AdapterError(f"wiring.inject is {wiring['inject']!r}, unknown to this file")


def expected_shapes(wiring):
    """Name and shape of every tensor that belongs to a wiring."""
    d, h, f = wiring["d_model"], wiring["d_side"], wiring["d_ff"]
    shapes = {}

    def linear(name, outputs, inputs, bias=True):
        shapes[f"{name}.weight"] = [outputs, inputs]
        if bias:
            shapes[f"{name}.bias"] = [outputs]

    for layer in range(len(wiring["taps"]) + wiring["free_layers"]):
        for projection in ("q_proj", "k_proj", "v_proj", "o_proj"):
            linear(f"side.{layer}.attention.{projection}", h, h, bias=False)
        linear(f"side.{layer}.mlp.gate_proj", f, h, bias=False)
        linear(f"side.{layer}.mlp.up_proj", f, h, bias=False)
        linear(f"side.{layer}.mlp.down_proj", h, f, bias=False)
    for layer in range(len(wiring["taps"])):
        name = f"connections.{layer}"
        if wiring["downsample"] == "linear":
            linear(f"{name}.downsample", h, d)
        elif wiring["downsample"] == "adapter":
            linear(f"{name}.downsample.reduce", BOTTLENECK, d)
            linear(f"{name}.downsample.expand", h, BOTTLENECK)
        if wiring["inject"] == "gate":
            shapes[f"{name}.ladder_gate"] = [1]
    if wiring["downsample"] == "shared":
        linear("downsample", h, d)
    linear("upsample", d, h)
    return shapes


def check_tensors(path, tensors, wiring):
    """Names the first tensor that is missing, unknown, of another shape or another type."""
    shapes = expected_shapes(wiring)
    for name, shape in shapes.items():
        if name not in tensors:
            raise AdapterError(f"{path}: tensor {name} is missing")
        if list(tensors[name].shape) != shape:
            raise AdapterError(
                f"{path}: tensor {name} has shape {list(tensors[name].shape)}, the wiring promises {shape}"
            )
        if tensors[name].dtype != torch.float32:
            raise AdapterError(f"{path}: tensor {name} has type {tensors[name].dtype}, expected float32")
    for name in tensors:
        if name not in shapes:
            raise AdapterError(f"{path}: tensor {name} does not belong to the wiring")


# ---- the model ------------------------------------------------------------------------------


def decoder_of(model):
    """The module with the blocks and the final norm; models with a vision part nest it."""
    inner = getattr(model, "model", None)
    decoder = getattr(inner, "language_model", inner)
    if not (hasattr(decoder, "layers") and hasattr(decoder, "norm")):
        raise AdapterError(f"{type(model).__name__} has no model.layers and model.norm; this file cannot run it")
    return decoder


def check_base(config, model):
    """Compares the model's sizes and sampled weights with what the adapter was trained on."""
    text = model.config.get_text_config()
    if config["wiring"]["d_model"] != text.hidden_size:
        raise AdapterError(f"the adapter needs d_model {config['wiring']['d_model']}, the model has {text.hidden_size}")
    theirs = {
        "vocabulary": text.vocab_size,
        "d_model": text.hidden_size,
        "layers": text.num_hidden_layers,
        "heads": text.num_attention_heads,
        "kv_heads": getattr(text, "num_key_value_heads", None) or text.num_attention_heads,
        "d_ff": text.intermediate_size,
    }
    recorded = config["base"]["architecture"]
    for name, value in theirs.items():
        if name in recorded and recorded[name] != str(value):
            raise AdapterError(
                f"the adapter was trained on {config['base_model']} with {name} {recorded[name]}, the model has {value}"
            )
    found, expected = sampled_weights(model), torch.tensor(config["base"]["samples"], dtype=torch.float64)
    if found is not None and len(expected) > 2:
        correlation = torch.corrcoef(torch.stack([found, expected]))[0, 1] if len(found) == len(expected) else 0.0
        if not correlation > 0.9:  # rounding to few bits keeps it above that
            raise AdapterError(
                f"the adapter was trained on {config['base_model']}; this model has the same sizes, but other weights"
            )


def sampled_weights(model):
    """The numbers that Stepladder recorded of the model: 8 of each of two weights in up to 16 blocks."""
    layers = decoder_of(model).layers
    found = []
    for sample in range(min(16, len(layers))):
        layer = layers[(len(layers) - 1) * sample // 15]
        for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
            if not weight.is_floating_point():
                return None  # packed in 4 bits
            flat = weight.detach().flatten()
            count = min(8, len(flat))
            at = [(len(flat) - 1) * i // max(1, count - 1) for i in range(count)]
            found.append(flat[at].double().cpu())
    return torch.cat(found)


def rms_norm(x, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def rotate(x, positions):
    """Half-split rotary embedding of x [batch, heads, seq, head_dim]."""
    head_dim = x.shape[-1]
    steps = torch.arange(0, head_dim, 2, device=x.device, dtype=torch.float64) / head_dim
    angles = positions[:, None].double() * ROPE_THETA**-steps
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class SideNetwork:
    """The trained part. `caches` is a list with (keys, values) per side layer, or None."""

    def __init__(self, wiring, tensors):
        self.wiring, self.tensors = wiring, tensors
        self.layers = len(wiring["taps"]) + wiring["free_layers"]

    def linear(self, name, x):
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def norm(self, x):
        return rms_norm(x, self.wiring["norm_eps"])

    def downsample(self, layer, tap):
        kind = self.wiring["downsample"]
        name = "downsample" if kind == "shared" else f"connections.{layer}.downsample"
        x = self.norm(tap)
        if kind == "adapter":
            return self.norm(self.linear(f"{name}.expand", F.silu(self.linear(f"{name}.reduce", x))))
        return self.linear(name, x)

    def inject(self, layer, state, tap):
        down = self.downsample(layer, tap)
        state = torch.zeros_like(down) if state is None else state
        if self.wiring["inject"] == "sum":
            return state + down
        gate = torch.sigmoid(self.tensors[f"connections.{layer}.ladder_gate"] / GATE_TEMPERATURE)
        return gate * state + (1.0 - gate) * down

    def attention(self, layer, x, positions, caches):
        name = f"side.{layer}.attention"
        q, k, v = (
            self.linear(f"{name}.{part}", x).unflatten(-1, (self.wiring["heads"], -1)).transpose(1, 2)
            for part in ("q_proj", "k_proj", "v_proj")
        )
        q, k = rotate(q, positions), rotate(k, positions)
        if caches is not None:
            if caches[layer] is not None:
                k, v = torch.cat([caches[layer][0], k], dim=2), torch.cat([caches[layer][1], v], dim=2)
            caches[layer] = (k, v)
        visible = torch.arange(k.shape[2], device=x.device) <= positions[:, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.linear(f"{name}.o_proj", y.transpose(1, 2).flatten(2))

    def mlp(self, layer, x):
        name = f"side.{layer}.mlp"
        active = F.silu(self.linear(f"{name}.gate_proj", x)) * self.linear(f"{name}.up_proj", x)
        return self.linear(f"{name}.down_proj", active)

    def __call__(self, taps, positions, caches=None):
        """upsample(s_l) from the taps, in order, each [batch, seq, d_model]."""
        state = None
        for layer in range(self.layers):
            if layer < len(taps):
                state = self.inject(layer, state, taps[layer])
            state = state + self.attention(layer, self.norm(state), positions, caches)
            state = state + self.mlp(layer, self.norm(state))
        return self.linear("upsample", state)


class AdaptedModel:
    """A transformers model with an adapter. The model is only touched while this one is called."""

    def __init__(self, model, config, tensors):
        self.model, self.config = model, config
        self.decoder = decoder_of(model)
        self.taps = config["wiring"]["taps"]
        self.tap_dtype = TAP_DTYPES[config["tap_dtype"]]
        device = self.decoder.norm.weight.device
        self.side = SideNetwork(config["wiring"], {name: t.to(device) for name, t in tensors.items()})

    def new_cache(self):
        """What a generation keeps between its tokens; give the same one to every call."""
        return SimpleNamespace(tokens=0, model=None, side=[None] * self.side.layers)

    @contextlib.contextmanager
    def attached(self, start, caches):
        """Hooks that collect the taps and add the side network's output before the final norm."""
        device = self.decoder.norm.weight.device
        kept = {}

        def keep(number):
            def hook(_module, _inputs, output):
                output = output[0] if isinstance(output, tuple) else output
                kept[number] = output.to(device).to(self.tap_dtype).float()

            return hook

        def add(_module, inputs):
            hidden = inputs[0]
            positions = torch.arange(start, start + hidden.shape[1], device=device)
            shift = self.side([kept[tap] for tap in self.taps], positions, caches)
            return ((hidden.float() + shift).to(hidden.dtype), *inputs[1:])

        hooks = [self.decoder.layers[tap - 1].register_forward_hook(keep(tap)) for tap in self.taps]
        hooks.append(self.decoder.norm.register_forward_pre_hook(add))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def __call__(self, input_ids, cache=None, **model_arguments):
        """transformers' output for `input_ids` [batch, seq], which continue what `cache` has seen."""
        mask = model_arguments.get("attention_mask")
        if mask is not None and not mask.bool().all():
            raise ValueError("rows must be of equal length: padding is not supported here")
        start, caches = (0, None) if cache is None else (cache.tokens, cache.side)
        with self.attached(start, caches):
            output = self.model(
                input_ids=input_ids,
                past_key_values=None if cache is None else cache.model,
                use_cache=cache is not None,
                **model_arguments,
            )
        if cache is not None:
            cache.model, cache.tokens = output.past_key_values, start + input_ids.shape[1]
        return output


def load_adapter(model, folder):
    """`model` (a transformers causal language model) with the adapter in `folder`; raises AdapterError."""
    folder, config = read_config(folder)
    try:
        check_base(config, model)
        check_wiring(config["wiring"], len(decoder_of(model).layers))
    except KeyError as error:
        raise AdapterError(f"{folder / 'adapter_config.json'}: {error} is missing") from error
    if config["tap_dtype"] not in TAP_DTYPES:
        raise AdapterError(f"tap_dtype is {config['tap_dtype']!r}, unknown to this file")
    path = folder / "adapter.safetensors"
    try:
        tensors = load_file(path)
    except Exception as error:  # safetensors has an error of its own, and the file may not be there
        raise AdapterError(f"{path}: {error}") from error
    check_tensors(path, tensors, config["wiring"])
    quantization = config.get("quantization", "as_stored")
    if quantization != "as_stored" and not getattr(model, "is_loaded_in_4bit", False):
        print(
            f"note: this adapter was trained on a model in 4 bits ({quantization}), and this one is not; "
            "answers may differ slightly",
            file=sys.stderr,
        )
    head = config.get("head_quantization", "as_stored")
    if head != "as_stored" and type(model.get_output_embeddings()).__name__ != "Linear4bit":
        print(
            f"note: this adapter was trained beside a head in 4 bits ({head}), and this model's is not; "
            "answers may differ slightly",
            file=sys.stderr,
        )
    # Only there if it is not the model's own.
    template = folder / "chat_template.jinja"
    config["chat_template"] = template.read_text(encoding="utf-8") if template.is_file() else None
    return AdaptedModel(model.eval(), config, tensors)


# ---- generation -----------------------------------------------------------------------------


def prompt_ids(tokenizer, prompt, system=None, template=None):
    """`prompt` as the first message of a conversation, or as it is if there is no chat template."""
    if not (template or tokenizer.chat_template):
        return tokenizer(prompt, return_tensors="pt").input_ids
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    text = tokenizer.apply_chat_template(
        messages, chat_template=template, add_generation_prompt=True, tokenize=False
    )
    return tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids


def stop_tokens(model, tokenizer):
    found = model.generation_config.eos_token_id
    found = found if isinstance(found, list) else [found]
    return {token for token in (*found, tokenizer.eos_token_id) if token is not None}


def can_cache(config):
    """Some rotary scalings change with the length: what was cached before would be wrong then."""
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    return rope.get("rope_type") not in ("longrope", "dynamic")


def generate(model, tokenizer, prompt, max_new_tokens=256, system=None):
    """The reply of an AdaptedModel, always taking the likeliest token."""
    base = model.model
    template = model.config.get("chat_template")
    ids = prompt_ids(tokenizer, prompt, system, template).to(base.get_input_embeddings().weight.device)
    stop = stop_tokens(base, tokenizer) | set(model.config.get("stop_tokens", []))
    cache = model.new_cache() if can_cache(base.config) else None
    said, new = [], ids
    while len(said) < max_new_tokens:
        logits = model(new, cache=cache, logits_to_keep=1).logits[0, -1]
        token = logits.argmax().item()
        if token in stop:
            break
        said.append(token)
        new = torch.tensor([[token]], device=ids.device)
        if cache is None:
            new = ids = torch.cat([ids, new], dim=1)
    return tokenizer.decode(said, skip_special_tokens=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model folder or a name on the Hugging Face hub")
    parser.add_argument("adapter", help="a run folder, or the adapter folder in it")
    parser.add_argument("prompt")
    parser.add_argument("--system", help="instructions that stand above the conversation")
    parser.add_argument("--max-new-tokens", type=int, default=512)
    parser.add_argument("--dtype", default="float32", help="type of the model's weights (default: float32)")
    arguments = parser.parse_args()

    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=arguments.dtype)
    try:
        adapted = load_adapter(model, arguments.adapter)
    except AdapterError as error:
        sys.exit(f"error: {error}")
    print(generate(adapted, tokenizer, arguments.prompt, arguments.max_new_tokens, arguments.system))


if __name__ == "__main__":
    main()
