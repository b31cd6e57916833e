"""What `minigpt train` shows: writing while it learns, and what was reached when it is done."""

import math
import os
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from minigpt.errors import UserError
from minigpt.infer import Sampling, generate_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure import bigram_nats, compressed_bits_per_byte, mean_loss, uniform_nats, unigram_nats
from minigpt.model import Params, Transformer
from minigpt.text import document_end
from minigpt.train import RunFolder, open_run, read_metrics

SAMPLE_TOKENS = 60


class Samples:
    """After each validation, a line of numbers and a few words by the model."""

    def __init__(self, folder: RunFolder, file: TextIO):
        """file: where to print."""
        self.file = file
        self.model, self.tokenizer = Transformer(folder.config), folder.tokenizer()

    def __call__(self, params: Params, row: dict[str, float]) -> None:
        """Print them above the progress bar."""
        sample = write_sample(self.model, params, self.tokenizer, seed=int(row["step"]))
        tqdm.write(
            f"step {row['step']:5}  validation {row['validation_loss']:.3f} nats per token, "
            f"{row['validation_bits_per_byte']:.3f} bits per byte  | {' '.join(sample.split())[:70]}",
            file=self.file,
        )
        self.file.flush()


def write_sample(model, params, tokenizer, *, seed: int, tokens: int = SAMPLE_TOKENS) -> str:
    """A short text from an empty prompt."""
    rng = np.random.default_rng(seed)
    pieces = generate_text(model, params, tokenizer, "", tokens, sampling=Sampling(0.8), rng=rng, past_the_end=True)
    return "".join(pieces)


def disk_trouble(error: OSError) -> UserError:
    """What to say when training could not write a file."""
    return UserError(f"training stopped: {error.strerror or error}; free some space, then add --resume")


@dataclass(frozen=True)
class FinalReport:
    """What a finished run reached on the held-out text, beside what it has to be compared with."""

    folder: str
    steps: int
    seconds: float
    parameters: int
    nats_per_token: float
    bits_per_byte: float
    baselines: dict[str, float]  # bits per byte
    sample: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**self.__dict__}

    def text(self) -> str:
        """For people: the sample, the table, the next command."""
        rows = {**self.baselines, "this model": self.bits_per_byte}
        table = [f"  {name:12}{bits:7.3f}" for name, bits in sorted(rows.items(), key=lambda row: -row[1])]
        return "\n".join(
            [
                "\nWhat it writes now:\n",
                self.sample.strip(),
                "\nBits per byte of the held-out text (less is better):",
                *table,
                f"\n{self.parameters:,} parameters, {self.steps} steps, {self.seconds:.0f} s; "
                f"the curve is in {os.path.join(self.folder, 'loss.png')}",
                f"Next:  minigpt generate {self.folder} --max-new-tokens 300",
            ]
        )


def final_report(folder: RunFolder) -> FinalReport:
    """Score all held-out text with the best checkpoint, draw loss.png, write a sample."""
    from minigpt.plot import loss_curve

    run = open_run(folder.path)
    training, held_out = folder.tokens("training"), folder.tokens("validation")
    size, corpus = folder.config.vocabulary_size, folder.corpus
    nats = {
        "uniform": uniform_nats(size),
        "unigram": unigram_nats(training, held_out, size),
        "bigram": bigram_nats(training, held_out, size),
    }
    bits = corpus["validation_tokens"] / (corpus["validation_bytes"] * math.log(2))  # for one nat per token
    with blas_threads(threads_for_width(folder.config.width)):
        loss = mean_loss(run.model, run.params, held_out, threads=folder.settings.threads, progress=True)
        sample = write_sample(run.model, run.params, run.tokenizer, seed=folder.settings.seed, tokens=200)
    curves = read_metrics(folder.file("metrics.csv"))
    loss_curve(curves, {name: nats[name] for name in ("uniform", "unigram")}, folder.file("loss.png"))
    end = document_end(run.tokenizer)
    text = run.tokenizer.decode_bytes(held_out[held_out != end])
    compressed = compressed_bits_per_byte(text)
    return FinalReport(
        folder=str(folder.path),
        steps=folder.settings.steps,
        seconds=round(curves["seconds"][-1][1], 1),
        parameters=run.params.flat.size,
        nats_per_token=loss,
        bits_per_byte=loss * bits,
        baselines={**{name: value * bits for name, value in nats.items()}, **compressed},
        sample=sample,
    )
