"""Single operations with their gradients: `ops.safetensors`, and their scalars in `ops.json`.

Tensors are named `<case>.<tensor>`. An input `x` has its gradient in `grad_x`; `grad_y` is
the upstream gradient of the output `y` (`grad_loss` of the scalar `loss`). Everything is
written out in plain PyTorch and differentiated by autograd, in float32.
"""

import json

import torch
import torch.nn.functional as F

from common import MUST_BREAK, difference_in_tolerances, integers, normal, parse_output, save, uniform

TENSORS = {}
SCALARS = {}


def record(case, scalars, output_name, inputs, constants, operation):
    """Runs `operation(**inputs, **constants)`, and keeps it with the gradients of `inputs`."""
    inputs = {name: tensor.requires_grad_() for name, tensor in inputs.items()}
    output = operation(**inputs, **constants)
    upstream = normal(f"{case}.grad_{output_name}", *output.shape)
    gradients = torch.autograd.grad(output, list(inputs.values()), upstream)
    TENSORS.update({f"{case}.{name}": tensor for name, tensor in {**inputs, **constants}.items()})
    TENSORS[f"{case}.{output_name}"] = output
    TENSORS[f"{case}.grad_{output_name}"] = upstream
    TENSORS.update({f"{case}.grad_{name}": gradient for name, gradient in zip(inputs, gradients)})
    SCALARS[case] = scalars
    return output.detach()


# ---- norm, rotary embedding, gated activation -----------------------------------------


def rms_norm(x, eps, weight=None):
    """x / sqrt(mean(x^2) + eps) over the last axis, as in transformers' LlamaRMSNorm."""
    normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return normed if weight is None else weight * normed


def rotary_tables(positions, head_dim, theta):
    """cos and sin, [batch, seq, head_dim / 2]."""
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = positions[..., None].float() * frequencies
    return angles.cos(), angles.sin()


def rope(x, positions, theta):
    """Half-split rotary embedding of token-major x [batch, seq, heads, head_dim]."""
    cos, sin = (table[:, :, None, :] for table in rotary_tables(positions, x.shape[-1], theta))
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def norm_cases():
    eps = 0.01
    scalars = {"eps": eps}
    x = normal("rms_norm.x", 2, 5, 48)
    weight = uniform("rms_norm.weight", 48, low=0.5, high=1.5)
    record("rms_norm", scalars, "y", {"x": x, "weight": weight}, {}, lambda x, weight: rms_norm(x, eps, weight))
    x = normal("rms_norm_plain.x", 2, 5, 48)
    record("rms_norm_plain", scalars, "y", {"x": x}, {}, lambda x: rms_norm(x, eps))


def rope_case():
    theta = 10000.0
    # The second row is not 0..seq: two documents in a row, and a jump.
    positions = torch.tensor([list(range(9)), [0, 1, 2, 3, 0, 1, 2, 40, 41]])
    x = normal("rope.x", 2, 9, 3, 16)
    record("rope", {"theta": theta}, "y", {"x": x}, {"positions": positions}, lambda x, positions: rope(x, positions, theta))
    TENSORS["rope.cos"], TENSORS["rope.sin"] = rotary_tables(positions, 16, theta)


def silu_mul_case():
    gate, up = normal("silu_mul.gate", 2, 5, 24, std=3.0), normal("silu_mul.up", 2, 5, 24)
    record("silu_mul", {}, "y", {"gate": gate, "up": up}, {}, lambda gate, up: F.silu(gate) * up)


# ---- attention ------------------------------------------------------------------------


def attention(q, k, v, first_visible, window=None, soft_cap=None):
    """Causal attention, token-major: q, y [batch, seq, heads, head_dim], k and v with kv_heads.

    Query i sees key j where first_visible[i] <= j <= i and, with a window, i - j < window.
    Scores are scaled by 1/sqrt(head_dim), then capped to c * tanh(s / c), then masked.
    """
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, dim=2), v.repeat_interleave(group, dim=2)
    scores = torch.einsum("bihd,bjhd->bhij", q, k) / q.shape[-1] ** 0.5
    if soft_cap is not None:
        scores = soft_cap * torch.tanh(scores / soft_cap)
    position = torch.arange(q.shape[1])
    visible = (position[None, :] <= position[:, None]) & (position >= first_visible[:, :, None])
    if window is not None:
        visible &= position[:, None] - position[None, :] < window
    scores = scores.masked_fill(~visible[:, None], float("-inf"))
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v)


def document_starts(seq, *rows):
    """first_visible [batch, seq] of documents packed in a row, from the lengths in each row."""
    starts = []
    for lengths in rows:
        assert sum(lengths) == seq
        row, start = [], 0
        for length in lengths:
            row += [start] * length
            start += length
        starts.append(row)
    return torch.tensor(starts)


def attention_case(case, heads, kv_heads, head_dim, first_visible, **options):
    batch, seq = first_visible.shape
    q = normal(f"{case}.q", batch, seq, heads, head_dim, std=3.0**0.5)
    k = normal(f"{case}.k", batch, seq, kv_heads, head_dim, std=3.0**0.5)
    v = normal(f"{case}.v", batch, seq, kv_heads, head_dim)
    scalars = {"heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "window": None, "soft_cap": None, **options}
    y = record(
        case,
        scalars,
        "y",
        {"q": q, "k": k, "v": v},
        {"first_visible": first_visible},
        lambda q, k, v, first_visible: attention(q, k, v, first_visible, **options),
    )
    # Each thing that makes this case special must matter.
    variants = {name: {**options, name: None} for name in options}
    for name, changed in variants.items():
        ratio = difference_in_tolerances(attention(q, k, v, first_visible, **changed), y)
        print(f"  {case} without {name}: {ratio:,.0f} x tolerance")
        assert ratio > MUST_BREAK, (case, name)
    if first_visible.any():
        ratio = difference_in_tolerances(attention(q, k, v, torch.zeros_like(first_visible), **options), y)
        print(f"  {case} without documents: {ratio:,.0f} x tolerance")
        assert ratio > MUST_BREAK, case


def attention_cases():
    whole = lambda batch, seq: torch.zeros(batch, seq, dtype=torch.int64)
    attention_case("attention_plain", 3, 3, 8, whole(2, 12))
    attention_case("attention_documents", 4, 2, 8, document_starts(33, (10, 1, 22), (17, 9, 7)))
    attention_case("attention_window_softcap", 4, 2, 16, document_starts(40, (40,), (23, 17)), window=7, soft_cap=2.0)
    attention_case("attention_ragged", 2, 2, 16, whole(1, 70))  # no tile divides 70


# ---- loss -----------------------------------------------------------------------------


def linear_cross_entropy(hidden, head_weight, targets, head_bias=None, soft_cap=None):
    """Summed cross-entropy of the logits hidden @ head_weight^T + head_bias, capped if asked."""
    logits = F.linear(hidden, head_weight, head_bias)
    if soft_cap is not None:
        logits = soft_cap * torch.tanh(logits / soft_cap)
    return F.cross_entropy(logits, targets, reduction="sum")


def linear_cross_entropy_cases():
    """Only the hidden state gets a gradient: the head belongs to the frozen backbone."""
    tokens, width, vocab = 37, 24, 93
    for case, soft_cap in (("linear_cross_entropy", None), ("linear_cross_entropy_bias_softcap", 3.0)):
        hidden = normal(f"{case}.hidden", tokens, width)
        constants = {
            "head_weight": normal(f"{case}.head_weight", vocab, width, std=4.0 / width**0.5),
            "targets": integers(f"{case}.targets", tokens, high=vocab),
        }
        if soft_cap is None:
            hidden[5] *= 40.0  # logits beyond 88, where exp overflows unless the maximum is taken out
        else:
            constants["head_bias"] = normal(f"{case}.head_bias", vocab, std=2.0)
        record(
            case,
            {"soft_cap": soft_cap},
            "loss",
            {"hidden": hidden},
            constants,
            lambda hidden, **rest: linear_cross_entropy(hidden, soft_cap=soft_cap, **rest),
        )
        if soft_cap is not None:
            def gradient(**options):
                return torch.autograd.grad(linear_cross_entropy(hidden, **{**constants, **options}), hidden)[0]

            for name, changed in (("soft_cap", {}), ("head_bias", {"soft_cap": soft_cap, "head_bias": None})):
                ratio = difference_in_tolerances(gradient(**changed), gradient(soft_cap=soft_cap))
                print(f"  {case} without {name}: {ratio:,.0f} x tolerance")
                assert ratio > MUST_BREAK, (case, name)


# ---- optimizer ------------------------------------------------------------------------


def adamw_cases():
    """Five steps of torch's AdamW; row i of the outputs is the state after step i + 1."""
    steps, size = 5, 37
    for case, weight_decay in (("adamw", 0.0), ("adamw_weight_decay", 0.1)):
        settings = {"learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": weight_decay}
        initial = normal(f"{case}.initial", size)
        # Magnitudes from 1e-9 to 10: a denominator without eps, or with eps inside the root, shows.
        magnitude = torch.logspace(-9, 1, size)
        gradients = normal(f"{case}.gradients", steps, size) * magnitude
        gradients[:, 7] = 0.0
        parameter = torch.nn.Parameter(initial.clone())
        optimizer = torch.optim.AdamW(
            [parameter], lr=settings["learning_rate"], betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay, foreach=False
        )
        states = {"parameters": [], "exp_avg": [], "exp_avg_sq": []}
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
            states["parameters"].append(parameter.detach().clone())
            for name in ("exp_avg", "exp_avg_sq"):
                states[name].append(optimizer.state[parameter][name].clone())
        TENSORS[f"{case}.initial"] = initial
        TENSORS[f"{case}.gradients"] = gradients
        TENSORS.update({f"{case}.{name}": torch.stack(rows) for name, rows in states.items()})
        SCALARS[case] = settings


def clip_cases():
    """torch's clip_grad_norm_: gradients times min(1, max_norm / (total_norm + 1e-6))."""
    for case, max_norm in (("clip", 1.0), ("clip_below", 100.0)):
        parameters = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in (("a", (3, 5)), ("b", (7,)))}
        for name, parameter in parameters.items():
            parameter.grad = normal(f"{case}.{name}", *parameter.shape, std=2.0)
            TENSORS[f"{case}.{name}"] = parameter.grad.clone()
        TENSORS[f"{case}.total_norm"] = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm, foreach=False)
        TENSORS.update({f"{case}.clipped_{name}": parameter.grad for name, parameter in parameters.items()})
        SCALARS[case] = {"max_norm": max_norm}


def main():
    output = parse_output(__doc__.splitlines()[0])
    norm_cases()
    rope_case()
    silu_mul_case()
    attention_cases()
    linear_cross_entropy_cases()
    adamw_cases()
    clip_cases()
    save(output / "ops.safetensors", TENSORS)
    (output / "ops.json").write_text(json.dumps(SCALARS, indent=2) + "\n")


if __name__ == "__main__":
    main()
