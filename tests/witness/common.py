"""What every witness script shares: arguments, seeds, saving, the tolerance."""

import argparse
import hashlib
import os
from pathlib import Path

# Nothing here may depend on the network; set before transformers is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import torch
from safetensors.torch import save_file
from transformers.utils import logging

logging.disable_progress_bar()
torch.set_num_threads(1)
torch.manual_seed(0)

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_OUTPUT = REPOSITORY / "tests" / "goldens"

# The Rust tests accept max|a-b| <= TOLERANCE * max(1, max|b|) per tensor.
TOLERANCE = 1e-4
# Switching a feature off must break that at least this many times over.
MUST_BREAK = 100.0


def parse_output(description):
    """The folder to write to, from `--output`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder of the goldens")
    return parser.parse_args().output


# numpy's generators give the same bits on every CPU; torch's normal numbers depend on its
# vector instructions, and one last bit is enough to round a 16-bit weight the other way.


def generator(name):
    """A random stream of its own for every name: a new tensor moves no other."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))


def normal(name, *shape, std=1.0):
    return torch.tensor(generator(name).standard_normal(shape) * std, dtype=torch.float32)


def uniform(name, *shape, low=-1.0, high=1.0):
    return torch.tensor(generator(name).uniform(low, high, shape), dtype=torch.float32)


def integers(name, *shape, low=0, high):
    return torch.tensor(generator(name).integers(low, high, shape), dtype=torch.int64)


def difference_in_tolerances(other, golden):
    """How many times the Rust tests' tolerance `other` is away from `golden`."""
    allowed = TOLERANCE * max(1.0, golden.abs().max().item())
    return (other - golden).abs().max().item() / allowed


def save(path, tensors):
    """Writes a safetensors file with independent, contiguous tensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # safetensors writes files for the owner alone
    print(f"wrote {path.name} ({path.stat().st_size:,} bytes)")
