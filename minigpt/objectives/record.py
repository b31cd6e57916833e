"""What an objective is to the rest of the house: one record, from which choices, refusals and reports follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minigpt.model import Batch
from minigpt.model.config import CHOICES

Documents = Sequence[Sequence[np.ndarray]]  # each a sequence of sentences, (n,) integers
ARCHITECTURES = CHOICES["architecture"]

# Why an objective cannot train an architecture.
LEAK = (
    "every position of a bidirectional stack sees the token after it, which is the one it is asked for: the loss falls "
    "to zero by copying, and nothing is learnt that could write; use a decoder, or masked_lm"
)
HALF_BLIND = (
    "under a causal mask a masked token never sees what stands to its right, so half of what masking is for is lost, "
    "and only a few tokens are scored; use an encoder, or causal_lm"
)
NO_SOURCE = (
    "an encoder-decoder writes one text while it reads another, and here there is only one; use infilling, "
    "span_corruption or sequence_to_sequence"
)
NO_READER = "the text to be read goes to an encoder and the text to be written to a decoder; use an encoder-decoder"
NO_READER_FIM = f"{NO_READER}, or fill_in_the_middle, which needs a decoder only"
BOTH_SEEN = (
    "whether two texts belong together is asked of their first token, which under a causal mask sees nothing but "
    "itself; use an encoder"
)
ONLY_DECODER = {"encoder": LEAK, "encoder-decoder": NO_SOURCE}
ONLY_ENCODER = {"decoder": HALF_BLIND, "encoder-decoder": NO_SOURCE}
ONLY_BOTH = {"decoder": NO_READER_FIM, "encoder": NO_READER}


class Texts(NamedTuple):
    """What one batch is made from."""

    windows: np.ndarray  # (B, T + 1) integers, pieces of the text
    special: Mapping[str, int]  # the ids of the objective's special tokens, by role; `end` ends a document
    vocabulary_size: int
    documents: Documents = ()  # all sentences, for an objective about sentences

    @property
    def sentinels(self) -> list[int]:
        """The ids of all sentinels, in order."""
        return [id_ for role, id_ in self.special.items() if role.startswith("sentinel")]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One way to train. Everything that lists, offers, refuses or reports objectives reads these records.

    make(texts, rng): a batch, a pure function of the two. None: it needs more than a text, so no command offers it.
    missing(texts, rng, batch): which targets its metric counts, (B, T) booleans, of the batch that `make` made of these
    texts with a generator in the same state as `rng`. None: all that are scored.
    """

    name: str  # as on the command line
    function: str  # the function that makes it, whose name its batches carry
    summary: str  # what is asked, for --help
    refusals: Mapping[str, str]  # architecture -> why it cannot be trained so; the others can
    make: Callable[[Texts, np.random.Generator], Batch] | None
    model: Mapping[str, Any] = field(default_factory=lambda: {"head": "language"})  # fields of its configuration
    special: tuple[str, ...] = ()  # roles of the special tokens that it needs, see `objectives.special`
    sentences: bool = False  # whether it is made from sentences
    left_to_right: bool = False  # whether what it trains continues a text
    every_token: bool = False  # whether its loss is that of a whole text, so that bits per byte mean something
    counted: str  # of what the metric is the accuracy
    missing: Callable[[Texts, np.random.Generator, Batch], np.ndarray] | None = None
    sample: str  # how it is shown: continued | gap | filled | rewritten | judged, see `minigpt.infer.samples`

    @property
    def trains(self) -> dict[str, str | None]:
        """architecture -> None if it can train it, else the reason why not."""
        return {architecture: self.refusals.get(architecture) for architecture in ARCHITECTURES}

    @property
    def architecture(self) -> str:
        """The first architecture that it can train."""
        return next(architecture for architecture, reason in self.trains.items() if reason is None)
