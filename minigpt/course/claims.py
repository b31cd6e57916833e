"""The audit of the article: every claim with a verdict, its evidence, and what the course measured.

What was judged stands in lessons/claims.toml, what was measured in lessons/results.json; here they meet.
"""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from minigpt.course.audit import PLACES, Audit, Claim, Fact, Hedge, Measure
from minigpt.course.folder import CLAIMS, lessons_folder
from minigpt.errors import UserError
from minigpt.files import check_is_file, read_json
from minigpt.values import TEXT, about, number, read

TEXTS = ("id", "part", "where", "claim", "verdict", "why", "lesson")  # what every claim has ...
LISTS = {"grade": str, "sources": str, "experiments": str, "measure": dict}  # ... and lists, none of them empty
RESULT = {"lesson": TEXT, "name": TEXT, "value": number(), **dict.fromkeys(("above", "below"), number().or_none())}
Table = dict[str, Any]  # of TOML


def load_claims(folder: str | Path | None = None) -> Audit:
    """Read and check claims.toml and results.json in `folder` (default: `lessons_folder()`).

    `UserError` if a claim lacks a verdict, a reason, a grade, a source or a measure, or names a mark, grade, reference
    or experiment that the file does not define.
    """
    folder = Path(folder) if folder else lessons_folder()
    data = _read_toml(folder / CLAIMS)
    rows = _read_results(folder / "results.json") if (folder / "results.json").exists() else []
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


def _read_toml(path: Path) -> dict[str, Any]:
    check_is_file(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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


def _is_list(value: Any, kind: type) -> bool:
    """Whether `value` is a list that holds something, all of it of the type `kind`."""
    return isinstance(value, list) and bool(value) and all(isinstance(entry, kind) for entry in value)


def _read_results(path: Path) -> list[Table]:
    """The rows of results.json. `UserError` names a value that does not fit."""
    rows = read_json(path, lambda value: isinstance(value, list))
    with about(path, "run the lessons again, or fetch it from the repository"):
        for row in rows:
            for key, kind in RESULT.items():
                read(row, key, kind)
    return rows


def _claim(table: Table, data: Table, results: dict[str, Table]) -> Claim:
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


def _measure(row: Table, table: Table, results: dict[str, Table]) -> Measure:
    """A `Measure` with its value and the band of the lesson, if there are any."""
    name, what = str(row.get("name")), row.get("what")
    _check(isinstance(what, str), f"the measure {name!r} of {table['id']} does not say what it is", "add `what`")
    experiment = name.partition(".")[0]
    _check(experiment in table["experiments"], f"{table['id']} measures {name!r}", "name one of its own experiments")
    edges = [row[key] for key in ("above", "below") if key in row]
    _check(edges and all(isinstance(edge, int | float) for edge in edges), f"{name} has no band", "add above or below")
    assert isinstance(what, str)
    held_to = results.get(name, row)
    return Measure(name, what, results.get(name, {}).get("value"), held_to.get("above"), held_to.get("below"))


def _record(kind: type, table: Table) -> Any:
    """A dataclass of the TOML table with its fields; lists become tuples."""
    types = {field.name: field.type if isinstance(field.type, type) else list for field in fields(kind)}
    right = set(types) == set(table) and all(type(table[key]) is types[key] for key in types)
    _check(right, f"a {kind.__name__.lower()} is {table}", f"give it {', '.join(types)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def _check(holds: Any, problem: str, remedy: str) -> None:
    if not holds:
        raise UserError(f"{CLAIMS}: {problem}; {remedy}")
