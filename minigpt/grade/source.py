"""Reading a student's source: what a file defines, and what a function of a notebook needs."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.grade.exercises import EXERCISES


def defined_names(path: Path) -> set[str]:
    """The names that a file defines or imports at its top; a file that does not parse attempts what its text names."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} could not be read as UTF-8 text ({error}); save it as UTF-8") from error
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return {name for e in EXERCISES.values() for name in e.functions if f"def {name}(" in text}
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def gather_source(functions: list[Callable[..., Any]]) -> str:
    """The source of functions and of everything of their modules that they use, as one file."""
    done: dict[str, str] = {}
    waiting = list(functions)
    while waiting:
        function = waiting.pop()
        name = function.__name__
        if name in done:
            continue
        if function.__module__.split(".")[0] == "minigpt":  # which will be refused
            done[name] = f"from {function.__module__} import {name}\n"
            continue
        if name == "<lambda>" or getattr(function, "__closure__", None):
            raise UserError(f"{name} is a lambda or uses variables around it; define it with def, at the top of a cell")
        try:
            done[name] = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):
            raise UserError(f"the source of {name} is not to be found; define it in a cell or a file") from None
        space = getattr(function, "__globals__", {})
        used = {node.id for node in ast.walk(ast.parse(done[name])) if isinstance(node, ast.Name)}
        for other in sorted(used & set(space) - set(done)):
            value = space[other]
            if inspect.ismodule(value):
                done[other] = f"import {value.__name__} as {other}\n"
            elif inspect.isfunction(value) or inspect.isclass(value):
                outside = value.__module__ != function.__module__
                if outside:
                    done[other] = f"from {value.__module__} import {value.__name__} as {other}\n"
                else:
                    waiting.append(value)
            elif isinstance(value, (bool, int, float, str, tuple, list, dict)):
                done[other] = f"{other} = {value!r}\n"
    imports = [text for text in done.values() if text.startswith(("import ", "from "))]
    rest = [text for text in reversed(list(done.values())) if not text.startswith(("import ", "from "))]
    return "\n".join([*imports, *rest])
