"""Runs a student's file in a process of its own. Started by path, without minigpt: only NumPy and the standard library.

The grader speaks to it over its standard input and output, in frames: eight bytes of length, then an NPZ archive whose
entry `tree` is JSON and whose other entries are the arrays in it. Nothing is ever unpickled. What the student's code
prints goes to standard error.
"""

import contextlib
import importlib.abc
import inspect
import io
import json
import os
import sys
import traceback
from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Functions = dict[str, Callable[..., Any]]  # of the student's file, by name
Signature = dict[str, Any]  # see `parameters`
Reply = dict[str, Any]

REFUSED = ("minigpt", "torch", "tensorflow", "jax", "autograd", "transformers")


class Refuse(importlib.abc.MetaPathFinder):
    """Makes the reference, and libraries that would do the work, impossible to import."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Called for every import."""
        top = name.partition(".")[0]
        if top in REFUSED:
            raise ImportError(f"an exercise may not import {top}: that would grade its code, not yours")


class Kept:
    """A value that stays here, such as a cache; outside it is a number."""

    def __init__(self, number: int):
        self.number = number


def pack(value: Any) -> bytes:
    """A value as a frame."""
    arrays: dict[str, Any] = {}
    tree = _to_tree(value, arrays)
    body = io.BytesIO()
    np.savez(body, tree=np.frombuffer(json.dumps(tree).encode(), np.uint8), **arrays)
    data = body.getvalue()
    return len(data).to_bytes(8, "big") + data


def unpack(data: bytes) -> Any:
    """The value in a frame, without its length."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        tree = json.loads(archive["tree"].tobytes().decode())
        return _from_tree(tree, archive)


def _to_tree(value: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        value = value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if hasattr(value, "_fields"):
        return {"named": [type(value).__name__, list(value._fields), [_to_tree(item, arrays) for item in value]]}
    if isinstance(value, dict):
        return {"dict": [[_to_tree(k, arrays), _to_tree(v, arrays)] for k, v in value.items()]}
    for kind in (tuple, list, set):
        if isinstance(value, kind):
            return {kind.__name__: [_to_tree(item, arrays) for item in value]}
    if isinstance(value, (Kept, slice)):
        return {"kept": value.number} if isinstance(value, Kept) else {"slice": [value.start, value.stop]}
    known = value is None or isinstance(value, (bool, int, float, str))
    return {"plain": value} if known else {"unknown": type(value).__name__}


def _from_tree(tree: dict[str, Any], archive: Mapping[str, np.ndarray]) -> Any:
    ((kind, value),) = tree.items()
    if kind == "dict":
        return {_from_tree(k, archive): _from_tree(v, archive) for k, v in value}
    if kind in ("tuple", "list", "set"):
        return {"tuple": tuple, "list": list, "set": set}[kind](_from_tree(item, archive) for item in value)
    if kind == "named":
        name, fields, items = value
        return namedtuple(name, fields)(*(_from_tree(item, archive) for item in items))
    made = {"array": lambda: archive[value], "plain": lambda: value, "slice": lambda: slice(*value)}
    return made.get(kind, lambda: {"kept": Kept, "unknown": Unknown}[kind](value))()


class Unknown:
    """Stands for a value of a type that cannot be sent."""

    def __init__(self, kind: str):
        self.kind = kind


def _limit_memory(megabytes: int) -> None:
    """No more than so much on top of what is used now, where the system can do that (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    with open("/proc/self/statm", encoding="ascii") if os.path.exists("/proc/self/statm") else io.StringIO("0") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = used + (megabytes << 20) if used else megabytes << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _describe(error: BaseException, path: str) -> Reply:
    """What went wrong, and at which line of the student's file."""
    line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == path), None)
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno
    return {"error": type(error).__name__, "message": str(error)[:500], "line": line}


def _load(path: str) -> tuple[Functions, dict[str, Signature]]:
    """Run the file; the functions that it defines or names, and how each is called."""
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    namespace: dict[str, Any] = {"__name__": "submission", "__file__": path}
    exec(code, namespace)
    functions: Functions = {name: value for name, value in namespace.items() if inspect.isfunction(value)}
    return functions, {name: parameters(function) for name, function in functions.items()}


def parameters(function: Callable[..., Any]) -> Signature:
    """How a function is called: the names of its parameters by kind, and which of them are needed."""
    kinds = [(p.name, p.kind.name, p.default is p.empty) for p in inspect.signature(function).parameters.values()]
    return {
        "positional": [name for name, kind, _ in kinds if kind.startswith("POSITIONAL")],
        "needed": [name for name, kind, needed in kinds if needed and kind.startswith("POSITIONAL")],
        "named": [name for name, kind, _ in kinds if kind == "KEYWORD_ONLY"],
        "needed_by_name": [name for name, kind, needed in kinds if needed and kind == "KEYWORD_ONLY"],
        "any": any(kind == "VAR_KEYWORD" for _, kind, _ in kinds),
    }


def _answer(request: dict[str, Any], functions: Functions, kept: dict[int, Any]) -> Reply:
    """Call a function of the student's. Its second result stays here if the request says so."""
    arguments = [kept[value.number] if isinstance(value, Kept) else value for value in request["arguments"]]
    before = pack([value for value in request["arguments"] if not isinstance(value, Kept)])
    value = functions[request["function"]](*arguments, **request["options"])
    after = pack([value for value in arguments if not any(value is k for k in kept.values())])
    if before != after:
        return {"changed": True}
    if request["keep"] and isinstance(value, tuple) and len(value) == 2:
        kept[len(kept)] = value[1]
        value = (value[0], Kept(len(kept) - 1))
    return {"value": value}


def main() -> None:
    """Load the file, say what is in it, then answer until the input ends."""
    path, megabytes = sys.argv[1], int(sys.argv[2])
    say, hear = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    sys.stdin = io.StringIO()
    sys.meta_path.insert(0, Refuse())
    for name in [name for name in sys.modules if name.split(".")[0] in REFUSED]:
        del sys.modules[name]
    _limit_memory(megabytes)
    functions: Functions = {}
    kept: dict[int, Any] = {}
    first = True
    while True:
        try:
            if first:
                functions, found = _load(path)
                reply = {"functions": found}
            else:
                header = hear.read(8)
                if len(header) < 8:
                    return
                reply = _answer(unpack(hear.read(int.from_bytes(header, "big"))), functions, kept)
        except BaseException as error:
            reply = _describe(error, path)
        first = False
        with contextlib.suppress(Exception):  # it may be closed, or be something else by now
            sys.stdout.flush()
        say.write(pack(reply))
        say.flush()
        if "error" in reply and not functions:
            return


if __name__ == "__main__":
    main()
