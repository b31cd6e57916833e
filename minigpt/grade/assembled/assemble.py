"""Runs a GPT made of a student's pieces, in the sandbox, beside the library's own."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.check import GradientError, check_gradient
from minigpt.check.model import random_params
from minigpt.errors import UserError, visible_line
from minigpt.grade.assembled import gpt
from minigpt.grade.assembled.parts import Piece, find_pieces, library_source
from minigpt.grade.classroom import work_of
from minigpt.grade.grader import Exam
from minigpt.grade.sandbox import Caller, Failed, Submission, demand_array
from minigpt.grade.work import Work
from minigpt.measure import unigram_nats
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.objectives import causal_lm, loss, loss_and_gradient
from minigpt.optim import adamw, clip_by_global_norm, warmup_cosine
from minigpt.progress import progress_bar
from minigpt.text import CharacterTokenizer, load_corpus

SMALL = TransformerConfig(vocabulary_size=11, context=5, width=12, layers=2, heads=3, feed_forward_width=20)
CONTEXT, HEADS = 64, 4
SETTINGS = {"peak": 3e-3, "maximum": 1.0, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.1}
CHARACTERS = 300_000  # of text to train on: what one question can hold
ROWS, STEPS, AT_ONCE = 12, 200, 10  # windows to a step; steps; steps that one call makes
PROMPT, WRITTEN, LIKELIEST = 24, 240, 10  # characters that are given, that are written, and each among so many
ENTRY = ("loss_and_gradient", "begin", "train", "write")  # what of `gpt.py` is asked


class Lesson(NamedTuple):
    """What both models learn from: a text as tokens, and where the windows of each step begin, (steps, rows)."""

    tokenizer: CharacterTokenizer
    tokens: np.ndarray
    starts: np.ndarray

    def windows(self, step: int) -> np.ndarray:
        """(rows, context + 1) tokens."""
        return self.tokens[self.starts[step][:, None] + np.arange(CONTEXT + 1)]


@dataclass
class Assembled:
    """What came of it.

    problem: why it could not be run to its end. gradient: what the check of the whole found wrong, "" if nothing.
    yours, library: losses in nats per token, a number a step. baselines: name -> nats. text: what it wrote.
    """

    pieces: list[Piece]
    seed: int
    gradient: str | None = None
    yours: list[float] = field(default_factory=list)
    library: list[float] = field(default_factory=list)
    baselines: dict[str, float] = field(default_factory=dict)
    text: str = ""
    problem: str = ""

    @property
    def apart(self) -> float:
        """The largest distance of the two curves, in nats."""
        return float(np.max(np.abs(np.subtract(self.yours, self.library))))

    @property
    def passed(self) -> bool:
        """Whether no piece is wrong, the gradient of the whole is right, and it ran to its end."""
        return not self.problem and self.gradient == "" and not any(piece.wrong for piece in self.pieces)


def assemble(
    path: str | Path,
    exam: Exam,
    *,
    steps: int = STEPS,
    text: str | None = None,
    told: Callable[[str], None] = print,
) -> Assembled:
    """Put the pieces in a folder (or a file) together: judge each, check the gradient of the whole, train, write.

    steps: of the training. text: to learn from; None: Python's documentation. told: is called with a line when
    something long begins. `UserError` if there is no work in the folder, or no piece in it.
    """
    student = work_of(Path(path))
    for line in student.problems:
        told(f"note: {visible_line(line)}")
    told(f"judging the pieces of {visible_line(str(path))}")
    found = Assembled(find_pieces(student.works, exam), exam.seed)
    if all(piece.work is None for piece in found.pieces):
        names = ", ".join(piece.functions[0] for piece in found.pieces)
        raise UserError(f"{path} holds no piece of a GPT; write one or more of {names}")
    try:
        with np.errstate(all="ignore"), _put_together(found.pieces, exam) as caller:
            found.gradient = check_whole(caller, exam.seed)
            lesson = _lesson(exam.seed, steps, _documentation() if text is None else text)
            _train_both(found, caller, lesson, told)
    except Failed as failed:
        found.problem = visible_line(str(failed))
    return found


def _put_together(pieces: Sequence[Piece], exam: Exam) -> Submission:
    """A process with the files of all pieces, each in a namespace of its own, and `gpt.py`, which is given them."""
    works = {piece.work.path: piece.work for piece in pieces if piece.work is not None}
    numbers = {path: f"{number}." for number, path in enumerate(works)}
    missing = [piece for piece in pieces if piece.work is None]
    given = {
        name: (numbers[piece.work.path] if piece.work else "library.") + name
        for piece in pieces
        for name in piece.functions
    }
    first, *others = works.values()
    submission = Submission(first, _of(first, pieces), exam.limits, prefix=numbers[first.path])
    try:
        for work in others:
            submission.load(work, _of(work, pieces), prefix=numbers[work.path])
        names = [name for piece in missing for name in piece.functions]
        submission.load(library_source(missing), names, prefix="library.", own=False)
        plain = Work("gpt.py", (("gpt.py", inspect.getsource(gpt).encode()),))
        submission.load(plain, ENTRY, given=given, own=False)
    except BaseException:
        submission.close()
        raise
    return submission


def _of(work: Work, pieces: Sequence[Piece]) -> list[str]:
    return [name for piece in pieces if piece.work is work for name in piece.functions]


def check_whole(caller: Caller, seed: int) -> str:
    """What is wrong with the loss and the gradient of a whole small GPT; "" if nothing is.

    The loss is compared with the library's, and the gradient of each array with central differences of that.
    """
    model, rng = Transformer(SMALL), np.random.default_rng(seed)
    params = random_params(model, rng)
    batch = causal_lm(rng.integers(0, SMALL.vocabulary_size, (2, SMALL.context + 1)))

    def filled(arrays: Sequence[np.ndarray]) -> Params:
        current = Params(params.arrays, dtype=arrays[0].dtype)
        for name, array in zip(params, arrays, strict=True):
            current[name] = array
        return current

    def forward(*arrays: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        return np.asarray(loss(model, filled(arrays), batch), arrays[0].dtype), [array.copy() for array in arrays]

    def backward(dloss: Any, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        _, gradients = _ask(caller, dict(zip(params, arrays, strict=True)), batch)
        return tuple((gradients[name] * dloss).astype(dloss.dtype) for name in params)

    arrays = [array.copy() for _, array in params.items()]
    yours, _ = _ask(caller, dict(zip(params, arrays, strict=True)), batch)
    right = float(loss(model, params, batch))
    if abs(yours - right) > 1e-9 * abs(right):
        return f"the loss of the whole is wrong: yours {yours:.8g}, the library's {right:.8g}"
    try:
        check_gradient(forward, backward, *arrays, seed=seed, samples=3, names=list(params)).raise_if_wrong()
    except GradientError as error:
        return f"the loss of the whole is right, but {error}"
    return ""


def _ask(caller: Caller, arrays: dict[str, np.ndarray], batch: Any) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of a small GPT and the gradient of each array."""
    answer = caller.call("loss_and_gradient", [arrays, batch.tokens, batch.targets, SMALL.heads])
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
        raise Failed("loss_and_gradient disturbed the process that graded it", final=True)
    value = float(demand_array("the loss of the whole", _numbers(answer[0]), ()))
    return value, {
        name: demand_array(f"the gradient of {name} in the whole", answer[1].get(name), array.shape)
        for name, array in arrays.items()
    }


def _documentation() -> str:
    """Some of Python's documentation, always the same."""
    documents = load_corpus("pydocs", progress=False).training
    order = np.random.default_rng(0).permutation(len(documents))
    return "\n\n".join(documents[i] for i in order)[:CHARACTERS]


def _lesson(seed: int, steps: int, text: str) -> Lesson:
    """The text as characters, and places in it."""
    tokenizer = CharacterTokenizer.train([text])
    tokens = tokenizer.encode(text).astype(np.int64)
    starts = np.random.default_rng(seed).integers(0, len(tokens) - CONTEXT, (steps, ROWS))
    return Lesson(tokenizer, tokens, starts)


def _train_both(found: Assembled, caller: Caller, lesson: Lesson, told: Callable[[str], None]) -> None:
    """Train the student's and the library's model from the same parameters on the same windows; let the first write."""
    size, steps = lesson.tokenizer.vocabulary_size, len(lesson.starts)
    model = Transformer(
        TransformerConfig(vocabulary_size=size, context=CONTEXT, width=64, layers=2, heads=HEADS, init_std=0.06)
    )
    params = model.init(np.random.default_rng(found.seed))
    arrays = {name: array.copy() for name, array in params.items()}
    decayed = [name for name, record in params.arrays.items() if record.decays]
    found.baselines = {"uniform": float(np.log(size)), "unigram": unigram_nats(lesson.tokens, lesson.tokens, size)}
    told(f"training the library's GPT and yours, {params.flat.size:,} parameters, {steps} steps each")
    windows = [lesson.windows(step) for step in range(steps)]
    found.library = train_library(model, params, windows, SETTINGS)
    _, state = caller.call("begin", [arrays, decayed, lesson.tokens], keep=True)
    settings = {**SETTINGS, **warmed_up(steps), "context": CONTEXT}
    with progress_bar(total=steps, desc="yours", leave=False) as bar:
        for step in range(0, steps, AT_ONCE):
            part = lesson.starts[step : step + AT_ONCE]
            losses = caller.call("train", [state, part, step, HEADS, settings])
            found.yours += demand_array(
                f"a loss of steps {step} to {step + len(part)}", _numbers(losses), part.shape[:1]
            ).tolist()
            bar.update(len(part))
    uniforms = np.random.default_rng(found.seed).random(WRITTEN).tolist()
    start = lesson.tokens[:PROMPT].tolist()
    told("writing")
    tokens = caller.call("write", [state, start, uniforms, LIKELIEST, CONTEXT, HEADS])
    if not isinstance(tokens, list) or any(type(t) is not int or not 0 <= t < size for t in tokens):
        raise Failed("what sample_top_k chooses is no token", final=True)
    found.text = lesson.tokenizer.decode(tokens[: PROMPT + WRITTEN])


def _numbers(value: Any) -> Any:
    """A float, or a list of them, as an array; anything else as it is."""
    plain = isinstance(value, float) or (isinstance(value, list) and all(isinstance(one, float) for one in value))
    return np.array(value) if plain else value


def warmed_up(steps: int) -> dict[str, int]:
    """The steps of the warm-up, a tenth, and of all."""
    return {"warmup": steps // 10, "total": steps}


def train_library(
    model: Transformer, params: Params, windows: Sequence[np.ndarray], settings: dict[str, float]
) -> list[float]:
    """The losses of the library's own model, a step for each of `windows`, (B, T + 1); `params` is trained in place.

    settings: as `gpt.train` has them.
    """
    s, losses = settings, []
    optimizer = adamw(beta1=s["beta1"], beta2=s["beta2"], weight_decay=s["weight_decay"], decayed=params.matrix_size)
    state, rate = optimizer.init(params.flat), warmup_cosine(s["peak"], **warmed_up(len(windows)))
    for step, window in enumerate(windows):
        value, grads = loss_and_gradient(model, params, causal_lm(window))
        clip_by_global_norm(grads.flat, s["maximum"])
        optimizer.update(params.flat, grads.flat, state, learning_rate=rate(step))
        losses.append(float(value))
    return losses
