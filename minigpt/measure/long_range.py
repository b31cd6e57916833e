"""What a model makes of a long text: its loss by position, whether it finds a needle, whether it copies repeats."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.window import check_writes
from minigpt.measure.intervals import Interval, bootstrapped_mean, share
from minigpt.model import Batch, Call, Transformer
from minigpt.model.params import Weights
from minigpt.ops import softmax_forward
from minigpt.text import Tokenizer

ROWS = 256  # positions whose logits are made at a time: of a large vocabulary all would not fit
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gail", "Hugo", "Ida", "Jon", "Kim", "Leo", "Mia", "Noah")
NEEDLE, QUESTION = " The secret number of {} is {}.", " The secret number of {} is"


class PositionLoss(NamedTuple):
    """Nats per token at the positions from `start` to before `stop`."""

    start: int
    stop: int
    nats: Interval


class Needles(NamedTuple):
    """Texts that end in a question, and its answers."""

    tokens: np.ndarray  # (N, T) integers: the last A but one of them are the answer's first, so that each is asked for
    answers: np.ndarray  # (N, A) integers


@dataclass(frozen=True)
class Induction:
    """How well a model copies random tokens that it sees a second time (Olsson et al. 2022, arXiv:2209.11895)."""

    first: Interval  # nats per token where they are new: no model can know them
    second: Interval  # the same where they come again
    heads: np.ndarray  # (L, H) attention to the token after the earlier occurrence, a mean of the second half

    @property
    def gain(self) -> float:
        """Nats per token that the repetition saves."""
        return self.first.value - self.second.value


def stretched(model: Transformer, context: int, **changes: Any) -> Transformer:
    """The same model for texts of another length, with other fields; its parameters fit.

    `UserError` for learned positions, of which there are only so many.
    """
    if context > model.config.context and model.config.position == "learned":
        raise UserError(
            f"this model has learned {model.config.context} positions and has none for {context}; "
            "ask one with rotary positions or ALiBi"
        )
    return Transformer(replace(model.config, context=context, **changes))


def token_losses(model: Transformer, params: Weights, tokens: np.ndarray) -> np.ndarray:
    """Nats of each token after the first, given those before it: (N, T). tokens: (N, T + 1) integers."""
    check_writes(model)
    losses = np.empty((len(tokens), tokens.shape[1] - 1))
    for row, losses_of_row in zip(tokens, losses, strict=True):
        x, _ = model.hidden_states(params, Batch(row[None, :-1]), Call().forward_only())
        for start in range(0, len(losses_of_row), ROWS):
            places = slice(start, start + ROWS)
            probabilities, _ = softmax_forward(model.logits(params, x[0, places])[0])
            targets = row[1:][places]
            losses_of_row[places] = -np.log(probabilities[np.arange(len(targets)), targets])
    return losses


def loss_by_position(
    model: Transformer, params: Weights, tokens: np.ndarray, *, length: int | None = None, bins: int = 8, most: int = 64
) -> list[PositionLoss]:
    """Nats per token by how many tokens stand before it, with 95% intervals over windows.

    Parameters
    ----------
    model, params
        A decoder; `stretched` makes one for texts longer than its context.
    tokens : (N,) integers
        A text. It is cut into windows, and each begins anew at position 0.
    length : int, optional
        Of a window; None: the context.
    bins : int
        Equal parts of a window, whose positions are told together.
    most : int
        Windows at most, spread evenly over the text.

    Returns
    -------
    list of PositionLoss
        One for each bin.

    Raises
    ------
    UserError
        If the text is too short for two windows.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> found = minigpt.loss_by_position(model, params, np.arange(500) % 50, length=32, bins=2)
    >>> [(one.start, one.stop) for one in found]
    [(0, 16), (16, 32)]
    """
    length = model.config.context if length is None else length
    count = (len(tokens) - 1) // length
    if count < 2:
        raise UserError(
            f"{len(tokens):,} tokens hold {count} windows of {length:,} and the token after them, but two are needed; "
            "take a longer text or shorter windows"
        )
    if not 1 <= bins <= length:
        raise UserError(f"a window of {length:,} tokens has no {bins} equal parts; ask for 1 to {length:,}")
    starts = np.unique(np.linspace(0, len(tokens) - 1 - length, min(count, most)).astype(int))
    losses = token_losses(model, params, np.stack([tokens[start : start + length + 1] for start in starts]))
    edges = np.linspace(0, length, bins + 1).astype(int).tolist()
    return [
        PositionLoss(start, stop, bootstrapped_mean(losses[:, start:stop].mean(axis=1)))
        for start, stop in pairwise(edges)
    ]


def needle_tokens(
    rng: np.random.Generator, count: int, length: int, distance: int, *, vocabulary_size: int, needles: int = 1
) -> Needles:
    """A synthetic task for models of ours: pairs of a key and a value in a row of other tokens; which goes with this?

    Token 0 stands before a key, also at the end, where the last two tokens ask; a third of the rest of the vocabulary
    are keys, a third values, a third filler. The pair that is asked for begins `distance` tokens before the question;
    the other needles stand anywhere else. Returns tokens (N, T) and answers (N, 1). `UserError` if it does not fit.
    """
    third, places = (vocabulary_size - 1) // 3, (length - 2) // 3
    if third < needles or not 3 <= distance <= length - 2 or not 1 <= needles <= places - 2:
        raise UserError(
            f"{needles} needles at a distance of {distance} do not fit {length} tokens of a vocabulary of "
            f"{vocabulary_size}; take a longer text or fewer needles"
        )
    tokens = rng.integers(1 + 2 * third, 1 + 3 * third, (count, length))
    answers = rng.integers(1 + third, 1 + 2 * third, (count, needles))
    asked = length - 2 - distance
    free = [start for start in range(asked % 3, length - 4, 3) if start != asked]
    for row, values in zip(tokens, answers, strict=True):
        keys = 1 + rng.permutation(third)[:needles]
        others = rng.permutation(free)[: needles - 1]
        for start, key, value in zip([asked, *others], keys, values, strict=True):
            row[start : start + 3] = 0, key, value
        row[-2:] = 0, keys[0]
    return Needles(tokens, answers[:, :1])


def needle_texts(
    rng: np.random.Generator,
    tokenizer: Tokenizer,
    filler: str,
    count: int,
    length: int,
    distance: int,
    *,
    needles: int = 1,
) -> Needles:
    """The same in words: "The secret number of Ada is 4821." somewhere in a text, and the question at its end.

    filler: a long text, of which each gets a part. distance: tokens from the needle's begin to the question's, of
    `length` in all; other needles, of other names, stand at random. `UserError` if the text is too short for it.
    """
    words, texts, answers = tokenizer.encode(filler), [], []
    if len(words) < length or not 1 <= needles <= len(NAMES):
        raise UserError(f"the text has {len(words)} tokens, but {length} are needed, and there are {len(NAMES)} names")
    for _ in range(count):
        names, numbers = rng.permutation(NAMES)[:needles], rng.integers(1000, 10000, needles)
        question = tokenizer.encode(QUESTION.format(names[0]))
        answer = tokenizer.encode(QUESTION.format(names[0]) + f" {numbers[0]}")[len(question) :]
        hidden = [tokenizer.encode(NEEDLE.format(*pair)) for pair in zip(names, numbers, strict=True)]
        room = length - len(question) - sum(map(len, hidden))
        behind = distance - len(hidden[0])
        if not 0 <= behind <= room:
            raise UserError(f"a needle at a distance of {distance} does not fit {length} tokens; take another")
        start = int(rng.integers(0, len(words) - room + 1))
        cuts = {0: room - behind, **{i: int(rng.integers(0, room - behind + 1)) for i in range(1, needles)}}
        text, done = [], 0
        for i in sorted(cuts, key=lambda i: (cuts[i], -i)):  # the one that is asked for comes last at its place
            text += [*words[start + done : start + cuts[i]], *hidden[i]]
            done = cuts[i]
        texts.append([*text, *words[start + done : start + room], *question, *answer[:-1]])
        answers.append(answer)
    if len({len(answer) for answer in answers}) > 1:
        raise UserError("this tokenizer writes four digits in different numbers of tokens; it cannot be asked so")
    return Needles(np.array(texts), np.array(answers))


def retrieval(model: Transformer, params: Weights, asked: Needles) -> Interval:
    """How often the likeliest tokens are the answer, all of them, with Wilson's interval."""
    width, right = asked.answers.shape[1], 0
    for row, answer in zip(asked.tokens, asked.answers, strict=True):
        x, _ = model.hidden_states(params, Batch(row[None]), Call().forward_only())
        logits, _ = model.logits(params, x[0, -width:])
        right += bool((logits.argmax(axis=-1) == answer).all())
    return share(right, len(asked.answers))


def induction_score(
    model: Transformer, params: Weights, rng: np.random.Generator, *, count: int = 16, length: int = 32
) -> Induction:
    """Random tokens twice in a row: the loss of either half, and which heads look at what followed the last time.

    count: texts; length: tokens that are repeated. `UserError` if they do not fit the context.
    """
    tokens = repeated_tokens(model, rng, count, length)
    losses = token_losses(model, params, tokens)
    again = np.arange(length, 2 * length)
    heads = attention_to(model, params, tokens, again, again - length + 1)
    first, second = (bootstrapped_mean(half.mean(axis=1)) for half in (losses[:, : length - 1], losses[:, length:]))
    return Induction(first, second, heads)


def repeated_tokens(model: Transformer, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Random tokens, each text twice in a row: (count, 2 * length). `UserError` if that does not fit the context."""
    if 2 * length > model.config.context:
        raise UserError(f"{length} tokens twice do not fit the context of {model.config.context}; take fewer")
    once = rng.integers(0, model.config.vocabulary_size, (count, length))
    return np.concatenate([once, once], axis=1)


def attention_to(
    model: Transformer, params: Weights, tokens: np.ndarray, rows: np.ndarray, keys: np.ndarray
) -> np.ndarray:
    """How much each head looks from `rows` at `keys`, (R,) positions each, one by one: (L, H), a mean over texts."""
    heads = np.zeros((model.config.layers, model.config.heads))

    def look(name: str, x: np.ndarray) -> np.ndarray:
        if name.endswith(".attention.weights"):
            heads[int(name.split(".")[1])] = x[:, :, rows, keys].mean(axis=(0, 2))
        return x

    model.hidden_states(params, Batch(tokens), Call(hook=look).forward_only())
    return heads
