"""The PyTorch twin of Stepladder's side network (Ladder and xLadder), as small as it can be.

    s_0 = 0
    u_j = inject(s_{j-1}, D_j(RMSNorm(x_{b_j})))     for a connected side layer, b_j its tap
    u_j = s_{j-1}                                    for a free one; those come last
    s_j = SideBlock_j(u_j)
    x_L' = x_L + upsample(s_l)

x_i is the output of block i of the frozen backbone, counted from 1; its final norm and head
follow. Every RMSNorm is without weight and takes the backbone's epsilon. Module names are the
parameter names of Stepladder's adapter files.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

ROPE_THETA = 10000.0
GATE_TEMPERATURE = 0.1
ADAPTER_WIDTH = 16


@dataclass
class SideNetworkConfig:
    d_model: int
    d_side: int
    side_layers: int
    taps: list  # backbone layers, from 1; the side layers beyond len(taps) are free
    rms_norm_eps: float
    heads: int = 0  # 0: max(1, d_side / 64)
    downsample: str = "linear"  # linear | shared | adapter
    inject: str = "sum"  # sum | gate

    def __post_init__(self):
        self.heads = self.heads or max(1, self.d_side // 64)
        assert self.d_side % self.heads == 0 and self.d_side // self.heads % 2 == 0
        assert self.taps == sorted(set(self.taps)) and 1 <= len(self.taps) <= self.side_layers
        assert self.downsample in ("linear", "shared", "adapter") and self.inject in ("sum", "gate")

    @property
    def d_ff(self):
        """8/3 of d_side rounded up to a multiple of 32, in integers."""
        return (8 * self.d_side + 3 * 32 - 1) // (3 * 32) * 32


def rms_norm(x, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def rotate(x):
    """Half-split rotary embedding of x [batch, heads, seq, head_dim] at positions 0..seq."""
    seq, head_dim = x.shape[-2:]
    frequencies = 1.0 / ROPE_THETA ** (torch.arange(0, head_dim, 2, device=x.device, dtype=torch.float32) / head_dim)
    angles = torch.arange(seq, device=x.device, dtype=torch.float32)[:, None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def causal_attention(q, k, v):
    """q, k, v [batch, heads, seq, head_dim], scores scaled by 1/sqrt(head_dim)."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Attention(nn.Module):
    def __init__(self, d_side, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(d_side, d_side, bias=False)
        self.k_proj = nn.Linear(d_side, d_side, bias=False)
        self.v_proj = nn.Linear(d_side, d_side, bias=False)
        self.o_proj = nn.Linear(d_side, d_side, bias=False)

    def forward(self, x):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        y = causal_attention(rotate(q), rotate(k), v)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, d_side, d_ff):
        super().__init__()
        self.gate_proj = nn.Linear(d_side, d_ff, bias=False)
        self.up_proj = nn.Linear(d_side, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_side, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class SideBlock(nn.Module):
    """Pre-norm causal attention, then pre-norm SwiGLU, a residual around both."""

    def __init__(self, config):
        super().__init__()
        self.eps = config.rms_norm_eps
        self.attention = Attention(config.d_side, config.heads)
        self.mlp = Mlp(config.d_side, config.d_ff)

    def forward(self, u):
        x = u + self.attention(rms_norm(u, self.eps))
        return x + self.mlp(rms_norm(x, self.eps))


class AdapterDownsample(nn.Module):
    """Two thin linears in place of one wide one, and a norm behind them (QST)."""

    def __init__(self, config):
        super().__init__()
        self.eps = config.rms_norm_eps
        self.reduce = nn.Linear(config.d_model, ADAPTER_WIDTH)
        self.expand = nn.Linear(ADAPTER_WIDTH, config.d_side)

    def forward(self, x):
        return rms_norm(self.expand(F.silu(self.reduce(x))), self.eps)


class LadderConnection(nn.Module):
    """What belongs to one tap: its own downsample unless that is shared, and its gate."""

    def __init__(self, config):
        super().__init__()
        if config.downsample == "linear":
            self.downsample = nn.Linear(config.d_model, config.d_side)
        elif config.downsample == "adapter":
            self.downsample = AdapterDownsample(config)
        if config.inject == "gate":
            self.ladder_gate = nn.Parameter(torch.zeros(1))


class SideNetwork(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.side = nn.ModuleList(SideBlock(config) for _ in range(config.side_layers))
        self.connections = nn.ModuleList(LadderConnection(config) for _ in config.taps)
        if config.downsample == "shared":
            self.downsample = nn.Linear(config.d_model, config.d_side)
        # torch's own init of a Linear is the U(+-1/sqrt(fan_in)) we want; only the way out
        # starts at zero, so that a fresh adapter is the base model.
        self.upsample = nn.Linear(config.d_side, config.d_model)
        nn.init.zeros_(self.upsample.weight)
        nn.init.zeros_(self.upsample.bias)

    def inject(self, state, connection, tap):
        """u_j from s_{j-1} (None is s_0 = 0) and the tapped hidden state."""
        downsample = self.downsample if self.config.downsample == "shared" else connection.downsample
        down = downsample(rms_norm(tap, self.config.rms_norm_eps))
        state = torch.zeros_like(down) if state is None else state
        if self.config.inject == "sum":
            return state + down
        gate = torch.sigmoid(connection.ladder_gate / GATE_TEMPERATURE)
        return gate * state + (1.0 - gate) * down

    def states(self, taps):
        """s_1 .. s_l, each [batch, seq, d_side]; `taps` in the order of the connections."""
        state, states = None, []
        for j, block in enumerate(self.side):
            if j < len(self.connections):
                state = self.inject(state, self.connections[j], taps[j])
            state = block(state)
            states.append(state)
        return states

    def forward(self, taps, last_hidden):
        """x_L' from the tapped hidden states and x_L, all [batch, seq, d_model]."""
        return last_hidden + self.upsample(self.states(taps)[-1])


@torch.no_grad()
def run_backbone(backbone, input_ids, taps):
    """The tapped hidden states, in order, and x_L (before the final norm) of a frozen
    transformers model. No graph is built and nothing else is kept."""
    layers = backbone.model.layers
    kept = {}

    def keep(number):
        def hook(_module, _inputs, output):
            kept[number] = output[0] if isinstance(output, tuple) else output

        return hook

    hooks = [layers[n - 1].register_forward_hook(keep(n)) for n in {*taps, len(layers)}]
    try:
        backbone.model(input_ids=input_ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return [kept[tap] for tap in taps], kept[len(layers)]


def head_logits(backbone, hidden):
    """The backbone's frozen final norm and head; gradients pass through, not in."""
    return backbone.lm_head(backbone.model.norm(hidden))
