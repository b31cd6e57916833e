"""From a corpus, an objective and a model to the folder of a run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig, preset
from minigpt.objectives import Objective, check_trains, find_special_tokens, objective_of, special_tokens
from minigpt.text import (
    BytePairTokenizer,
    CharacterTokenizer,
    Corpus,
    Tokenizer,
    document_end,
    load_corpus,
    load_tokenizer,
    write_corpus,
)
from minigpt.train.data import TextData
from minigpt.train.folder import RunFolder, first_files, has_run
from minigpt.train.lock import locked
from minigpt.train.provenance import provenance
from minigpt.train.settings import TrainSettings
from minigpt.train.start import first_checkpoint

PRESET = "tiny"
FIRST_FILES = ("training.npy", "validation.npy", "tokenizer.json")
# Tokens of a bpe tokenizer, unless a short text leaves each of them fewer characters than this to be learnt from.
# It gave most of what examples/benchmarks/recipe.py compares, though less on text that is further away: see the README.
VOCABULARY, CHARACTERS_PER_TOKEN, FEWEST = 4096, 400, 512
POSITIONS = ("position_embedding.weight", "encoder.position_embedding.weight")  # (T, C), a row for each position


class Opened(Protocol):
    """A model that a run can begin with: another run's, or a published one."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> Transformer: ...
    @property
    def params(self) -> Params: ...
    @property
    def tokenizer(self) -> Any: ...


def prepare_run(
    path: str | Path,
    corpus: str | Path | Corpus = "pydocs",
    *,
    objective: str = "causal",
    architecture: str | None = None,
    model: str | None = None,
    changes: Mapping[str, Any] | None = None,
    tokenizer: str | Path | Tokenizer | None = None,
    vocabulary: int | None = None,
    settings: TrainSettings | None = None,
    start: Opened | None = None,
    check: Callable[[RunFolder], None] = lambda draft: None,
    progress: bool = True,
    held: bool = False,
    words: Sequence[str] | None = None,
) -> RunFolder:
    """Check everything, read the corpus, make the tokenizer, write the tokens and, last, run.json.

    Parameters
    ----------
    path : str or Path
        The folder of the run.
    corpus : str, Path or Corpus
        As `load_corpus` takes it, or one that is loaded.
    objective : str
        One of `OBJECTIVES`.
    architecture : str, optional
        None takes the one that fits the objective.
    model : str, optional
        A preset (default tiny).
    changes : dict, optional
        Of its fields, such as context and dropout.
    tokenizer : str, Path or Tokenizer, optional
        bpe (the default, trained to `vocabulary` tokens), characters, a tokenizer or the path of its file.
    vocabulary : int, optional
        Tokens of a bpe tokenizer (default 4096, fewer for a short text).
    settings : TrainSettings, optional
        Steps, batch, learning rate and so on.
    start : OpenedModel, optional
        A model to begin with, in place of these; configuration, tokenizer and first parameters are then its own, with
        the head that the objective needs, and the first checkpoint is written at step 0.
    check : callable
        What else to look at before anything is read or written; it gets the run as it would be.
    progress : bool
        Draw bars.
    held : bool
        Whether the caller holds the lock of the folder, see `minigpt.train.lock`.
    words : list of str, optional
        Of the command that asks for it, for its provenance.

    Returns
    -------
    RunFolder
        What `minigpt.train.train` takes.

    Raises
    ------
    UserError
        For all that does not fit, such as an objective that cannot train the architecture; for a folder in which a
        training is at work, or which holds a model that was trained.

    Examples
    --------
    >>> fables = minigpt.Corpus("fables", ("The fox met a hen. " * 20,), ("The hen met a fox. " * 5,))
    >>> folder = minigpt.prepare_run("fables", fables, objective="masked", tokenizer="characters", progress=False)
    >>> folder.config.architecture, folder.config.head, sorted(path.name for path in folder.path.iterdir())
    ('encoder', 'masked', ['run.json', 'tokenizer.json', 'training.npy', 'validation.npy'])
    """
    record, path, settings = objective_of(objective), Path(path), settings or TrainSettings()
    fields_of_model = {"architecture": architecture or record.architecture, **record.model, **(changes or {})}
    if start is not None and (model or tokenizer or vocabulary):
        raise UserError(f"{start.name} brings its own model and tokenizer; leave model, tokenizer and vocabulary out")
    draft = (
        preset(model or PRESET, **fields_of_model)
        if start is None
        else _continued(start, architecture, record, changes)
    )
    check_trains(record.function, draft.architecture, called=f"the objective {objective}")
    check(RunFolder(path, draft, settings, {}, objective))

    corpus = corpus if isinstance(corpus, Corpus) else load_corpus(corpus, progress=progress)
    if start is not None:
        config, made = draft, start.tokenizer
    else:
        special = tuple(special_tokens(record, draft.context).values())
        made = _tokenizer(tokenizer or "bpe", vocabulary, corpus, special, progress)
        config = preset(model or PRESET, vocabulary_size=made.vocabulary_size, **fields_of_model)
    ids = find_special_tokens(record, config.context, made.special_tokens, document_end(made))
    with nullcontext() if held else locked(path, make_folder=True):
        if RunFolder(path, config, settings, {}).begun:
            raise UserError(f"{path} holds a model that was trained; choose another folder, or remove that one first")
        with first_files(path, FIRST_FILES, known=has_run(path)):
            description = _write_tokens(path, made, corpus, config.context, progress)
            made.save(path / "tokenizer.json")
            folder = RunFolder(path, config, settings, description, objective, ids, provenance=provenance(words))
            TextData(folder)  # says now what training would say later
            if start is not None:
                folder = _with_first_parameters(folder, start)
            folder.save()
    return folder


def _continued(
    start: Opened, architecture: str | None, record: Objective, changes: Mapping[str, Any] | None
) -> TransformerConfig:
    """The configuration of the opened model, with the head that the objective needs."""
    config = start.model.config
    if architecture not in (None, config.architecture):
        raise UserError(f"{start.name} is a model of architecture {config.architecture}, which cannot be changed")
    draft = replace(config, **record.model, **(changes or {}))
    scaling = draft.rotary_scaling if draft.rotary_scaling != config.rotary_scaling else None
    most = config.context if scaling is None else int(config.context * scaling.factor)
    if draft.context > most:
        raise UserError(f"{start.name} was made for {most} tokens, not {draft.context}; choose fewer")
    return draft


def _with_first_parameters(folder: RunFolder, start: Opened) -> RunFolder:
    """The run with its first checkpoint, and with what of the opened model it has in its description."""
    shapes = Transformer(folder.config).shapes()
    taken = {
        name: array[: shapes[name][0]] if name in POSITIONS else array  # of a shorter context, as many as it has
        for name, array in start.params.items()
        if name in shapes
    }
    left_out = [name for name in start.params if name not in shapes]
    without_head = Transformer(replace(start.model.config, head="none")).shapes()
    if lost := [name for name in left_out if name in without_head]:
        raise UserError(f"{start.name} has an array {lost[0]} that the model of this run has no place for")
    first_checkpoint(folder, taken)
    fresh = [name for name in shapes if name not in taken]
    return replace(folder, start={"name": start.name, "left_out": left_out, "fresh": fresh})


def default_vocabulary(corpus: Corpus) -> int:
    """How many tokens, at most, a bpe tokenizer learns from the corpus if nobody says it."""
    return min(VOCABULARY, max(FEWEST, sum(map(len, corpus.training)) // CHARACTERS_PER_TOKEN))


def _tokenizer(
    wanted: Any, vocabulary: int | None, corpus: Corpus, special: tuple[str, ...], progress: bool
) -> Tokenizer:
    if not isinstance(wanted, (str, Path)):
        return wanted
    if wanted == "characters":  # of all documents: held-out text may hold a character that training lacks
        return CharacterTokenizer.train(corpus.documents, special_tokens=special)
    if wanted == "bpe":
        size = default_vocabulary(corpus) if vocabulary is None else vocabulary
        return BytePairTokenizer.train(
            corpus.training, size, special_tokens=special, at_most=vocabulary is None, progress=progress
        )
    if not Path(wanted).exists():
        raise UserError(f"--tokenizer {wanted} is neither bpe, characters nor a file; choose one of these")
    return load_tokenizer(wanted)


def _write_tokens(path: Path, tokenizer: Tokenizer, corpus: Corpus, context: int, progress: bool) -> dict[str, Any]:
    """Write training.npy and validation.npy; what run.json says of them."""
    said = write_corpus(path, tokenizer, corpus, progress=progress)
    for part in ("training", "validation"):
        tokens = said[f"{part}_tokens"]
        if tokens < context + 1:
            raise UserError(
                f"the {part} part of {corpus.name} has {tokens} tokens, but the context of {context} needs "
                f"at least {context + 1}; choose a larger corpus or a smaller --context"
            )
    return said
