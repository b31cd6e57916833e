"""What a run gives away of the text that it was trained on: membership, extraction, canaries, with their controls."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.infer.window import check_writes
from minigpt.measure.intervals import bootstrapped_mean, share
from minigpt.pretrained import OpenedModel
from minigpt.privacy.canaries import Canary, chance, exposure
from minigpt.privacy.extraction import right_tokens
from minigpt.privacy.membership import membership, membership_scores, token_nats
from minigpt.progress import progress_bar
from minigpt.train.folder import RunFolder, steps_done

FEWEST = 20  # pieces, with which an interval still says something
PART = 64  # pieces between two signs of progress


@dataclass(frozen=True)
class AuditSettings:
    """How much is looked at.

    pieces: of the training text and as many of the held-out text; length: tokens in each, of which `given` are shown
    when it has to go on; others: random numbers that a canary's secret is compared with.
    """

    pieces: int = 1000
    length: int = 64
    given: int = 32
    others: int = 1023
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("pieces", FEWEST), ("length", 2), ("given", 1), ("others", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}, but it must be at least {least}")
        if self.given >= self.length:
            raise UserError(f"given is {self.given}, but it must be less than the length, {self.length}")


def audit_run(
    opened: OpenedModel,
    settings: AuditSettings = AuditSettings(),
    canaries: Sequence[Canary] = (),
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure what the model of a run remembers of its training text.

    Parameters
    ----------
    opened : OpenedModel
        Of a run that continues texts, as `open_model` gives it.
    settings : AuditSettings
        How much is looked at.
    canaries : sequence of Canary
        That were planted in its text, with some that were not.
    progress : bool
        Draw bars.

    Returns
    -------
    dict
        Plain values: `membership` (for each guess the area under its curve and its hits at 1% false alarms),
        `extraction` (of pieces of the training text and of pieces that were held out), `times_read` (tokens that the
        run has read, for each of its training text: if few, many pieces of it were never read), `canaries` (exposure
        in bits for each number of times), `held_out_in_training` (the share of held-out pieces that stand in the
        training text word for word). Every measure has a 95% interval.

    Raises
    ------
    UserError
        For a published model, of which nobody here knows the training text; for an encoder; for too short a text.
    """
    if opened.run is None:
        raise UserError(
            f"{opened.name} is no run of texts, so what it was trained on is not here; give the folder of such a run"
        )
    opened.run.check_writes()
    check_writes(opened.model)
    check_tokenizer(opened.model, opened.tokenizer)
    rng = np.random.default_rng(settings.seed)
    training, held_out = (opened.run.tokens(which) for which in ("training", "validation"))
    seen, unseen = _pieces(opened, training, held_out, settings, rng)
    report = {
        "model": opened.name,
        "pieces": len(seen),
        "length": seen.shape[1],
        "given": settings.given,
        "times_read": times_read(opened.run, len(training)),
        "membership": _membership(opened, seen, unseen, progress),
        "extraction": _extraction(opened, seen, unseen, settings.given, progress),
        "held_out_in_training": _repeated(training, unseen),
    }
    if canaries:
        report["canaries"] = _canaries(opened, training, canaries, settings, rng, progress)
        report["canaries_chance"] = chance(settings.others)
    return report


def times_read(run: RunFolder, tokens: int) -> float:
    """How many tokens the run has read, of a text of so many, from which every step draws windows at random."""
    settings = run.settings
    return steps_done(run) * settings.batch * settings.accumulate * run.config.context / tokens


def _pieces(
    opened: OpenedModel,
    training: np.ndarray,
    held_out: np.ndarray,
    settings: AuditSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of the training and of the held-out text that do not overlap, equally many: (N, length) each."""
    context = opened.model.config.context
    if settings.length > context and settings.length != AuditSettings.length:
        raise UserError(f"length is {settings.length}, but this model sees {context} tokens; choose fewer (--length)")
    length = min(settings.length, context)
    if settings.given >= length:
        raise UserError(f"given is {settings.given}, but this model sees {length} tokens; show it fewer (--given)")
    texts = training, held_out
    count = min(settings.pieces, *(len(text) // length for text in texts))
    if count < FEWEST:
        raise UserError(
            f"the held-out text of {opened.name} has {len(texts[1]):,} tokens, too few for {FEWEST} pieces of "
            f"{length}; look at shorter ones (--length)"
        )
    starts = (length * np.sort(rng.choice(len(text) // length, count, replace=False)) for text in texts)
    seen, unseen = (
        text[some[:, None] + np.arange(length)].astype(np.int64) for text, some in zip(texts, starts, strict=True)
    )
    return seen, unseen


def _in_parts(rows: np.ndarray, work: Callable[[np.ndarray], np.ndarray], what: str, progress: bool) -> np.ndarray:
    """work(some rows) of all rows, one after another."""
    parts: Iterable[int] = range(0, len(rows), PART)
    parts = progress_bar(parts, total=-(-len(rows) // PART), desc=what, leave=False, disable=not progress)
    return np.concatenate([work(rows[first : first + PART]) for first in parts])


def _membership(opened: OpenedModel, seen: np.ndarray, unseen: np.ndarray, progress: bool) -> dict[str, Any]:
    def scores(rows: np.ndarray) -> dict[str, np.ndarray]:
        nats = _in_parts(rows, lambda some: token_nats(opened.model, opened.params, some), "scoring", progress)
        return membership_scores(nats, [opened.tokenizer.decode_bytes(row) for row in rows])

    return membership(scores(seen), scores(unseen))


def _extraction(
    opened: OpenedModel, seen: np.ndarray, unseen: np.ndarray, given: int, progress: bool
) -> dict[str, dict[str, Any]]:
    found = {}
    for name, rows in (("seen", seen), ("unseen", unseen)):
        right = _in_parts(
            rows, lambda some: right_tokens(opened.model, opened.params, some, given), "writing on", progress
        )
        found[name] = {
            "whole": share(int(right.all(axis=1).sum()), len(right))._asdict(),
            "tokens": bootstrapped_mean(right.mean(axis=1))._asdict(),
        }
    return found


def _repeated(training: np.ndarray, pieces: np.ndarray) -> float:
    """The share of the pieces that stand in the training text, token for token."""
    size = np.dtype(training.dtype).itemsize
    text = np.asarray(training).tobytes()

    def stands(piece: bytes) -> bool:
        place = text.find(piece)
        while place >= 0 and place % size:  # the same bytes, across two tokens
            place = text.find(piece, place + 1)
        return place >= 0

    return float(np.mean([stands(piece.astype(training.dtype).tobytes()) for piece in pieces]))


def _canaries(
    opened: OpenedModel,
    training: np.ndarray,
    canaries: Sequence[Canary],
    settings: AuditSettings,
    rng: np.random.Generator,
    progress: bool,
) -> list[dict[str, Any]]:
    """For each number of times: the exposures, and how often the sentences really stand in the training text."""
    text = opened.tokenizer.decode(training)
    bits: dict[int, list[float]] = {}
    counted: dict[int, int] = {}
    for canary in progress_bar(canaries, desc="canaries", leave=False, disable=not progress):
        found = exposure(opened.model, opened.params, opened.tokenizer, canary, others=settings.others, rng=rng)
        bits.setdefault(canary.times, []).append(found)
        counted[canary.times] = counted.get(canary.times, 0) + text.count(canary.sentence)
    return [
        {
            "times": times,
            "in_training": counted[times] / len(bits[times]),
            "exposure": bootstrapped_mean(np.array(bits[times]))._asdict(),
            "exposures": bits[times],
        }
        for times in sorted(bits)
    ]
