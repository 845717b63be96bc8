"""AdamW with moments in 8 bits, as bitsandbytes computes it on the CPU: `adamw8.safetensors`, `adamw8.json`.

Ten updates of one matrix by `bitsandbytes.optim.AdamW8bit`, whose gradients span four decades in a block
and eleven in all, and hold zeros, a whole block of them too. Gradients and codes are the same in both cases, since neither depends
on the parameters:

    initial, gradients [10, rows, columns]   gradients are bf16 numbers
    unsigned_map                             the code book of the second moment
    state1, state2 [10, rows, columns]       u8, after each update
    absmax1, absmax2 [10, blocks]            f32, after each update
    plain.parameters, decay.parameters [rows, columns], after all ten, without and with weight decay

A twin in numpy computes the same bits, and shows that the golden can fail: each thing that could be done
otherwise is done otherwise once and must change codes or parameters.
"""

import json
import math

import bitsandbytes as bnb
import bitsandbytes.functional as functional
import numpy as np
import torch

from common import generator, normal, parse_output, save

ROWS, COLUMNS, STEPS, BLOCK = 41, 100, 10, 256  # 4,100 numbers: 16 blocks and one of four
SETTINGS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "learning_rate": 0.02}
DECAYS = {"plain": 0.0, "decay": 0.5}
SIGNED = functional.create_dynamic_map(signed=True).numpy()
UNSIGNED = functional.create_dynamic_map(signed=False).numpy()
MIN_8BIT_SIZE = 4096
# What the Rust test allows parameters; codes and scales it wants to the bit.
PARAMETER_TOLERANCE = 1e-6


def gradients():
    blocks = generator("adamw8.blocks").uniform(-6.0, 1.0, math.ceil(ROWS * COLUMNS / BLOCK)).repeat(BLOCK)
    spread = generator("adamw8.spread").uniform(-4.0, 0.0, ROWS * COLUMNS) + blocks[: ROWS * COLUMNS]
    spread = 10.0 ** spread.reshape(1, ROWS, COLUMNS)
    values = normal("adamw8.gradients", STEPS, ROWS, COLUMNS).numpy() * spread
    values[generator("adamw8.zeros").random(values.shape) < 0.1] = 0.0
    values.reshape(STEPS, -1)[:, 3 * BLOCK : 4 * BLOCK] = 0.0  # always
    values.reshape(STEPS, -1)[:4, 5 * BLOCK : 6 * BLOCK] = 0.0  # at first
    return torch.tensor(values, dtype=torch.bfloat16).float()


def bitsandbytes(initial, gradients, weight_decay):
    parameter = torch.nn.Parameter(initial.clone())
    optimizer = bnb.optim.AdamW8bit(
        [parameter],
        lr=SETTINGS["learning_rate"],
        betas=(SETTINGS["beta1"], SETTINGS["beta2"]),
        eps=SETTINGS["eps"],
        weight_decay=weight_decay,
    )
    found = {name: [] for name in ("parameters", "state1", "state2", "absmax1", "absmax2")}
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        state = optimizer.state[parameter]
        for name in found:
            found[name].append((parameter.detach() if name == "parameters" else state[name]).clone())
    return {name: torch.stack(tensors) for name, tensors in found.items()}


# ---- the twin --------------------------------------------------------------------------


def fused(a, b, c):
    """a * b + c, rounded once (the product of two f32 is exact in f64)."""
    return (a.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(np.float32)


def quantize(values, book, grid):
    """Codes and scales; with `grid`, rounded to one of 65,536 numbers before the nearest code is taken."""
    codes, scales = [], []
    bounds = (book[:-1] + book[1:]) * np.float32(0.5)
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        scale = np.abs(block).max()
        scales.append(scale)
        if scale == 0.0:
            codes.append(np.zeros(block.size, dtype=np.uint8))
            continue
        scaled = np.clip(block * (np.float32(1.0) / scale), np.float32(-1.0), np.float32(1.0))
        if grid:
            share = (scaled + np.float32(1.0)) * np.float32(0.5)
            point = np.floor((share.astype(np.float64) * 65535 + 0.5).astype(np.float32))
            scaled = np.float32(-1.0) + (np.float32(2.0) * point.astype(np.float32)) / np.float32(65535)
        codes.append(np.searchsorted(bounds, scaled, side="left").astype(np.uint8))
    return np.concatenate(codes), np.array(scales, dtype=np.float32)


def dequantize(codes, scales, book):
    return book[codes] * np.repeat(scales, BLOCK)[: codes.size]


def twin(initial, gradients, weight_decay=0.0, grid=True, fuse=True, decay_first=True, second_book=UNSIGNED):
    f = np.float32
    beta1, beta2, rate = SETTINGS["beta1"], SETTINGS["beta2"], SETTINGS["learning_rate"]
    parameter = initial.numpy().reshape(-1).copy()
    blocks = math.ceil(parameter.size / BLOCK)
    state1 = (np.zeros(parameter.size, np.uint8), np.zeros(blocks, f))
    state2 = state1
    found = {name: [] for name in ("parameters", "state1", "state2", "absmax1", "absmax2")}
    multiply_add = fused if fuse else lambda a, b, c: a * b + c
    for step, gradient in enumerate(gradients.numpy().reshape(len(gradients), -1), start=1):
        one1, one2 = np.full_like(gradient, 1.0 - beta1), f(1.0 - beta2) * gradient
        first = multiply_add(one1, gradient, dequantize(*state1, SIGNED) * f(beta1))
        second = multiply_add(one2, gradient, dequantize(*state2, second_book) * f(beta2))
        root = np.sqrt(second) / f(math.sqrt(1.0 - beta2**step)) + f(SETTINGS["eps"])
        keep, size = f(1.0 - rate * weight_decay), f(rate / (1.0 - beta1**step))
        if decay_first:
            parameter = parameter * keep - size * first / root
        else:
            parameter = (parameter - size * first / root) * keep
        state1, state2 = quantize(first, SIGNED, grid), quantize(second, second_book, grid)
        for name, value in zip(found, (parameter, state1[0], state2[0], state1[1], state2[1])):
            found[name].append(value)
    return {name: np.stack(values) for name, values in found.items()}


def check(initial, gradients, plain, decay):
    def that_differ(other, *names):
        return sum((other[name] != plain[name].numpy().reshape(STEPS, -1)).sum() for name in names)

    def parameters_off(other, golden):
        golden = golden["parameters"].numpy().reshape(STEPS, -1)
        return np.abs(other["parameters"] - golden).max() / max(1.0, np.abs(golden).max()) / PARAMETER_TOLERANCE

    same = twin(initial, gradients)
    assert that_differ(same, "state1", "state2", "absmax1", "absmax2") == 0
    off = parameters_off(same, plain), parameters_off(twin(initial, gradients, 0.5), decay)
    print(f"  twin: every code and scale; parameters off by {max(off):.2f} tolerances")
    assert max(off) < 0.5
    assert parameters_off(same, decay) > 100
    order = parameters_off(twin(initial, gradients, 0.5, decay_first=False), decay)
    print(f"  decay after the step, as on a GPU: parameters off by {order:.0f} tolerances")
    assert order > 100
    total = [2 * STEPS * size for size in (initial.numel(), plain["absmax1"].shape[1])]
    for label, changed in {
        "the nearest code without the grid, as on a GPU": {"grid": False},
        "moments rounded twice": {"fuse": False},
        "the signed map for the second moment": {"second_book": SIGNED},
    }.items():
        other = twin(initial, gradients, **changed)
        codes, scales = that_differ(other, "state1", "state2"), that_differ(other, "absmax1", "absmax2")
        print(f"  {label}: {codes} of {total[0]} codes and {scales} of {total[1]} scales differ")
        assert codes + scales > 10, label
    # On the grid no second moment is rounded to zero, but in a block of zeros.
    blocks = np.repeat(plain["absmax2"].numpy(), BLOCK, axis=1)[:, : initial.numel()]
    assert ((plain["state2"].numpy().reshape(STEPS, -1) == 0) == (blocks == 0.0)).all()


def small_tensors_stay_wide():
    for elements in (MIN_8BIT_SIZE - 1, MIN_8BIT_SIZE):
        parameter = torch.nn.Parameter(torch.ones(elements))
        optimizer = bnb.optim.AdamW8bit([parameter])
        parameter.grad = torch.ones(elements)
        optimizer.step()
        dtype = optimizer.state[parameter]["state1"].dtype
        assert dtype == (torch.float32 if elements < MIN_8BIT_SIZE else torch.uint8)


def main():
    output = parse_output(__doc__.splitlines()[0])
    initial, given = normal("adamw8.initial", ROWS, COLUMNS), gradients()
    plain, decay = (bitsandbytes(initial, given, weight_decay) for weight_decay in DECAYS.values())
    for name in ("state1", "state2", "absmax1", "absmax2"):
        assert torch.equal(plain[name], decay[name]), name
    check(initial, given, plain, decay)
    small_tensors_stay_wide()
    tensors = {name: plain[name] for name in ("state1", "state2", "absmax1", "absmax2")}
    tensors |= {"initial": initial, "gradients": given.to(torch.bfloat16), "unsigned_map": torch.tensor(UNSIGNED)}
    tensors |= {"plain.parameters": plain["parameters"][-1], "decay.parameters": decay["parameters"][-1]}
    save(output / "adamw8.safetensors", tensors)
    settings = SETTINGS | {"weight_decay": DECAYS, "min_8bit_size": MIN_8BIT_SIZE}
    (output / "adamw8.json").write_text(json.dumps(settings, indent=1) + "\n")


if __name__ == "__main__":
    main()
