"""One training step, minigpt against PyTorch: the same model, batch and optimizer, all in float32.

Each trains in a process of its own (ours with a worker for each core), in turn: beside each other, one's idle workers
would spin on the other's core. A step is forward, backward, clipping and AdamW. PyTorch's AdamW takes the arrays one by
one unless it is told `fused=True`, which saves much of a step; both are measured, and torch.compile has the fused one.
Run: python examples/benchmarks/train_step.py [--quick] [--json]
"""

from contextlib import suppress

import numpy as np
from common import arguments_for, compare, compete, measure_sgemm, report, take_turns

from minigpt import Transformer, TransformerConfig, UserError, objectives
from minigpt.machine import blas_threads, cores, keep_freed_memory
from minigpt.optim import clip_by_global_norm
from minigpt.parallel.processes import processes
from minigpt.parallel.workers import Share, shared_arrays
from minigpt.train import BatchGradient, TrainSettings

# name: (layers, width, heads, vocabulary, positions, batch, context, turns, timed steps in a turn)
SIZES = {
    "0.8M": (4, 128, 4, 65, 64, 12, 64, 12, 10),
    "10.8M": (6, 384, 6, 65, 256, 8, 256, 6, 3),
    "124M": (12, 768, 12, 50257, 1024, 4, 64, 5, 2),
}
RATE = 1e-4


def torch_step(size, *, fused, compiled=False):
    """A function that trains PyTorch's model by one step."""
    import torch
    from torch_gpt import TorchGPT

    config, windows = setting(size)
    model = torch.compile(TorchGPT(config)) if compiled else TorchGPT(config)
    tokens, targets = torch.from_numpy(windows[:, :-1].copy()), torch.from_numpy(windows[:, 1:].copy())
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=fused)

    def step():
        optimizer.zero_grad()
        loss = model(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def minigpt_step(size):
    """A function that trains minigpt's model by one step on all cores."""
    config, _ = setting(size)
    model, settings = Transformer(config), TrainSettings(workers=cores())
    arrays = shared_arrays(model, settings)
    others = processes("train_step:follow", settings.workers, {"size": size}, arrays)
    share = Share(model, settings, others.__enter__())
    share.params.flat[...] = model.init(np.random.default_rng(0)).flat
    share.comm.Barrier()
    step = worker_step(size, share)
    step.others = others  # they end when it is gone
    return step


def follow(comm, size):
    """What the other workers do, as long as the first one does."""
    config, _ = setting(size)
    share = Share(Transformer(config), TrainSettings(workers=comm.size), comm)
    comm.Barrier()
    keep_freed_memory()
    with blas_threads(1), suppress(UserError):
        step = worker_step(size, share)
        while True:
            step()


def worker_step(size, share):
    """A worker's share of a step, as a function."""
    batch = objectives.causal_lm(setting(size)[1])

    def step():
        loss, _ = share.gradient([batch], step=0)
        share.update(RATE)
        return loss

    return step


def threads_step(size, change=lambda params: params, threads=2):
    """The same in one process, with Python threads for workers. change: of its parameters, before it begins."""
    config, windows = setting(size)
    model = Transformer(config)
    params = change(model.init(np.random.default_rng(0)))
    optimizer = TrainSettings().make_optimizer(params)
    state = optimizer.init(params.flat)
    gradient = BatchGradient(model, params, threads=threads, seed=0)
    batch = objectives.causal_lm(windows)

    def step():
        loss, grads = gradient(params, [batch], step=0)
        clip_by_global_norm(grads.flat, 1.0)
        optimizer.update(params.flat, grads.flat, state, learning_rate=RATE, pool=gradient.pool)
        return loss

    return step


def setting(size):
    """The configuration, and the windows that are trained on."""
    layers, width, heads, vocabulary, positions, batch, context, *_ = SIZES[size]
    config = TransformerConfig(vocabulary_size=vocabulary, context=positions, layers=layers, width=width, heads=heads)
    return config, np.random.default_rng(1).integers(0, vocabulary, (batch, context + 1))


def turns_of(size, quick):
    """How many turns, and how many timed steps in each."""
    return (1, 2) if quick else SIZES[size][7:]


CONTESTANTS = {
    "minigpt": minigpt_step,
    "Python threads": threads_step,
    "one process": lambda size: threads_step(size, threads=1),
    "PyTorch eager": lambda size: torch_step(size, fused=False),
    "PyTorch eager, fused AdamW": lambda size: torch_step(size, fused=True),
    "torch.compile": lambda size: torch_step(size, fused=True, compiled=True),
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
        (size,), name = arguments.sizes, arguments.contestant
        imports = ("torch_gpt",) if "orch" in name else ()
        keep_freed_memory()
        with blas_threads(None if name == "one process" or imports else 1):
            take_turns(lambda: CONTESTANTS[name](size), turns_of(size, arguments.quick)[1], imports=imports)
        return
    left_out = {"torch.compile"} if arguments.no_compile or arguments.quick else set()
    names = [name for name in CONTESTANTS if name not in left_out]
    report([row for size in arguments.sizes for row in contest(size, names, arguments.quick)], arguments.json)


if __name__ == "__main__":
    main()
