"""How likely does a model find some tokens of a text? By a decoder, from what stands before; by an encoder, from both
sides, each token masked alone.

Salazar et al. (2020), "Masked Language Model Scoring", arXiv:1910.14659: the pseudo-log-likelihood of an encoder is the
sum over the tokens. It is no probability of a text, but two texts can be compared.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.measure.surprise import DAMAGED
from minigpt.model import Batch, Call
from minigpt.model.head import HEADS
from minigpt.objectives.special import SPELLINGS
from minigpt.pretrained import OpenedModel
from minigpt.progress import progress_bar
from minigpt.text import document_end
from minigpt.text.frame import frame_of

TOKENS = 1024  # in a batch: enough for the matrix products, and few enough for the logits of a large vocabulary


class Asked(NamedTuple):
    """A text in tokens, and those of them whose likelihood is asked."""

    ids: np.ndarray  # (T,)
    places: np.ndarray  # (K,) among the T


def refusal(opened: OpenedModel) -> str | None:
    """Why this model cannot say how likely a token is; None if it can."""
    architecture, head = opened.model.config.architecture, opened.model.config.head
    if opened.tokenizer is None:
        return "it came without a tokenizer"
    if architecture == "encoder-decoder":
        return "an encoder-decoder says how likely a text is after another one, and here there is none"
    if architecture == "decoder":
        return None if head == "language" else f"its head is {head}; a decoder needs a language head"
    if head not in ("masked", "pretraining"):
        return (
            f"its head is {head}, so it says no tokens; give it a masked head first "
            "(`minigpt finetune MODEL TEXT --task domain`)"
        )
    return None if mask_of(opened.tokenizer) is not None else "its tokenizer has no token that masks"


def mask_of(tokenizer: Any) -> int | None:
    """The id of the token that masks."""
    marks = tokenizer.special_tokens
    return next((marks[spelling] for spelling in SPELLINGS["mask"] if spelling in marks), None)


def log_likelihoods(opened: OpenedModel, texts: Sequence[Asked], *, progress: bool = False) -> list[np.ndarray]:
    """log p of each asked token, in nats: (K,) for each text.

    A decoder reads a text as a document of its own, after the token between documents; an encoder with its marks around
    it. Texts of like length go together. `UserError` for a model that cannot, for a text longer than the context, and
    for scores that are no finite numbers.
    """
    why = refusal(opened)
    if why is not None:
        raise UserError(f"{opened.name} cannot be asked how likely a text is: {why}")
    check_tokenizer(opened.model, opened.tokenizer)
    rows, places, owners = _rows(opened, texts)
    context = opened.model.config.context
    longest = max(map(len, rows), default=0)
    if longest > context:
        raise UserError(
            f"a text has {longest:,} tokens with its marks, but the model sees {context:,}; leave it out, or take a "
            "model that sees more"
        )
    found = np.empty(sum(map(len, places)))
    ends = np.cumsum([0, *map(len, places)])
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    bar = progress_bar(total=len(order), desc="asking", unit="text", leave=False, disable=not progress)
    with bar:
        while order:
            some = order[-max(1, TOKENS // len(rows[order[-1]])) :]  # the longest first: they need the most memory
            del order[-len(some) :]
            values = _log_p(opened, [rows[row] for row in some], [places[row] for row in some], owners[some[0]])
            for row, value in zip(some, values, strict=True):
                found[ends[row] : ends[row + 1]] = value
            bar.update(len(some))
    if not np.isfinite(found).all():
        raise UserError(DAMAGED)
    sizes = np.cumsum([len(text.places) for text in texts])[:-1]
    return np.split(found, sizes)


def _rows(opened: OpenedModel, texts: Sequence[Asked]) -> tuple[list[np.ndarray], list[np.ndarray], list[Any]]:
    """What the model reads: rows of ids, where in each the asked tokens stand, and the true ids where they are masked.

    A decoder reads each text once, an encoder once for each asked token.
    """
    rows: list[np.ndarray] = []
    places: list[np.ndarray] = []
    if opened.model.config.architecture == "decoder":
        begin = [document_end(opened.tokenizer)]
        for text in texts:
            rows.append(np.concatenate([begin, text.ids]).astype(np.int64))
            places.append(text.places + 1)
        return rows, places, [None] * len(rows)
    frame = frame_of(opened.tokenizer)
    for text in texts:
        ids, _ = frame.row(text.ids)
        for place in text.places + len(frame.begin):
            rows.append(ids)
            places.append(np.array([place]))
    return rows, places, [mask_of(opened.tokenizer)] * len(rows)


def _log_p(
    opened: OpenedModel, rows: Sequence[np.ndarray], places: Sequence[np.ndarray], mask: int | None
) -> list[np.ndarray]:
    """log p of the tokens at these places of each row, (K,). mask: the id that hides them; None: a decoder."""
    model, params = opened.model, opened.params
    which = np.repeat(np.arange(len(rows)), [len(place) for place in places])
    where = np.concatenate(places).astype(int)
    longest = max(map(len, rows))
    tokens = np.zeros((len(rows), longest), np.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = ids
    wanted = tokens[which, where]
    present = None
    if mask is None:
        where = where - 1  # a decoder says at each place what comes next; padding stands behind all that is asked
    else:
        tokens[which, where] = mask
        present = np.arange(longest) < np.array([len(ids) for ids in rows])[:, None]
    call = Call().forward_only()
    x, _ = model.hidden_states(params, Batch(tokens, present=present), call)
    head = HEADS["language" if mask is None else "masked"]  # at the asked places alone
    logits, _ = head.forward(params, model.config, x[which, where], None, call)
    logits = logits[:, : opened.tokenizer.vocabulary_size]
    top = logits.max(axis=1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    found = logits[np.arange(len(wanted)), wanted] - log_sum
    return np.split(found.astype(np.float64), np.cumsum([len(place) for place in places])[:-1])
