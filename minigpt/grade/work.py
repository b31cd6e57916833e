"""A file that a student handed in: read once, before anything runs, as the pieces that will be run."""

import json
import re
import tokenize
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from minigpt.errors import UserError

ENDINGS = (".py", ".ipynb")  # in small or capital letters
SOURCE_BYTES = 1 << 20
NOTEBOOK_BYTES = 32 << 20  # with its outputs


@dataclass(frozen=True)
class Work:
    """The source of a file. path: as it is shown. blocks: (name, bytes), one for a file, one for each cell."""

    path: str
    blocks: tuple[tuple[str, bytes], ...]
    notebook: bool = False

    @cached_property
    def text(self) -> str:
        """All of it, as Python would decode it; for looking, not for running."""
        return "\n".join(_decoded(source) for _, source in self.blocks)

    def attempts(self, names: tuple[str, ...]) -> bool:
        """Whether one of these names is defined, or imported or assigned at the beginning of a line.

        The text is searched, not parsed: a parser can be exhausted, and what does not parse is an attempt, too.
        """
        chosen = "|".join(map(re.escape, names))
        patterns = (
            rf"^[ \t\f]*(?:async\s+)?def\s+(?:{chosen})\b",
            rf"^(?:{chosen})\s*(?::[^=\n]*)?=[^=]",
            rf"^(?:from|import)\b[^\n(]*\b(?:{chosen})\b",
            rf"^from\b[^\n(]*\([^)]*\b(?:{chosen})\b",
        )
        return any(name in self.text for name in names) and any(re.search(p, self.text, re.M) for p in patterns)


def is_work(path: Path) -> bool:
    """Whether the file's name ends as that of a Python file or a notebook."""
    return path.suffix.lower() in ENDINGS


def read_work(path: Path) -> Work:
    """`UserError` if the file cannot be read, is too long, or is a notebook without code."""
    notebook = path.suffix.lower() == ".ipynb"
    most = NOTEBOOK_BYTES if notebook else SOURCE_BYTES
    try:
        if not path.is_file():
            raise UserError(f"{path} is no file; check the path")
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} could not be read ({error.strerror}); check the path") from None
    if len(data) > most:
        raise UserError(f"{path} is longer than {most >> 20} MB; hand in the code, without data or outputs")
    if not notebook:
        if b"\0" in data:
            raise UserError(f"{path} is not text in an encoding that Python reads; save it as UTF-8")
        return Work(str(path), ((path.name, data),))
    cells = _cells(path, data)
    if sum(map(len, cells)) > SOURCE_BYTES:
        raise UserError(f"{path} has more than {SOURCE_BYTES >> 20} MB of code; hand in the code, without data")
    return Work(str(path), tuple((f"cell {i + 1}", cell) for i, cell in enumerate(cells)), notebook=True)


def _cells(path: Path, data: bytes) -> list[bytes]:
    """The source of the code cells of a notebook (nbformat 3 and 4)."""
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
        sheets = notebook.get("worksheets") or [notebook]
        cells = [cell for sheet in sheets for cell in sheet["cells"] if cell["cell_type"] == "code"]
        sources: list[Any] = [cell["source"] if "source" in cell else cell["input"] for cell in cells]
        return [("".join(source)).encode("utf-8", "replace") for source in sources]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is no notebook that can be read; save it again in Jupyter") from None


def _decoded(source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
        text = source.decode(encoding, "replace")
    except (SyntaxError, LookupError, ValueError):
        text = source.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
