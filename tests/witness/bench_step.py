"""PyTorch's half of the speed benchmark: the same training step as app/examples/bench_step.rs.

The same algorithm: the backbone under no_grad with SDPA, the taps into the side network's twin,
final norm, head and cross-entropy in chunks of tokens (each chunk's backward recomputed by
checkpointing, so that no [tokens, vocabulary] tensor lives), clip, AdamW. Prints one JSON object.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM

from side_network import SideNetwork, SideNetworkConfig


def resident(field):
    """VmRSS (now) or VmHWM (peak) of this process, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


# What the imports took does not count; nor does their own peak.
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
BASELINE = resident("VmRSS")
CHUNK_NUMBERS = 1 << 21


def defaults(config):
    d, layers = config.hidden_size, config.num_hidden_layers
    d_side = 512 if d >= 3072 else 256 if d >= 1024 else max(32, -(-(d // 4) // 32) * 32)
    count = min(layers, 8)
    taps = [(2 * j * layers + count) // (2 * count) for j in range(1, count + 1)]
    heads = max(1, d_side // 64)
    while d_side % (2 * heads):
        heads -= 1
    return SideNetworkConfig(d_model=d, d_side=d_side, side_layers=count, taps=taps,
                             rms_norm_eps=config.rms_norm_eps, heads=heads)


def batch_of(vocabulary, batch, seq):
    """Token ids [batch, seq], and the targets of all but each row's last token."""
    ids = torch.tensor([(i * 7919 + 13) % vocabulary for i in range(batch * seq)]).view(batch, seq)
    return ids, ids[:, 1:].reshape(-1)


def chunked(head_loss, hidden, targets, vocabulary):
    """The sum of `head_loss` over chunks of tokens, recomputed in the backward."""
    chunk = min(512, max(16, CHUNK_NUMBERS // vocabulary))
    total = 0.0
    for first in range(0, len(targets), chunk):
        part = slice(first, first + chunk)
        if torch.is_grad_enabled():
            total = total + checkpoint(head_loss, hidden[part], targets[part], use_reentrant=False)
        else:
            total = total + head_loss(hidden[part], targets[part])
    return total


def time_steps(repeats, loss_sum, targets, parameters, clip, optimizer):
    """Times the forward pass alone and whole steps, and prints one JSON object."""
    forward, step, loss = [], [], None
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        with torch.no_grad():
            loss_sum()
        forward_secs = time.perf_counter() - start
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_sum() / len(targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        if repeat > 0:  # the first round warms up
            forward.append(forward_secs)
            step.append(time.perf_counter() - start)
    print(json.dumps({"forward_secs": forward, "step_secs": step, "loss": loss.item(),
                      "peak_bytes": resident("VmHWM") - BASELINE}))


def main(folder, batch, seq, repeats, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32)
    model.requires_grad_(False).eval()
    config = defaults(model.config)
    side = SideNetwork(config)
    optimizer = torch.optim.AdamW(side.parameters(), lr=5e-4, weight_decay=0.0)
    vocabulary = model.config.vocab_size
    ids, targets = batch_of(vocabulary, batch, seq)
    taps = {}
    for layer in config.taps:
        model.model.layers[layer - 1].register_forward_hook(
            lambda _, __, out, layer=layer: taps.__setitem__(layer, out[0] if isinstance(out, tuple) else out))
    last = {}
    model.model.layers[-1].register_forward_hook(
        lambda _, __, out: last.__setitem__("x", out[0] if isinstance(out, tuple) else out))

    def head_loss(hidden, labels):
        return F.cross_entropy(model.lm_head(model.model.norm(hidden)), labels, reduction="sum")

    def loss_sum():
        with torch.no_grad():
            model.model(ids, use_cache=False)
        hidden = last["x"][:, :-1].reshape(-1, config.d_model)
        states = side.states([taps[layer] for layer in config.taps])[-1]
        hidden = hidden + side.upsample(states[:, :-1].reshape(-1, config.d_side))
        return chunked(head_loss, hidden, targets, vocabulary)

    time_steps(repeats, loss_sum, targets, list(side.parameters()), 1.0, optimizer)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:6]))
