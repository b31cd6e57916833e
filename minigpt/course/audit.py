"""What an audit of the article is made of: claims with a verdict, their evidence, and what the course measured."""

from dataclasses import dataclass
from typing import Any

from minigpt.course.lesson import band
from minigpt.errors import UserError

NOT_MEASURED = "not yet measured"
COUNTED, MEASURED = "counted", "measured"  # in the record that lesson 00 made by hand; on a model or a method
RECORD = "E01."  # the experiment that counts in that record
PLACES = ("summary", "body", "both", "omission")  # of the article


@dataclass(frozen=True)
class Measure:
    """One number that bears on a claim. The band is what a lesson held it to or, before that, what is expected."""

    name: str  # `E07.learned_accuracy`: the experiment, and what was measured
    what: str
    value: float | None  # None: not yet measured
    above: float | None
    below: float | None

    @property
    def kind(self) -> str:
        """`counted` in our own record of the article and the card, which was made by hand, or `measured`."""
        return COUNTED if self.name.startswith(RECORD) else MEASURED

    @property
    def band(self) -> str:
        """`at least 0.9`."""
        return band(self.above, self.below)

    @property
    def shown_value(self) -> str:
        """`0.998`, or that there is no number yet."""
        if self.value is None:
            return NOT_MEASURED
        inside = (self.above is None or self.value >= self.above) and (self.below is None or self.value <= self.below)
        return f"{self.value:.4g}{'' if inside else ', outside of its band'}"

    @property
    def reading(self) -> str:
        """`learned_accuracy 0.998 (at least 0.9)`."""
        return f"{self.name.partition('.')[2]} {self.shown_value}" + ("" if self.value is None else f" ({self.band})")


@dataclass(frozen=True)
class Claim:
    """One statement of the article, in our words, and what is known of it."""

    id: str
    part: str  # of the article
    where: str  # one of PLACES
    claim: str
    verdict: str
    marks: tuple[str, ...]  # the verdict words in it: most have one, some two
    why: str
    grade: tuple[str, ...]
    sources: tuple[str, ...]  # whole references
    experiments: tuple[str, ...]
    lesson: str
    measures: tuple[Measure, ...]

    @property
    def status(self) -> str:
        """`measured`, `partly measured` or `not yet measured`."""
        done = sum(measure.value is not None for measure in self.measures)
        if not done:
            return NOT_MEASURED
        return "measured" if done == len(self.measures) else "partly measured"

    @property
    def kind(self) -> str:
        """Whether its numbers are `counted`, `measured`, or `counted, measured`; the verdict is argued in any case."""
        return ", ".join(dict.fromkeys(measure.kind for measure in self.measures))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; a number that is not yet measured is None."""
        measures = [{**measure.__dict__, "kind": measure.kind} for measure in self.measures]
        return {**self.__dict__, "measures": measures, "status": self.status, "kind": self.kind}


@dataclass(frozen=True)
class Fact:
    """One thing that the system card says, and the claims that say it, too."""

    number: int
    text: str
    full: tuple[str, ...]  # ids
    part: tuple[str, ...]


@dataclass(frozen=True)
class Hedge:
    """One statement as the article's summary and as its body make it, in our words with its hedges."""

    claim: str
    summary: str
    body: str


@dataclass(frozen=True)
class Audit:
    """All of claims.toml, with the numbers of results.json in their places."""

    article: dict[str, Any]
    card: dict[str, Any]
    limits: tuple[str, ...]
    verdicts: dict[str, str]  # mark -> meaning
    grades: dict[str, str]
    experiments: dict[str, str]  # id -> question
    facts: tuple[Fact, ...]
    hedges: tuple[Hedge, ...]
    claims: tuple[Claim, ...]
    lessons: frozenset[str]  # those that have recorded numbers

    def with_numbers(self, kind: str) -> int:
        """How many claims have numbers, all of them of this kind."""
        return sum(claim.kind == kind and claim.status != NOT_MEASURED for claim in self.claims)

    def claim(self, name: str) -> Claim:
        """The claim with the id `name`; letter case does not count."""
        for claim in self.claims:
            if claim.id == name.upper():
                return claim
        raise UserError(f"there is no claim {name}; there are {self.claims[0].id} to {self.claims[-1].id}")
