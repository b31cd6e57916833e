"""Choosing by likelihood: which of several continuations does a decoder find likeliest after a prompt?

Brown et al. (2020), arXiv:2005.14165, section 2.4: of a classifier without training, or with a few examples in its
prompt. A choice that is likely anywhere wins too often, so what it gets after a prompt without content is taken off
(Zhao et al. 2021, "Calibrate Before Use", arXiv:2102.09690; Holtzman et al. 2021, arXiv:2104.08315).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.infer.window import check_writes
from minigpt.measure.surprise import surprise
from minigpt.model import Batch, Call, Transformer
from minigpt.ops import softmax_forward

ROWS = 16  # of a batch


def choice_nats(
    model: Transformer, params: Any, tokenizer: Any, prompts: Sequence[str], choices: Sequence[str]
) -> np.ndarray:
    """The logarithm of each choice's probability after each prompt: (N, K), in nats, summed over its tokens.

    `UserError` for a model that does not continue texts, a choice without tokens, and a prompt that does not fit into
    the context together with the longest choice.
    """
    check_writes(model)
    check_tokenizer(model, tokenizer)
    ends = [tokenizer.encode(choice) for choice in choices]
    if not all(len(end) for end in ends):
        raise UserError(f"the choice {choices[[len(end) for end in ends].index(0)]!r} has no token; give it some text")
    rows = []
    for number, prompt in enumerate(prompts):
        begin = tokenizer.encode(prompt)
        longest = max(map(len, ends))
        if not 0 < len(begin) <= model.config.context - longest:
            raise UserError(
                f"prompt {number + 1} has {len(begin):,} tokens and the longest choice {longest}, but the model sees "
                f"{model.config.context:,} together and needs one before the choice; shorten it, or give fewer examples"
            )
        rows += [(begin, end) for end in ends]
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][0]) + len(rows[row][1]))
    found = np.empty(len(rows))
    for first in range(0, len(order), ROWS):
        some = order[first : first + ROWS]
        found[some] = _nats(model, params, [rows[row] for row in some])
    return found.reshape(len(prompts), len(choices))


def _nats(model: Transformer, params: Any, rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(B,) the log probability of each row's end after its beginning."""
    whole = [np.concatenate(row)[:-1] for row in rows]
    longest = max(map(len, whole))
    tokens = np.zeros((len(rows), longest), np.int64)  # padded at the end, which no earlier position sees
    for row, ids in enumerate(whole):
        tokens[row, : len(ids)] = ids
    logits, _ = model.forward(params, Batch(tokens), Call().forward_only())
    found = np.empty(len(rows))
    for row, (begin, end) in enumerate(rows):
        found[row] = -surprise(logits[row, len(begin) - 1 : len(begin) - 1 + len(end)], end).sum()
    return found


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
