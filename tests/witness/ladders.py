"""The side network on the tiny backbones: what training it gives, `ladders/<case>.*`.

`<case>.json` says what is wired to what; `<case>.safetensors` holds

    input_ids          i64 [2, seq]       right-padded; `lengths` i64 [2] says how far
    targets            i64 [2, seq]       the label of position t is token t + 1; -100: none
    parameters.<name>  f32                where training starts
    gradients.<name>   f32                of `loss` there, before clipping
    side_states        f32 [side_layers, 2, seq, d_side]   s_1 .. s_l
    logits_at_targets  f32 [targets, vocab]                rows in the order of `targets`
    loss               f32                cross-entropy summed over targets / their number
    losses             f32 [10]           ten steps of AdamW on this batch, each before its update

A fresh adapter has a zero upsample, and then every other gradient is zero: parity would prove
nothing. So every parameter is random here, upsample and gates included; what the zero start
gives is asserted apart (`assert_zero_start`).
"""

import copy
import json
from unittest import mock

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

import side_network
from common import MUST_BREAK, difference_in_tolerances, integers, normal, parse_output, save, uniform
from side_network import SideNetwork, SideNetworkConfig, head_logits, run_backbone

D_SIDE, SEQ, STEPS = 32, 40, 10
LENGTHS = (40, 29)
PROMPTS = (6, 11)  # tokens at the start of each row that are never targets
OPTIMIZER = dict(learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, clip_norm=1.0)

CASES = {
    "ladder-linear-sum-llama3": dict(
        backbone="llama3", taps=[1, 2, 3], free_layers=0, heads=1, downsample="linear", inject="sum"
    ),
    "ladder-linear-gate-qwen3": dict(
        backbone="qwen3", taps=[1, 2, 3], free_layers=0, heads=1, downsample="linear", inject="gate"
    ),
    "xladder-shared-sum-qwen2": dict(
        backbone="qwen2", taps=[2, 3], free_layers=2, heads=2, downsample="shared", inject="sum"
    ),
    "xladder-adapter-gate-llama2": dict(
        backbone="llama2", taps=[1, 3], free_layers=1, heads=1, downsample="adapter", inject="gate"
    ),
    "ladder-linear-sum-qwen2-tied-bf16": dict(
        backbone="qwen2-tied-bf16", taps=[1, 2, 3], free_layers=0, heads=2, downsample="linear", inject="sum"
    ),
}


# ---- a batch and random parameters ----------------------------------------------------


def make_batch(case, vocab):
    """Padded rows; of the tokens after the prompt a random two thirds are targets."""
    input_ids = integers(f"{case}/input_ids", 2, SEQ, high=vocab)
    chosen = uniform(f"{case}/targets", 2, SEQ, low=0.0, high=1.0) < 2 / 3
    targets = torch.full((2, SEQ), -100)
    for row, (length, prompt) in enumerate(zip(LENGTHS, PROMPTS)):
        input_ids[row, length:] = 0
        for t in range(prompt - 1, length - 1):
            if chosen[row, t]:
                targets[row, t] = input_ids[row, t + 1]
    return input_ids, targets


@torch.no_grad()
def randomize(network, case):
    for name, tensor in network.named_parameters():
        key = f"{case}/{name}"
        if name.endswith("ladder_gate"):
            tensor.copy_(uniform(key, 1, low=-0.1, high=0.1))
        elif name.endswith(".bias"):
            tensor.copy_(normal(key, *tensor.shape, std=0.5))
        else:
            tensor.copy_(normal(key, *tensor.shape, std=tensor.shape[1] ** -0.5))


@torch.no_grad()
def scale_scores(task, network):
    """Multiplies q and k until the attention scores have a standard deviation near 3, by rounded
    factors, so that another machine's last bit cannot change a weight."""
    for _ in range(4):
        for block, std in zip(network.side, score_std(task, network)):
            factor = round((3.0 / std) ** 0.5, 2)
            block.attention.q_proj.weight.mul_(factor)
            block.attention.k_proj.weight.mul_(factor)


# ---- the loss -------------------------------------------------------------------------


class Task:
    """A backbone with a batch: the taps are computed once, as the backbone is frozen."""

    def __init__(self, backbone, taps, input_ids, targets):
        self.backbone, self.targets = backbone, targets
        self.taps, self.last_hidden = run_backbone(backbone, input_ids, taps)
        self.all_targets = targets[targets != -100]

    def logits(self, network):
        """Logits at the targets, [targets, vocab]."""
        hidden = network(self.taps, self.last_hidden)
        return head_logits(self.backbone, hidden[self.targets != -100])

    def loss(self, network):
        return F.cross_entropy(self.logits(network), self.all_targets, reduction="sum") / len(self.all_targets)


def gradients(task, network):
    parameters = dict(network.named_parameters())
    return dict(zip(parameters, torch.autograd.grad(task.loss(network), parameters.values())))


def train(task, network):
    """The losses of `STEPS` steps, each before its update."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=OPTIMIZER["learning_rate"],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["eps"],
        weight_decay=OPTIMIZER["weight_decay"],
        foreach=False,
    )
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = task.loss(network)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), OPTIMIZER["clip_norm"], foreach=False)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


# ---- what must matter -----------------------------------------------------------------


def assert_zero_start(task, network):
    """With a zero upsample the logits are the backbone's and only upsample gets a gradient."""
    fresh = copy.deepcopy(network)
    with torch.no_grad():
        fresh.upsample.weight.zero_()
        fresh.upsample.bias.zero_()
    base = head_logits(task.backbone, task.last_hidden[task.targets != -100])
    assert torch.equal(task.logits(fresh), base)
    for name, gradient in gradients(task, fresh).items():
        assert (gradient.abs().max() > 0) == name.startswith("upsample."), name


def score_std(task, network):
    """Standard deviation of the visible attention scores of each side layer."""
    std = []
    attention = side_network.causal_attention

    def recording(q, k, v):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        std.append(scores[..., torch.ones(SEQ, SEQ, dtype=torch.bool).tril()].std().item())
        return attention(q, k, v)

    with mock.patch.object(side_network, "causal_attention", recording):
        task.logits(network)
    return std


def broken_networks(task, network):
    """(what is switched off, the logits without it), one feature at a time."""

    def changed(change):
        other = copy.deepcopy(network)
        change(other)
        return task.logits(other)

    def patched(name, value):
        with mock.patch.object(side_network, name, value):
            return task.logits(network)

    def zero(suffix):
        def change(other):
            for name, tensor in other.named_parameters():
                if name.endswith(suffix):
                    tensor.zero_()

        return change

    def with_eps(other):
        for module in other.modules():
            if hasattr(module, "eps"):
                module.eps = 1e-6
        other.config.rms_norm_eps = 1e-6

    def with_heads(other):
        for block in other.side:
            block.attention.heads = 3 - block.attention.heads

    config = network.config
    everything = lambda q, k, v: F.scaled_dot_product_attention(q, k, v)
    yield "the side network", head_logits(task.backbone, task.last_hidden[task.targets != -100])
    yield "upsample bias", changed(zero("upsample.bias"))
    yield "rotary embedding", patched("rotate", lambda x: x)
    yield "rope theta 10,000", patched("ROPE_THETA", 500000.0)
    yield "causal mask", patched("causal_attention", everything)
    yield "norms", patched("rms_norm", lambda x, eps: x)
    yield "its number of heads", changed(with_heads)
    if config.downsample == "adapter":
        yield "reduce bias", changed(zero("reduce.bias"))
        yield "expand bias", changed(zero("expand.bias"))
    else:
        yield "downsample bias", changed(zero("downsample.bias"))
    if config.inject == "gate":
        yield "gates", changed(zero("ladder_gate"))
        yield "gate temperature", patched("GATE_TEMPERATURE", 1.0)
    if config.rms_norm_eps > 1e-3:
        yield "the backbone's epsilon", changed(with_eps)
    for free in range(len(config.taps), config.side_layers):
        yield f"free layer {free}", changed(lambda other: other.side.__delitem__(free))
    shifted = copy.copy(task)
    shifted.taps = task.taps[1:] + task.taps[:1]
    yield "order of the taps", shifted.logits(network)
    without_base = copy.copy(task)
    without_base.last_hidden = torch.zeros_like(task.last_hidden)
    yield "x_L in the output", without_base.logits(network)


# ---- one case -------------------------------------------------------------------------


def make(case, output, backbone, taps, free_layers, heads, downsample, inject):
    print(f"{case}:")
    model = AutoModelForCausalLM.from_pretrained(
        output / "backbones" / backbone, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    model.requires_grad_(False)
    config = SideNetworkConfig(
        d_model=model.config.hidden_size,
        d_side=D_SIDE,
        side_layers=len(taps) + free_layers,
        taps=taps,
        rms_norm_eps=model.config.rms_norm_eps,
        heads=heads,
        downsample=downsample,
        inject=inject,
    )
    input_ids, targets = make_batch(case, model.config.vocab_size)
    task = Task(model, taps, input_ids, targets)
    network = SideNetwork(config)
    randomize(network, case)
    scale_scores(task, network)

    assert_zero_start(task, network)
    std = score_std(task, network)
    print(f"  side attention scores std {', '.join(f'{value:.2f}' for value in std)}")
    assert all(2.0 <= value <= 5.0 for value in std), std

    with torch.no_grad():
        logits, loss, states = task.logits(network), task.loss(network), torch.stack(network.states(task.taps))
        for name, other in broken_networks(task, network):
            ratio = difference_in_tolerances(other, logits)
            print(f"  without {name}: {ratio:,.0f} x tolerance")
            assert ratio > MUST_BREAK, f"{case}: {name} hardly matters ({ratio})"
    found = gradients(task, network)
    losses = train(task, network)

    # A gradient smaller than the tolerance could be missing and nobody would see it.
    smallest = min(found, key=lambda name: found[name].abs().max())
    ratio = difference_in_tolerances(torch.zeros_like(found[smallest]), found[smallest])
    print(f"  smallest gradient: {smallest}, {ratio:,.0f} x tolerance")
    assert ratio > MUST_BREAK, smallest
    total_norm = torch.stack([gradient.norm() for gradient in found.values()]).norm()
    assert total_norm > 2 * OPTIMIZER["clip_norm"], "clipping must bite"
    print(f"  {len(task.all_targets)} targets, gradient norm {total_norm:.2f}, logits std {logits.std():.2f}")
    print(f"  losses {losses[0]:.4f} .. {losses[-1]:.4f}")

    # Neither the gradients nor ten steps may hang on the last bit: all of it in float64.
    exact = Task(model.double(), taps, input_ids, targets)
    twin = copy.deepcopy(network).double()
    noise = max(
        [difference_in_tolerances(losses.double(), train(exact, twin))]
        + [difference_in_tolerances(found[name].double(), value) for name, value in gradients(exact, twin).items()]
    )
    print(f"  float32 is at most {noise:.3f} x tolerance from float64")
    assert noise < 0.2, noise

    tensors = {
        "input_ids": input_ids,
        "lengths": torch.tensor(LENGTHS),
        "targets": targets,
        "side_states": states,
        "logits_at_targets": logits,
        "loss": loss,
        "losses": losses,
    }
    tensors.update({f"parameters.{name}": tensor for name, tensor in network.named_parameters()})
    tensors.update({f"gradients.{name}": tensor for name, tensor in found.items()})
    save(output / "ladders" / f"{case}.safetensors", tensors)
    description = dict(
        backbone=backbone,
        d_side=config.d_side,
        heads=config.heads,
        d_ff=config.d_ff,
        side_layers=config.side_layers,
        taps=config.taps,
        free_layers=free_layers,
        downsample=downsample,
        inject=inject,
        rms_norm_eps=config.rms_norm_eps,
        rope_theta=side_network.ROPE_THETA,
        trainable_parameters=sum(tensor.numel() for tensor in network.parameters()),
        **OPTIMIZER,
    )
    (output / "ladders" / f"{case}.json").write_text(json.dumps(description, indent=2) + "\n")


def main():
    output = parse_output(__doc__.splitlines()[0])
    for case, settings in CASES.items():
        make(case, output, **settings)


if __name__ == "__main__":
    main()
