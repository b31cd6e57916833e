"""What `minigpt train` shows: writing while it learns, and what was reached when it is done."""

import os
from dataclasses import asdict, dataclass
from typing import Any, TextIO

import numpy as np

from minigpt.cli.options import quoted, visible
from minigpt.infer.samples import write_sample
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure import compressed_bits_per_byte, counted_nats, guesses, mean_loss
from minigpt.measure.baselines import training_bytes
from minigpt.model import Params, Transformer
from minigpt.progress import progress_bar, say
from minigpt.text import document_end
from minigpt.train import OpenedRun, RunFolder, TextData, judge_all, open_run, read_metrics

OPERATIONS = 10**12  # multiplications and additions for the last evaluation, a minute or so
LEAST_SCORED, STRETCHES = 20_000, 50  # tokens; of how many pieces of the text they are


class Samples:
    """After each validation, a line of numbers and, where all parameters are at hand, a few words by the model."""

    def __init__(self, folder: RunFolder, data: TextData, file: TextIO, *, shown: bool = True):
        """file: where to print. shown: whether this process has all parameters."""
        self.data, self.file, self.shown = data, file, shown
        self.model, self.tokenizer = Transformer(folder.config), folder.tokenizer()

    def advice(self) -> list[str]:
        """What to say of the text before training."""
        if not self.data.left_out:
            return []
        return [f"{self.data.left_out} documents have fewer than two sentences, so they are left out"]

    def __call__(self, params: Params, row: dict[str, float]) -> None:
        """Print them above the progress bar."""
        bits = row.get("validation_bits_per_byte")
        line = f"step {row['step']:5}  validation {row['validation_loss']:.3f} nats"
        if bits is None:
            line += f", accuracy {row['validation_accuracy']:.3f} of {self.data.counted}"
        else:
            line += f" per token, {bits:.3f} bits per byte"
        if self.shown:
            sample = write_sample(self.model, params, self.tokenizer, self.data, seed=int(row["step"]))
            line += f"  | {visible(' '.join(sample.split()))[:70]}"
        say(line, self.file)


@dataclass(frozen=True)
class FinalReport:
    """What a finished run reached on the held-out text, beside what it has to be compared with."""

    folder: str
    objective: str
    steps: int
    seconds: float
    parameters: int
    nats_per_token: float  # the loss; of pairs of sentences, per pair
    bits_per_byte: float | None  # where the loss is that of a text
    accuracy: float
    counted: str  # of what it is the accuracy
    measured: str  # what the baselines are about
    baselines: dict[str, float]
    writes: bool
    sample: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def text(self) -> str:
        """For people: the sample, the table, the next command."""
        ours = self.accuracy if self.bits_per_byte is None else self.bits_per_byte
        rows, less_is_better = {**self.baselines, "this model": ours}, self.bits_per_byte is not None
        ordered = sorted(rows.items(), key=lambda row: -row[1] if less_is_better else row[1])
        table = [f"  {name:14}{value:7.3f}" for name, value in ordered]
        following = f"minigpt generate {quoted(self.folder)} --max-new-tokens 300"
        return "\n".join(
            [
                "\nWhat it writes now:\n" if self.writes else "\nWhat it answers now:\n",
                visible(self.sample).strip(),
                f"\n{self.measured}:",
                *table,
                f"\n{self.parameters:,} parameters, {self.steps} steps, {self.seconds:.0f} s; "
                f"the curve is in {quoted(os.path.join(self.folder, 'loss.png'))}",
                *([f"Next:  {following}"] if self.writes else []),
            ]
        )


def final_report(folder: RunFolder, data: TextData) -> FinalReport:
    """Score the held-out text with the best checkpoint, draw loss.png, write a sample."""
    from minigpt.plot import loss_curve

    run = open_run(folder.path)
    with blas_threads(threads_for_width(folder.config.width)):
        scores, lines, accuracies = _bits(run, data) if data.bits_per_nat else _answers(run, data)
        sample = write_sample(run.model, run.params, run.tokenizer, data, seed=folder.settings.seed, tokens=200)
    curves = read_metrics(folder.file("metrics.csv"))
    panel = (f"accuracy of {data.counted}", accuracies) if accuracies else None
    loss_curve(curves, lines, folder.file("loss.png"), accuracy=panel)
    return FinalReport(
        folder=str(folder.path),
        objective=folder.objective,
        steps=folder.settings.steps,
        seconds=round(curves["seconds"][-1][1], 1),
        parameters=run.params.flat.size,
        counted=data.counted,
        writes=data.record.left_to_right,
        sample=sample,
        **scores,
    )


def _bits(run: OpenedRun, data: TextData) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Scores of a model of text: on all held-out tokens, beside counting and compressors. And lines for the figure."""
    folder, held_out = run.folder, run.folder.tokens("validation")
    assert data.bits_per_nat is not None
    nats = counted_nats(folder.tokens("training"), held_out, folder.config.vocabulary_size)
    loss, share = _loss(run, held_out)
    text = run.tokenizer.decode_bytes(held_out[held_out != document_end(run.tokenizer)])
    scores = {
        "nats_per_token": loss,
        "bits_per_byte": loss * data.bits_per_nat,
        "accuracy": judge_all(run.model, run.params, data.held_out())[1],
        "measured": f"Bits per byte of the held-out text (less is better{share})",
        "baselines": {
            **{name: value * data.bits_per_nat for name, value in nats.items()},
            **compressed_bits_per_byte(text, training_bytes(folder.tokens("training"), run.tokenizer)),
        },
    }
    return scores, {name: nats[name] for name in ("uniform", "unigram")}, {}


def _loss(run: OpenedRun, held_out: np.ndarray) -> tuple[float, str]:
    """Nats per held-out token; of a long text on some of it, evenly spread, and then the words that say so."""
    most = max(LEAST_SCORED, OPERATIONS // (2 * run.params.flat.size))
    threads = run.folder.settings.workers
    if len(held_out) <= most:
        return mean_loss(run.model, run.params, held_out, threads=threads, progress=True), ""
    length = max(run.folder.config.context + 1, most // STRETCHES)
    starts = np.linspace(0, len(held_out) - length, max(1, most // length)).astype(np.int64)
    losses = [
        mean_loss(run.model, run.params, held_out[start : start + length], threads=threads)
        for start in progress_bar(starts.tolist(), desc="evaluating", unit=" stretches", leave=False)
    ]
    share = f"; this model on {len(starts) * length:,} of its {len(held_out):,} tokens, evenly spread"
    return float(np.mean(losses)), share


def _answers(run: OpenedRun, data: TextData) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Scores of a model that answers: on the held-out batches, beside guessing. And lines for the figure's panels."""
    config, held_out = run.folder.config, data.held_out()
    training = run.folder.tokens("training")
    nats, accuracies = guesses(training, held_out, config.vocabulary_size, config.architecture)
    loss, accuracy = judge_all(run.model, run.params, held_out)
    scores = {
        "nats_per_token": loss,
        "bits_per_byte": None,
        "accuracy": accuracy,
        "measured": f"Accuracy of {data.counted} in the held-out text (more is better)",
        "baselines": accuracies,
    }
    return scores, nats, accuracies
