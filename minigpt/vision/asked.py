"""A model that answers questions about pictures, ready to be asked."""

from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer import GREEDY, generate
from minigpt.model import Call, Transformer
from minigpt.ops import IGNORED
from minigpt.text import document_end
from minigpt.train.folder import newest
from minigpt.vision.asking import ROWS, Sentences
from minigpt.vision.questions import Questions
from minigpt.vision.run import open_image_folder

MOST_TOKENS = 32  # of an answer


class Asked:
    """The model of a run, and what it answers."""

    def __init__(self, path: str | Path, checkpoint: str = "best"):
        """`UserError` if the folder holds no model that answers questions, or none that is whole."""
        self.folder = open_image_folder(path)
        if self.folder.task != "ask":
            raise UserError(f"{path} names classes of images, and answers no questions; use minigpt predict")
        self.model, self.tokenizer = Transformer(self.folder.config), self.folder.tokenizer()
        self.params, self.progress = newest(self.folder, checkpoint)

    def answer(self, pixels: np.ndarray, question: str) -> str:
        """What it writes about a picture, (Y, X, Z). `UserError` for another size, or a question that is too long."""
        channels, height, width = self.folder.image
        if pixels.shape != (height, width, channels):
            raise UserError(
                f"the picture is {pixels.shape[0]} x {pixels.shape[1]} with {pixels.shape[2]} channels, but this model "
                f"was trained on {height} x {width} with {channels}; make it of that size and kind"
            )
        ids = self.tokenizer.encode(question.strip())
        room = self.folder.config.context - self.folder.config.encoder.context - len(ids)
        if not len(ids) or room < 1:
            raise UserError(
                f"the question has {len(ids)} tokens, and with the picture the model sees "
                f"{room + len(ids)}; ask something shorter, and something"
            )
        end = document_end(self.tokenizer)
        images = self.folder.scaled(pixels[None])
        written = generate(
            self.model,
            self.params,
            ids[None],
            min(room, MOST_TOKENS),
            sampling=GREEDY,
            stop_tokens=() if end is None else (end,),
            source=images,
        )
        said = [int(row[0]) for row in written]
        return self.tokenizer.decode(np.array([id_ for id_ in said if id_ != end], np.int64)).strip()

    def right(self, asked: Questions) -> np.ndarray:
        """(N,) booleans: whether it would write exactly the answer, which it does if every token of it, and the end, is
        the likeliest after those before it."""
        sentences = Sentences(self.tokenizer, asked)
        if sentences.longest + self.folder.config.encoder.context > self.folder.config.context:
            raise UserError("a question is longer than any that the model was trained on; leave it out")
        found = []
        for first in range(0, len(asked.questions), ROWS):
            rows = np.arange(first, min(first + ROWS, len(asked.questions)))
            batch = sentences.batch(rows, self.folder.scaled(asked.pixels[asked.pictures[rows]]))
            logits, _ = self.model.forward(self.params, batch, Call(recompute=True))
            assert batch.targets is not None
            found.append(((logits.argmax(axis=-1) == batch.targets) | (batch.targets == IGNORED)).all(axis=1))
        return np.concatenate(found)


def by_first_word(asked: Questions) -> dict[str, Any]:
    """The first word of questions, which tells their kind -> which questions begin so, (N,) booleans."""
    words = np.array([question.split()[0].lower() for question in asked.questions])
    return {str(word): words == word for word in np.unique(words)}
