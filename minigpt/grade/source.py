"""The source of a notebook's function, and of everything that it uses, as one file."""

import ast
import functools
import inspect
import math
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.errors import UserError

ARRAY_SIZE = 10_000  # a larger array is data, not code


def gather_source(functions: list[Callable[..., Any]]) -> str:
    """The source of functions and of everything of their modules that they use.

    Imports, functions, classes, numbers, texts, collections, `functools.partial` and small arrays are taken along;
    `UserError` names anything else.
    """
    gathered = _Gathered()
    for function in functions:
        gathered.take(function.__name__, function)
    return "\n".join([*dict.fromkeys(gathered.imports), *gathered.code])


class _Gathered:
    """imports and code: of the file, in an order in which each line has what it needs before it."""

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.code: list[str] = []
        self._done: set[str] = set()

    def take(self, name: str, value: Any) -> None:
        """See that `name` stands for `value` in the file."""
        if name in self._done:
            return
        self._done.add(name)
        line = _import_of(name, value)
        if line is not None:
            self.imports.append(line)
        elif inspect.isfunction(value) or inspect.isclass(value):
            self._define(name, value)
        else:
            self.code.append(f"{name} = {self._expression(name, value)}\n")

    def _define(self, name: str, value: Any) -> None:
        if value.__name__ == "<lambda>" or getattr(value, "__closure__", None):
            raise UserError(f"{name} is a lambda or uses variables around it; define it with def, at the top of a cell")
        try:
            source = textwrap.dedent(inspect.getsource(value))
        except (OSError, TypeError):
            raise UserError(f"the source of {name} is not to be found; define it in a cell or a file") from None
        space = getattr(value, "__globals__", None) or vars(sys.modules.get(value.__module__, math))
        used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        for other in sorted(used & set(space) - {name, value.__name__}):
            self.take(other, space[other])
        self.code.append(source if name == value.__name__ else f"{source}\n{name} = {value.__name__}\n")

    def _expression(self, name: str, value: Any) -> str:
        """Python that makes the value again."""
        if value is None or value is Ellipsis or type(value) in (bool, int, str, bytes, complex):
            return "..." if value is Ellipsis else repr(value)
        if type(value) is float:
            return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
        if type(value) in (list, tuple, set, frozenset):
            return f"{type(value).__name__}([{', '.join(self._expression(name, item) for item in value)}])"
        if type(value) is dict:
            pairs = (f"({self._expression(name, k)}, {self._expression(name, v)})" for k, v in value.items())
            return f"dict([{', '.join(pairs)}])"
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufU" and value.size <= ARRAY_SIZE:
            self.imports.append("import numpy\n")
            made = f"numpy.array({self._expression(name, value.tolist())}, {value.dtype.str!r}).reshape({value.shape})"
            return made if isinstance(value, np.ndarray) else f"{made}[()]"
        if type(value) is functools.partial:
            return self._partial(name, value)
        kind = f"array of {value.size} numbers" if isinstance(value, np.ndarray) else type(value).__name__
        raise UserError(
            f"{name} is a {kind}, which cannot be taken along to be graded; make it inside of the function that uses it"
        )

    def _partial(self, name: str, value: functools.partial) -> str:
        self.imports.append("import functools\n")
        inner = f"_{name}_function"
        self.take(inner, value.func)
        given = [self._expression(name, item) for item in value.args]
        given += [f"{key}={self._expression(name, item)}" for key, item in value.keywords.items()]
        return f"functools.partial({', '.join([inner, *given])})"


def _import_of(name: str, value: Any) -> str | None:
    """The line that imports the value, if it comes from a module other than the notebook's."""
    if inspect.ismodule(value):
        return f"import {value.__name__} as {name}\n"
    own = getattr(value, "__name__", None)
    if not isinstance(own, str) or not callable(value):
        return None
    module = getattr(value, "__module__", None)
    if inspect.isfunction(value) or inspect.isclass(value):
        foreign = module is not None and module != "__main__" and _is_library(module)
        return f"from {module} import {own} as {name}\n" if foreign else None
    for place in (module, "numpy", "math", "operator"):  # a ufunc does not always say where it is from
        if place in sys.modules and getattr(sys.modules[place], own, None) is value:
            return f"from {place} import {own} as {name}\n"
    return None


def _is_library(module: str) -> bool:
    """Whether the module is Python's, NumPy's or refused anyway; a student's own travels with the function."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in (
        "numpy",
        "minigpt",
        "scipy",
        "torch",
        "tensorflow",
        "jax",
        "autograd",
    )
