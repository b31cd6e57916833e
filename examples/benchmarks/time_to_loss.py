"""How long until a small model reaches the loss that nanoGPT's README names? Our recipe beside that one.

Both see the same characters, with the same tenth held out, and train a model of the same size (4 layers, width 128,
context 64, 12 windows to a step). Ours trains as `minigpt train shakespeare --tokenizer characters --steps 2000` does.
The rival trains for 2,000 steps with the settings that nanoGPT's README names for a laptop without a graphics card
(rate 1e-3 falling to 1e-4, 100 steps of warm-up, beta2 0.99, decay 0.1, no dropout, no biases), but with PyTorch's
fused AdamW, which is faster and which nanoGPT takes on graphics cards alone. A rate that falls sooner comes down
sooner, so each also trains for about as few steps as the goal needs: ours for 650, the rival for 2,200. So it compares
recipes and libraries at once; `train_step.py` compares a step. The text is all of Shakespeare: nanoGPT's is a fifth as
long, and its losses are not those of this text. Each in a process of its own, one after the other; seconds are those of
training, without imports, starting and validations.
Run: python examples/benchmarks/time_to_loss.py [--seeds 0 1 2] [--out time_to_loss.png]
"""

import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from common import answer_of, arguments_for, machine_name
from matplotlib.figure import Figure

from minigpt.files import replacing
from minigpt.machine import cores, keep_freed_memory
from minigpt.plot import BLUE, ORANGE, SKY, VERMILION
from minigpt.text import BatchSampler
from minigpt.train import TrainSettings, open_folder, prepare_run
from minigpt.train.data import validation_windows

GOAL = 1.88  # nats per character: what nanoGPT's README says that this recipe reaches, on another text
EVERY, BATCH = 50, 12


def ours(run):
    """[seconds, nats] at every validation of `minigpt train`."""
    from minigpt.parallel.workers import on_workers
    from minigpt.train import train

    engine, curve = on_workers(run), []
    train(
        run,
        engine=engine,
        on_validation=lambda _, row: curve.append([engine.progress.seconds, row["validation_loss"]]),
        show_progress=False,
    )
    return curve


def theirs(run):
    """The same of nanoGPT's recipe."""
    import torch
    from torch_gpt import TorchGPT

    steps, seed = run.settings.steps, run.settings.seed
    torch.manual_seed(seed)
    keep_freed_memory()  # as `train` does for ours
    config, tokens = run.config, run.tokens("training")
    model, sampler = TorchGPT(config, bias=False, approximate="none"), BatchSampler(tokens, config.context, BATCH, seed)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    rate = TrainSettings(steps=steps, learning_rate=1e-3, warmup=100, final_rate=0.1).rate()
    held_out = torch.from_numpy(validation_windows(run.tokens("validation"), config.context, 256))
    curve, seconds = [], 0.0
    for step in range(steps):
        began = time.perf_counter()
        windows = torch.from_numpy(np.asarray(sampler.batch_at(step), np.int64))
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        model(windows[:, :-1], windows[:, 1:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds += time.perf_counter() - began
        if (step + 1) % EVERY == 0:
            with torch.no_grad():
                curve.append([seconds, model(held_out[:, :-1], held_out[:, 1:]).item()])
    return curve


def until(curve, goal):
    """The seconds at which the curve, straight between its points, comes down to the goal; None if it never does."""
    for (t0, a), (t1, b) in pairwise(curve):
        if b <= goal:
            return t0 + (t1 - t0) * (a - goal) / (a - b) if a > goal else t0
    return None


def when(seconds):
    """In words, of one or several seeds."""
    if None in seconds:
        return "never" if all(one is None for one in seconds) else "not always"
    return "after " + ", ".join(f"{one:.1f}" for one in seconds) + " s"


def draw(curves, path):
    """The curves of the first seed, and the goal."""
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for (name, found), colour, style in zip(curves.items(), (BLUE, SKY, VERMILION, ORANGE), STYLES, strict=True):
        axes.plot(*zip(*found[0], strict=True), style, color=colour, label=name)
    axes.axhline(GOAL, color="0.5", linewidth=1)
    axes.annotate(f"{GOAL} nats", (0, GOAL), xytext=(2, 3), textcoords="offset points", color="0.4")
    axes.set(xlabel="seconds of training", ylabel="held-out loss, nats per character", ylim=(1.6, 3.2))
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


STYLES = ("-", "-", "--", "--")
CONTESTANTS = {  # who trains, and for how many steps
    "minigpt, 2000 steps": (ours, 2000),
    "minigpt, 650 steps": (ours, 650),
    "nanoGPT's recipe, 2000 steps": (theirs, 2000),
    "nanoGPT's recipe, 2200 steps": (theirs, 2200),
}


def main():
    parser = arguments_for(__doc__, quick=False)
    parser.add_argument("--run", type=Path, help="(of a contestant) the folder with the text")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=Path("time_to_loss.png"), help="where to draw")
    arguments = parser.parse_args()
    if arguments.contestant:
        print(json.dumps(CONTESTANTS[arguments.contestant][0](open_folder(arguments.run))))
        return
    curves = {name: [] for name in CONTESTANTS}
    for seed in arguments.seeds:
        for name, (_, steps) in CONTESTANTS.items():
            workers = min(cores(), BATCH)
            settings = TrainSettings(steps=steps, batch=BATCH, validate_every=EVERY, workers=workers, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                run = prepare_run(Path(folder) / "run", "shakespeare", tokenizer="characters", settings=settings)
                curves[name].append(answer_of(__file__, name, "--run", str(run.path)))
            reached = curves[name][-1]
            print(f"{name}, seed {seed}: {GOAL} nats {when([until(reached, GOAL)])}", file=sys.stderr, flush=True)
    found = {
        name: {
            "until_goal": [until(curve, GOAL) for curve in some],
            "seconds": [curve[-1][0] for curve in some],
            "nats": [curve[-1][1] for curve in some],
        }
        for name, some in curves.items()
    }
    if arguments.json:
        print(json.dumps({"machine": machine_name(), "goal": GOAL, "found": found, "curves": curves}, indent=2))
    else:
        print(machine_name())
        for name, one in found.items():
            nats = ", ".join(f"{value:.3f}" for value in one["nats"])
            print(f"{name:28} {GOAL} nats {when(one['until_goal'])}; ends at {nats} {when(one['seconds'])}")
    draw(curves, arguments.out)


if __name__ == "__main__":
    main()
