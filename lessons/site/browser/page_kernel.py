"""The interpreter of a page: it runs a cell and hands what came of it to the page, piece by piece."""

import ast
import base64
import io
import linecache
import math
import os
import random
import sys
import sysconfig
import time
import traceback
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

DPI = 100
MOST_CHARACTERS = 100_000  # that one cell may print
AT_ONCE = 200  # pieces of print that are shown without delay
GATHERED = 0.1  # seconds for which later ones are

_names: dict[str, dict[str, Any]] = {}  # of each page, as a notebook has its own


def _nowhere(kind: str, text: str, alt: str) -> None:
    """Before the first cell there is nobody who looks."""


_emit: Callable[[str, str, str], None] = _nowhere


class Printed(io.TextIOBase):
    """What a cell prints, until it is too much: at first piece by piece, then gathered, which a page can follow."""

    def __init__(self, emit: Callable[[str, str, str], None]) -> None:
        self.emit, self.left, self.pieces = emit, MOST_CHARACTERS, 0
        self.held: list[str] = []
        self.last = -math.inf

    def write(self, text: str) -> int:
        """Hand it to the page, at once or soon."""
        if self.left > 0:
            self.held.append(text[: self.left])
            self.left -= len(text)
            self.pieces += 1
            if self.left <= 0:
                self.held.append("\n(the rest of what this cell printed is left out)\n")
            if self.pieces <= AT_ONCE or self.left <= 0 or time.monotonic() - self.last > GATHERED:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self.held:
            self.last = time.monotonic()
            self.emit("text", "".join(self.held), "")
            self.held.clear()

    def writable(self) -> bool:
        """It is."""
        return True


def display(thing: Any, metadata: dict[str, Any] | None = None, **_options: Any) -> None:
    """Show a figure as a picture, a sound as what plays it, and anything else as it describes itself."""
    if hasattr(thing, "savefig"):
        picture = io.BytesIO()
        thing.savefig(picture, format="png", dpi=DPI, bbox_inches="tight")
        alt = (metadata or {}).get("image/png", {}).get("alt", "")
        _emit("image", base64.b64encode(picture.getvalue()).decode(), alt)
    elif hasattr(thing, "wave_file"):
        _emit("sound", base64.b64encode(thing.wave_file).decode(), repr(thing))
    elif hasattr(thing, "_repr_markdown_"):
        _emit("markdown", thing._repr_markdown_(), repr(thing))
    else:
        _emit("text", f"{thing!r}\n", "")


def run_cell(
    page: str, cell: str, source: str, emit: Callable[[str, str, str], None], quick: bool
) -> bool:
    """Run the source in the page's names; whether it ended well. emit(kind, text, alt) gets each piece."""
    global _emit  # noqa: PLW0603  # one cell runs at a time
    printed = Printed(emit)

    def after_print(kind: str, text: str, alt: str) -> None:
        printed.flush()
        emit(kind, text, alt)

    _emit = after_print
    os.environ["MINIGPT_QUICK"] = "1" if quick else "0"
    names = _names.setdefault(page, {"__name__": "__main__"})
    place = f"<{page}, {cell}>"
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            tree = ast.parse(source, place)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, place, "exec"), names)
            if last is not None and not source.rstrip().endswith(";"):
                value = eval(compile(ast.Expression(last.value), place, "eval"), names)
                if value is not None:
                    display(value)
        except BaseException as error:
            after_print("error", told(error, place), "")
            return False
        finally:
            printed.flush()
            _close_figures()
    return True


def told(error: BaseException, place: str) -> str:
    """The traceback from the cell on; of a user's error its sentence alone."""
    from minigpt.errors import UserError

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != place:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def begin(known: bool) -> None:
    """Keep what is compiled. known: an earlier visit has compiled these sources, which were unpacked anew."""
    sys.dont_write_bytecode = False
    random.seed()  # an image of an interpreter's memory would begin with the same numbers on every visit
    if known:
        external = sys.modules["_frozen_importlib_external"]
        external._validate_timestamp_pyc = lambda *_arguments: None  # type: ignore[attr-defined]


def standard_modules() -> list[str]:
    """The names of the standard library's modules that are imported and written in Python."""
    found = {
        name: getattr(module, "__file__", None) or ""
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in sys.stdlib_module_names
    }
    return sorted(name for name, file in found.items() if file.endswith((".py", ".pyc")))


def unpack_standard_library() -> None:
    """As files, whose docstrings are the text that lessons read: Pyodide keeps them in an archive."""
    where = sysconfig.get_path("stdlib")
    if not os.path.exists(os.path.join(where, "argparse.py")):
        with zipfile.ZipFile(next(path for path in sys.path if path.endswith(".zip"))) as archive:
            archive.extractall(where)


def forget(page: str) -> None:
    """Begin anew with this page."""
    _names.pop(page, None)


def _close_figures() -> None:
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
