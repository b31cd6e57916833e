"""All that is shown of one text: what the model says, what speaks for it by several methods, where the heads look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.attention import attention_maps, rollout
from minigpt.explain.direct import direct_attribution
from minigpt.explain.integrated import AHEAD, NAME, summing
from minigpt.explain.lens import logit_lens
from minigpt.explain.methods import METHODS
from minigpt.explain.patching import activation_patching, attribution_patching
from minigpt.explain.question import EMBEDDING, SOURCE, Question, ask
from minigpt.explain.read import Reading, read_text
from minigpt.measure.surprise import DAMAGED
from minigpt.model import Call
from minigpt.objectives.special import SPELLINGS
from minigpt.ops import softmax_forward
from minigpt.pretrained.tuned import has_tuned, open_tuned_folder
from minigpt.progress import progress_bar

MOST = 64  # tokens of each stack: what a page can show
FAST = ("gradient x input", "integrated gradients", "occlusion")  # the methods that are asked if nobody names any
SHOWN = 12  # parts of the sum over heads and layers
SAME = "After the other text the model says the same, so nothing is compared or carried over."
EXACT = 100  # patches that are tried one by one; more are told to first order
FROM_OTHER, AHEAD_OF_ALL = "from the other text", "the first token ahead"
WAYS = {  # of integrated gradients -> what it means
    "": "The way begins at tokens that say nothing in particular, the mean of many.",
    FROM_OTHER: "The way begins at the other text, so what both have gets nothing.",
    AHEAD_OF_ALL: "From tokens that say nothing in particular the straight way was too rough to sum: it leaps while "
    "the first token, which takes the attention that has nowhere else to go, is half itself. So that token went ahead "
    "of all others, and gets the difference that it makes alone.",
}


def place_name(place: str, labels: Mapping[str, Sequence[str]]) -> str:
    """What people call a place, or the maps between two. labels: of all places of the model."""
    written = "what is written" if SOURCE in labels else "the text"
    return {EMBEDDING: written, SOURCE: "what is read", "across": "what is written, looking at what is read"}[place]


@dataclass(frozen=True)
class Scores:
    """What one method says, or why it does not."""

    method: str
    by_place: dict[str, np.ndarray] = field(default_factory=dict)  # place -> (T,)
    error: float | None = None  # the share of what the scores should sum to that is missing
    way: str = ""  # how it was asked, where that is not as usual: one of `WAYS`
    refused: str = ""


@dataclass(frozen=True)
class Explanation:
    """What is shown of one text."""

    model: str
    text: str
    target: str  # the answer that is explained, in words
    value: float  # its score, less that of `against`
    probability: float | None
    against: str  # the answer that it is compared with, in words; "" for none
    other: str  # the other text; "" for none
    labels: dict[str, list[str]]  # place -> a word for each position
    scores: list[Scores]
    lens: list[tuple[str, list[tuple[str, float]]]]  # layer -> the likeliest answers there, with their probability
    parts: list[tuple[str, float]]  # the largest terms of the score as a sum over heads and layers
    rest: float  # the sum of the others
    maps: dict[str, np.ndarray]  # stack -> (L, H, T, S) attention
    rolled: dict[str, np.ndarray]  # stack -> (T,) rollout from where the answer is
    patched: np.ndarray | None = None  # (L, T) share of the way to the other text's answer
    patched_heads: np.ndarray | None = None  # (L, H)
    exact: bool = True  # whether patches were tried one by one

    @property
    def same(self) -> bool:
        """Whether there is another text, and the model says the same of it."""
        return bool(self.other) and self.probability is not None and not self.against


def explain_text(
    opened: Any,
    text: str,
    *,
    other: str | None = None,
    methods: Sequence[str] = FAST,
    rng: np.random.Generator | None = None,
    progress: bool = False,
) -> Explanation:
    """Explain what a model says after a text, of it or in its gap.

    Parameters
    ----------
    opened : OpenedModel
        Any model that reads text.
    text : str
        At most 64 tokens. For a model that fills gaps it has its mask in it.
    other : str, optional
        Another text, of as many tokens. The likeliest answer there is what this one's is compared with, and activations
        are carried over from there. A model without a head, such as MiniLM, needs one: explained is what makes the two
        alike.
    methods : list of str
        Names of `METHODS`.
    rng : numpy.random.Generator, optional
        Of the methods that draw.
    progress : bool
        Draw a bar over the methods.

    Returns
    -------
    Explanation

    Raises
    ------
    UserError
        For a text that is too long, has no gap or is empty; for texts of different lengths; for a damaged model.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    reading = _read(opened, text)
    second = None if other is None else _read(opened, other)
    question, target, against, probability = _question(opened, reading, second)
    with_other = second is not None and opened.model.config.head != "none"
    if with_other and second is not None:
        _check_lengths(reading, second)
    maps, rolled = _attention(question)
    parts, rest = _parts(question)
    start = question.other(second.batch) if with_other and second else None
    patched, heads, exact = (None,) * 3 if start is None else _patched(question, start)
    _check_finite(np.array([score for _, score in parts]), patched, heads, *rolled.values())
    return Explanation(
        opened.name, text, target, question.value(), probability, against, other or "", reading.labels,
        [
            _scores(question, name, rng, start if against else None, progress)
            for name in progress_bar(methods, desc="explaining", disable=not progress)
        ],
        _lens(question, reading), parts, rest, maps, rolled,
        patched, heads, exact is not False,
    )  # fmt: skip


def _read(opened: Any, text: str) -> Reading:
    reading = read_text(opened, text, max_new_tokens=MOST)
    longest = max(map(len, reading.labels.values()))
    if longest > MOST:
        raise UserError(f"the text has {longest} tokens, but an explanation shows at most {MOST}; give a shorter one")
    return reading


def _check_lengths(reading: Reading, second: Reading) -> None:
    lengths = [[len(words) for words in one.labels.values()] for one in (reading, second)]
    if lengths[0] != lengths[1]:
        raise UserError(
            f"the texts have {lengths[0][-1]} and {lengths[1][-1]} tokens, but are compared token by token; give "
            "two of the same length"
        )


def _question(opened: Any, reading: Reading, second: Reading | None) -> tuple[Question, str, str, float | None]:
    """What is asked, the answer in words, the one it is compared with, and the answer's probability."""
    model, params, config = opened.model, opened.params, opened.model.config
    if config.head == "none":
        if second is None:
            raise UserError(f"{opened.name} only turns texts into vectors; name another text: what makes them alike?")
        direction = model.forward(params, second.batch, Call().forward_only())[0][0].mean(axis=0)
        direction = np.asarray(direction / np.linalg.norm(direction), np.float64)
        return ask(model, params, reading.batch, direction, position="mean"), "being like the other text", "", None
    if config.head in ("span", "token", "pretraining"):
        raise UserError(f"an explanation is of one answer, and {opened.name} (head {config.head}) gives several")
    position = _gap(reading, opened.tokenizer) if config.head == "masked" else _last(reading)
    scores = _row(model.forward(params, reading.batch, Call().forward_only())[0], position)
    if not np.isfinite(scores).all():
        raise UserError(DAMAGED)
    best = int(scores.argmax())
    probability = float(softmax_forward(scores.astype(np.float64))[0][best])
    rival = None
    if second is not None:
        rival = int(_row(model.forward(params, second.batch, Call().forward_only())[0], position).argmax())
        rival = None if rival == best else rival
    said = _answer(opened, reading, best)
    against = "" if rival is None else _answer(opened, reading, rival)
    return ask(model, params, reading.batch, best, against=rival, position=position), said, against, probability


def _last(reading: Reading) -> int:
    """After a text its end; of what an encoder-decoder has written, the last token before the mark of its end."""
    return -2 if SOURCE in reading.labels and len(reading.labels[EMBEDDING]) > 1 else -1


def _gap(reading: Reading, tokenizer: Any) -> int:
    mask = next((mark for mark in SPELLINGS["mask"] if mark in tokenizer.special_tokens), None)
    if mask is None:
        raise UserError("this model fills gaps, but its tokenizer has no token that masks; take another one")
    found = [place for place, word in enumerate(reading.labels[EMBEDDING]) if word == mask]
    if len(found) != 1:
        raise UserError(f"this model fills a gap, so the text must hold {mask} once, and it does {len(found)} times")
    return found[0]


def _row(output: Any, position: int) -> np.ndarray:
    """The scores of all answers: (V,)."""
    return output[0] if output.ndim == 2 else output[0, position]


def _answer(opened: Any, reading: Reading, index: int) -> str:
    """An answer in words: a token, or a class by its name if that is known."""
    if opened.model.config.head != "sequence":
        return reading.answer(index)
    classes = open_tuned_folder(opened.name).labels if opened.name and has_tuned(opened.name) else ()
    return classes[index] if index < len(classes) else f"class {index}"


def _scores(question: Question, name: str, rng: np.random.Generator, start: Question | None, progress: bool) -> Scores:
    """start: the same of the other text, where integrated gradients begin if there is one."""
    way = ""
    try:
        if name == NAME:
            found = summing(question, other=start, progress=progress)
            way = FROM_OTHER if start is not None else AHEAD_OF_ALL if found.method == AHEAD else ""
        else:
            found = METHODS[name].explain(question, rng)
    except UserError as error:  # such as one whose sum does not come out
        return Scores(name, refused=str(error))
    _check_finite(*found.scores.values())
    return Scores(name, dict(found.scores), found.error, way)


def _check_finite(*arrays: np.ndarray | None) -> None:
    """`UserError` for what a damaged model's gradients, or activations, make."""
    if not all(np.isfinite(array).all() for array in arrays if array is not None):
        raise UserError(DAMAGED)


def _lens(question: Question, reading: Reading) -> list[tuple[str, list[tuple[str, float]]]]:
    """The likeliest answers where the question is, after each layer; nothing of a model without words to say."""
    config = question.model.config
    if config.head not in ("language", "masked"):
        return []
    lens = logit_lens(question.model, question.params, question.batch, top=3)
    position = int(np.abs(question.weights[0]).sum(axis=-1).argmax())
    rows = []
    for name, tokens, shares in zip(lens.names, lens.tokens[:, position], lens.probabilities[:, position], strict=True):
        rows.append((name, [(reading.answer(int(id_)), float(p)) for id_, p in zip(tokens, shares, strict=True)]))
    return rows


def _parts(question: Question) -> tuple[list[tuple[str, float]], float]:
    """The largest terms of the score, and the sum of the others; nothing where the score is no sum of them."""
    try:
        found = direct_attribution(question)
    except UserError:
        return [], 0.0
    order = np.argsort(-np.abs(found.scores))[:SHOWN]
    largest = [(found.names[place], float(found.scores[place])) for place in order.tolist()]
    return largest, float(found.scores.sum() - sum(score for _, score in largest))


def _attention(question: Question) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The maps of each stack, and the rollout of each from the answer's position, or the mean of all."""
    found = attention_maps(question.model, question.params, question.batch)
    named = {EMBEDDING: found.attention, SOURCE: found.encoder, "across": found.cross}
    maps = {name: weights for name, weights in named.items() if weights is not None and weights.size}
    rolled = {}
    for name in (EMBEDDING, SOURCE):
        if name in maps:
            last = rollout(maps[name])[-1]
            weights = question.weights if isinstance(question.weights, np.ndarray) else question.weights[0]
            at_one = name == EMBEDDING and weights.ndim == 3 and question.model.config.head != "none"
            rolled[name] = last[int(np.abs(weights[0]).sum(axis=-1).argmax())] if at_one else last.mean(axis=0)
    return maps, rolled


def _patched(question: Question, other: Question) -> tuple[np.ndarray | None, np.ndarray | None, bool]:
    """How far each place and each head takes the answer to the other text's, and whether it was tried one by one."""
    layers, length = question.model.config.layers, question.lengths()[EMBEDDING]
    exact = layers * max(length, question.model.config.heads) <= EXACT
    patch = activation_patching if exact else attribution_patching
    try:
        return patch(question, other), patch(question, other, what="heads"), exact
    except UserError:  # the two texts get the same answer, so there is nothing to carry over
        return None, None, exact
