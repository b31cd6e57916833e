"""The training loop."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass

import numpy as np
from tqdm import tqdm

from minigpt.errors import UserError
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.model import Params, Transformer
from minigpt.objectives import causal_lm
from minigpt.optim import clip_by_global_norm
from minigpt.text import BatchSampler
from minigpt.train.checkpoint import load_checkpoint, save_checkpoint
from minigpt.train.folder import RunFolder
from minigpt.train.gradient import BatchGradient
from minigpt.train.metrics import append_row, start_metrics


@dataclass
class Progress:
    """How far training has come; part of every checkpoint."""

    step: int = 0  # updates done
    best_loss: float = math.inf  # lowest validation loss, nats per token
    seconds: float = 0.0  # of training, over all sessions


class Interrupted(Exception):
    """Training stopped early on request, after a checkpoint."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


def train(
    folder: RunFolder,
    *,
    on_validation: Callable[[Params, dict[str, float]], None] = lambda params, row: None,
    show_progress: bool = True,
) -> tuple[Params, Progress]:
    """Train the run in `folder` to its last step, from its last checkpoint if it has one.

    Everything random is a function of the seed and the step, so training that was stopped, or killed, and started again
    ends with the same parameters, to the bit, as training that never stopped (with as many threads).
    on_validation(params, row) is called after each validation, row being what goes into metrics.csv.
    Raises `Interrupted` after Ctrl-C or SIGTERM, once the checkpoint is written; `UserError` if the loss is no longer a
    number, or the held-out text is shorter than the context.
    """
    settings, model = folder.settings, Transformer(folder.config)
    context, batch = model.config.context, settings.batch
    sampler = BatchSampler(folder.tokens("training"), context, batch, settings.seed)
    held_out = validation_windows(folder.tokens("validation"), context, settings.validation_windows)
    params, optimizer, state, progress = _start(folder, model)
    rate = settings.rate()
    keep_freed_memory()

    with (
        closing(BatchGradient(model, params, threads=settings.threads, seed=settings.seed)) as gradient,
        np.errstate(over="ignore", invalid="ignore"),  # a loss that is no number ends training with a sentence
        blas_threads(1 if settings.threads > 1 else None),
        start_metrics(folder.file("metrics.csv"), progress.step) as metrics,
        tqdm(total=settings.steps, initial=progress.step, desc="training", disable=not show_progress) as bar,
        _stop_requests() as stop_requested,
    ):
        clock = _Clock(progress, batch * settings.accumulate * context)
        for step in range(progress.step, settings.steps):
            micro_batches = range(step * settings.accumulate, (step + 1) * settings.accumulate)
            batches = [causal_lm(sampler.batch_at(micro)) for micro in micro_batches]
            loss, grads = gradient(params, batches, step=step)
            norm = clip_by_global_norm(grads.flat, settings.clip)
            _check_finite(loss, norm, step, folder)
            optimizer.update(params.flat, grads.flat, state, learning_rate=rate(step), pool=gradient.pool)
            progress.step = step + 1

            last = progress.step == settings.steps
            validate = last or progress.step % settings.validate_every == 0
            row = {"step": progress.step, "loss": loss, "learning_rate": rate(step), "gradient_norm": norm}
            bar.update()
            if validate or progress.step % settings.log_every == 0:
                row |= clock.read()
                bar.set_postfix_str(f"loss {loss:.3f}, {row['tokens_per_second']:,.0f} tokens/s")
            if validate:
                row |= _validate(folder, gradient, params, held_out)
                improved = row["validation_loss"] < progress.best_loss
                progress.best_loss = min(progress.best_loss, row["validation_loss"])
                append_row(metrics, row)
                for name in ("best", "last") if improved else ("last",):
                    save_checkpoint(folder.checkpoint(name), model.config, params, state, asdict(progress))
                on_validation(params, row)
                clock.restart()
            elif "seconds" in row:
                append_row(metrics, row)
            if stop_requested() and not last:
                save_checkpoint(folder.checkpoint("last"), model.config, params, state, asdict(progress))
                raise Interrupted(progress.step)
    return params, progress


def validation_windows(tokens: np.ndarray, context: int, count: int) -> np.ndarray:
    """Up to `count` windows of context + 1 tokens, evenly spread over the held-out `tokens`, (N,): the same every time.

    Returns (W, context + 1) integers. `UserError` if there is not even one.
    """
    possible = (len(tokens) - 1) // context
    if possible < 1:
        raise UserError(
            f"the held-out text has {len(tokens)} tokens, but the context of {context} needs at least {context + 1}; "
            "choose a larger corpus or a smaller --context"
        )
    starts = np.linspace(0, len(tokens) - context - 1, min(count, possible)).astype(np.int64)
    return tokens[starts[:, None] + np.arange(context + 1)].astype(np.int64)


def _start(folder, model):
    """Parameters, optimizer, its state and the progress: from the last checkpoint, or fresh."""
    settings, progress = folder.settings, Progress()
    params = model.init(np.random.default_rng(settings.seed))
    optimizer = settings.make_optimizer(params)
    state = optimizer.init(params.flat)
    if folder.checkpoint("last").exists():
        params, numbers = load_checkpoint(folder.checkpoint("last"), model.config, state=state)
        progress = Progress(**numbers)
    return params, optimizer, state, progress


def _validate(folder, gradient, params, windows) -> dict[str, float]:
    """Loss on the held-out windows, in nats per token and in bits per byte."""
    size = 4 * folder.settings.batch
    parts = [windows[start : start + size] for start in range(0, len(windows), size)]
    losses = [gradient.loss(params, causal_lm(part)) * len(part) for part in parts]
    loss = sum(losses) / len(windows)
    bits = loss / math.log(2) * folder.corpus["validation_tokens"] / folder.corpus["validation_bytes"]
    return {"validation_loss": loss, "validation_bits_per_byte": bits}


def _check_finite(loss, norm, step, folder):
    if math.isfinite(loss) and math.isfinite(norm):
        return
    kept = "the last checkpoint is as it was" if folder.checkpoint("last").exists() else "nothing was saved yet"
    raise UserError(
        f"the loss is {loss} and the gradient's norm {norm} at step {step + 1}: training diverged; "
        f"start again with a lower --learning-rate than {folder.settings.learning_rate:g} ({kept})"
    )


class _Clock:
    """Adds the time that passes to the progress, and tells the speed."""

    def __init__(self, progress: Progress, tokens_per_step: int):
        self.progress, self.tokens_per_step = progress, tokens_per_step
        self.restart()

    def restart(self) -> None:
        """Measure speed from here."""
        self.step, self.time = self.progress.step, time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds of training so far and tokens per second since the last reading."""
        elapsed = time.perf_counter() - self.time
        tokens = (self.progress.step - self.step) * self.tokens_per_step
        self.progress.seconds += elapsed
        self.restart()
        return {"tokens_per_second": round(tokens / elapsed, 1), "seconds": round(self.progress.seconds, 3)}


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While inside, Ctrl-C and SIGTERM only leave a note, so that no step is cut in half; a second one acts at once."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield noted.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number, _frame):
        noted.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield noted.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
