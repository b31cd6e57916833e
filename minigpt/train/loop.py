"""The training loop."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
from tqdm import tqdm

from minigpt.errors import UserError
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.model import Params
from minigpt.objectives import causal_lm
from minigpt.text import BatchSampler
from minigpt.train.engine import Engine, OneProcess, Progress
from minigpt.train.folder import RunFolder
from minigpt.train.metrics import open_metrics


class Interrupted(Exception):
    """Training stopped early on request, after a checkpoint."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


def train(
    folder: RunFolder,
    *,
    engine: Engine | None = None,
    on_validation: Callable[[Params, dict[str, float]], None] = lambda params, row: None,
    show_progress: bool = True,
) -> tuple[Params, Progress]:
    """Train the run in `folder` to its last step, from its last checkpoint if it has one.

    Everything random is a function of the seed and the step, so training that was stopped, or killed, and started again
    ends with the same parameters, to the bit, as training that never stopped (with as many threads or ranks).
    engine: who does the work; None makes a `OneProcess`. on_validation(params, row) is called after each validation:
    the engine's parameters, and what goes into metrics.csv. Raises `Interrupted` after Ctrl-C or SIGTERM, once the
    checkpoint is written; `UserError` if the loss is no longer a number, or the held-out text is shorter than the
    context.
    """
    settings, context = folder.settings, folder.config.context
    sampler = BatchSampler(folder.tokens("training"), context, settings.batch, settings.seed)
    held_out = validation_windows(folder.tokens("validation"), context, settings.validation_windows)
    engine = engine or OneProcess(folder)
    progress, rate = engine.progress, settings.rate()
    keep_freed_memory()

    with (
        closing(engine),
        np.errstate(over="ignore", invalid="ignore"),  # a loss that is no number ends training with a sentence
        blas_threads(engine.blas_threads),
        open_metrics(folder.file("metrics.csv"), progress.step, written=engine.speaks) as append_row,
        tqdm(
            total=settings.steps,
            initial=progress.step,
            desc="training",
            disable=not (show_progress and engine.speaks),
        ) as bar,
        _stop_requests() as stop_requested,
    ):
        clock = _Clock(progress, settings.batch * settings.accumulate * context)
        for step in range(progress.step, settings.steps):
            micro_batches = range(step * settings.accumulate, (step + 1) * settings.accumulate)
            batches = [causal_lm(sampler.batch_at(micro)) for micro in micro_batches]
            loss, norm = engine.gradient(batches, step)
            _check_finite(loss, norm, step, folder)
            engine.update(rate(step))
            progress.step = step + 1

            last = progress.step == settings.steps
            validate = last or progress.step % settings.validate_every == 0
            row = {"step": progress.step, "loss": loss, "learning_rate": rate(step), "gradient_norm": norm}
            bar.update()
            if validate or progress.step % settings.log_every == 0:
                row |= clock.read()
                bar.set_postfix_str(f"loss {loss:.3f}, {row['tokens_per_second']:,.0f} tokens/s")
            if validate:
                row |= _validate(folder, engine, held_out)
                improved = row["validation_loss"] < progress.best_loss
                progress.best_loss = min(progress.best_loss, row["validation_loss"])
                append_row(row)
                engine.save(("best", "last") if improved else ("last",))
                on_validation(engine.params, row)
                clock.restart()
            elif "seconds" in row:
                append_row(row)
            if engine.anyone(stop_requested()) and not last:
                engine.save(("last",))
                raise Interrupted(progress.step)
    return engine.params, progress


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


def _validate(folder, engine, windows) -> dict[str, float]:
    """Loss on the held-out windows, in nats per token and in bits per byte."""
    size = 4 * folder.settings.batch
    loss = engine.loss([causal_lm(windows[start : start + size]) for start in range(0, len(windows), size)])
    bits = loss / math.log(2) * folder.corpus["validation_tokens"] / folder.corpus["validation_bytes"]
    return {"validation_loss": loss, "validation_bits_per_byte": bits}


def _check_finite(loss, norm, step, folder):
    if math.isfinite(loss) and math.isfinite(norm):
        return
    kept = "the last checkpoint is as it was" if folder.has_checkpoint("last") else "nothing was saved yet"
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
