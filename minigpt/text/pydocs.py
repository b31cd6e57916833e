"""Real text that every Python has: its language reference topics and the docstrings of its standard library."""

import ast
import os
import sysconfig
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from minigpt.progress import progress_bar

# Tests, what others installed, an editor's insides, and a hundred generated files with one docstring.
SKIPPED = {"test", "tests", "site-packages", "dist-packages", "__pycache__", "idlelib", "lib2to3", "encodings"}

BODIES = ("body", "handlers", "cases", "orelse", "finalbody")  # where a statement holds others, in the order of fields


def pydocs_documents(*, progress: bool = True) -> list[str]:
    """One document for each topic and one for each module: its docstrings, each under its name.

    Source files are read and parsed, never run. A docstring that occurs twice is taken once. About 2.2 MB; the exact
    text depends on the version of Python.
    """
    documents, seen = list(_topics()), set()
    files = _source_files()
    for path in progress_bar(
        files, desc="reading Python's documentation", unit=" files", leave=False, disable=not progress
    ):
        texts = []
        for name, text in _docstrings(path):
            if text not in seen:
                seen.add(text)
                texts.append(f"{name}\n\n{text}" if name else text)
        if texts:
            documents.append("\n\n\n".join(texts) + "\n")
    return documents


def _topics() -> Iterator[str]:
    """What `help("topics")` offers: sections of the language reference."""
    try:
        from pydoc_data.topics import topics
    except ImportError:  # some systems leave it out
        return
    yield from dict.fromkeys(topics[name] for name in sorted(topics))  # a few topics go by two names


def _source_files() -> list[Path]:
    """The standard library's modules, in one order on every machine."""
    root, files = Path(sysconfig.get_path("stdlib")), []
    for folder, inner, names in os.walk(root):
        inner[:] = set(inner) - SKIPPED  # site-packages alone may hold ten times as many files
        files += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(files, key=lambda path: path.relative_to(root).as_posix())


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """(name, docstring) of the module (without a name) and of all classes and functions in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a few old modules have odd escapes
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in _statements(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", ""), text


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and every statement in it, level by level as `ast.walk` goes, but never into an expression, where most
    of a tree is and no docstring."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        yield node
        for field in BODIES:
            waiting.extend(inner for inner in getattr(node, field, ()) if isinstance(inner, ast.AST))
