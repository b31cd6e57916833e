"""One training step, minigpt against PyTorch: the same model, batch and optimizer.

Each trains in a process of its own, in turn. A step is forward, backward, clipping and AdamW.
Run: python examples/benchmarks/train_step.py [--quick] [--json]
"""

import numpy as np
from common import arguments_for, compare, compete, measure_sgemm, report, take_turns

from minigpt import Transformer, TransformerConfig, objectives
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.train import BatchGradient

# name: (layers, width, heads, vocabulary, positions, batch, context, Python threads, turns, timed steps in a turn)
SIZES = {
    "0.8M": (4, 128, 4, 65, 64, 12, 64, 2, 12, 10),
    "10.8M": (6, 384, 6, 65, 256, 8, 256, 2, 6, 3),
    "124M": (12, 768, 12, 50257, 1024, 4, 64, 1, 5, 2),
}


def torch_step(size, compiled=False):
    """A function that trains PyTorch's model by one step."""
    import torch
    from torch_gpt import TorchGPT

    config, windows = setting(size)
    model = torch.compile(TorchGPT(config)) if compiled else TorchGPT(config)
    tokens, targets = torch.from_numpy(windows[:, :-1].copy()), torch.from_numpy(windows[:, 1:].copy())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        loss = model(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def minigpt_step(size, change=lambda params: params):
    """A function that trains minigpt's model by one step. change: of its parameters, before it begins."""
    config, windows = setting(size)
    model = Transformer(config)
    params = change(model.init(np.random.default_rng(0)))
    optimizer = adamw(decayed=params.matrix_size)
    state = optimizer.init(params.flat)
    gradient = BatchGradient(model, params, threads=threads_of(size), seed=0)
    batch = objectives.causal_lm(windows)

    def step():
        loss, grads = gradient(params, [batch], step=0)
        clip_by_global_norm(grads.flat, 1.0)
        optimizer.update(params.flat, grads.flat, state, learning_rate=1e-4)
        return loss

    return step


def setting(size):
    """The configuration, and the windows that are trained on."""
    layers, width, heads, vocabulary, positions, batch, context, *_ = SIZES[size]
    config = TransformerConfig(vocabulary_size=vocabulary, context=positions, layers=layers, width=width, heads=heads)
    return config, np.random.default_rng(1).integers(0, vocabulary, (batch, context + 1))


def threads_of(size):
    """Python threads."""
    return SIZES[size][7]


def blas_threads_of(size):
    """Threads of one matrix product: one beside Python's threads, else all cores."""
    return 1 if threads_of(size) > 1 else None


def turns_of(size, quick):
    """How many turns, and how many timed steps in each."""
    return (1, 2) if quick else SIZES[size][8:]


CONTESTANTS = {
    "minigpt": minigpt_step,
    "PyTorch eager": torch_step,
    "torch.compile": lambda size: torch_step(size, compiled=True),
}


def contest(size, names, quick):
    """Rows of the table for one size."""
    sgemm = measure_sgemm()
    turns, _ = turns_of(size, quick)
    found = compete(__file__, names, turns, "--sizes", size, *(["--quick"] if quick else []))
    config, windows = setting(size)
    batch, context = len(windows), windows.shape[1] - 1
    flops = 6 * matrix_entries(config) * batch * context + 12 * config.layers * batch * context**2 * config.width
    share = flops / found["minigpt"].median / sgemm
    return [{"size": size, **row, "share_of_sgemm": share} for row in compare(found)]


def matrix_entries(config):
    """Parameters that every token is multiplied by: the blocks and the head, not the position table."""
    shapes = Transformer(config).shapes()
    return sum(int(np.prod(s)) for name, s in shapes.items() if len(s) > 1 and name != "position_embedding.weight")


def main():
    parser = arguments_for(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out (it needs a C++ compiler)")
    arguments = parser.parse_args()
    if arguments.contestant:
        (size,), make = arguments.sizes, CONTESTANTS[arguments.contestant]
        imports = () if make is minigpt_step else ("torch_gpt",)
        keep_freed_memory()
        with blas_threads(blas_threads_of(size)):
            take_turns(lambda: make(size), turns_of(size, arguments.quick)[1], imports=imports)
        return
    names = list(CONTESTANTS)[: 2 if arguments.no_compile or arguments.quick else 3]
    report([row for size in arguments.sizes for row in contest(size, names, arguments.quick)], arguments.json)


if __name__ == "__main__":
    main()
