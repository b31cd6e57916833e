"""The training loop."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.model import Params
from minigpt.objectives import HeldOut
from minigpt.progress import progress_bar, say
from minigpt.train.data import TextData, TrainingData
from minigpt.train.engine import Engine, OneProcess, Progress
from minigpt.train.folder import RunFolder
from minigpt.train.lock import locked
from minigpt.train.metrics import open_metrics
from minigpt.train.start import Start, first_checkpoint


class Interrupted(Exception):
    """Training stopped early on request, after a checkpoint."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


def train(
    folder: RunFolder,
    data: TrainingData | None = None,
    *,
    start: Start | None = None,
    engine: Engine | None = None,
    on_validation: Callable[[Params, dict[str, float]], None] = lambda params, row: None,
    show_progress: bool = True,
) -> tuple[Params, Progress]:
    """Train the run in `folder` to its last step, from its last checkpoint if it has one.

    Everything random is a function of the seed and the step, so training that was stopped, or killed, and started again
    ends with the same parameters, to the bit, as training that never stopped (with as many workers or ranks).
    data: what it is trained on; None: what the run's objective makes of its token files. start: the first parameters,
    see `first_checkpoint`; None: fresh ones. engine: who does the work; None makes a `OneProcess`.
    on_validation(params, row) is called after each validation: the engine's parameters, and what goes into metrics.csv.
    A checkpoint is written after each validation and every `settings.checkpoint_seconds`.
    Raises `Interrupted` after Ctrl-C, SIGTERM or SIGHUP, once the checkpoint is written; `UserError` if another process
    trains in the folder, the loss is no longer a number (what was saved stays), the folder is gone, the held-out text
    is shorter than the context, or there is a `start` for an engine that has begun.
    """
    data = TextData(folder) if data is None else data
    keep_freed_memory()
    with ExitStack() as held:
        held.enter_context(_alone(folder, engine))
        engine = held.enter_context(closing(_begin(folder, start, engine)))
        if engine.notice and engine.speaks:
            say(engine.notice)
        step, steps = engine.progress.step, folder.settings.steps
        held.enter_context(np.errstate(over="ignore", invalid="ignore"))  # no number: training ends with a sentence
        held.enter_context(blas_threads(engine.blas_threads))
        append_row = held.enter_context(open_metrics(folder.file("metrics.csv"), step, written=engine.speaks))
        quiet = not (show_progress and engine.speaks)
        bar = held.enter_context(progress_bar(total=steps, initial=step, desc="training", disable=quiet))
        stop_requested = held.enter_context(_stop_requests())
        _steps(folder, engine, data, append_row, on_validation, bar, stop_requested)
    return engine.params, engine.progress


def _steps(
    folder: RunFolder,
    engine: Engine,
    data: TrainingData,
    append_row: Callable[[dict[str, float]], None],
    on_validation: Callable[[Params, dict[str, float]], None],
    bar: Any,
    stop_requested: Callable[[], bool],
) -> None:
    """From the step that the engine has reached to the last one."""
    settings, held_out, progress = folder.settings, data.held_out(), engine.progress
    rate, clock, saved = settings.rate(), _Clock(progress), time.monotonic()
    for step in range(progress.step, settings.steps):
        batches = data.batches(step)
        clock.tokens += sum(math.prod(batch.tokens.shape[:2]) for batch in batches)
        loss, norm = engine.gradient(batches, step)
        _check_finite(f"the loss is {loss} and the gradient's norm {norm}", loss + norm, step, folder)
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
            row |= _validate(engine, held_out, data.bits_per_nat)
            judged = row["validation_loss"]
            _check_finite(f"the validation loss is {judged}", judged, step, folder)
            improved = judged < progress.best_loss
            progress.best_loss = min(progress.best_loss, judged)
            append_row(row)
            engine.save(("best", "last") if improved else ("last",))
            saved = time.monotonic()
            on_validation(engine.params, row)
            clock.restart()
        elif "seconds" in row:
            append_row(row)
        stop = stop_requested()
        if engine.anyone(stop or time.monotonic() - saved >= settings.checkpoint_seconds) and not last:
            engine.save(("last",))
            saved = time.monotonic()
            if engine.anyone(stop):
                raise Interrupted(progress.step)


@contextmanager
def _alone(folder: RunFolder, engine: Engine | None) -> Iterator[None]:
    """While inside, no other training is in the folder; of many ranks the first one holds the lock."""
    with ExitStack() as held:
        refused = None
        if engine is None or engine.speaks:
            try:
                held.enter_context(locked(folder.path))
            except UserError as error:
                refused = error
        if refused is not None if engine is None else engine.anyone(refused is not None):
            raise refused or UserError(f"another training is at work in {folder.path}")
        yield


def _begin(folder: RunFolder, start: Start | None, engine: Engine | None) -> Engine:
    """The engine, with its parameters."""
    if start is not None and engine is not None:
        raise UserError("this engine has its parameters already; call first_checkpoint before it is made")
    if start is not None and not folder.begun:
        first_checkpoint(folder, start)
    if engine is None:
        folder.check_alone()
    return engine or OneProcess(folder)


def _validate(engine: Engine, held_out: Sequence[HeldOut], bits_per_nat: float | None) -> dict[str, float]:
    """Loss on the held-out batches, in nats and, where that means something, in bits per byte; and the accuracy."""
    loss, accuracy = engine.judge(held_out)
    row = {"validation_loss": loss, "validation_accuracy": accuracy}
    return row if bits_per_nat is None else row | {"validation_bits_per_byte": loss * bits_per_nat}


def _check_finite(what: str, number: float, step: int, folder: RunFolder) -> None:
    if math.isfinite(number):
        return
    kept = "the last checkpoint, which is as it was" if folder.begun else "the beginning: nothing was saved yet"
    raise UserError(
        f"{what} at step {step + 1}: training diverged; start again with a lower --learning-rate than "
        f"{folder.settings.learning_rate:g}; with --resume it goes on from {kept}"
    )


class _Clock:
    """Adds the time that passes to the progress, and tells the speed."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.restart()

    def restart(self) -> None:
        """Measure speed from here."""
        self.tokens, self.time = 0, time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds of training so far and tokens per second since the last reading."""
        elapsed, tokens = time.perf_counter() - self.time, self.tokens
        self.progress.seconds += elapsed
        self.restart()
        return {"tokens_per_second": round(tokens / elapsed, 1), "seconds": round(self.progress.seconds, 3)}


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While inside, Ctrl-C, SIGTERM and SIGHUP only leave a note, so that no step is cut in half; a second one acts.

    SIGHUP, where there is one, comes when the terminal is closed; what was started with nohup goes on ignoring it.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield noted.is_set
        return
    before = {number: signal.getsignal(number) for number in _requests()}

    def note(number: int, _frame: FrameType | None) -> None:
        noted.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield noted.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _requests() -> list[signal.Signals]:
    """The signals that ask to stop; Windows has no SIGHUP."""
    hangup = getattr(signal, "SIGHUP", None)
    known = [signal.SIGINT, signal.SIGTERM]
    return known if hangup is None or signal.getsignal(hangup) == signal.SIG_IGN else [*known, hangup]
