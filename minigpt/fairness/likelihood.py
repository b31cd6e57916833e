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


class _Row(NamedTuple):
    """What a model reads at once, and what is asked of it there."""

    ids: np.ndarray  # (T,)
    places: np.ndarray  # (K,) where it answers
    wanted: np.ndarray  # (K,) the token whose likelihood is asked there
    numbers: np.ndarray  # (K,) which of all answers each is


def log_likelihoods(opened: OpenedModel, texts: Sequence[Asked], *, progress: bool = False) -> list[np.ndarray]:
    """log p of each asked token, in nats: (K,) for each text.

    A decoder reads a text as a document of its own, after the token between documents, and no further than is asked; a
    text that is the beginning of another one is read with that. An encoder reads it with its marks around it. Texts of
    like length go together. `UserError` for a model that cannot, and for a text longer than the context.
    """
    why = refusal(opened)
    if why is not None:
        raise UserError(f"{opened.name} cannot be asked how likely a text is: {why}")
    check_tokenizer(opened.model, opened.tokenizer)
    ends = np.cumsum([0, *(len(text.places) for text in texts)])
    asked = list(zip(texts, ends[:-1].tolist(), strict=True))
    masks = opened.model.config.architecture == "encoder"
    rows = _masked_rows(opened, asked) if masks else _read_once(opened, asked)
    context = opened.model.config.context
    longest = max((len(row.ids) for row in rows), default=0)
    if longest > context:
        raise UserError(f"a text has {longest:,} tokens with its marks, but the model sees {context:,}; leave it out")
    found = np.empty(ends[-1])
    rows.sort(key=lambda row: len(row.ids))
    with progress_bar(total=len(rows), desc="asking", unit=" texts", leave=False, disable=not progress) as bar:
        while rows:
            some = rows[-max(1, TOKENS // len(rows[-1].ids)) :]  # the longest first: they need the most memory
            del rows[-len(some) :]
            found[np.concatenate([row.numbers for row in some])] = _log_p(opened, some, masks=masks)
            bar.update(len(some))
    if not np.isfinite(found).all():
        raise UserError(DAMAGED)
    return np.split(found, ends[1:-1])


def _masked_rows(opened: OpenedModel, asked: Sequence[tuple[Asked, int]]) -> list[_Row]:
    """Of each text a row for each asked token, in which that one is masked. asked: with the number of its first."""
    frame, mask, rows = frame_of(opened.tokenizer), mask_of(opened.tokenizer), []
    for text, first in asked:
        ids, _ = frame.row(text.ids)
        for number, place in enumerate(text.places + len(frame.begin), first):
            hidden = ids.copy()
            hidden[place] = mask
            rows.append(_Row(hidden, np.array([place]), ids[place : place + 1], np.array([number])))
    return rows


def _read_once(opened: OpenedModel, asked: Sequence[tuple[Asked, int]]) -> list[_Row]:
    """Rows of which none is the beginning of another, which a decoder would answer alike: it does not look ahead."""
    begin, rows = [document_end(opened.tokenizer)], []
    for text, first in asked:
        if len(text.places):
            ids = np.concatenate([begin, text.ids[: text.places.max()]]).astype(np.int64)
            rows.append(_Row(ids, text.places, text.ids[text.places], first + np.arange(len(text.places))))
    found: list[_Row] = []
    for row in sorted(rows, key=lambda row: row.ids.tolist(), reverse=True):  # a beginning comes after what it begins
        if found and np.array_equal(found[-1].ids[: len(row.ids)], row.ids):
            more = (np.concatenate(pair) for pair in zip(found[-1][1:], row[1:], strict=True))
            found[-1] = _Row(found[-1].ids, *more)
        else:
            found.append(row)
    return found


def _log_p(opened: OpenedModel, rows: Sequence[_Row], *, masks: bool) -> np.ndarray:
    """log p of what is asked of these rows, one after the other: (K,)."""
    model, params = opened.model, opened.params
    which = np.repeat(np.arange(len(rows)), [len(row.places) for row in rows])
    where, wanted = (np.concatenate(part) for part in ([row.places for row in rows], [row.wanted for row in rows]))
    tokens = np.zeros((len(rows), max(len(row.ids) for row in rows)), np.int64)
    for number, row in enumerate(rows):
        tokens[number, : len(row.ids)] = row.ids
    present = None  # of a decoder: padding stands behind all that is asked
    if masks:
        present = np.arange(tokens.shape[1]) < np.array([len(row.ids) for row in rows])[:, None]
    call = Call().forward_only()
    x, _ = model.hidden_states(params, Batch(tokens, present=present), call)
    head = HEADS["masked" if masks else "language"]  # at the asked places alone
    logits, _ = head.forward(params, model.config, x[which, where], None, call)
    logits = logits[:, : opened.tokenizer.vocabulary_size]
    top = logits.max(axis=1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return (logits[np.arange(len(wanted)), wanted] - log_sum).astype(np.float64)
