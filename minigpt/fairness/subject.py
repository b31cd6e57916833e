"""What is measured: a model, a fine-tuned one, or a file of word vectors, opened once."""

from functools import cached_property
from hashlib import sha256
from pathlib import Path

from minigpt.errors import UserError
from minigpt.finetune import TASKS, Tuned
from minigpt.model.params import sha256_of
from minigpt.pretrained import NAMED, OpenedModel, open_model
from minigpt.pretrained.tuned import has_tuned, open_tuned_folder
from minigpt.text.fetch import Package, fetch_package

WEFE = Package(
    "wefe",
    "1.0.1",
    "12654a91109cc2244e772bbdc881f692eec34488fe919fd918a929528f6faa00",
    ("wefe/datasets/data/WEAT.json", "wefe/datasets/data/weat_w2v____old.txt"),
    7.9,
    "MIT",
)
WORD2VEC = "word2vec"  # the name of the vectors in it
LISTS_FILE, VECTORS_FILE = "WEAT.json", "weat_w2v____old.txt"


class Subject:
    """What is measured, opened once, and only as far as a measure asks."""

    def __init__(self, name: str, checkpoint: str = "best"):
        self.name, self.checkpoint = name, checkpoint

    @property
    def task(self) -> str | None:
        """Of a fine-tuned model that answers; None of all others, also of those that were tuned to continue texts."""
        if self.name in NAMED or not has_tuned(self.name):
            return None
        task = open_tuned_folder(self.name).task
        return task if task in TASKS and TASKS[task].answers is not None else None

    @property
    def is_vectors(self) -> bool:
        """Whether it is a text file of word vectors, or the name of some."""
        path = Path(self.name)
        return self.name == WORD2VEC or (
            self.name not in NAMED and path.is_file() and path.suffix.lower() in (".txt", ".vec")
        )

    @cached_property
    def opened(self) -> OpenedModel:
        if self.is_vectors:
            raise UserError(f"{self.name} is a file of word vectors, and this takes a model; measure weat alone")
        return open_model(self.name, checkpoint=self.checkpoint)

    @cached_property
    def tuned(self) -> Tuned:
        return Tuned(self.name, self.checkpoint)

    @property
    def sha256(self) -> str:
        """SHA-256 of all its values; of word vectors, of their file."""
        if self.is_vectors:
            path = fetch_package(WEFE) / VECTORS_FILE if self.name == WORD2VEC else Path(self.name)
            return sha256(path.read_bytes()).hexdigest()
        return sha256_of(self.tuned.params if "tuned" in self.__dict__ else self.opened.params)
