"""A model that answers questions about pictures, ready to be asked."""

from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer import GREEDY, generate
from minigpt.model import Call, Transformer
from minigpt.ops import IGNORED
from minigpt.progress import progress_bar
from minigpt.text import document_end
from minigpt.train.folder import newest
from minigpt.vision.asking import ROWS, TOKENIZER, Sentences, questions_of, texts_of
from minigpt.vision.questions import Questions
from minigpt.vision.run import open_image_folder
from minigpt.vision.wording import Wording


class Asked:
    """The model of a run, and what it answers."""

    def __init__(self, path: str | Path, checkpoint: str = "best"):
        """`UserError` if the folder holds no model that answers questions, or none that is whole."""
        self.folder = open_image_folder(path)
        if self.folder.task != "ask":
            raise UserError(f"{path} names classes of images, and answers no questions; use minigpt predict")
        if TOKENIZER in self.folder.corpus["checksums"]:  # former versions wrote none of it
            self.folder.check_unchanged(TOKENIZER)
        self.model, self.tokenizer = Transformer(self.folder.config), self.folder.tokenizer()
        self.params, self.progress = newest(self.folder, checkpoint)
        texts, source = texts_of(self.folder, "training")
        self.wording = Wording((question for question, _, _ in texts), source)

    @property
    def usual(self) -> str | None:
        """The one question that every picture of its training was asked; None if there were several."""
        return self.folder.corpus.get("question")

    def of_test(self, row: int) -> tuple[np.ndarray, str, str]:
        """A picture of the run's own test, (Y, X, Z), with its question and the right answer."""
        test = questions_of(self.folder, "test")
        if not 0 <= row < len(test.questions):
            raise UserError(f"the test has no question {row:,}; the last one is {len(test.questions) - 1:,}")
        return np.asarray(test.pixels[test.pictures[row]]), test.questions[row], test.answers[row]

    def answer(self, pixels: np.ndarray, question: str | None = None, *, verbatim: bool = False) -> str:
        """What it writes about a picture, (Y, X, Z). `UserError` for another size, or a question that is too long.

        question: None asks what every picture of its training was asked, if that was one question. Another is asked as
        `wording.as_trained` puts it, and refused if it has a word that no question of training has; verbatim: it is
        asked as it stands, whatever its words.
        """
        if question is None:
            question = self.usual
        elif not verbatim:
            question = self.wording.as_trained(question)
        if question is None:
            raise UserError("the model was trained on many questions; ask one")
        channels, height, width = self.folder.image
        if pixels.shape != (height, width, channels):
            raise UserError(
                f"the picture is {pixels.shape[0]} x {pixels.shape[1]} with {pixels.shape[2]} channels, but this model "
                f"was trained on {height} x {width} with {channels}; make it of that size and kind"
            )
        ids = self.tokenizer.encode(question.strip())
        room = self.folder.config.context - self.folder.config.vectors_ahead - len(ids)
        if not len(ids) or room < 1:
            raise UserError(
                f"the question has {len(ids):,} tokens, but beside a picture the model sees {room + len(ids)}, with "
                "those of its answer; ask something shorter, in one word at least"
            )
        end = document_end(self.tokenizer)
        images = self.folder.scaled(pixels[None])
        written = generate(
            self.model,
            self.params,
            ids[None],
            room,
            sampling=GREEDY,
            stop_tokens=() if end is None else (end,),
            source=images,
        )
        said = [int(row[0]) for row in written]
        return self.tokenizer.decode(np.array([id_ for id_ in said if id_ != end], np.int64)).strip()

    def right(self, asked: Questions, *, progress: bool = False) -> np.ndarray:
        """(N,) booleans: whether it would write exactly the answer, which it does if every token of it, and the end, is
        the likeliest after those before it."""
        sentences = Sentences(self.tokenizer, asked)
        if sentences.longest + self.folder.config.vectors_ahead > self.folder.config.context:
            raise UserError("a question is longer than any that the model was trained on; leave it out")
        found = []
        count = len(asked.questions)
        bar = progress_bar(total=count, desc="asking the test", unit=" questions", disable=not progress)
        for first in range(0, count, ROWS):
            rows = np.arange(first, min(first + ROWS, count))
            batch = sentences.batch(rows, self.folder.scaled(asked.pixels[asked.pictures[rows]]))
            logits, _ = self.model.forward(self.params, batch, Call(recompute=True))
            assert batch.targets is not None
            found.append(((logits.argmax(axis=-1) == batch.targets) | (batch.targets == IGNORED)).all(axis=1))
            bar.update(len(rows))
        bar.close()
        return np.concatenate(found)


def by_novelty(learnt: Questions, asked: Questions) -> dict[str, np.ndarray]:
    """Whether the right answer is one of training's, `trained on`, or `never trained on` -> which, (N,) booleans.

    Where all are of training, or none is, there is nothing to compare, and so no part.
    """
    known = {*learnt.answers}
    seen = np.array([answer in known for answer in asked.answers])
    return {"trained on": seen, "never trained on": ~seen} if 0 < seen.sum() < len(seen) else {}


def by_first_word(asked: Questions) -> dict[str, Any]:
    """The first word of questions, which tells their kind -> which questions begin so, (N,) booleans."""
    words = np.array([question.split()[0].lower() for question in asked.questions])
    return {str(word): words == word for word in np.unique(words)}
