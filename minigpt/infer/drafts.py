"""Drafts: cheap guesses of what comes next, for `minigpt.infer.speculative`.

    DraftModel     a small model with the same tokenizer (Leviathan et al. 2023, arXiv:2211.17192, section 3.6)
    early_exit     the first blocks of the model itself, then its own norm and head (Elhoushi et al. 2024, LayerSkip,
                   arXiv:2404.16710, which trains a model for that; here it is taken as it is)
    PromptLookup   what stood after the last tokens where they stood before (Saxena 2023, "Prompt Lookup Decoding")

A draft may guess as it likes: how good it is decides the speed and never the text's distribution.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.sampling import Sampling, check_scores, distribution, draw
from minigpt.infer.window import Window, check_writes
from minigpt.model import Transformer, Weights


class Proposal(NamedTuple):
    """Guessed tokens, and how they were drawn."""

    ids: np.ndarray  # (n,) integers
    probabilities: np.ndarray | None = (
        None  # (n, V) each was drawn with, after top-k and top-p; None: nothing was drawn
    )


NOTHING = Proposal(np.empty(0, np.int64))


class Draft(Protocol):
    """What guesses. `begin` comes before each text, then `propose` for every call of the large model."""

    name: str  # in reports

    def begin(self, tokens: np.ndarray, room: int, vocabulary_size: int) -> None:
        """tokens: (T,), the prompt; room: how many may follow; ids are below vocabulary_size. `UserError` for a draft
        that does not fit."""

    def propose(self, tokens: np.ndarray, count: int, sampling: Sampling, rng: np.random.Generator | None) -> Proposal:
        """At most `count` >= 1 tokens after tokens: (T,), the prompt and all that was written; there is at least one
        more of them each time. Drawn with `sampling`, unless it is greedy."""


class PromptLookup:
    """Guesses that the text goes on as it did where its last tokens stood before: no model, almost no time.

    The longest match counts, of at most `longest` and at least `shortest` tokens, and of equal ones the last, since a
    text repeats what is near. Saxena (2023) and `prompt_lookup_num_tokens` of transformers take the first.

    Parameters
    ----------
    longest, shortest : int
        Tokens of a match. `UserError` unless 1 <= shortest <= longest.

    Examples
    --------
    >>> draft = minigpt.PromptLookup()
    >>> draft.propose(np.array([7, 8, 9, 5, 7, 8]), 2, minigpt.Sampling(), None).ids
    array([9, 5])
    """

    name = "prompt look-up"

    def __init__(self, longest: int = 3, shortest: int = 2):
        if not 1 <= shortest <= longest:
            raise UserError(f"a match of {shortest} to {longest} tokens cannot be; ask for 1 <= shortest <= longest")
        self.longest, self.shortest = longest, shortest

    def begin(self, tokens: np.ndarray, room: int, vocabulary_size: int) -> None:
        """Nothing to prepare."""

    def propose(self, tokens: np.ndarray, count: int, sampling: Sampling, rng: np.random.Generator | None) -> Proposal:
        """As in `Draft`; nothing where the last tokens are new."""
        for length in range(min(self.longest, len(tokens) - 1), self.shortest - 1, -1):
            places = np.lib.stride_tricks.sliding_window_view(tokens[:-1], length)  # (T - length, length)
            found = np.flatnonzero((places == tokens[-length:]).all(axis=1))
            if len(found):
                after = found[-1] + length
                return Proposal(tokens[after : after + count])
        return NOTHING


class DraftModel:
    """A small model guesses, token after token, with its own key-value cache.

    Parameters
    ----------
    model, params : Transformer, Weights
        A decoder, whose ids mean the same as the large model's (`check_same_tokenizer`).
    name : str
        In reports.

    Raises
    ------
    UserError
        For a model that does not continue a text.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> draft = minigpt.DraftModel(model, model.init(np.random.default_rng(0)))
    >>> draft.begin(np.array([5, 6]), room=8, vocabulary_size=50)
    >>> draft.propose(np.array([5, 6]), 3, minigpt.Sampling(temperature=0), None).ids.shape
    (3,)
    """

    def __init__(self, model: Transformer, params: Weights, name: str = "draft model"):
        check_writes(model)
        check_continues(model)
        self.model, self.params, self.name = model, params, name
        self._window: Window | None = None
        self._known = 0  # tokens of the text that are in the window, or were
        self._drafted = NOTHING.ids  # what the window holds after them

    def begin(self, tokens: np.ndarray, room: int, vocabulary_size: int) -> None:
        """As in `Draft`."""
        if self.model.config.vocabulary_size < vocabulary_size:
            raise UserError(
                f"the draft has {self.model.config.vocabulary_size} ids, but the model writes {vocabulary_size}; "
                "choose a draft with the same tokenizer"
            )
        self._window = Window(self.model, self.params, tokens[None], room=room, vocabulary_size=vocabulary_size)
        self._known, self._drafted = len(tokens), NOTHING.ids

    def propose(self, tokens: np.ndarray, count: int, sampling: Sampling, rng: np.random.Generator | None) -> Proposal:
        """As in `Draft`; never more than its own context has room for, so that its window does not slide meanwhile."""
        window = self._follow(tokens)
        count = min(count, window.room)
        ids, rows = np.empty(count, np.int64), []
        for place in range(count):
            logits = window.logits()  # (1, V)
            check_scores(logits)
            if sampling.temperature == 0:
                ids[place] = logits[0].argmax()
            else:
                rows.append(distribution(logits, sampling))
                ids[place] = draw(rows[-1], rng)[0]
            window.append(ids[place : place + 1])
        self._drafted = ids
        return Proposal(ids, np.concatenate(rows) if rows else None)

    def _follow(self, tokens: np.ndarray) -> Window:
        """The window, with what was written since it guessed. Right guesses stay, the others are forgotten."""
        assert self._window is not None, "begin comes first"
        window, new = self._window, tokens[self._known :]
        compared = min(len(new), len(self._drafted))
        right = int((new[:compared] == self._drafted[:compared]).cumprod().sum())
        window.truncate(window.tokens.shape[1] - (len(self._drafted) - right))
        for place in range(right, len(new)):
            window.append(new[place : place + 1])
        self._known, self._drafted = len(tokens), NOTHING.ids
        return window


def early_exit(model: Transformer, params: Weights, layers: int) -> DraftModel:
    """The first `layers` blocks of a model, then its own last norm and head, as a draft for it.

    It shares the parameters, so it takes no memory but for its key-value cache.

    Parameters
    ----------
    model, params : Transformer, Weights
        The large model.
    layers : int
        How many of its blocks.

    Returns
    -------
    DraftModel
        That model, cut short.

    Raises
    ------
    UserError
        Unless there are more blocks than that.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50))
    >>> minigpt.early_exit(model, model.init(np.random.default_rng(0)), 2).model.config.layers
    2
    """
    if not 1 <= layers < model.config.layers:
        raise UserError(
            f"an early exit after {layers} of {model.config.layers} blocks is no shorter way; choose 1 to "
            f"{model.config.layers - 1}"
        )
    check_continues(model)
    return DraftModel(Transformer(replace(model.config, layers=layers)), params, f"early exit after {layers} blocks")


def check_continues(model: Transformer) -> None:
    """`UserError` for a model that reads one text and writes another."""
    if model.two_stacks:
        raise UserError("drafts are for models that continue a text; this one reads and writes; leave the draft out")


def check_same_tokenizer(ours: Any, drafts: Any) -> None:
    """`UserError` unless both tokenizers are saved as the same file, and so make the same ids of every text."""
    if drafts is None or _saved(ours) != _saved(drafts):
        raise UserError(
            "the draft has another tokenizer than the model, so its ids mean something else; choose a draft that was "
            "trained with the same one"
        )


def _saved(tokenizer: Any) -> bytes:
    """What a tokenizer's `save` writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return path.read_bytes()
