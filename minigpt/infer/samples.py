"""What a model shows of what it learnt: a continued text, filled gaps, a text written again, two sentences judged."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.infer.generate import generate, generate_text
from minigpt.infer.sampling import GREEDY, Sampling
from minigpt.model import Batch, Params, Transformer
from minigpt.ops import IGNORED
from minigpt.text import Tokenizer
from minigpt.train import TextData, take_rows

HOT = Sampling(0.8)  # temperature
GAP = "[...]"
VERDICTS = ("follows", "does not follow")  # labels 0 and 1


def write_sample(
    model: Transformer, params: Params, tokenizer: Tokenizer, data: TextData, *, seed: int, tokens: int = 60
) -> str:
    """A sample that fits the objective of `data`, about `tokens` tokens long; another one for another seed."""
    rng = np.random.default_rng(seed)
    return SAMPLES[data.record.sample](model, params, tokenizer, data, rng, tokens)


def _continued(
    model: Transformer, params: Params, tokenizer: Tokenizer, _data: TextData, rng: np.random.Generator, tokens: int
) -> str:
    """A text from an empty prompt."""
    return "".join(generate_text(model, params, tokenizer, "", tokens, sampling=HOT, rng=rng, past_the_end=True))


def _gap(
    model: Transformer, params: Params, tokenizer: Tokenizer, data: TextData, rng: np.random.Generator, tokens: int
) -> str:
    """A held-out text with what was written into its middle: before [written] after."""
    window, special = data.windows[rng.integers(len(data.windows))], data.folder.special
    side = max(1, min(tokens, len(window) - 4) // 3)  # before, inside and after are of equal length
    before, after = window[:side], window[2 * side : 3 * side]
    prompt = np.concatenate([[special["prefix"]], before, [special["suffix"]], after, [special["middle"]]])
    written = list(generate(model, params, prompt, side, sampling=HOT, rng=rng))
    return f"{tokenizer.decode(before)}[{tokenizer.decode(written)}]{tokenizer.decode(after)}"


def _filled(
    model: Transformer, params: Params, tokenizer: Tokenizer, data: TextData, rng: np.random.Generator, tokens: int
) -> str:
    """A held-out text, what the model says of hidden tokens in brackets: [right] or [wrong, not right]."""
    batch = _one_row(data, rng)
    assert batch.targets is not None
    guesses = model.forward(params, batch)[0][0].argmax(axis=-1)  # (T,)
    pieces = []
    for seen, wanted, guess in list(zip(batch.tokens[0], batch.targets[0], guesses, strict=True))[:tokens]:
        said = tokenizer.decode([guess])
        if wanted == IGNORED:
            pieces.append(tokenizer.decode([seen]))
        else:
            pieces.append(f"[{said}]" if guess == wanted else f"[{said}, not {tokenizer.decode([wanted])}]")
    return "".join(pieces)


def _rewritten(
    model: Transformer, params: Params, tokenizer: Tokenizer, data: TextData, rng: np.random.Generator, tokens: int
) -> str:
    """A held-out text with gaps, and what the likeliest writing makes of it."""
    batch, special = _one_row(data, rng), data.folder.special
    assert batch.source is not None and batch.targets is not None
    room = min(tokens, int(np.count_nonzero(batch.targets != IGNORED)))
    source = batch.source if batch.source_present is None else batch.source[batch.source_present][None]
    written = list(
        generate(model, params, batch.tokens[0, :1], room, sampling=GREEDY, source=source, stop_tokens=[special["end"]])
    )
    return f"{_with_gaps(tokenizer, source[0], special)}  ->  {_with_gaps(tokenizer, written, special)}"


def _judged(
    model: Transformer, params: Params, tokenizer: Tokenizer, data: TextData, rng: np.random.Generator, tokens: int
) -> str:
    """Two held-out sentences, and whether the second follows: what the model says, and what is true."""
    batch = _one_row(data, rng)
    assert batch.labels is not None and batch.present is not None and batch.segments is not None
    scores = model.forward(params, batch)[0][0]  # (2,)
    probability = np.exp(scores - scores.max())
    said = int(scores.argmax())
    sentences = [_sentence(tokenizer, batch, segment) for segment in (0, 1)]
    sure, truth = probability[said] / probability.sum(), VERDICTS[batch.labels[0]]
    return f"{VERDICTS[said]}, {sure:.0%} sure (in truth it {truth}): {sentences[0]} | {sentences[1]}"


def _one_row(data: TextData, rng: np.random.Generator) -> Batch:
    """One text of the first held-out batch, (1, T)."""
    batch = data.held_out()[0].batch
    row = int(rng.integers(len(batch.tokens)))
    return take_rows(batch, slice(row, row + 1))


def _sentence(tokenizer: Tokenizer, batch: Batch, segment: int) -> str:
    """One of the two sentences, without its marks."""
    assert batch.present is not None and batch.segments is not None
    ids = batch.tokens[batch.present & (batch.segments == segment)]
    return tokenizer.decode(ids[1:-1] if segment == 0 else ids[:-1]).strip()


def _with_gaps(tokenizer: Tokenizer, ids: Any, special: dict[str, int]) -> str:
    """The text of the ids, a gap for every mask or sentinel; the end is left out."""
    text = ""
    marks = set(special.values())
    for id_ in ids:
        text += tokenizer.decode([id_]) if id_ not in marks else "" if id_ == special["end"] else GAP
    return text


SAMPLES: dict[str, Callable[..., str]] = {
    "continued": _continued,
    "gap": _gap,
    "filled": _filled,
    "rewritten": _rewritten,
    "judged": _judged,
}
