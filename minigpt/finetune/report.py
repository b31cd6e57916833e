"""What was measured, in lines for people."""

from collections.abc import Iterator
from typing import Any

from minigpt.errors import visible_line

NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "precision": "precision of spans",
    "recall": "recall of spans",
    "exact_match": "exact match",
    "f1": "F1",
    "names_one": "names one of the two",
    "follows_stereotype": "follows stereotype",
    "log_loss": "log loss, nats",
    "calibration_error": "calibration error",
    "loss": "loss, nats per token",
}


ALIKE = "no interval: the examples are too few, or all alike"
USES = {
    "domain": ("generate", ""),
    "chat": ("chat", ""),
    "ask": ("ask", "PICTURE.png QUESTION"),
}  # task -> the command that uses its models, and what it needs, where these are not predict and DATA
UNITS = {"loss": "nats per token", "bits_per_byte": "bits per byte"}


def report_lines(result: dict[str, Any]) -> Iterator[str]:
    """Every part that was measured, each number with its 95% interval where it has one, and where the model is."""
    for part in ("validation", "test"):
        if part in result:
            yield f"{part}, {result[part].get('examples', 0):,} examples"
            yield from (f"  {line}" for line in lines_of(result[part]))
    for name, rival in result.get("rivals", {}).items():
        accuracy, better = rival["accuracy"], rival["model_is_better_by"]
        yield f"beside it on the test: {name}, accuracy {accuracy['value']:.3f}; the model is better by " + (
            f"{better['value']:+.3f}, 95% interval {better['low']:+.3f} to {better['high']:+.3f}"
        )
    for name, before in result.get("before", {}).items():
        after = result[name]
        for unit in before:
            yield f"{name + ',':8} {UNITS[unit]:22} before {before[unit]:.4f}   after {after[unit]:.4f}"
    command, data = USES.get(result["task"], ("predict", "DATA"))
    yield f"the model is in {result['folder']}; use it with: minigpt {command} {result['folder']} {data}".rstrip()


def lines_of(measured: dict[str, Any]) -> Iterator[str]:
    """The numbers of one part, and the confusion matrix of a classifier."""
    for name, shown in NAMES.items():
        value = measured.get(name)
        if isinstance(value, float):
            yield f"{shown:20} {value:.3f}"
        elif isinstance(value, dict) and "low" in value:
            spread = f"95% interval {value['low']:.3f} to {value['high']:.3f}"
            yield f"{shown:20} {value['value']:.3f}   {spread if value['low'] < value['high'] else ALIKE}"
    if len(measured.get("labels", ())) in range(2, 13):
        yield from _confusion(measured["labels"], measured["confusion"])


def _confusion(labels: list[str], matrix: list[list[int]]) -> Iterator[str]:
    """A row for each true class, a column for each that was said."""
    names = [visible_line(label)[:20] for label in labels]
    wide = max(12, *map(len, names)) + 2
    yield f"{'true, and said':20}" + "".join(f"{name:>{wide}}" for name in names)
    for name, row in zip(names, matrix, strict=True):
        yield f"{name:20}" + "".join(f"{count:>{wide},}" for count in row)
