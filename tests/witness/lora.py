"""LoRA on the tiny backbones, as PEFT computes it: what training it gives, `lora/<case>.*`.

`<case>.json` says which backbone, rank, alpha and target modules; `<case>.safetensors` holds

    input_ids          i64 [2, seq]            no padding
    targets            i64 [2, seq]            the label of position t is token t + 1; -100: none
    parameters.<name>  f32                     where training starts
    gradients.<name>   f32                     of `loss` there, before clipping
    logits             f32 [2, seq, vocab]
    loss               f32                     cross-entropy summed over targets / their number
    losses             f32 [10]                ten steps of AdamW on this batch, each before its update

with `<name>` = `layers.{i}.{module}.lora_a` [rank, in] and `layers.{i}.{module}.lora_b` [out, rank],
`{module}` as the backbone names it (`self_attn.q_proj`, `mlp.gate_up_proj`, ...).

A fresh LoRA has a zero B, and then every gradient of A is zero: parity would prove nothing. So both
are random here; what the zero start gives is asserted apart (`assert_zero_start`).

In the case with `quantization` the weights of all linears in the blocks are what bitsandbytes' NF4
with double quantization makes of their f32 copies; everything is computed in f32 with those.
"""

import contextlib
import copy
import json
import re
from unittest import mock

import bitsandbytes.functional as bnb
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

import nf4
from backbones import load
from common import MUST_BREAK, difference_in_tolerances, integers, normal, parse_output, save, uniform
from families import measure

SEQ, STEPS = 40, 10
PROMPTS = (6, 11)  # tokens at the start of each row that are never targets
OPTIMIZER = dict(learning_rate=3e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, clip_norm=0.3)

SPLIT = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
NF4_DOUBLE = "nf4_double_quantized"

# rank, and whatever differs from all linears of the block, alpha 8, scaled by alpha / rank
CASES = {
    "llama3": dict(backbone="llama3", rank=4),
    "llama3-rslora": dict(backbone="llama3", rank=3, use_rslora=True),
    "llama3-q-v": dict(backbone="llama3", rank=4, target_modules=["q_proj", "v_proj"]),
    "llama3-nf4": dict(backbone="llama3", rank=4, quantization=NF4_DOUBLE),
    "qwen2": dict(backbone="qwen2", rank=3),
    "qwen3": dict(backbone="qwen3", rank=4),
    "mistral": dict(backbone="mistral", rank=3),
    # The gates of the second block lie around -3, where gelu's slope in float32 has few good digits
    # (1 + tanh cancels): more LoRA lifts some of them from there.
    "gemma2": dict(backbone="gemma2", rank=4, louder={"layers.1.mlp.gate_proj.lora_b": 4.0}),
    "gemma3-text": dict(backbone="gemma3-text", rank=3, louder={"layers.1.mlp.gate_proj.lora_b": 4.0}),
    "phi3": dict(backbone="phi3", rank=4, target_modules=FUSED),
    "phi4-mini": dict(backbone="phi4-mini", rank=3, target_modules=FUSED),
}
ALPHA = 8  # never the rank


# ---- a batch, the frozen weights, random parameters -------------------------------------


def make_batch(case, vocab):
    """Of the tokens after the prompt a random two thirds are targets."""
    input_ids = integers(f"lora/{case}/input_ids", 2, SEQ, high=vocab)
    chosen = uniform(f"lora/{case}/targets", 2, SEQ, low=0.0, high=1.0) < 2 / 3
    targets = torch.full((2, SEQ), -100)
    for row, prompt in enumerate(PROMPTS):
        for t in range(prompt - 1, SEQ - 1):
            if chosen[row, t]:
                targets[row, t] = input_ids[row, t + 1]
    return input_ids, targets


@torch.no_grad()
def quantize_blocks(model, double):
    """Replaces the weight of every linear in the blocks by what NF4 leaves of it."""
    for name, module in model.model.layers.named_modules():
        if isinstance(module, torch.nn.Linear):
            # As a vector: bitsandbytes' dequantization on the CPU takes wrong scales where a row is
            # no whole number of blocks (down_proj here), though the blocks run across rows.
            weight = module.weight.float().flatten()
            packed, state = bnb.quantize_4bit(weight, quant_type="nf4", compress_statistics=double)
            if double:  # refuses a matrix whose scales hang on the last bit of their mean
                nf4.nested(name, weight, bnb.quantize_4bit(weight, quant_type="nf4")[1].absmax)
            state.dtype = torch.float32
            module.weight.copy_(bnb.dequantize_4bit(packed, state).reshape(module.weight.shape))


def add_lora(model, rank, target_modules, use_rslora, alpha=ALPHA):
    """The model with PEFT's LoRA layers in it, in place."""
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        target_modules=target_modules,
        use_rslora=use_rslora,
        bias="none",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config).eval()


def our_name(name):
    """`layers.0.self_attn.q_proj.lora_a` from PEFT's name of the parameter."""
    found = re.search(r"\.(layers\.\d+\..+)\.lora_([AB])\.default\.weight$", name)
    return f"{found[1]}.lora_{found[2].lower()}"


def lora_parameters(model):
    """The trained tensors by our names."""
    return {our_name(name): tensor for name, tensor in model.named_parameters() if ".lora_" in name}


@torch.no_grad()
def randomize(model, case, scaling, louder):
    """An adapter that moves the output of every linear by about half of what that is.

    Gemma's second block has tiny activations and a down_proj a hundred times as large; A and B
    share that factor, so that neither gradient is tiny. It is rounded, see `scale_scores` in ladders.py.
    """
    parameters = lora_parameters(model)
    linears = {name: module for name, module in model.get_base_model().model.named_modules()}
    for name, tensor in parameters.items():
        weight = linears[name.rpartition(".")[0]].base_layer.weight
        size = round(weight.std().item() * weight.shape[1] ** 0.5)
        size = size**0.5 if size > 10 else 1.0
        rank = min(tensor.shape)
        std = tensor.shape[1] ** -0.5 if name.endswith("lora_a") else 0.5 / (scaling * rank**0.5)
        tensor.copy_(normal(f"lora/{case}/{name}", *tensor.shape, std=std * size * louder.get(name, 1.0)))


# ---- the loss -----------------------------------------------------------------------------


@contextlib.contextmanager
def true_float64():
    """transformers' norms and softmax compute in float32 whatever the model's type; not in here."""
    with (
        mock.patch.object(torch, "float32", torch.float64),
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
    ):
        yield


class Task:
    """A batch, and whether it is computed in float64."""

    def __init__(self, input_ids, targets, float64=False):
        self.input_ids, self.targets, self.float64 = input_ids, targets, float64

    def logits(self, model):
        with true_float64() if self.float64 else contextlib.nullcontext():
            logits = model(input_ids=self.input_ids, use_cache=False).logits
        assert logits.dtype == (torch.float64 if self.float64 else torch.float32)
        return logits

    def loss(self, model):
        chosen = self.targets != -100
        targets = self.targets[chosen]
        return F.cross_entropy(self.logits(model)[chosen], targets, reduction="sum") / len(targets)


def gradients(task, model):
    parameters = lora_parameters(model)
    return dict(zip(parameters, torch.autograd.grad(task.loss(model), parameters.values())))


def train(task, model):
    """The losses of `STEPS` steps, each before its update."""
    model = copy.deepcopy(model)
    parameters = list(lora_parameters(model).values())
    optimizer = torch.optim.AdamW(
        parameters,
        lr=OPTIMIZER["learning_rate"],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["eps"],
        weight_decay=OPTIMIZER["weight_decay"],
        foreach=False,
    )
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = task.loss(model)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, OPTIMIZER["clip_norm"], foreach=False)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


# ---- what must matter ---------------------------------------------------------------------


def assert_zero_start(task, model, base_logits):
    """With a zero B the logits are the backbone's and only B gets a gradient."""
    fresh = copy.deepcopy(model)
    with torch.no_grad():
        for name, tensor in lora_parameters(fresh).items():
            if name.endswith("lora_b"):
                tensor.zero_()
    assert torch.equal(task.logits(fresh), base_logits)
    for name, gradient in gradients(task, fresh).items():
        assert (gradient.abs().max() > 0) == name.endswith("lora_b"), name


def broken_models(task, model, base_logits, settings, plain_logits):
    """(what is wrong, the logits with that mistake), one mistake at a time."""

    def changed(change):
        other = copy.deepcopy(model)
        change(other, lora_parameters(other))
        return task.logits(other)

    def scaled(factor):
        def change(other, _):
            for module in other.modules():
                if hasattr(module, "lora_A"):
                    module.scaling["default"] *= factor

        return change

    def without(wanted):
        return lambda _, parameters: parameters[wanted].zero_()

    def halves_swapped(suffix):
        def change(_, parameters):
            for name, tensor in parameters.items():
                if name.endswith(f"{suffix}.lora_b"):
                    tensor.copy_(torch.cat(tensor.chunk(2)[::-1]))

        return change

    def order_of_layers(_, parameters):
        first = {name for name in parameters if name.startswith("layers.0.")}
        for name in first:
            other = parameters[name.replace("layers.0.", "layers.1.", 1)]
            kept = other.clone()
            other.copy_(parameters[name])
            parameters[name].copy_(kept)

    rank = settings["rank"]
    yield "without the adapter", base_logits
    yield "with the other scaling (alpha / rank, alpha / sqrt(rank))", changed(
        scaled(rank**-0.5 if settings["use_rslora"] else rank**0.5)
    )
    yield "with scaling 1", changed(scaled(settings["factor"] ** -1))
    yield "with layers 0 and 1 swapped", changed(order_of_layers)
    for name in lora_parameters(model):
        if name.endswith("lora_b"):
            yield f"without {name.removesuffix('.lora_b')}", changed(without(name))
    if "gate_up_proj" in settings["target_modules"]:
        yield "with gate and up swapped in B", changed(halves_swapped("gate_up_proj"))
    for what, logits in plain_logits.items():
        yield what, logits


def noise_of(golden, exact):
    """Relative to the largest entry where that is small: small gradients must agree too."""
    return difference_in_tolerances(golden.double(), exact) * max(1.0, 1.0 / exact.abs().max().item())


# ---- one case -------------------------------------------------------------------------------


def prepare(case, folder, rank, target_modules, use_rslora, louder, quantization=None):
    model = load(folder)
    if quantization:
        quantize_blocks(model, double=quantization == NF4_DOUBLE)
    model.requires_grad_(False)
    base = copy.deepcopy(model)
    model = add_lora(model, rank, target_modules, use_rslora)
    scaling = ALPHA / (rank**0.5 if use_rslora else rank)
    randomize(model, case, scaling, louder)
    return base, model, scaling


def make(case, output, backbone, rank, target_modules=SPLIT, use_rslora=False, quantization=None, louder=None):
    print(f"{case}:")
    folder = output / "backbones" / backbone
    shape = (rank, target_modules, use_rslora, louder or {})
    base, model, scaling = prepare(case, folder, *shape, quantization)
    input_ids, targets = make_batch(case, base.config.vocab_size)
    task = Task(input_ids, targets)

    parameters = lora_parameters(model)
    layers, linears = base.config.num_hidden_layers, len(target_modules)
    assert len(parameters) == 2 * layers * linears
    assert all(tensor.requires_grad == (".lora_" in name) for name, tensor in model.named_parameters())
    score_std, logits_std = measure(model.get_base_model(), input_ids)
    print(f"  attention scores std {', '.join(f'{std:.2f}' for std in score_std)}; logits std {logits_std:.2f}")
    assert all(2.0 <= value <= 6.0 for value in (*score_std, logits_std))

    with torch.no_grad():
        base_logits, logits, loss = task.logits(base), task.logits(model), task.loss(model)
        plain_logits = {}
        if quantization:
            plain_logits["without quantization"] = task.logits(prepare(case, folder, *shape)[1])
            plain_logits["without double quantization"] = task.logits(prepare(case, folder, *shape, "nf4")[1])
        settings = dict(rank=rank, target_modules=target_modules, use_rslora=use_rslora, factor=scaling)
        for what, other in broken_models(task, model, base_logits, settings, plain_logits):
            ratio = difference_in_tolerances(other, logits)
            print(f"  {what}: {ratio:,.0f} x tolerance")
            assert ratio > MUST_BREAK, f"{case}: {what} hardly matters ({ratio})"
    assert_zero_start(task, model, base_logits)
    found = gradients(task, model)
    losses = train(task, model)

    # A gradient smaller than the tolerance could be missing and nobody would see it.
    smallest = min(found, key=lambda name: found[name].abs().max())
    ratio = difference_in_tolerances(torch.zeros_like(found[smallest]), found[smallest])
    print(f"  smallest gradient: {smallest}, {ratio:,.0f} x tolerance")
    assert ratio > MUST_BREAK, smallest
    total_norm = torch.stack([gradient.norm() for gradient in found.values()]).norm()
    assert total_norm > 2 * OPTIMIZER["clip_norm"], "clipping must bite"
    print(f"  {(targets != -100).sum()} targets, gradient norm {total_norm:.2f}")
    print(f"  losses {losses[0]:.4f} .. {losses[-1]:.4f}")
    assert losses[-1] < losses[0]

    # Neither the logits, the gradients nor ten steps may hang on the last bit: all of it in float64.
    exact, twin = Task(input_ids, targets, float64=True), copy.deepcopy(model).double()
    noise = {"logits": difference_in_tolerances(logits.double(), exact.logits(twin).detach())}
    noise["losses"] = difference_in_tolerances(losses.double(), train(exact, twin))
    exact_gradients = gradients(exact, twin)
    relative = {name: noise_of(found[name], value) for name, value in exact_gradients.items()}
    noise["gradients"] = max(relative.values())
    print(f"  float32 from float64, x tolerance: {', '.join(f'{what} {n:.3f}' for what, n in noise.items())}")
    assert max(noise.values()) < 0.2, noise
    assert noise["losses"] < 0.1, "compare.py could not repeat that"

    tensors = {"input_ids": input_ids, "targets": targets, "logits": logits, "loss": loss, "losses": losses}
    tensors.update({f"parameters.{name}": tensor for name, tensor in parameters.items()})
    tensors.update({f"gradients.{name}": tensor for name, tensor in found.items()})
    save(output / "lora" / f"{case}.safetensors", tensors)
    description = dict(
        backbone=backbone,
        quantization=quantization or "as_stored",
        rank=rank,
        alpha=ALPHA,
        use_rslora=use_rslora,
        target_modules=target_modules,
        trainable_parameters=sum(tensor.numel() for tensor in parameters.values()),
        **OPTIMIZER,
    )
    (output / "lora" / f"{case}.json").write_text(json.dumps(description, indent=2) + "\n")


def main():
    output = parse_output(__doc__.splitlines()[0])
    for case, settings in CASES.items():
        make(case, output, **settings)


if __name__ == "__main__":
    main()
