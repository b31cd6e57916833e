"""A student: the run of a small model that will learn from a large one (see `minigpt.train.distill`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from minigpt.errors import UserError
from minigpt.model import Transformer, TransformerConfig, Weights
from minigpt.model.params import checksum_of
from minigpt.text import Corpus
from minigpt.train.folder import RunFolder
from minigpt.train.prepare import prepare_run
from minigpt.train.settings import TrainSettings
from minigpt.values import TEXT, about, check, number, read


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

    Examples
    --------
    >>> minigpt.Distillation(soft=0.7, hidden=0.1)
    Distillation(soft=0.7, temperature=2.0, hidden=0.1)
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
    words: Sequence[str] | None = None,
) -> RunFolder:
    """The run of a student, with its teacher's tokenizer and kind of model, and in run.json who the teacher is.

    Parameters
    ----------
    path, corpus, objective, settings, progress, held, words
        As in `prepare_run`.
    teacher : OpenedModel
        As `open_model` gives it.
    how : Distillation
        How much the student listens to it.
    changes : dict, optional
        Of the teacher's configuration; None: half its layers, heads and widths.

    Returns
    -------
    RunFolder
        What `minigpt.train.train` takes with a `Distiller`; see there for an example.

    Raises
    ------
    UserError
        As `prepare_run`, and for a student that its teacher cannot teach.

    Examples
    --------
    >>> fables = minigpt.Corpus("fables", ("The fox met a hen. " * 20,), ("The hen met a fox. " * 5,))
    >>> letters = minigpt.CharacterTokenizer.train(fables.documents)
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=letters.vocabulary_size, context=16))
    >>> teacher = minigpt.OpenedModel(model, model.init(np.random.default_rng(0)), letters, "mine")
    >>> folder = minigpt.prepare_student("small", teacher, fables, minigpt.Distillation(), progress=False)
    >>> folder.config.width, folder.config.layers, folder.teacher["name"]
    (64, 2, 'mine')
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
        words=words,
    )
    folder = replace(folder, teacher={"name": teacher.name, "checksum": checksum_of(teacher.params), **asdict(how)})
    folder.save()
    return folder


def how_of(folder: RunFolder, teacher: Teacher) -> Distillation:
    """How the student in `folder` learns. `UserError` unless `teacher` is the one with which it began."""
    if folder.teacher is None:
        raise UserError(f"{folder.path} has no teacher; train it on with `minigpt train --resume`")
    with about(folder.file("run.json"), "distil again into another folder"):
        name, before = (read(folder.teacher, key, TEXT) for key in ("name", "checksum"))
        how = Distillation(**{key: read(folder.teacher, key, number(0.0)) for key in asdict(Distillation())})
    found = checksum_of(teacher.params)
    if found != before:
        raise UserError(
            f"{folder.path} learns from {name} as it was then (checksum {before}), but {teacher.name} has other values "
            f"({found}); put the former model back"
        )
    return how


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
