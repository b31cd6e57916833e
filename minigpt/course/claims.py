"""The audit of the article: every claim with a verdict, its evidence, and what the course measured.

What was judged stands in lessons/claims.toml, what was measured in lessons/results.json; here they meet.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigpt.course.folder import CLAIMS, lessons_folder
from minigpt.course.lesson import band
from minigpt.errors import UserError
from minigpt.files import read_json

NOT_MEASURED = "not yet measured"
PLACES = ("summary", "body", "both", "omission")  # of the article
TEXTS = ("id", "part", "where", "claim", "verdict", "why", "lesson")  # what every claim has ...
LISTS = {"grade": str, "sources": str, "experiments": str, "measure": dict}  # ... and lists, none of them empty


@dataclass(frozen=True)
class Measure:
    """One number that bears on a claim. The band is what a lesson held it to or, before that, what is expected."""

    name: str  # `E07.learned_accuracy`: the experiment, and what was measured
    what: str
    value: float | None  # None: not yet measured
    above: float | None
    below: float | None

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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; a number that is not yet measured is None."""
        return {**self.__dict__, "measures": [measure.__dict__ for measure in self.measures], "status": self.status}


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

    def claim(self, name: str) -> Claim:
        """The claim with the id `name`; letter case does not count."""
        for claim in self.claims:
            if claim.id == name.upper():
                return claim
        raise UserError(f"there is no claim {name}; there are {self.claims[0].id} to {self.claims[-1].id}")


def load_claims(folder: str | Path | None = None) -> Audit:
    """Read and check claims.toml and results.json in `folder` (default: `lessons_folder()`).

    `UserError` if a claim lacks a verdict, a reason, a grade, a source or a measure, or names a mark, grade, reference
    or experiment that the file does not define.
    """
    folder = Path(folder) if folder else lessons_folder()
    data = _read_toml(folder / CLAIMS)
    rows = read_json(folder / "results.json", _are_results) if (folder / "results.json").exists() else []
    claims = tuple(_claim(table, data, {row["name"]: row for row in rows}) for table in data["claim"])
    ids = [claim.id for claim in claims]
    for name in ids:
        _check(ids.count(name) == 1, f"two claims are called {name}", "give each its own id")
    facts = tuple(_record(Fact, table) for table in data["fact"])
    hedges = tuple(_record(Hedge, table) for table in data["hedge"])
    for name in [*(hedge.claim for hedge in hedges), *(name for fact in facts for name in fact.full + fact.part)]:
        _check(name in ids, f"a fact or hedge names claim {name}, which is not there", "name one that is")
    kept = {name: data[name] for name in ("article", "card", "verdicts", "grades", "experiments")}
    lessons = frozenset(row["lesson"] for row in rows)
    return Audit(limits=tuple(data["limits"]), facts=facts, hedges=hedges, claims=claims, lessons=lessons, **kept)


def _read_toml(path):
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} could not be read ({error}); mend it, or fetch it from the repository again") from None
    for name in ("article", "card", "verdicts", "grades", "experiments", "references"):
        table: Any = data.get(name)
        _check(table and isinstance(table, dict), f"there is no table [{name}]", "add it")
        texts = name in ("article", "card") or _is_list(list(table.values()), str)
        _check(texts, f"a value of [{name}] is not text", "write it in quotes")
    for name, kind in (("limits", str), ("fact", dict), ("hedge", dict), ("claim", dict)):
        _check(_is_list(data.get(name), kind), f"there is no list `{name}`", "add it")
    _check({"title", "attributed_to", "dated"} <= set(data["article"]), "[article] lacks a field", "add it")
    return data


def _is_list(value, kind) -> bool:
    """Whether `value` is a list that holds something, all of it of the type `kind`."""
    return isinstance(value, list) and bool(value) and all(isinstance(entry, kind) for entry in value)


def _are_results(rows):
    """Whether `rows` has the form of results.json."""
    keys = {"lesson", "name", "value", "above", "below"}
    return isinstance(rows, list) and all(isinstance(row, dict) and keys <= set(row) for row in rows)


def _claim(table, data, results) -> Claim:
    """A checked `Claim` of its TOML table; results: name -> row of results.json."""
    name = table.get("id", "one without an id")
    for field in TEXTS:
        _check(isinstance(table.get(field), str) and table[field].strip(), f"claim {name} has no {field}", "add one")
    for field, kind in LISTS.items():
        _check(_is_list(table.get(field), kind), f"claim {name} has no {field}", "add a list")
    marks = sorted((mark for mark in data["verdicts"] if mark in table["verdict"]), key=table["verdict"].index)
    _check(marks, f"the verdict of {name}, {table['verdict']!r}, has no mark", f"use {', '.join(data['verdicts'])}")
    _check(table["where"] in PLACES, f"{name} stands in {table['where']!r}", f"use {', '.join(PLACES)}")
    for field, known in (("grade", "grades"), ("sources", "references"), ("experiments", "experiments")):
        for entry in table[field]:
            _check(entry in data[known], f"{name} names {entry!r}, which is not in [{known}]", "name one that is")
    return Claim(
        **{field: " ".join(table[field].split()) for field in TEXTS},
        marks=tuple(marks),
        grade=tuple(table["grade"]),
        sources=tuple(data["references"][key] for key in table["sources"]),
        experiments=tuple(table["experiments"]),
        measures=tuple(_measure(row, table, results) for row in table["measure"]),
    )


def _measure(row, table, results) -> Measure:
    """A `Measure` with its value and the band of the lesson, if there are any."""
    name, what = str(row.get("name")), row.get("what")
    _check(isinstance(what, str), f"the measure {name!r} of {table['id']} does not say what it is", "add `what`")
    experiment = name.partition(".")[0]
    _check(experiment in table["experiments"], f"{table['id']} measures {name!r}", "name one of its own experiments")
    edges = [row[key] for key in ("above", "below") if key in row]
    _check(edges and all(isinstance(edge, int | float) for edge in edges), f"{name} has no band", "add above or below")
    held_to = results.get(name, row)
    return Measure(name, what, results.get(name, {}).get("value"), held_to.get("above"), held_to.get("below"))


def _record(kind, table):
    """A dataclass of the TOML table with its fields; lists become tuples."""
    types = {
        key: field.type if isinstance(field.type, type) else list for key, field in kind.__dataclass_fields__.items()
    }
    right = set(types) == set(table) and all(type(table[key]) is types[key] for key in types)
    _check(right, f"a {kind.__name__.lower()} is {table}", f"give it {', '.join(types)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def _check(holds, problem: str, remedy: str) -> None:
    if not holds:
        raise UserError(f"{CLAIMS}: {problem}; {remedy}")


def render(audit: Audit) -> str:
    """lessons/CLAIMS.md: the whole audit for a reader, in Markdown."""
    measured = sum(claim.status != NOT_MEASURED for claim in audit.claims)
    counts = {mark: sum(mark in claim.marks for claim in audit.claims) for mark in audit.verdicts}
    facts = [(fact.number, fact.text, _links(fact.full) or "none", _links(fact.part) or "none") for fact in audit.facts]
    overview = [
        (_links([claim.id]), claim.claim, claim.verdict, _readings(claim), _lesson(audit, claim))
        for claim in audit.claims
    ]
    sections = [
        _INTRODUCTION.format(count=len(audit.claims), measured=measured, **audit.article),
        "## The marks of a verdict",
        'Two marks mean what they say together: "NOT IN THE CARD / UNVERIFIABLE" is a false attribution of something '
        "that cannot be checked either way.",
        _table(("mark", "meaning", "claims"), [(*pair, counts[pair[0]]) for pair in audit.verdicts.items()]),
        "## The grades of evidence",
        _table(("grade", "meaning"), audit.grades.items()),
        "A source that ends in \\* had its identifier or wording confirmed in an archive; the others are from memory.",
        "## All claims",
        _table(("id", "claim", "verdict", "measured (band)", "lesson"), overview),
        "## Ten facts of the card, and who states them",
        _table(("", "fact", "in full", "in part"), facts),
        "## What could not be verified",
        "\n".join(f"- {' '.join(limit.split())}" for limit in audit.limits),
    ]
    part = None
    for claim in audit.claims:
        sections += [f"## {claim.part}"] if claim.part != part else []
        sections.append(_page(audit, claim))
        part = claim.part
    return "\n\n".join(sections) + "\n"


_INTRODUCTION = """\
<!-- Written by `python -m lessons.build` from claims.toml and results.json; change those instead. -->

# {count} claims of an article, and what is known

An article called "{title}" (attributed to {attributed_to}, {dated}; no author, no citation, no link to the document
that it describes) says how GPT-5.5 is built and trained. Here stands every technical statement that it makes, in our
words, with a verdict, the evidence, and an experiment that a small transformer can run. {measured} of {count} claims
have measured numbers so far; each was asserted to lie in its band when its lesson ran. An experiment that has not run
reads "not yet measured", and its band is what we expect.

A verdict speaks of the *article's statement*. No experiment on a small model shows how GPT-5.5 is built: an experiment
shows what a method does, and so whether the article's account of it can be right. "Documented for other models, never
for a GPT; undisclosed for 5.5" is not "disproved"."""


def _page(audit, claim) -> str:
    """One claim in full."""
    numbers = [(f"`{one.name}`", one.what, one.shown_value, one.band) for one in claim.measures]
    questions = " ".join(f"{name}: {audit.experiments[name]}" for name in claim.experiments)
    where = {"both": "its summary and its body", "omission": "neither: left out"}.get(claim.where, f"its {claim.where}")
    return "\n\n".join(
        [
            f"### {claim.id}",
            f"**Claim.** {claim.claim} *(In the article: {where}.)*",
            f"**Verdict.** {claim.verdict}",
            f"**Why.** {claim.why} *(Evidence: {', '.join(claim.grade)}.)*",
            f"**Experiment.** {questions} Lesson: {_lesson(audit, claim)}.",
            _table(("number", "what it is", "measured", "band"), numbers),
            "**Sources.**\n" + "\n".join(f"- {_plain(source)}" for source in claim.sources),
        ]
    )


def _readings(claim) -> str:
    """The numbers of a claim, one under the other."""
    if claim.status == NOT_MEASURED:
        return NOT_MEASURED
    return "<br>".join(one.reading for one in claim.measures)


def _lesson(audit, claim) -> str:
    """A link to the lesson, once it has measured something."""
    return f"[{claim.lesson}]({claim.lesson}.ipynb)" if claim.lesson in audit.lessons else claim.lesson


def _links(ids) -> str:
    return ", ".join(f"[{name}](#{name.lower()})" for name in ids)


def _plain(text: str) -> str:
    """`text` without what Markdown would take for emphasis."""
    return text.replace("*", r"\*").replace("_", r"\_")


def _table(headers, rows) -> str:
    """A table in Markdown."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
