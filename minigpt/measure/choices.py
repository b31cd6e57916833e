"""Choosing by likelihood: which of several continuations does a decoder find likeliest after a prompt?

Brown et al. (2020), arXiv:2005.14165, section 2.4: of a classifier without training, or with a few examples in its
prompt. A choice that is likely anywhere wins too often, so what it gets after a prompt without content is taken off
(Zhao et al. 2021, "Calibrate Before Use", arXiv:2102.09690; Holtzman et al. 2021, arXiv:2104.08315).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.measure.surprise import DAMAGED, check_predicts, surprise
from minigpt.model import Batch, Call, Transformer
from minigpt.ops import softmax_forward
from minigpt.progress import progress_bar
from minigpt.text import document_end

ROWS = 16  # of a batch


class Continuation(NamedTuple):
    """What a model makes of one text after another."""

    log_probability: float  # nats, summed over its tokens; never above 0
    likeliest: bool  # every token of it is the likeliest one there


def continuations(
    model: Transformer, params: Any, tokenizer: Any, asked: Sequence[tuple[str, str]], *, progress: bool = False
) -> list[Continuation]:
    """Of each pair, a prompt and what comes after it, the second's probability after the first. progress: draw a bar.

    `UserError` for a model that does not continue texts, or whose scores are no numbers; for a continuation without
    tokens; for a pair that does not fit into the context, which needs one token of the prompt.
    """
    check_predicts(model)
    check_tokenizer(model, tokenizer)
    rows = []
    for number, (prompt, end) in enumerate(asked, 1):
        begin = tokenizer.encode(prompt) if prompt else np.array([document_end(tokenizer)])  # as before any text
        row = begin, tokenizer.encode(end)
        if not len(row[1]):
            raise UserError(f"the choice {end!r:.60} has no token; give it some text")
        if not 0 < len(row[0]) <= model.config.context - len(row[1]):
            raise UserError(
                f"the prompt {prompt!r:.60} (of pair {number}) has {len(row[0]):,} tokens and what comes after it "
                f"{len(row[1])}, but the model sees {model.config.context:,} together and needs one before it; shorten "
                "it, or give fewer examples"
            )
        rows.append(row)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][0]) + len(rows[row][1]))
    found: dict[int, Continuation] = {}
    parts = [order[first : first + ROWS] for first in range(0, len(order), ROWS)]
    for some in progress_bar(parts, desc="asking", unit=" batches", leave=False, disable=not progress):
        found |= zip(some, _continuations(model, params, [rows[row] for row in some]), strict=True)
    return [found[row] for row in range(len(rows))]


def choice_nats(
    model: Transformer, params: Any, tokenizer: Any, prompts: Sequence[str], choices: Sequence[str]
) -> np.ndarray:
    """The logarithm of each choice's probability after each prompt: (N, K), in nats, summed over its tokens.

    `UserError` as `continuations` says.
    """
    pairs = [(prompt, choice) for prompt in prompts for choice in choices]
    found = continuations(model, params, tokenizer, pairs)
    return np.array([one.log_probability for one in found]).reshape(len(prompts), len(choices))


def _continuations(
    model: Transformer, params: Any, rows: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Iterator[Continuation]:
    """What `continuations` says of some rows, in one batch."""
    whole = [np.concatenate(row)[:-1] for row in rows]
    tokens = np.zeros((len(rows), max(map(len, whole))), np.int64)  # padded at the end, which no earlier position sees
    for row, ids in enumerate(whole):
        tokens[row, : len(ids)] = ids
    x, _ = model.hidden_states(params, Batch(tokens), Call().forward_only())
    for row, (begin, end) in enumerate(rows):
        scores, _ = model.logits(params, x[row, len(begin) - 1 : len(begin) - 1 + len(end)])
        nats = surprise(scores, end)
        if not np.isfinite(nats).all():
            raise UserError(DAMAGED)
        yield Continuation(-float(nats.sum()), bool((scores.argmax(axis=-1) == end).all()))


def choose(
    model: Transformer,
    params: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    choices: Sequence[str],
    *,
    without_content: str | None = None,
) -> np.ndarray:
    """The probability of each choice after each prompt, (N, K): the softmax of `choice_nats`.

    without_content: a prompt that says nothing of the matter; what each choice gets after it is taken off.
    """
    nats = choice_nats(model, params, tokenizer, prompts, choices)
    if without_content is not None:
        nats = nats - choice_nats(model, params, tokenizer, [without_content], choices)
    return softmax_forward(nats)[0]


def prompt_of(template: str, text: str, shots: Sequence[tuple[str, str]] = ()) -> str:
    """The template with the text in place of {text}, after examples of it with their answers, a blank line between."""
    if template.count("{text}") != 1:
        raise UserError(f"the prompt {template!r:.60} must hold {{text}} once, where the text belongs")
    before, after = template.split("{text}")
    done = [f"{before}{example}{after}{answer}" for example, answer in shots]
    return "\n\n".join([*done, f"{before}{text}{after}"])
