#!/usr/bin/env python3
"""PyTorch's own float32 rounding of each kind of layer, against its float64, as a table.

  bench/peers/layers.py      with an interpreter that has torch

The layers, and random values as large, are those of ddpm/engine/cpu/layer_error_slow_test.cpp, which makes ours.
"""
import sys

try:
    import torch
except ImportError:
    print("bench/peers/layers.py: skipped: no torch", file=sys.stderr)
    sys.exit(77)
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Conv2d(256, 256, 1) for _ in range(4))

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = (layer(x).reshape(n, c, h * w).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = torch.softmax(q @ k.transpose(1, 2) / c**0.5, dim=-1)
        return self.out((scores @ v).transpose(1, 2).reshape(n, c, h, w))


LAYERS = [
    ("conv 3x3, 32 at 28x28", (1, 32, 28, 28), lambda: nn.Conv2d(32, 32, 3, padding=1)),
    ("conv 3x3, 128 at 16x16", (1, 128, 16, 16), lambda: nn.Conv2d(128, 128, 3, padding=1)),
    ("conv 3x3, 256 at 8x8", (1, 256, 8, 8), lambda: nn.Conv2d(256, 256, 3, padding=1)),
    ("conv 3x3 /2, 128 at 16x16", (1, 128, 16, 16), lambda: nn.Conv2d(128, 128, 3, stride=2, padding=1)),
    ("conv 1x1, 256 at 16x16", (1, 256, 16, 16), lambda: nn.Conv2d(256, 256, 1)),
    ("linear, 512", (1, 512), lambda: nn.Linear(512, 512)),
    ("group norm, SiLU, 128 at 16x16", (1, 128, 16, 16), lambda: nn.Sequential(nn.GroupNorm(32, 128), nn.SiLU())),
    ("attention, 256 at 16x16", (1, 256, 16, 16), Attention),
]


def relative(got, want):
    return ((got.double() - want).norm() / want.norm()).item()


def results(layer, x, d_out):
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(d_out)
    return y.detach(), x.grad, next(layer.parameters()).grad


def main():
    torch.manual_seed(0)
    print("| layer | profile | forward | data gradient | weight gradient |")
    for name, shape, make in LAYERS:
        exact = make().double()
        for p in exact.parameters():  # as large as the test's
            p.data = torch.randn_like(p) / (p[0].numel() if p.dim() > 1 else 4) ** 0.5
        rounded = make()
        rounded.load_state_dict(exact.state_dict())
        exact.load_state_dict(rounded.state_dict())
        x = torch.randn(shape)
        d_out = torch.randn(rounded(x).shape)
        want, got = results(exact, x.double(), d_out.double()), results(rounded, x, d_out)
        cells = " | ".join(f"{relative(g, w):.1e}" for g, w in zip(got, want))
        print(f"| {name} | PyTorch | {cells} |")


if __name__ == "__main__":
    main()
