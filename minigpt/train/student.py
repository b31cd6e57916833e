"""A student: the run of a small model that will learn from a large one (see `minigpt.train.distill`)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from minigpt.errors import UserError
from minigpt.model import Transformer, TransformerConfig, Weights
from minigpt.text import Corpus
from minigpt.train.folder import RunFolder
from minigpt.train.prepare import prepare_run
from minigpt.train.settings import TrainSettings
from minigpt.values import check, number


class Teacher(Protocol):
    """A model that is opened."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> Transformer: ...
    @property
    def params(self) -> Weights: ...
    @property
    def tokenizer(self) -> Any: ...


@dataclass(frozen=True)
class Distillation:
    """How much a student listens to its teacher.

    Parameters
    ----------
    soft : float
        0 to 1, the share of the soft targets; the rest is the text's.
    temperature : float
        Above 1 it shows more of what the teacher holds possible.
    hidden : float
        The weight of the hidden states; 0 leaves them out.

    Raises
    ------
    UserError
        Names a value that does not fit.
    """

    soft: float = 0.5
    temperature: float = 2.0
    hidden: float = 0.0

    def __post_init__(self) -> None:
        for name in ("soft", "hidden", "temperature"):
            check(name, getattr(self, name), number(0.0))
        if self.soft > 1:
            raise UserError(f"soft is {self.soft}, but it is a share of the loss, at most 1")
        if not self.temperature:
            raise UserError("temperature is 0, but it must be a positive number")


def prepare_student(
    path: str | Path,
    teacher: Teacher,
    corpus: str | Path | Corpus,
    how: Distillation,
    *,
    objective: str = "causal",
    changes: Mapping[str, Any] | None = None,
    settings: TrainSettings | None = None,
    progress: bool = True,
    held: bool = False,
) -> RunFolder:
    """The run of a student, with its teacher's tokenizer and kind of model, and in run.json who the teacher is.

    changes: of the teacher's configuration; None: `half_of` it. The rest as in `prepare_run`. `UserError` for a student
    that its teacher cannot teach.
    """
    config = teacher.model.config
    student = replace(config, **(half_of(config) if changes is None else changes))
    fields = {name: value for name, value in asdict(student).items() if name != "vocabulary_size"}

    def check_all(draft: RunFolder) -> None:
        check_teaches(config, replace(draft.config, vocabulary_size=teacher.tokenizer.vocabulary_size))

    folder = prepare_run(
        path,
        corpus,
        objective=objective,
        architecture=fields.pop("architecture"),
        changes=fields,
        tokenizer=teacher.tokenizer,
        settings=replace(settings or TrainSettings(), workers=1),
        check=check_all,
        progress=progress,
        held=held,
    )
    folder = replace(folder, teacher={"name": teacher.name, **asdict(how)})
    folder.save()
    return folder


def check_teaches(teacher: TransformerConfig, student: TransformerConfig) -> None:
    """`UserError` unless both answer the same question about the same tokens, and the teacher sees as many."""
    for field in ("architecture", "head", "vocabulary_size", "input"):
        ours, theirs = getattr(student, field), getattr(teacher, field)
        if ours != theirs:
            raise UserError(f"the student's {field} is {ours}, but its teacher's {theirs}; they must be equal")
    if student.head not in ("language", "masked"):
        raise UserError(f"a head {student.head!r} has no soft targets yet; distil a model that scores tokens")
    if student.context > teacher.context:
        raise UserError(f"the teacher sees {teacher.context} tokens, but the student {student.context}; choose fewer")


def half_of(config: TransformerConfig) -> dict[str, Any]:
    """The fields of a student with half the width, heads and layers of a teacher, as heads of the same width."""
    heads = max(1, config.heads // 2)
    groups = max(1, config.key_value_heads // 2)
    return {
        "layers": max(1, config.layers // 2),
        "width": max(2, config.width // 2),
        "heads": heads,
        "key_value_heads": groups if heads % groups == 0 else heads,
        "feed_forward_width": max(1, config.feed_forward_width // 2),
        "head_width": config.head_width,
    }
