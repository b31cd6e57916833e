"""Beam search: keep several beginnings of a text and extend them side by side.

Greedy writing cannot take back a token. Beam search looks for the whole continuation that the model finds likeliest
(Sutskever, Vinyals & Le 2014, arXiv:1409.3215, section 3.2).
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.window import Window, check_prompt
from minigpt.machine import available_memory
from minigpt.model import Params, Transformer

FLOAT, DOUBLE = 4, 8  # bytes


class Beam(NamedTuple):
    """A continuation found by `beam_search`."""

    tokens: list[int]  # after the prompt; the last may be a stop token
    log_probability: float  # of all its tokens together, in nats
    score: float  # log_probability / length penalty: what beams are ranked by


def beam_search(
    model: Transformer,
    params: Params,
    tokens: np.ndarray,
    max_new_tokens: int,
    *,
    beams: int = 4,
    length_penalty: float = 0.0,
    stop_tokens: tuple[int, ...] = (),
    source: np.ndarray | None = None,
    vocabulary_size: int | None = None,
) -> list[Beam]:
    """The best continuations of a prompt. Sutskever, Vinyals & Le (2014), arXiv:1409.3215, section 3.2.

    Each step extends every open beam by every token and keeps the `beams` likeliest. One that takes a stop token, or
    has `max_new_tokens` tokens, is complete. One beam is greedy; as many beams as there are continuations is
    exhaustive search.

    Parameters
    ----------
    model, params : Transformer, Params
        A decoder, or an encoder-decoder.
    tokens : (T,) integers
        The prompt.
    max_new_tokens : int
        How many at most.
    beams : int
        How many beginnings are kept.
    length_penalty : float
        The exponent alpha of Wu et al. (2016), arXiv:1609.08144, eq. 14: scores are divided by ((5 + length) /
        6)^alpha. At 0 a longer text never scores better than its own beginning, so short ones win.
    stop_tokens : tuple of int
        A continuation ends with the first of these.
    source : (S,) integers, optional
        What an encoder-decoder reads while it writes.
    vocabulary_size : int, optional
        As in `generate`.

    Returns
    -------
    list of Beam
        `tokens`, `log_probability` in nats, `score`; best first, at most `beams` of them.

    Raises
    ------
    UserError
        For a prompt that is empty or not one sequence, for numbers that do not fit, and for beams that the memory
        does not hold.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> best, second = minigpt.beam_search(model, model.init(np.random.default_rng(0)), np.array([5, 6]), 3, beams=2)
    >>> len(best.tokens), best.score >= second.score
    (3, True)
    """
    tokens = check_prompt(tokens)
    if tokens.ndim != 1 or beams < 1 or max_new_tokens < 1 or length_penalty < 0:
        raise UserError(
            f"beam search takes one prompt, at least 1 beam and 1 token, and a length penalty of at least 0, "
            f"not a prompt of shape {tokens.shape}, {beams} beams, {max_new_tokens} tokens and {length_penalty}"
        )
    source = None if source is None else source[None]
    _check_memory(model, len(tokens), max_new_tokens, beams)
    window = Window(model, params, tokens[None], room=max_new_tokens, source=source, vocabulary_size=vocabulary_size)
    open_tokens, open_sums = np.zeros((1, 0), np.int64), np.zeros(1)  # (K, n), (K,)
    complete: list[Beam] = []
    for length in range(1, max_new_tokens + 1):
        sums = open_sums[:, None] + _log_softmax(window.logits())  # (K, V)
        best = np.argsort(-sums, axis=None, kind="stable")[:beams]
        parents, ids = np.unravel_index(best, sums.shape)
        open_tokens, open_sums = np.column_stack([open_tokens[parents], ids]), sums[parents, ids]
        done = np.isin(ids, stop_tokens) | (length == max_new_tokens)
        penalty = _penalty(length, length_penalty)
        for sequence, total in zip(open_tokens[done], open_sums[done], strict=True):
            complete.append(Beam(sequence.tolist(), float(total), float(total) / penalty))
        complete = sorted(complete, key=lambda beam: -beam.score)[:beams]
        going = ~done
        open_tokens, open_sums = open_tokens[going], open_sums[going]
        # A sum only falls and the penalty is largest at the end, so no open beam can score above this.
        reachable = open_sums.max(initial=-np.inf) / _penalty(max_new_tokens, length_penalty)
        if not going.any() or (len(complete) == beams and complete[-1].score >= reachable):
            break
        window.select(parents[going])
        window.append(ids[going])
    return complete


def _check_memory(model: Transformer, prompt: int, max_new_tokens: int, beams: int) -> None:
    """`UserError` for more beams than there is memory for: their keys and values, and the scores of every extension."""
    config, free = model.config, available_memory()
    length = min(config.context, prompt + max_new_tokens)
    kept = 2 * config.layers * length * config.key_value_heads * config.head_width * FLOAT
    scores = config.vocabulary_size * (FLOAT + 4 * DOUBLE)  # logits, their softmax, sums, and the order of all
    needed = beams * (2 * kept + scores)  # twice while beams are chosen
    if free is not None and needed > free:
        raise UserError(
            f"{beams:,} beams need about {needed / 1e9:,.1f} GB, but {free / 1e9:,.1f} GB are free; ask for fewer beams"
        )


def _penalty(length: int, alpha: float) -> float:
    """Wu et al. (2016), eq. 14."""
    return ((5 + length) / 6) ** alpha


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """log softmax over the last axis, in float64 since many are added up. logits: (K, V)."""
    shifted = logits - logits.max(axis=-1, keepdims=True).astype(np.float64)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
