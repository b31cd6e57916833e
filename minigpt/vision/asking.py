"""Training a model that is asked about pictures: the picture stands ahead of the question, and the answer is written.

The loss is that of the answer's tokens and of the end after them; the question is given.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import checksum, read_json, write_json
from minigpt.model import Batch, TransformerConfig, preset
from minigpt.objectives import HeldOut
from minigpt.ops import IGNORED
from minigpt.text import BytePairTokenizer, Tokenizer, document_end
from minigpt.train import TrainSettings
from minigpt.train.lock import locked
from minigpt.train.provenance import provenance
from minigpt.values import read, shown
from minigpt.vision.augment import UNCHANGED, Augmentation, augmented
from minigpt.vision.data import CHANGED
from minigpt.vision.named import split
from minigpt.vision.prepare import eye_of
from minigpt.vision.questions import Questions, check_size
from minigpt.vision.run import SEEN_PARTS, SHARE, ImageFolder, described_last, pixel_statistics, write_array

DECODER: dict[str, Any] = {"width": 64, "layers": 2, "heads": 4, "init_std": 0.1}  # of the recipe `tiny`
ENCODER: dict[str, Any] = {"width": 64, "layers": 3, "heads": 4, "position": "learned"}
VOCABULARY = 512
VALIDATION, MOST_VALIDATION = 0.05, 200  # of the pictures, with all their questions
TOKENIZER = "tokenizer.json"
LONGEST = 512  # tokens of a question with its answer: every row of a step is as long as its longest
FIRST = 5  # the first of so many parts of the steps, in which some questions alone are asked
ROWS = 200  # questions that are judged together
AREAS = 2  # of a picture, a side, whose means stand ahead of the question
PATCHES = 8  # beside each other, where nobody says how large they are: shapes and digits are told by their edges


class Sentences:
    """Questions and answers as rows of tokens."""

    def __init__(self, tokenizer: Tokenizer, found: Questions):
        end = document_end(tokenizer)
        assert end is not None, "it was made with one"
        self.end = end
        asked = [tokenizer.encode(question) for question in found.questions]
        said = [np.append(tokenizer.encode(f" {answer}"), end) for answer in found.answers]
        self.rows = [np.concatenate(pair) for pair in zip(asked, said, strict=True)]
        self.given = np.array([len(one) for one in asked])  # (N,) tokens of each question
        self.pictures = found.pictures

    @property
    def longest(self) -> int:
        """Positions of tokens that a model needs."""
        return max(len(row) for row in self.rows) - 1

    def batch(self, rows: np.ndarray, images: np.ndarray) -> Batch:
        """images: (B, Z, Y, X), as the model sees the picture of each of these rows."""
        longest = max(len(self.rows[row]) for row in rows) - 1
        tokens = np.zeros((len(rows), longest), np.int64)
        targets = np.full((len(rows), longest), IGNORED, np.int64)
        for place, row in enumerate(rows):
            ids, given = self.rows[row], int(self.given[row])
            tokens[place, : len(ids) - 1] = ids[:-1]
            targets[place, given - 1 : len(ids) - 1] = ids[given:]
        return Batch(tokens, targets, source=images)

    def word_dropout(self, batch: Batch, share: float, rng: np.random.Generator) -> Batch:
        """Of what is read of the answers, such a share is covered; it is foretold as before.

        From Bowman et al. 2016, "Generating Sentences from a Continuous Space", arXiv:1511.06349. Who reads "a five
        above" knows which words may follow. Where they are covered, the picture must say it. What covers here is the
        token of the end, which is never read otherwise.
        """
        assert batch.targets is not None
        answers = np.zeros(batch.tokens.shape, bool)
        answers[:, 1:] = batch.targets[:, :-1] != IGNORED  # a token is read one place after it is foretold
        return batch._replace(tokens=np.where(answers & (rng.random(answers.shape) < share), self.end, batch.tokens))


class AskingData:
    """What `minigpt.train.train` asks for. What a step sees is a function of the seed and the step."""

    bits_per_nat = None
    counted = "tokens of answers"

    def __init__(self, folder: ImageFolder):
        self.folder, tokenizer = folder, folder.tokenizer()
        self._pixels = {part: np.asarray(folder.pixels(part)) for part in SEEN_PARTS}
        self._found = {part: questions_of(folder, part) for part in SEEN_PARTS}
        self._sentences = {part: Sentences(tokenizer, found) for part, found in self._found.items()}
        words = np.array([question.split()[0] for question in self._found["training"].questions])
        self._every, self._first = np.arange(len(words)), np.flatnonzero(words == folder.corpus.get("first"))
        count = len(self._sentences["validation"].rows)
        self._held_out = [
            HeldOut(self._batch("validation", np.arange(first, min(first + ROWS, count))))
            for first in range(0, count, ROWS)
        ]

    @property
    def steps_per_epoch(self) -> int:
        """Micro-batches in which every question is asked once."""
        return -(-len(self._sentences["training"].rows) // self.folder.settings.batch)

    def batches(self, step: int) -> list[Batch]:
        """See `minigpt.train.TrainingData`."""
        settings, found = self.folder.settings, []
        asked = self._first if step < self.folder.corpus.get("first_steps", 0) else self._every
        for micro in range(step * settings.accumulate, (step + 1) * settings.accumulate):
            epoch, within = divmod(micro, -(-len(asked) // settings.batch))
            order = np.random.default_rng([settings.seed, epoch]).permutation(asked)
            rows = order[within * settings.batch : (within + 1) * settings.batch]
            batch, rng = self._batch("training", rows), np.random.default_rng([settings.seed, micro, CHANGED])
            assert batch.source is not None
            batch = batch._replace(source=augmented(batch.source, self.folder.augment, rng))
            if share := self.folder.corpus.get("word_dropout"):
                batch = self._sentences["training"].word_dropout(batch, share, rng)
            found.append(batch)
        return found

    def held_out(self) -> list[HeldOut]:
        """See `minigpt.train.TrainingData`."""
        return self._held_out

    def _batch(self, part: str, rows: np.ndarray) -> Batch:
        sentences = self._sentences[part]
        return sentences.batch(rows, self.folder.scaled(self._pixels[part][sentences.pictures[rows]]))


def prepare_asking(
    path: str | Path,
    found: Questions,
    test: Questions,
    *,
    name: str = "questions",
    patch: int | None = None,
    areas: int | None = None,
    augment: Augmentation = UNCHANGED,
    first: str | None = None,
    word_dropout: float = 0.0,
    settings: TrainSettings | None = None,
    held: bool = False,
    words: Sequence[str] | None = None,
) -> ImageFolder:
    """Check everything, make the tokenizer, and write pictures, questions and, last, images.json.

    Of the pictures a twentieth validates, with all their questions; on `test` the model is measured once. patch: pixels
    of a patch's side; None: an eighth of the picture's. areas: see `asking_config`. first: in the first fifth of the
    steps only questions are asked that begin with this word. Where answers are many, each says more of its picture than
    yes or no does, and what is hard to see is seen sooner. word_dropout: see `Sentences.word_dropout`. The rest as of
    `prepare_images`.
    """
    path, settings = Path(path), settings or TrainSettings()
    check_size(test, found.pixels.shape[1:], "the test")
    read({"word_dropout": word_dropout}, "word_dropout", SHARE)
    count = min(MOST_VALIDATION, int(VALIDATION * len(found.pixels)))
    if count < 1:
        raise UserError(f"there are {len(found.pixels)} pictures, too few to hold some out; give 20 at least")
    apart = np.isin(found.pictures, split(len(found.pixels), count)[0])
    parts = {"training": found.take(np.flatnonzero(~apart)), "validation": found.take(np.flatnonzero(apart))}
    parts["test"] = test
    training = parts["training"]
    if first is not None and first not in {question.split()[0] for question in training.questions}:
        raise UserError(f"no question begins with the word {first!r}; name one that does, or leave it out")
    texts = [f"{question} {answer}" for question, answer in zip(training.questions, training.answers, strict=True)]
    tokenizer = BytePairTokenizer.train(texts, VOCABULARY, at_most=True, progress=False)
    longest = max(_longest(tokenizer, some, part) for part, some in parts.items())
    mean, deviation = pixel_statistics(training.pixels)
    folder = ImageFolder(
        path,
        asking_config(found.pixels.shape[1:], tokenizer.vocabulary_size, longest, patch, areas),
        settings,
        {
            "name": name,
            **{part: len(some.questions) for part, some in parts.items()},
            "question": _only(training),
            **({} if first is None else {"first": first, "first_steps": settings.steps // FIRST}),
            **({"word_dropout": word_dropout} if word_dropout else {}),
        },
        task="ask",
        labels=tuple(sorted(set(training.answers))),
        mean=mean,
        deviation=deviation,
        augment=augment,
        provenance=provenance(words),
    )
    names = [TOKENIZER, *(f"{part}{kind}" for part in parts for kind in (".npy", "_questions.json"))]
    with nullcontext() if held else locked(path, make_folder=True), described_last(folder, names):
        checksums = folder.corpus["checksums"] = {}
        tokenizer.save(path / TOKENIZER)
        checksums[TOKENIZER] = checksum(path / TOKENIZER)
        for part, some in parts.items():
            checksums |= write_array(path / f"{part}.npy", some.pixels)
            texts_of = path / f"{part}_questions.json"
            write_json(texts_of, list(zip(some.questions, some.answers, some.pictures.tolist(), strict=True)))
            checksums[texts_of.name] = checksum(texts_of)
    return folder


def _longest(tokenizer: Tokenizer, found: Questions, part: str) -> int:
    """Positions that the longest question and its answer need. `UserError` where they are no sentence any more."""
    rows = Sentences(tokenizer, found).rows
    row = int(np.argmax([len(ids) for ids in rows]))
    if len(rows[row]) > LONGEST:
        raise UserError(
            f"the question {shown(found.questions[row])} of {part} has {len(rows[row]):,} tokens with its answer, but "
            f"there may be {LONGEST:,} at most; shorten it"
        )
    return len(rows[row]) - 1


def _only(found: Questions) -> str | None:
    """The one question that is asked of every picture; None if there are several."""
    return found.questions[0] if len(set(found.questions)) == 1 else None


def asking_config(
    size: tuple[int, ...], vocabulary: int, longest: int, patch: int | None, areas: int | None = None
) -> TransformerConfig:
    """An encoder of pictures, a projector and a decoder. size: Y, X, Z of a picture; longest: tokens of a sentence.

    areas: of the picture, a side; of each one vector stands ahead of the question, the mean of those of
    its patches; 0: the vectors of all patches. None: 2, its quarters, if that many patches can be halved, or else 0.
    """
    seen = {**ENCODER, **eye_of(size, patch or max(1, min(size[:2]) // PATCHES))}
    rows, columns = (whole // side for whole, side in zip(seen["image"][1:], seen["patch"], strict=True))
    if areas is None:
        areas = 0 if rows % AREAS or columns % AREAS else AREAS
    return preset(
        "tiny",
        vocabulary_size=vocabulary,
        **{**DECODER, "context": (areas**2 or seen["context"]) + longest},
        architecture="encoder-decoder",
        encoder_ahead=True,
        encoder_areas=areas or None,
        encoder=seen,
    )


def questions_of(folder: ImageFolder, part: str) -> Questions:
    """The questions of training, validation or test. `UserError` if their file has changed."""
    pixels, (rows, _) = folder.pixels(part), texts_of(folder, part)
    questions, answers, pictures = zip(*rows, strict=True)
    return Questions(pixels, np.array(pictures), tuple(questions), tuple(answers))


def texts_of(folder: ImageFolder, part: str) -> tuple[list[tuple[str, str, int]], Path]:
    """Question, answer and number of the picture of each row of training, validation or test, and their file.

    `UserError` if it has changed.
    """
    path = folder.file(f"{part}_questions.json")
    folder.check_unchanged(path.name)
    return read_json(path, check=lambda value: isinstance(value, list)), path
