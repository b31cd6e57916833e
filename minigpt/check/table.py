"""The table of `minigpt gradcheck`: every operation and whole models, argument by argument."""

from typing import Any

from minigpt.check.cases import CASES
from minigpt.check.model import CONFIGS, check_model
from minigpt.check.report import GradientReport
from minigpt.model import Transformer
from minigpt.model.arrays import Arrays
from minigpt.progress import progress_bar

Row = dict[str, Any]


def gradcheck_rows(*, seed: int = 0, progress: bool = False) -> list[Row]:
    """Check every case of every operation and a few whole models.

    Returns rows of operation, argument, max_absolute_error, max_relative_error, passed. A model has one row for each
    kind of array (`attention.query.weight` of all its blocks). progress: draw a bar.
    """
    rows: list[Row] = []
    with progress_bar(total=len(CASES) + len(CONFIGS), desc="gradients", disable=not progress, leave=False) as bar:
        for case in CASES:
            rows += [_row(case.name, argument.name, [argument]) for argument in case.check(seed=seed).arguments]
            bar.update()
        for name, config in CONFIGS.items():
            rows += _model_rows(f"transformer, {name}", Transformer(config).arrays(), check_model(config, seed=seed))
            bar.update()
    return rows


def format_rows(rows: list[Row]) -> str:
    """The rows as an aligned table, with a last line that says how many passed."""
    table = [("operation", "argument", "max absolute error", "max relative error", "")]
    for row in rows:
        errors = f"{row['max_absolute_error']:.1e}", f"{row['max_relative_error']:.1e}"
        table.append((row["operation"], row["argument"], *errors, "ok" if row["passed"] else "WRONG"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
    passed = sum(row["passed"] for row in rows)
    return "\n".join([*lines, f"{passed} of {len(rows)} gradients are right"])


def _model_rows(operation: str, arrays: Arrays, report: GradientReport) -> list[Row]:
    """A row for each kind of array: those of all blocks of a stack together."""
    kinds: dict[str, list] = {}
    for argument in report.arguments:
        block = arrays[argument.name].block
        kinds.setdefault(argument.name.replace(f"{block}.", "", 1) if block else argument.name, []).append(argument)
    return [_row(operation, kind, arguments) for kind, arguments in kinds.items()]


def _row(operation: str, argument: str, arguments: list) -> Row:
    return {
        "operation": operation,
        "argument": argument,
        "max_absolute_error": max(a.max_absolute_error for a in arguments),
        "max_relative_error": max(a.max_relative_error for a in arguments),
        "passed": all(a.passed for a in arguments),
    }
