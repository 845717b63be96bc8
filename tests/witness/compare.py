"""Compares regenerated goldens with the committed ones; names the first tensors that differ.

    compare.py REGENERATED COMMITTED

The same files; in each the same tensor names, types and shapes; integers equal; floats within
max|a-b| <= 1e-5 * max(1, max|b|), a tenth of what the Rust tests allow; JSON equal in content.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

REGENERATION_TOLERANCE = 1e-5


def compare_tensors(file, regenerated, committed):
    """Problems, one sentence each."""
    for name in sorted(regenerated.keys() ^ committed.keys()):
        yield f"{file}: {name}: only {'regenerated' if name in regenerated else 'committed'}"
    for name in sorted(regenerated.keys() & committed.keys()):
        a, b = regenerated[name], committed[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            yield f"{file}: {name}: {a.dtype} {list(a.shape)} regenerated, {b.dtype} {list(b.shape)} committed"
        elif not b.is_floating_point():
            if not torch.equal(a, b):
                yield f"{file}: {name}: integers differ"
        elif b.numel():
            a, b = a.double(), b.double()
            difference = (a - b).abs()
            allowed = REGENERATION_TOLERANCE * max(1.0, b.abs().max().item())
            # Not `>`: a NaN must not pass.
            if not difference.max().item() <= allowed:
                at = torch.unravel_index(difference.argmax(), difference.shape)
                yield (
                    f"{file}: {name}: max difference {difference.max():.3e} (allowed {allowed:.1e}) at "
                    f"{[int(i) for i in at]}: {a[at]:.9g} regenerated, {b[at]:.9g} committed"
                )


def compare_folders(regenerated, committed):
    files = {
        folder: {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (regenerated, committed)
    }
    for file in sorted(files[regenerated] ^ files[committed]):
        yield f"{file}: only {'regenerated' if file in files[regenerated] else 'committed'}"
    for file in sorted(files[regenerated] & files[committed]):
        a, b = regenerated / file, committed / file
        if file.suffix == ".safetensors":
            yield from compare_tensors(file, load_file(a), load_file(b))
        elif file.suffix == ".json":
            if json.loads(a.read_text()) != json.loads(b.read_text()):
                yield f"{file}: content differs"
        elif a.read_bytes() != b.read_bytes():
            yield f"{file}: bytes differ"


def main():
    regenerated, committed = (Path(argument) for argument in sys.argv[1:3])
    problems = list(compare_folders(regenerated, committed))
    for problem in problems:
        print(problem, file=sys.stderr)
    count = sum(1 for path in committed.rglob("*") if path.is_file())
    if problems or not count:
        sys.exit(f"witness: {len(problems)} differences in {count} files")
    print(f"witness: {count} files, all as committed")


if __name__ == "__main__":
    main()
