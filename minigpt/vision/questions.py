"""Questions about pictures, with their answers: from a .jsonl file, or a named set."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json, read_text
from minigpt.text.fetch import Package, fetch_package
from minigpt.values import TABLE, TEXT, about, check, parse_json, read, shown
from minigpt.vision.augment import Augmentation
from minigpt.vision.images import check_room
from minigpt.vision.named import TEST
from minigpt.vision.png import read_header, read_png
from minigpt.vision.scenes import SET, digit_scenes

EASY_VQA = Package(
    "easy-vqa", "1.0", "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f", "easy_vqa/data", 3.2, "MIT"
)
CAPTION = "what is to be seen?"  # asked of every scene


class Questions(NamedTuple):
    """N questions about P pictures of one size."""

    pixels: np.ndarray  # (P, Y, X, Z) bytes
    pictures: np.ndarray  # (N,) about which picture each is
    questions: tuple[str, ...]  # (N,)
    answers: tuple[str, ...]  # (N,)

    def take(self, rows: Sequence[int] | np.ndarray) -> "Questions":
        """Some of the questions, with the pictures that they are about."""
        chosen = [int(row) for row in rows]
        kept, pictures = np.unique(self.pictures[chosen], return_inverse=True)
        texts = (tuple(some[row] for row in chosen) for some in (self.questions, self.answers))
        return Questions(self.pixels[kept], pictures.reshape(-1), *texts)


def read_questions(source: str | Path) -> Questions:
    """The questions of a named set, or of a .jsonl file: in each line `image`, a path from there, `question`, `answer`.

    `UserError` names the line, or the picture, that is wrong.
    """
    if str(source) in QUESTION_SETS:
        return NAMED_QUESTIONS[str(source).removesuffix(TEST)].read(str(source))
    path = Path(source)
    if path.suffix.lower() != ".jsonl":
        known = " or ".join(NAMED_QUESTIONS)
        raise UserError(f"{path} has the ending {path.suffix!r}; questions are read from .jsonl, or are {known}")
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            with about(f"{path}, line {number}"):
                rows.append(_row(line, path.parent))
    if not rows:
        raise UserError(f"{path} holds no question; choose another file")
    return _gathered([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def _row(line: str, folder: Path) -> tuple[Path, str, str]:
    try:
        value = parse_json(line)
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserError(f"this is no JSON ({error}); each line must be one whole object") from None
    check("it", value, TABLE)
    image, question, answer = (read(value, name, TEXT).strip() for name in ("image", "question", "answer"))
    if not (image and question and answer):
        raise UserError("image, question or answer is empty; write something there")
    for text in (image, question, answer):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{shown(text)} has half a character at {error.start}; write it whole") from None
    if "\0" in image:
        raise UserError(f"image is {shown(image)}, which no file is called; name one")
    return folder / image, question, answer


def _gathered(paths: Sequence[Path], questions: Sequence[str], answers: Sequence[str]) -> Questions:
    """Every picture is read once, however many questions are about it."""
    numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
    first = read_header(paths[0]).size
    check_room(len(numbers) * int(np.prod(first)), f"{len(numbers):,} pictures")
    pixels = np.empty((len(numbers), *first), np.uint8)
    for path, number in numbers.items():
        if read_header(path).size != first:
            raise UserError(f"{path} is {read_header(path).size}, but {paths[0]} is {first}; make all of one size")
        pixels[number] = read_png(path)
    return Questions(pixels, np.array([numbers[path] for path in paths]), tuple(questions), tuple(answers))


def _easy_vqa(name: str) -> Questions:
    """Each row of its questions.json is a question, its answer and the number of its picture."""
    folder, part = fetch_package(EASY_VQA), "test" if name.endswith(TEST) else "train"
    path = folder / part / "questions.json"
    rows = read_json(path, check=lambda value: isinstance(value, list) and all(_is_easy(row) for row in value))
    pictures = [folder / part / "images" / f"{row[2]}.png" for row in rows]
    return _gathered(pictures, [row[0].strip() for row in rows], [row[1].strip() for row in rows])


def _is_easy(row: Any) -> bool:
    return isinstance(row, list) and [type(value) for value in row] == [str, str, int]


def _captions(name: str) -> Questions:
    """Of every scene its caption."""
    pixels, captions = digit_scenes(name)
    return Questions(pixels, np.arange(len(captions)), (CAPTION,) * len(captions), captions)


class NamedQuestions(NamedTuple):
    """Where a named set comes from, and what suits it."""

    read: Callable[[str], Questions]  # its name, or that of its test
    augment: Augmentation  # what does not change the answers
    times: int  # that each question is asked
    first: str | None  # the questions that begin so are asked alone for a while
    areas: int | None  # of a picture, a side, whose means stand ahead of a question; None: see `asking_config`
    weight_decay: float
    word_dropout: float  # share of an answer's words that are covered while the next is learnt


NAMED_QUESTIONS = {
    "easy-vqa": NamedQuestions(_easy_vqa, Augmentation(), 3, "what", 2, 0.05, 0.0),
    # The text alone foretells no "an" after "a two above", where an eight was never trained on: covered, it cannot.
    SET: NamedQuestions(_captions, Augmentation(shift=1, turn=8.0), 8, None, 4, 0.05, 0.6),
}
OTHERS = NamedQuestions(read_questions, Augmentation(), 4, None, None, 0.05, 0.0)  # of somebody's file
QUESTION_SETS = tuple(f"{name}{part}" for name in NAMED_QUESTIONS for part in ("", TEST))


def blind_answers(learnt: Questions, asked: Questions) -> tuple[str, ...]:
    """What somebody says who sees no picture: the most frequent answer to the same question, or to any."""
    usual = Counter(learnt.answers).most_common(1)[0][0]
    counts: dict[str, Counter[str]] = {}
    for question, answer in zip(learnt.questions, learnt.answers, strict=True):
        counts.setdefault(question, Counter())[answer] += 1
    return tuple(counts[question].most_common(1)[0][0] if question in counts else usual for question in asked.questions)


def check_size(found: Questions, size: tuple[int, ...], what: str) -> None:
    """`UserError` unless the pictures are of this size, Y, X, Z."""
    if found.pixels.shape[1:] != tuple(size):
        raise UserError(
            f"the pictures of {what} are {shown(found.pixels.shape[1:])}, not {tuple(size)}; make them alike"
        )
