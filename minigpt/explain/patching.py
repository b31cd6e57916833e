"""Which part of a model does the work: activations of another input are put in place of its own.

Activation patching (Vig et al. 2020, arXiv:2004.12265; Meng et al. 2022, "ROME", arXiv:2202.05262, as causal tracing)
asks what changes when one part says what it said of another input. Path patching (Wang et al. 2022, arXiv:2211.00593;
Goldowsky-Dill et al. 2023, arXiv:2304.05969) lets the change reach the answer along chosen ways only. Attribution
patching (Nanda 2023; Syed, Rager & Conmy 2023, arXiv:2310.10348) estimates all changes at once from one gradient.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import Question
from minigpt.explain.watch import Hook, activations, check_names, one_after_another
from minigpt.model import Call

PARTS = ("attention.output", "feed_forward.output", "residual_mid", "residual_post")  # of (B, T, C), one by one
FROZEN = re.compile(r".*(attention\.heads|feed_forward\.output)")  # what path patching holds still


class Place(NamedTuple):
    """A part of an activation."""

    name: str  # as `minigpt.model.call` lists them
    positions: tuple[int, ...] | None = None  # on the axis of T; None: all
    heads: tuple[int, ...] | None = None  # on that of H; None: all, or an activation without heads

    def put(self, x: np.ndarray, donor: np.ndarray) -> np.ndarray:
        """x with the donor's values there; both (B, T, C) or (B, H, T, D). `UserError` if it does not fit."""
        if donor.shape[1:] != x.shape[1:]:
            raise UserError(f"{self.name} has shape {x.shape}, but the other input's {donor.shape}; give equal lengths")
        if self.heads is not None and x.ndim != 4:
            raise UserError(f"{self.name} has no heads to choose from; leave them out")
        y = x.copy()
        rows = list(range(x.shape[-2]) if self.positions is None else self.positions)
        self._check(rows, x.shape[-2], "position")
        if self.heads is None:
            y[..., rows, :] = donor[..., rows, :]
        else:
            self._check(self.heads, x.shape[1], "head")
            chosen = np.ix_(range(len(x)), self.heads, rows)
            y[chosen] = donor[chosen]
        return y

    def _check(self, chosen: Sequence[int], count: int, what: str) -> None:
        for one in chosen:
            if not -count <= one < count:
                raise UserError(f"{self.name} has no {what} {one}; it has {count}, from 0 on")


def donor_of(question: Question, places: Sequence[Place] | None = None) -> dict[str, np.ndarray]:
    """The activations of a question's input, to be put elsewhere: those of the places, or all."""
    names = None if places is None else {place.name for place in places}
    return activations(question.model, question.params, question.batch, lambda name: names is None or name in names)


def patching(places: Sequence[Place], donor: Mapping[str, np.ndarray]) -> Hook:
    """The hook that puts the donor's values in these places."""
    by_name: dict[str, list[Place]] = {}
    for place in places:
        by_name.setdefault(place.name, []).append(place)

    def hook(name: str, x: np.ndarray) -> np.ndarray:
        for place in by_name.get(name, ()):
            x = place.put(x, donor[name])
        return x

    return hook


def patch(question: Question, other: Question, places: Sequence[Place]) -> float:
    """The number of the question's input when these places say what they said of the other's.

    Both inputs have the same length. Patching the embedding, or all that is written to the last residual stream, gives
    the other's number. `UserError` for a place that the model does not have.
    """
    donor = donor_of(other, places)
    check_names(question.model, (place.name for place in places), donor)
    return question.value(Call(hook=patching(places, donor)))


def activation_patching(question: Question, other: Question, what: str = "residual_post") -> np.ndarray:
    """How far each part takes the answer from the question's to the other's: 0 nothing, 1 all the way.

    Parameters
    ----------
    question, other : Question
        Two inputs of one length whose numbers differ. Parts of `other` are put into `question`.
    what : str
        "residual_post", "residual_mid", "attention.output" or "feed_forward.output": of each layer and position; or
        "heads": each head's output at all positions.

    Returns
    -------
    (L, T) or (L, H) floats
        (patched - question) / (other - question). One forward for each.
    """
    begin, difference = _difference(question, other)
    places = _places(question, what)
    donor = donor_of(other, [place for row in places for place in row])
    values = [[question.value(Call(hook=patching([place], donor))) for place in row] for row in places]
    return (np.array(values) - begin) / difference


def attribution_patching(question: Question, other: Question, what: str = "residual_post") -> np.ndarray:
    """What `activation_patching` finds, to first order: (other's activation - own) times the number's gradient.

    Two forwards and one backward for all parts together. It misses what is not linear, such as attention that moves.
    """
    _, difference = _difference(question, other)
    names = {place.name for row in _places(question, what) for place in row}
    own, donor = donor_of(question), donor_of(other)
    _, cache = question.model.forward(question.params, question.batch)
    gradients = question.back(cache)
    found = []
    for layer in range(question.model.config.layers):
        name = next(name for name in names if name.startswith(f"blocks.{layer}."))
        change = (donor[name] - own[name])[0] * gradients[name][0]  # (T, C) or (H, T, D)
        found.append(change.sum(axis=-1 if change.ndim == 2 else (1, 2), dtype=np.float64))
    return np.array(found) / difference


def path_patching(question: Question, other: Question, senders: Sequence[Place], receivers: Sequence[Place]) -> float:
    """The number of the question's input when the senders' change reaches it through the receivers alone.

    First the senders say what they said of the other input, while every other head and feed-forward network between is
    held at what it said of the question's; what then arrives at the receivers, such as the query of a head or
    "final", is put into a run of the question's input.

    senders: places that write (`attention.heads`, `feed_forward.output`); receivers: places that read.
    """
    own, donor = donor_of(question), donor_of(other, senders)
    check_names(question.model, (place.name for place in (*senders, *receivers)), own)
    held = [Place(name) for name in own if FROZEN.fullmatch(name)]
    arrived: dict[str, np.ndarray] = {}

    def keep(name: str, x: np.ndarray) -> np.ndarray:
        if name in {place.name for place in receivers}:
            arrived[name] = x
        return x

    # In this order: what is held is overwritten by the senders, and a receiver is seen after both.
    question.value(Call(hook=one_after_another([patching(held, own), patching(senders, donor), keep])))
    return question.value(Call(hook=patching(receivers, arrived)))


def ablating(
    heads: Sequence[tuple[int, int]] = (),
    neurons: Sequence[tuple[int, int]] = (),
    *,
    means: Mapping[str, np.ndarray] | None = None,
    prefix: str = "",
    call: Call = Call(),
) -> Call:
    """A call in which some heads and neurons say nothing, or what they say on average.

    Parameters
    ----------
    heads, neurons : sequence of (layer, number)
        Attention heads, and hidden units of feed-forward networks.
    means : dict of str to arrays, optional
        As `mean_activations` gives them. None: zeros, which may be far from anything that the model knows.
    prefix : str
        "encoder." for the encoder beside a decoder.
    call : Call
        What else the call has; its hook sees the changed values.
    """
    silent: dict[str, list[int]] = {}
    for kind, chosen in (("attention.heads", heads), ("feed_forward.hidden", neurons)):
        for layer, number in chosen:
            silent.setdefault(f"{prefix}blocks.{layer}.{kind}", []).append(number)

    def hook(name: str, x: np.ndarray) -> np.ndarray:
        if name not in silent:
            return x
        axis = 1 if x.ndim == 4 else x.ndim - 1
        if max(silent[name]) >= x.shape[axis] or min(silent[name]) < 0:
            raise UserError(f"{name} has {x.shape[axis]} parts, from 0 on, and not {max(silent[name])}; choose others")
        y = np.moveaxis(x.copy(), axis, 0)
        mean = 0.0 if means is None else np.moveaxis(np.broadcast_to(means[name], x.shape), axis, 0)[silent[name]]
        y[silent[name]] = mean
        return np.moveaxis(y, 0, axis)

    return replace(call, hook=one_after_another([hook, call.hook]))


def mean_activations(questions: Sequence[Question], wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The mean of every wanted activation over inputs and positions: of (1, H, T, D), (1, H, 1, D)."""
    sums: dict[str, np.ndarray] = {}
    for question in questions:
        for name, x in activations(question.model, question.params, question.batch, wanted).items():
            mean = x.mean(axis=-2, keepdims=True, dtype=np.float64)
            sums[name] = sums.get(name, 0.0) + mean / len(questions)
    return sums


def _difference(question: Question, other: Question) -> tuple[float, float]:
    question.other(other.batch)  # or a sentence that says that their lengths differ
    begin, end = question.value(), other.value()
    if begin == end:
        raise UserError(
            f"both inputs give {begin:.6g}, so there is no difference to find the place of; give two others"
        )
    return begin, end - begin


def _places(question: Question, what: str) -> list[list[Place]]:
    config = question.model.config
    if what == "heads":
        return [
            [Place(f"blocks.{layer}.attention.heads", heads=(head,)) for head in range(config.heads)]
            for layer in range(config.layers)
        ]
    if what not in PARTS:
        raise UserError(f"{what!r:.50} cannot be patched part by part; choose heads or one of {', '.join(PARTS)}")
    if config.encoder_ahead:
        raise UserError("what stands ahead of a text has positions of its own; patch such a model with `patch`")
    length = question.lengths()["embedding"]
    return [
        [Place(f"blocks.{layer}.{what}", positions=(position,)) for position in range(length)]
        for layer in range(config.layers)
    ]
