"""What a run is trained on: batches as a function of the seed and the step, and the held-out ones."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives import HeldOut, Texts
from minigpt.text import BatchSampler, split_sentences
from minigpt.train.folder import RunFolder
from minigpt.values import read, whole

HELD_OUT = 4096  # the seed of what is hidden in held-out text, whatever the run's own


class TrainingData(Protocol):
    """What `train` asks for. Both answers are always the same for the same step, or training could not resume."""

    @property
    def counted(self) -> str:
        """Of what the metric is the accuracy, such as masked tokens."""
        ...

    @property
    def bits_per_nat(self) -> float | None:
        """Bits per byte of the held-out text for a loss of one nat; None where that means nothing."""
        ...

    def batches(self, step: int) -> Sequence[Batch]:
        """The micro-batches of this step."""
        ...

    def held_out(self) -> Sequence[HeldOut]:
        """The batches of every validation."""
        ...


class TextData:
    """Batches that the run's objective makes of the run's token files."""

    def __init__(self, folder: RunFolder):
        """`UserError` if the text is too short for the context, or has no sentences where the objective needs them."""
        self.folder, self.record = folder, folder.record
        self.counted = self.record.counted
        settings, context = folder.settings, folder.config.context
        self._sampler = BatchSampler(folder.tokens("training"), context, settings.batch, settings.seed)
        self.windows = validation_windows(folder.tokens("validation"), context, settings.validation_windows)
        self.left_out = 0  # documents with fewer than two sentences
        self._documents: dict[str, list[list[np.ndarray]]] = {"training": [], "validation": []}
        if self.record.sentences:
            self._read_sentences()
        self._held_out = self._make_held_out()
        self.batches(0)  # what cannot be made of this text is said now

    @property
    def bits_per_nat(self) -> float | None:
        """See `TrainingData`."""
        corpus = self.folder.corpus
        bits = read(corpus, "validation_tokens", whole(1)) / (read(corpus, "validation_bytes", whole(1)) * np.log(2))
        return float(bits) if self.record.every_token else None

    def batches(self, step: int) -> list[Batch]:
        """See `TrainingData`."""
        accumulate = self.folder.settings.accumulate
        return [self._batch(micro) for micro in range(step * accumulate, (step + 1) * accumulate)]

    def held_out(self) -> list[HeldOut]:
        """See `TrainingData`."""
        return self._held_out

    def _make_held_out(self) -> list[HeldOut]:
        size = 4 * self.folder.settings.batch
        parts = [self.windows[start : start + size] for start in range(0, len(self.windows), size)]
        return [self._one_held_out(windows, number) for number, windows in enumerate(parts)]

    def _batch(self, micro: int) -> Batch:
        rng = self._sampler.rng_at(micro)
        return self._make(self._texts(self._sampler.draw(rng), "training"), rng)

    def _one_held_out(self, windows: np.ndarray, number: int) -> HeldOut:
        texts = self._texts(windows, "validation")
        batch = self._make(texts, np.random.default_rng([HELD_OUT, number]))
        missing = self.record.missing
        if missing is None:
            return HeldOut(batch)
        return HeldOut(batch, missing(texts, np.random.default_rng([HELD_OUT, number]), batch))

    def _texts(self, windows: np.ndarray, part: str) -> Texts:
        return Texts(windows, self.folder.special, self.folder.config.vocabulary_size, self._documents[part])

    def _make(self, texts: Texts, rng: np.random.Generator) -> Batch:
        assert self.record.make is not None
        return self.record.make(texts, rng)

    def _read_sentences(self) -> None:
        tokenizer, longest = self.folder.tokenizer(), max(1, (self.folder.config.context - 3) // 2)
        for part in self._documents:
            self._documents[part], left_out = split_sentences(self.folder.tokens(part), tokenizer, longest)
            self.left_out += left_out


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
