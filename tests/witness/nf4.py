"""NF4 weights as bitsandbytes makes them on the CPU: `nf4.safetensors`, and shapes in `nf4.json`.

Tensors are named `<case>.<tensor>`:

    input        the numbers to quantize; a case without one follows `formula`
    packed       u8, two codes per byte
    absmax       f32, the scale of each block of 64
    dequantized  f32
    nested.codes, nested.absmax, nested.offset, nested.scales
                 the scales quantized again, and what they dequantize to

Of a matrix of real size only the beginning and a checksum are kept (`*.head`, `*.checksum`).
`code_book` and `dynamic_map` are the two code books.

bitsandbytes 0.50 quantizes 4-bit weights on the CPU with torch operations, and the scales with a
C++ kernel that rounds to a grid of 65,536 numbers first. Both are bit-exact here, but the dynamic
map and the mean of the scales come from torch's vector code: without AVX2 their last bits differ.
The script checks that no code hangs on the last bits of the mean.
"""

import json

import bitsandbytes.functional as bnb
import numpy as np
import torch

from common import normal, parse_output, save

TENSORS = {}
CASES = {}

BLOCK = 64
CODES = bnb.get_4bit_type("nf4", device="cpu")
BOUNDS = (CODES[:-1] + CODES[1:]) / 2
HEAD = 4096


# ---- what both sides can compute -------------------------------------------------------


def mix(numbers):
    """The finalizer of splitmix64: a hash of 64-bit integers."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def formula(elements):
    """About normal numbers, exact in f32: four 16-bit integers summed, and a factor per 1,000."""
    index = np.arange(elements, dtype=np.uint64)
    hashes = mix(index)
    total = sum((hashes >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    centered = total.astype(np.int64) - 2 * 65535
    factor = 3 + (mix(index // np.uint64(1000)) % np.uint64(14)).astype(np.int64)
    return torch.tensor((centered * factor).astype(np.float64) / 2.0**24, dtype=torch.float32)


def checksum(tensor):
    """Sum of (bits + 1) * mix(position), modulo 2^64, as a signed integer."""
    bits = tensor.contiguous().numpy().reshape(-1)
    bits = bits.view(np.uint32) if bits.dtype == np.float32 else bits
    positions = mix(np.arange(bits.size, dtype=np.uint64))
    total = np.sum((bits.astype(np.uint64) + np.uint64(1)) * positions, dtype=np.uint64)
    return torch.tensor(total.astype(np.int64))


# ---- cases -----------------------------------------------------------------------------


def shift_last_bits(number, ulps):
    return torch.tensor(np.float32(number).view(np.int32) + np.int32(ulps)).view(torch.float32)


def quantize_scales(absmax, offset):
    codes, state = bnb.quantize_blockwise(absmax - offset, blocksize=256)
    return codes, state


def nested(case, matrix, absmax):
    """The second quantization, through the call that users make, and that nothing hangs by a thread."""
    state = bnb.quantize_4bit(matrix, quant_type="nf4", compress_statistics=True)[1]
    codes, second = quantize_scales(absmax, state.offset)
    assert torch.equal(codes, state.absmax) and torch.equal(second.absmax, state.state2.absmax)
    if second.absmax.any():  # the mean of equal scales is exact
        for ulps in (-2, -1, 1, 2):
            moved = quantize_scales(absmax, shift_last_bits(state.offset, ulps))[0]
            assert torch.equal(codes, moved), (case, ulps, (codes != moved).sum())
    scales = bnb.dequantize_blockwise(codes, second) + state.offset
    return {"codes": codes, "absmax": second.absmax, "offset": state.offset, "scales": scales}


def quantize(case, matrix):
    packed, state = bnb.quantize_4bit(matrix, quant_type="nf4")
    assert torch.equal(state.code, CODES) and state.blocksize == BLOCK and state.absmax.dtype == torch.float32
    state.dtype = torch.float32  # dequantize without a further rounding
    dequantized = bnb.dequantize_4bit(packed, state).reshape(matrix.shape)
    CASES[case] = {"shape": list(matrix.shape)}
    return packed.reshape(-1), state.absmax, dequantized


def record(case, matrix, keep_dequantized=True, keep_nested=True):
    packed, absmax, dequantized = quantize(case, matrix)
    tensors = {"input": matrix, "packed": packed, "absmax": absmax}
    if keep_dequantized:
        tensors["dequantized"] = dequantized
    if keep_nested:
        tensors |= {f"nested.{name}": tensor for name, tensor in nested(case, matrix, absmax).items()}
    TENSORS.update({f"{case}.{name}": tensor for name, tensor in tensors.items()})
    return packed, absmax


def record_large(case, rows, columns):
    matrix = formula(rows * columns).reshape(rows, columns)
    packed, absmax, dequantized = quantize(case, matrix)
    second = nested(case, matrix, absmax)
    for name, tensor in {"packed": packed, "absmax": absmax, "dequantized": dequantized.reshape(-1)}.items():
        TENSORS[f"{case}.{name}.head"] = tensor[:HEAD]
        TENSORS[f"{case}.{name}.checksum"] = checksum(tensor)
    for name, tensor in second.items():
        if tensor.numel() > HEAD:
            TENSORS[f"{case}.nested.{name}.head"] = tensor[:HEAD]
            TENSORS[f"{case}.nested.{name}.checksum"] = checksum(tensor)
        else:
            TENSORS[f"{case}.nested.{name}"] = tensor
    # Without the grid, some codes of scales are others.
    code_book = bnb.create_dynamic_map()
    blocks = torch.nn.functional.pad(absmax - second["offset"], (0, -absmax.numel() % 256)).reshape(-1, 256)
    scaled = blocks * (1 / second["absmax"])[:, None]
    plain = torch.bucketize(scaled.reshape(-1)[: absmax.numel()], (code_book[:-1] + code_book[1:]) / 2)
    differing = (plain != second["codes"]).sum().item()
    print(f"  {case}: {differing} of {absmax.numel()} codes of scales hang on the grid")
    assert differing > 0, case


def unpack(packed):
    return torch.stack([packed >> 4, packed & 15], dim=-1).reshape(-1)


def shapes():
    record("matrix", normal("nf4.matrix", 48, 72, std=0.05))
    record("odd", normal("nf4.odd", 33, 37))  # a short last block, an odd number of elements
    record("short", normal("nf4.short", 3, 5))  # less than a block
    record("single", torch.tensor([[-0.3]]))
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        matrix = normal(f"nf4.{name}", 24, 40).to(dtype)
        packed, absmax = record(name, matrix, keep_dequantized=False)
        # A 16-bit weight quantizes like its f32 copy.
        wide_packed, wide = bnb.quantize_4bit(matrix.float(), quant_type="nf4")
        assert torch.equal(packed, wide_packed.reshape(-1)) and torch.equal(absmax, wide.absmax)
    record_large("smollm_q_proj", 576, 576)  # 20.25 blocks of scales
    record_large("qwen2_q_proj", 896, 896)


def ties():
    """Each bound between codes exactly, one bit below and one above, for scales that are powers of two."""
    around = [BOUNDS, torch.nextafter(BOUNDS, torch.tensor(-2.0)), torch.nextafter(BOUNDS, torch.tensor(2.0))]
    block = torch.cat([*around, CODES, torch.tensor([1.0, -1.0, 0.0])])
    assert block.numel() == BLOCK
    matrix = torch.stack([block * scale for scale in (1.0, 0.125, -4.0, 2.0**-120, 2.0**100)])
    packed, absmax = record("ties", matrix)
    assert torch.equal(unpack(packed)[:15], torch.arange(15, dtype=torch.uint8)), "a tie takes the lower code"
    assert torch.equal(unpack(packed)[30:45], torch.arange(1, 16, dtype=torch.uint8))


def roundings():
    """Numbers whose code depends on whether they are divided or multiplied by the reciprocal.

    A whole block is multiplied, the short last one is divided: five blocks of each kind of number,
    and then a part of the same numbers again.
    """
    found = []
    for attempt in range(200):
        scale = normal(f"nf4.roundings.{attempt}", 1).abs() + 0.1
        near = [BOUNDS * scale]
        for direction in (-10.0, 10.0):
            for _ in range(2):
                near.append(torch.nextafter(near[-1], torch.tensor(direction)))
        numbers = torch.cat(near)
        differs = torch.bucketize(numbers * (1.0 / scale), BOUNDS) != torch.bucketize(numbers / scale, BOUNDS)
        found.append(torch.cat([scale, numbers[differs]])[:BOUNDS.numel()])
    found = [numbers for numbers in sorted(found, key=len, reverse=True)[:6] if len(numbers) > 3]
    whole = [torch.nn.functional.pad(numbers, (0, BLOCK - len(numbers))) for numbers in found[:-1]]
    matrix = torch.cat([*whole, found[-1]])[None]
    packed, absmax = record("roundings", matrix)
    codes = unpack(packed)
    for index, numbers in enumerate(found):
        scaled = numbers / numbers[0]
        divided = torch.equal(codes[index * BLOCK :][: len(numbers)], torch.bucketize(scaled, BOUNDS).to(torch.uint8))
        assert divided == (index == len(found) - 1), index


def extremes():
    zeros = torch.zeros(3, BLOCK)
    zeros[1] = -0.0
    zeros[2, 5] = 1.0
    packed, absmax = record("zeros", zeros)
    assert absmax.tolist() == [0.0, 0.0, 1.0] and (unpack(packed)[:128] == 7).all()
    record("all_zeros", torch.zeros(2, 40))  # whole and short: the short one's scale is not zero
    record("constant", torch.full((4, BLOCK), -0.37))  # nothing is left to quantize after the mean
    pattern = normal("nf4.sizes", 10, BLOCK).clamp(-2.0, 2.0) / 2.0
    sizes = torch.tensor([1e-45, 3e-42, 1e-38, 1.2e-38, 3e-37, 1e-20, 1e20, 1e37, 2.9e38, 3.3e38])
    matrix = pattern * sizes[:, None]
    assert matrix.isfinite().all()
    # Scaled by a reciprocal of so few bits, the codes of these scales would hang on the mean's last bit.
    record("sizes", matrix, keep_nested=False)
    record("short_tiny", torch.full((1, 9), 2e-39))


def main():
    output = parse_output(__doc__.splitlines()[0])
    TENSORS["code_book"] = CODES
    TENSORS["dynamic_map"] = bnb.create_dynamic_map()
    shapes()
    ties()
    roundings()
    extremes()
    save(output / "nf4.safetensors", TENSORS)
    (output / "nf4.json").write_text(json.dumps(CASES, indent=1) + "\n")


if __name__ == "__main__":
    main()
