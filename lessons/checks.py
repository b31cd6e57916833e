"""What a lesson's text says of the lesson itself, held to what the build measured."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from lessons.sources import LESSONS

TIME = re.compile(
    r"\*\*Time\.\*\* (\d+) minutes to read; the code runs in (\d+) s and takes ([\d.]+) GB\."
)
MOST_MEMORY = 3.0  # GB
MOST_SECONDS = 90  # of a full run, as the lesson states it
LONGER = {  # seconds, and why no less would do
    "18_long_range": (91, "each arm has to learn before its reach can be told"),
    "19_efficient_inference": (99, "cut by a quarter, it turned one of its predictions round"),
}
WORDS_A_MINUTE, CODE_LINES_A_MINUTE = 60, 10  # of prose that one works through, and of code


class Spent(NamedTuple):
    """What a lesson took: processor time, seconds; the most memory, GB."""

    seconds: float
    gigabytes: float


def check_lesson(source: Path, notebook: Any, spent: Spent) -> None:
    """`SystemExit` names what the lesson says and is not so: times, memory, counts, lessons that do not exist."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    wrong = [
        *wrong_times(prose, reading_minutes(notebook), spent),
        *too_long(source.stem, prose),
        *wrong_counts(prose, said(notebook)),
        *wrong_references(prose),
    ]
    if wrong:
        raise SystemExit("\n".join(f"{source.name}: {one}" for one in wrong))


def reading_minutes(notebook: Any) -> int:
    """Minutes to work through the prose and the code, to the nearest five."""
    words = lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        else:
            lines += len(cell.source.splitlines())
    return max(5, 5 * round((words / WORDS_A_MINUTE + lines / CODE_LINES_A_MINUTE) / 5))


def said(notebook: Any) -> str:
    """Everything that the cells printed or showed as text."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += [
                output.get("text", ""),
                data.get("text/plain", ""),
                data.get("text/markdown", ""),
            ]
    return "\n".join(texts)


def wrong_times(prose: str, minutes: int, spent: Spent) -> list[str]:
    """What the line **Time.** has wrong: its minutes, or seconds or memory by more than a factor of two."""
    line = TIME.search(prose)
    runs = f"{max(1, round(spent.seconds))} s and takes {spent.gigabytes:.1f} GB"
    right = f"{minutes} minutes to read; the code runs in {runs}."
    if line is None:
        return [f"there is no line **Time.** of the form: {right}"]
    wrong = []
    if int(line[1]) != minutes or not (
        near(float(line[2]), spent.seconds, 2.0) and near(float(line[3]), spent.gigabytes, 0.2)
    ):
        wrong.append(f"the line **Time.** should be: {right}")
    if spent.gigabytes > MOST_MEMORY:
        wrong.append(
            f"it takes {spent.gigabytes:.1f} GB, and {MOST_MEMORY:g} is the most that a lesson may take"
        )
    return wrong


def too_long(lesson: str, prose: str) -> list[str]:
    """What is wrong with the seconds of the line **Time.**: more than `MOST_SECONDS`, or than `LONGER` grants."""
    line = TIME.search(prose)
    most, _ = LONGER.get(lesson, (MOST_SECONDS, ""))
    if line is None or int(line[2]) <= most:
        return []
    return [
        f"it runs for {line[2]} s, and {most} is the most; cut what costs most, or say in LONGER why not"
    ]


def near(stated: float, measured: float, small: float) -> bool:
    """Whether two sizes differ by no more than a factor of two, or are both as good as nothing."""
    return measured / 2 <= stated <= 2 * measured or max(stated, measured) <= small


def wrong_counts(prose: str, printed: str) -> list[str]:
    """Each "N of M" that no cell has printed."""
    numbers = re.findall(r"\b\d+ of \d+\b", prose)
    return [
        f'no cell prints "{count}", which its text says'
        for count in numbers
        if count not in printed
    ]


def wrong_references(prose: str) -> list[str]:
    """Each "lesson NN" that does not exist, and each promise of one that has no number."""
    known = {path.name[:2] for path in LESSONS.glob("[0-9][0-9]_*.py")}
    lists = re.findall(r"\blessons? (\d\d(?:(?:, | and | to |-)\d\d)*)\b", prose, re.IGNORECASE)
    named = [name for numbers in lists for name in re.findall(r"\d\d", numbers)]
    wrong = [f"there is no lesson {name}" for name in named if name not in known]
    promises = re.findall(r"\b(?:a|the) (?:later|coming) lesson\b", prose, re.IGNORECASE)
    return wrong + [
        f'"{promise}" names no lesson; give its number or leave it out' for promise in promises
    ]
