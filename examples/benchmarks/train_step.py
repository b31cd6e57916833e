"""One training step, minigpt against PyTorch: the same model, batch and optimizer, in turn, in one process.

A step is forward, backward, clipping and AdamW. Run: python examples/benchmarks/train_step.py [--quick] [--json]
"""

import argparse
import json

import numpy as np
import torch
from common import Contest, arguments_for, measure_sgemm, peak_memory, peak_memory_of, report
from torch import nn
from torch.nn import functional

from minigpt import Transformer, TransformerConfig, objectives
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.train import BatchGradient

# name: (layers, width, heads, vocabulary, positions, batch, context, Python threads)
SIZES = {
    "0.8M": (4, 128, 4, 65, 64, 12, 64, 2),
    "10.8M": (6, 384, 6, 65, 256, 8, 256, 2),
    "124M": (12, 768, 12, 50257, 1024, 4, 64, 1),
}


class Block(nn.Module):
    """GPT-2's block, as one would write it for speed in PyTorch: fused projections, fused attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = (a.unflatten(-1, (self.heads, -1)).transpose(1, 2) for a in self.qkv(self.norm1(x)).chunk(3, -1))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.output(y)
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class TorchGPT(nn.Module):
    """GPT-2 with a tied head."""

    def __init__(self, config):
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary_size, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.blocks = nn.Sequential(*(Block(config.width, config.heads) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.width)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        logits = self.norm(self.blocks(x)) @ self.tokens.weight.T
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def torch_step(model, windows):
    """A function that trains `model` by one step."""
    tokens, targets = torch.from_numpy(windows[:, :-1].copy()), torch.from_numpy(windows[:, 1:].copy())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        loss = model(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def minigpt_step(config, windows, threads):
    """A function that trains minigpt's model by one step."""
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    optimizer = adamw(decayed=params.matrix_size)
    state = optimizer.init(params.flat)
    gradient = BatchGradient(model, params, threads=threads, seed=0)
    batch = objectives.causal_lm(windows)

    def step():
        loss, grads = gradient(params, [batch], step=0)
        clip_by_global_norm(grads.flat, 1.0)
        optimizer.update(params.flat, grads.flat, state, learning_rate=1e-4)
        return loss

    return step


def contest(size, rounds, compiled):
    """Rows of the table for one size."""
    layers, width, heads, vocabulary, positions, batch, context, threads = SIZES[size]
    config = TransformerConfig(vocabulary_size=vocabulary, context=positions, layers=layers, width=width, heads=heads)
    windows = np.random.default_rng(1).integers(0, vocabulary, (batch, context + 1))
    rivals = {"PyTorch eager": torch_step(TorchGPT(config), windows)}
    if compiled:
        rivals["torch.compile"] = torch_step(torch.compile(TorchGPT(config)), windows)
    sgemm = measure_sgemm()
    with blas_threads(1 if threads > 1 else None):
        result = Contest(minigpt_step(config, windows, threads), rivals, rounds)
    flops = 6 * matrix_entries(config) * batch * context + 12 * layers * batch * context**2 * width
    return [{"size": size, **row, "share_of_sgemm": flops / result.ours / sgemm} for row in result.rows()]


def matrix_entries(config):
    """Parameters that every token is multiplied by: the blocks and the head, not the position table."""
    shapes = Transformer(config).shapes()
    return sum(int(np.prod(s)) for name, s in shapes.items() if len(s) > 1 and name != "position_embedding.weight")


def one_side(size, side):
    """Run three steps of one side alone and print the most memory that this process needed, imports left out."""
    layers, width, heads, vocabulary, positions, batch, context, threads = SIZES[size]
    config = TransformerConfig(vocabulary_size=vocabulary, context=positions, layers=layers, width=width, heads=heads)
    windows = np.random.default_rng(1).integers(0, vocabulary, (batch, context + 1))
    before = peak_memory()
    ours = side == "minigpt"
    step = minigpt_step(config, windows, threads) if ours else torch_step(TorchGPT(config), windows)
    for _ in range(3):
        step()
    print(json.dumps(peak_memory() - before))


def main():
    parser = arguments_for(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out (it needs a C++ compiler)")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    keep_freed_memory()
    if arguments.memory_of:
        one_side(arguments.sizes[0], arguments.memory_of)
        return
    rows = []
    for size in arguments.sizes:
        rounds = 3 if arguments.quick else {"0.8M": 60, "10.8M": 10, "124M": 6}[size]
        sides = ("minigpt", "PyTorch eager")
        peaks = {side: peak_memory_of(__file__, "--memory-of", side, "--sizes", size) for side in sides}
        for row in contest(size, rounds, not (arguments.no_compile or arguments.quick)):
            memory = {"minigpt_megabytes": peaks["minigpt"] / 1e6, "rival_megabytes": peaks["PyTorch eager"] / 1e6}
            rows.append(row | memory if row["rival"] in peaks else row)
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
