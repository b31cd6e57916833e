"""What a cleaning is asked to do."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.corpus.chunk import Cleaner
from minigpt.corpus.classifier import Quality
from minigpt.corpus.language import Languages
from minigpt.corpus.minhash import bands_for
from minigpt.corpus.overlap import Overlap
from minigpt.corpus.personal import KINDS, Pseudonyms
from minigpt.corpus.personal.find import Detector
from minigpt.corpus.personal.names import find_names
from minigpt.corpus.rules import Rules
from minigpt.corpus.source import Source, fingerprint
from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.values import choice, number

HOW = ("placeholder", "remove", "pseudonym")
DUPLICATES = ("none", "exact", "near")
OWN = ("text", "source", "line")  # fields of what is written
MOST_EXAMPLES = 20_000  # good or bad texts that a classifier is trained on
COMPARED = ("good", "bad", "language_from")  # settings that name files


@dataclass(frozen=True)
class CleanSettings:
    """How a corpus is cleaned. What does not fit is refused when the cleaning begins.

    Parameters
    ----------
    field : str, optional
        Of JSON Lines: the one that holds the text (default text).
    keep : tuple of str
        Other fields that are carried over as they are; all others are left out, and counted.
    split : {"file", "paragraphs", "lines"}, optional
        Of text files: what is a document (default file).
    rules : {"none", "plain", "web"}
        See `minigpt.corpus.Rules`.
    min_words : int, optional
        In place of the bound that the rules have.
    personal : tuple of str
        The kinds of personal information that are replaced, of `minigpt.corpus.personal.KINDS`; () for none.
    how : {"placeholder", "remove", "pseudonym"}
        By what it is replaced.
    name_tagger : str, optional
        A file with a tagger of names (`minigpt.corpus.personal.tagger`), in place of the rule; slow, and finds more.
    secret : str, optional
        A file of 16 bytes or more that pseudonyms depend on.
    duplicates : {"none", "exact", "near"}
        What is taken out: the same words, or also what is nearly the same.
    near : float
        The Jaccard likeness of sets of five words in a row from which texts are near duplicates.
    against : tuple of str
        Corpora that nothing may repeat, such as a test set.
    language : tuple of str
        The languages that stay; () for all.
    language_from : str, optional
        A folder with a folder of texts for each language, instead of the dialogues that are fetched.
    good, bad : str, optional
        Corpora that a classifier is trained on, to take out what is like the bad one.
    min_quality : float
        The least probability of being good.
    seed : int
        Of what is drawn.
    """

    field: str | None = None
    keep: tuple[str, ...] = ()
    split: str | None = None
    rules: str = "plain"
    min_words: int | None = None
    personal: tuple[str, ...] = KINDS
    how: str = "placeholder"
    name_tagger: str | None = None
    secret: str | None = None
    duplicates: str = "near"
    near: float = 0.8
    against: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    language_from: str | None = None
    good: str | None = None
    bad: str | None = None
    min_quality: float = 0.5
    seed: int = 0

    def check(self) -> None:
        """`UserError` for a setting that does not fit, or two that do not go together."""
        for name, allowed in (("how", HOW), ("duplicates", DUPLICATES)):
            _check(name, getattr(self, name), choice(*allowed))
        _check("near", self.near, number(0.1, 1 + 1e-9))
        _check("min_quality", self.min_quality, number(0, 1 + 1e-9))
        unknown = [kind for kind in self.personal if kind not in KINDS]
        own = [name for name in self.keep if name in OWN]
        refusals = (
            (unknown, f"there is no kind {unknown[:1]} of personal information; choose of {', '.join(KINDS)}"),
            (
                self.how == "pseudonym" and not self.secret,
                "pseudonyms need a secret: 16 or more random bytes in a file that you keep; name it (--secret)",
            ),
            (self.secret and self.how != "pseudonym", f"a secret is for pseudonyms, not for {self.how}; leave it out"),
            (self.name_tagger and "name" not in self.personal, "names are not looked for; leave the tagger out"),
            (bool(self.good) != bool(self.bad), "a classifier is trained on good and on bad texts; give both"),
            (self.language_from and not self.language, "no language is asked for, so no texts are needed; name one"),
            (own, f"the field {', '.join(own[:1])} is the output's own; keep others, or rename it before"),
        )
        for is_so, sentence in refusals:
            if is_so:
                raise UserError(sentence)

    def fingerprint(self) -> dict[str, Any]:
        """The settings and the files that they name, by their contents: what makes a cleaning the same."""
        named = {name: Source.open(path).fingerprints() for name in COMPARED[:2] if (path := getattr(self, name))}
        if self.language_from:
            named["language_from"] = Source.open(self.language_from).fingerprints()
        values = asdict(self)
        if self.name_tagger:
            check_is_file(self.name_tagger)
            if not Path(self.name_tagger).is_file():
                raise UserError(f"there is no tagger {self.name_tagger}; check the path, or train one")
            values["name_tagger"] = fingerprint(Path(self.name_tagger), Path(self.name_tagger).name)
        if self.secret:  # so little of it that it tells nothing, but a wrong file is noticed
            values["secret"] = Pseudonyms(_secret(self.secret)).of("email", "secret")[:6]
        return {**values, **named, "against": [Source.open(path).fingerprints() for path in self.against]}

    def cleaner(self, folder: Path) -> Cleaner:
        """The task that workers do."""
        languages = None
        if self.language:
            languages = Languages.from_folder(self.language_from) if self.language_from else Languages.of_dialogues()
            languages.check(self.language)
        return Cleaner(
            folder,
            rules=Rules(self.rules, min_words=self.min_words),
            bands=bands_for(self.near) if self.duplicates == "near" else None,
            languages=languages,
            wanted=self.language,
            quality=self._classifier(),
            least_quality=self.min_quality,
            others=[Overlap(document.text for document in Source.open(path).documents()) for path in self.against],
            kinds=self.personal,
            how=Pseudonyms(_secret(self.secret)) if self.secret else self.how,
            names=self._names(),
            keep_fields=self.keep,
        )

    def _names(self) -> Detector:
        if not self.name_tagger:
            return find_names
        from minigpt.corpus.personal.tagger import open_name_tagger  # only here: models are loaded with it

        return open_name_tagger(self.name_tagger)

    def _classifier(self) -> Quality | None:
        if not self.good or not self.bad:
            return None
        return Quality.train(_texts(self.good), _texts(self.bad), np.random.default_rng(self.seed))


def _check(name: str, value: Any, kind: Any) -> None:
    if not kind.fits(value):
        raise UserError(f"{name} is {value!r}, but it must be {kind.wanted}".replace("less than 1", "at most 1"))


def _texts(path: str) -> list[str]:
    """The first texts of a corpus, as many as a classifier is trained on."""
    documents = Source.open(path).documents()
    return [document.text for _, document in zip(range(MOST_EXAMPLES), documents, strict=False)]


def _secret(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"the secret {path} could not be read ({error.strerror}); check the path") from None
