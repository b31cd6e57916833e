"""What a lesson needs besides the library: bands for its numbers, and things to look at."""

import base64
import html
import inspect
import io
import json
import os
import textwrap
import wave
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

QUICK = "MINIGPT_QUICK"  # 1: lessons run small, to see that they run
RESULTS = "MINIGPT_RESULTS"  # a file to which every expected number is added, one JSON object per line


TOLERANCE = 1e-6  # of two ways to compute the same; every mistake is larger


class Unexpected(AssertionError):
    """A number that a lesson states lies outside its band."""


def quick() -> bool:
    """Whether to run small: `MINIGPT_QUICK=1` in the environment."""
    return os.environ.get(QUICK) == "1"


def expect(
    name: str,
    value: float,
    *,
    above: float | None = None,
    below: float | None = None,
    equal: float | None = None,
    against: Mapping[str, float] | None = None,
    full_only: bool = False,
) -> None:
    """Say a measured number and hold it to its band: above <= value <= below, or equal to the last bit.

    name: the experiment's id and what was measured, `E06a.bidirectional_loss`. against: what the number would be if
    something else were so, each with its name (chance, a baseline, the control); a band that holds one of these could
    not tell them apart. An equality and a `TOLERANCE` need none. full_only: a quick run is too small for
    the band and only says the number. `Unexpected` if the value is outside, `ValueError` for a band that says nothing.
    The file named by `MINIGPT_RESULTS`, if any, gets one more line, for the table of claims.
    """
    if equal is not None:
        above = below = equal
    small = full_only and quick()
    _check_band(name, above, below, {} if small else against)
    value = float(value)
    row = {"name": name, "value": value, "above": above, "below": below, "quick": quick()}
    if path := os.environ.get(RESULTS):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    line = f"{name} = {value:.4g}   (expected {band(above, below)}{_other_than(against)})"
    if not _inside(value, above, below) and not small:
        raise Unexpected(line)
    print(line)


def _check_band(name: str, above: float | None, below: float | None, against: Mapping[str, float] | None) -> None:
    if above is None and below is None:
        raise ValueError(f"{name} has no band; give above, below or equal")
    tolerance = below is not None and below <= TOLERANCE and (above is None or above >= -TOLERANCE)
    if not (against or tolerance or above == below or quick()):  # a quick run may have no control
        raise ValueError(f"{name} is held against nothing; name what its band excludes: against={{name: value}}")
    for what, other in (against or {}).items():
        if _inside(other, above, below):
            raise ValueError(f"the band of {name} holds {what} ({other:.4g}) as well; narrow it until it excludes that")


def _inside(value: float, above: float | None, below: float | None) -> bool:
    return (above is None or value >= above) and (below is None or value <= below)


def _other_than(against: Mapping[str, float] | None) -> str:
    return "".join(f"; {what} {value:.4g}" for what, value in (against or {}).items())


def prediction(name: str, text: str, came_true: bool, *, text_says: bool = True) -> None:
    """Say whether a prediction was confirmed. text_says: what the lesson's text tells its readers.

    The file named by `MINIGPT_RESULTS` gets one more line, 1 or 0. `Unexpected` if a full run contradicts the text.
    """
    expect(name, float(came_true), equal=float(text_says), full_only=True)
    print(f"{'confirmed' if came_true else 'not confirmed'}: {text}")


def band(above: float | None, below: float | None) -> str:
    """A band in words: `at least 0.9`, `0.3 to 0.6`, `exactly 0`."""
    if above == below:
        return f"exactly {above:g}"
    if above is None:
        return f"at most {below:g}"
    return f"at least {above:g}" if below is None else f"{above:g} to {below:g}"


class Shown:
    """Text that a notebook renders as Markdown and a terminal prints as it is."""

    def __init__(self, plain: str, markdown: str):
        self.plain, self.markdown = plain, markdown

    def __repr__(self) -> str:
        return self.plain

    def _repr_markdown_(self) -> str:
        return self.markdown


def show_source(function: Callable[..., Any] | type, *, docstring: bool = True) -> Shown:
    """The source of a function as it stands in the library, under the name of its file: what you read is what runs.

    docstring: whether to show that too.
    """
    source = textwrap.dedent(inspect.getsource(function))
    if not docstring:
        source = _without_docstring(source, inspect.getdoc(function))
    place = function.__module__.replace(".", "/") + ".py"
    return Shown(f"# {place}\n{source}", f"```python\n# {place}\n{source}```")


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, digits: int = 3) -> Shown:
    """Rows under headers. Floats are shown with `digits` decimals; text is aligned left, numbers right."""
    cells = [[f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    numeric = [all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(headers))]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        places = zip(row, widths, numeric, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in places).rstrip()

    plain = "\n".join([line(headers), line(["-" * width for width in widths]), *map(line, cells)])
    ruler = ["---:" if right else ":---" for right in numeric]
    safe = [[cell.replace("|", "\\|") for cell in row] for row in [list(headers), *cells]]
    markdown = "\n".join("| " + " | ".join(row) + " |" for row in [safe[0], ruler, *safe[1:]])
    return Shown(plain, markdown)


class Heard:
    """A sound that a notebook plays and a terminal describes."""

    def __init__(self, plain: str, wave_file: bytes):
        self.plain, self.wave_file = plain, wave_file

    def __repr__(self) -> str:
        return self.plain

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.wave_file).decode("ascii")
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio> {html.escape(self.plain)}'


def hear(samples: Any, rate: int, text: str) -> Heard:
    """A sound, (N,) numbers from -1 to 1, to be played in a notebook. text: what it is, for those who do not hear it.

    Viewers of notebooks on code hosts leave the player out and show the text.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return Heard(text, file.getvalue())


def show(figure: Any, text: str, *, file: str | None = None) -> None:
    """Show a matplotlib figure: in a notebook below the cell, on a desktop in a window; without a screen, close it.

    text: the alternative text, for those who do not see the figure: what is drawn, and what it says. file: the name
    under which the build of the lessons keeps the picture as well, for pages beside the notebooks.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    backend = matplotlib.get_backend().lower()
    if "inline" in backend:
        from IPython.display import display

        kept = {} if file is None else {"file": file}
        display(figure, metadata={"image/png": {"alt": text, **kept}})
        plt.close(figure)
    elif backend == "agg":
        plt.close(figure)
    else:
        plt.show()


def _without_docstring(source: str, text: str | None) -> str:
    """`source` without its docstring, which is `text`; unchanged where there is none."""
    if text is None:
        return source
    before, _, rest = source.partition('"""')
    after = rest.partition('"""')[2]
    return before.rstrip(" ") + after.lstrip("\n")
