"""Domain adaptation: a model goes on with its own objective on texts of a domain, and some of what it knew is replayed.

Gururangan et al. (2020), "Don't Stop Pretraining", arXiv:2004.10964, section 3; replay against forgetting: Rolnick et
al. (2019), arXiv:1811.11682.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.prepare import check_below
from minigpt.finetune.wishes import Wishes
from minigpt.model import Batch, Overlay, Params, Transformer
from minigpt.objectives import HeldOut, Objective, Texts, check_trains, find_special_tokens, objective_of
from minigpt.pretrained.opened import OpenedModel
from minigpt.pretrained.tuned import TunedFolder, has_tuned, part_of, said_of
from minigpt.text import BatchSampler, Corpus, document_end, load_corpus, open_tokens, write_corpus
from minigpt.train.data import HELD_OUT, validation_windows
from minigpt.train.engine import judge_all
from minigpt.train.folder import first_files
from minigpt.train.lock import locked
from minigpt.train.provenance import provenance

USUAL = {"decoder": "causal", "encoder": "masked"}  # of models that were published
LONGEST = 256  # tokens of a window, where no others are wished
REPLAYED = 7  # the seed of the old text is the run's own and this


class Tokens(NamedTuple):
    """A text in tokens, (N,) integers each, and the bytes of the held-out part."""

    training: np.ndarray
    validation: np.ndarray
    validation_bytes: int


class DomainData:
    """What `minigpt.train.train` asks for: windows of the domain, and a share of windows of the old text."""

    def __init__(
        self,
        objective: Objective,
        domain: Tokens,
        old: Tokens | None,
        *,
        share: float,
        context: int,
        batch: int,
        accumulate: int,
        windows: int,
        seed: int,
        special: Mapping[str, int],
        vocabulary_size: int,
    ):
        """old: what is replayed; share: of the rows of a batch. `UserError` if a text is shorter than the context."""
        replayed = round(batch * share)
        if share and old is None:
            raise UserError("there is nothing to replay; name the old text, or leave the share of replay out")
        if share and not 0 < replayed < batch:
            raise UserError(
                f"a share of {share:g} of {batch} rows is {replayed} of them; choose one that leaves rows to both texts"
            )
        self.objective, self.counted, self._accumulate = objective, objective.counted, accumulate
        self._special, self._vocabulary = special, vocabulary_size
        self._domain = BatchSampler(domain.training, context, batch - replayed, seed)
        self._old = BatchSampler(old.training, context, replayed, seed + REPLAYED) if old and replayed else None
        self._context, self._windows, self._rows = context, windows, 4 * batch
        self._held_out = self.judged_by(domain)
        bits = len(domain.validation) / (domain.validation_bytes * np.log(2))
        self.bits_per_nat = float(bits) if objective.every_token else None

    def batches(self, step: int) -> list[Batch]:
        """See `minigpt.train.TrainingData`."""
        return [self._one(micro) for micro in range(step * self._accumulate, (step + 1) * self._accumulate)]

    def held_out(self) -> list[HeldOut]:
        """See `minigpt.train.TrainingData`. Of the domain alone."""
        return self._held_out

    def judged_by(self, text: Tokens) -> list[HeldOut]:
        """Batches of the held-out part of a text, always the same."""
        found = validation_windows(text.validation, self._context, self._windows)
        parts = [found[first : first + self._rows] for first in range(0, len(found), self._rows)]
        return [HeldOut(self._make(part, np.random.default_rng([HELD_OUT, n]))) for n, part in enumerate(parts)]

    def _one(self, micro: int) -> Batch:
        rng = self._domain.rng_at(micro)
        windows = self._domain.draw(rng)
        if self._old is not None:
            windows = np.concatenate([windows, self._old.draw(self._old.rng_at(micro))])
        return self._make(windows, rng)

    def _make(self, windows: np.ndarray, rng: np.random.Generator) -> Batch:
        assert self.objective.make is not None
        return self.objective.make(Texts(windows, self._special, self._vocabulary), rng)


class DomainTuning:
    """A domain adaptation that can begin or go on: as `minigpt.finetune.prepare.Tuning`, of texts."""

    def __init__(self, folder: TunedFolder):
        self.folder = folder

    def data(self) -> DomainData:
        """What `minigpt.train.train` is given."""
        settings, folder = self.folder.settings, self.folder
        return DomainData(
            objective_of(folder.objective),
            self._tokens("domain"),
            self._tokens("old") if "old" in folder.corpus["texts"] else None,
            share=folder.corpus["replay"],
            context=folder.corpus["context"],
            batch=settings.batch,
            accumulate=settings.accumulate,
            windows=settings.validation_windows,
            seed=settings.seed,
            special=folder.special,
            vocabulary_size=folder.config.vocabulary_size,
        )

    def measure(self, params: Params | Overlay) -> dict[str, Any]:
        """Loss on the held-out part of each text: in nats per token, and bits per byte where that means something."""
        data, model, found = self.data(), Transformer(self.folder.config), {}
        for name in self.folder.corpus["texts"]:
            text = self._tokens(name)
            loss, _ = judge_all(model, params, data.judged_by(text))
            bits = loss * len(text.validation) / (text.validation_bytes * np.log(2))
            found[name] = {"loss": loss} | ({"bits_per_byte": float(bits)} if data.objective.every_token else {})
        return found

    def _tokens(self, name: str) -> Tokens:
        said = self.folder.corpus["texts"][name]
        files = {part: self.folder.file(f"{name}-{part}.npy") for part in ("training", "validation")}
        vocabulary = self.folder.config.vocabulary_size
        opened = {part: open_tokens(file, vocabulary, expected=said["checksums"][part]) for part, file in files.items()}
        return Tokens(**opened, validation_bytes=said["validation_bytes"])


def prepare_domain(
    path: str | Path,
    below: OpenedModel,
    wishes: Wishes,
    corpus: str | Path | Corpus,
    old: str | Path | Corpus | None = None,
    *,
    progress: bool = True,
    words: Sequence[str] | None = None,
) -> DomainTuning:
    """Check everything, and write the texts as tokens, the tokenizer and, last, finetune.json.

    old: the text on which forgetting is measured and, with `wishes.replay`, which is replayed. What the model below
    reaches on both is measured first and stands in `folder.corpus["before"]`. words: of the command that asks for it,
    for its provenance. `UserError` for all that does not fit.
    """
    path = Path(path)
    check_below(below, wishes)
    objective = below.run.objective if below.run else USUAL[below.model.config.architecture]
    record = objective_of(objective)
    check_trains(record.function, below.model.config.architecture, called=f"the objective {objective}")
    config = replace(below.model.config, **record.model, dropout=wishes.dropout)
    context = wishes.context or min(LONGEST, config.context)
    texts = {"domain": as_corpus(corpus, progress)} | ({"old": as_corpus(old, progress)} if old else {})
    special = find_special_tokens(record, context, below.tokenizer.special_tokens, document_end(below.tokenizer))
    with locked(path, make_folder=True):
        if has_tuned(path):
            raise UserError(f"{path} holds a fine-tuned model; choose another folder, or remove that one first")
        tokens = [f"{name}-{part}.npy" for name in texts for part in ("training", "validation")]
        with first_files(path, [*tokens, "tokenizer.json"]):
            said = {
                name: write_corpus(path, below.tokenizer, text, prefix=f"{name}-", progress=progress)
                for name, text in texts.items()
            }
            windows = said["domain"]["training_tokens"] // context
            folder = TunedFolder(
                path,
                config,
                wishes.settings(max(1, windows)),
                {"texts": said, **wishes.of_data(), "context": context},
                objective=objective,
                special=special,
                task="domain",
                below=said_of(below.name, below.params),
                learns=wishes.learns,
                provenance=provenance(words),
            )
            tuning = DomainTuning(folder)
            tuning.data()  # what cannot be made of these texts is said now
            part = part_of(folder, below.params)
            folder = replace(folder, corpus={**folder.corpus, "before": tuning.measure(part.under(part.fresh))})
            below.tokenizer.save(path / "tokenizer.json")
            folder.save()
    return DomainTuning(folder)


def as_corpus(text: str | Path | Corpus, progress: bool) -> Corpus:
    """A corpus, loaded if it is not."""
    return text if isinstance(text, Corpus) else load_corpus(text, progress=progress)
