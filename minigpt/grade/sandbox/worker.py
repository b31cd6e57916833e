"""Runs a student's code in a process of its own, with NumPy and Python's own library: minigpt is not to be found there.

The grader speaks to it over its standard input and output, in frames. What the student's code prints goes to standard
error.
"""

import ast
import contextlib
import inspect
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from minigpt.grade.sandbox import guard
from minigpt.grade.sandbox.frames import Kept, pack, unpack

Functions = dict[str, Callable[..., Any]]  # of the student's file, by name
Signature = dict[str, Any]  # see `parameters`
Reply = dict[str, Any]
FILE_BYTES = 4 << 20  # of a file that the student's code writes


def limit(megabytes: int) -> list[str]:
    """Limits on memory, on written files and on dumps; returns those that this system cannot set."""
    try:
        import resource
    except ImportError:  # Windows
        return ["memory", "the size of files"]
    used = _used_memory()
    unset = []
    for what, name, size in (
        ("memory", "RLIMIT_AS", used + (megabytes << 20)),
        ("the size of files", "RLIMIT_FSIZE", FILE_BYTES),
        ("dumps", "RLIMIT_CORE", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (size, size))
        except (AttributeError, ValueError, OSError):  # macOS refuses RLIMIT_AS
            unset.append(what)
    return unset


def _used_memory() -> int:
    """Bytes of addresses that this process uses now, where /proc says so."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _describe(error: BaseException, places: set[str]) -> Reply:
    """What went wrong, and at which line of the student's file."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    place, line = next(((f.filename, f.lineno) for f in frames if f.filename in places), ("", None))
    if isinstance(error, SyntaxError) and error.filename in places:
        place, line = str(error.filename), error.lineno
    try:
        message = str(error)[:500]
    except BaseException:  # the student's own exception may do anything
        message = ""
    return {"error": type(error).__name__[:100], "message": message, "line": line, "place": place}


def _load(blocks: list[tuple[str, bytes]], notebook: bool, name: str) -> tuple[dict[str, Any], Reply | None]:
    """Run the file, or the cells, as a module of this name; what is in it then, and what went wrong first in a cell."""
    module = ModuleType("__main__" if notebook else name)
    sys.modules[module.__name__] = module  # dataclasses look there
    namespace = vars(module)
    if not notebook:
        namespace["__file__"] = os.path.abspath(blocks[0][0])
    places = {place for place, _ in blocks}
    problem: Reply | None = None
    for place, source in blocks:
        if not notebook:
            exec(compile(source, place, "exec", dont_inherit=True), namespace)
            continue
        try:
            statements = _statements(place, source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problem = problem or _describe(error, places)
            continue
        for statement in statements:  # one that fails does not take the others along
            try:
                exec(compile(ast.Module([statement], []), place, "exec", dont_inherit=True), namespace)
            except BaseException as error:  # also a call of exit
                problem = problem or _describe(error, places)
    return namespace, problem


def _loaded(order: dict[str, Any], functions: Functions, places: set[str]) -> Reply:
    """Run what the grader sent, and add those of its functions that are wanted, with the order's prefix.

    given: name -> which of the functions that are there already; the file finds them in its `PIECES`.
    """
    blocks = [(place, source.tobytes()) for place, source in order["blocks"]]
    if order["own"]:
        places |= {place for place, _ in blocks}
    given = {name: functions[other] for name, other in order["given"].items()}
    namespace, problem = _load(blocks, order["notebook"], f"submission{len(functions) or ''}")
    if given:
        namespace["PIECES"] = given
    found = [name for name in order["wanted"] if _is_function(namespace.get(name))]
    mine = {order["prefix"] + name: namespace[name] for name in found}
    functions |= mine
    return {"functions": {name: parameters(function) for name, function in mine.items()}, "problem": problem}


def _statements(place: str, source: bytes) -> list[ast.stmt]:
    """Of a cell; lines for the notebook itself, which begin with % or ! or ?, are left out."""
    try:
        return ast.parse(source, place).body
    except SyntaxError:
        text = source.decode("utf-8", "replace")
        if re.match(r"\s*%%(?!(time|timeit|capture)\b)", text):
            return []  # another language
        text = re.sub(r"(?m)^([ \t]*)(?:[%!?].*|[\w.]+\?{1,2}[ \t]*)$", r"\1pass", text)  # also: name?
        return ast.parse(re.sub(r"(?m)^([ \t]*[\w, ]+=)[ \t]*[%!].*$", r"\1 None", text), place).body  # also: x = !ls


def _is_function(value: Any) -> bool:
    if inspect.isclass(value) or not callable(value):
        return False
    try:
        return bool(inspect.signature(value))
    except Exception:
        return False


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
    own = [value for value in request["arguments"] if not isinstance(value, Kept)]
    before = pack(own, asks=True)
    value = functions[request["function"]](*arguments, **request["options"])
    if before != pack(own, asks=True):
        return {"changed": True}
    if request["keep"] and isinstance(value, tuple) and len(value) == 2:
        kept[len(kept)] = value[1]
        value = (value[0], Kept(len(kept) - 1))
    return {"value": value}


def serve() -> None:
    """Say that this is here, load the code that the grader sends, say what is in it, then answer until the input ends.

    A request with a `mark` has it printed behind all that the student's code has printed.
    """
    say, hear = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    sys.stdin = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # whatever the system's code page

    def heard() -> Any:
        header = hear.read(8)
        return unpack(hear.read(int.from_bytes(header, "big")), asks=True) if len(header) == 8 else None

    def tell(frame: bytes) -> None:
        say.write(frame)
        say.flush()

    tell(pack({"ready": True}))
    request = heard()
    unset = limit(request["megabytes"])
    guard.refuse(os.path.dirname(os.__file__), os.path.dirname(np.__file__), os.getcwd())
    functions: Functions = {}
    places: set[str] = set()
    kept: dict[int, Any] = {}
    while request is not None:
        try:
            if "blocks" in request:
                reply = {**_loaded(request, functions, places), "unset": unset}
            else:
                reply = {} if "mark" in request else _answer(request, functions, kept)
            frame = pack(reply)
        except BaseException as error:
            frame = pack(_describe(error, places))
        with contextlib.suppress(BaseException):  # it may be closed, or be something else by now
            sys.stdout.flush()
        with contextlib.suppress(BaseException):
            os.write(2, request.get("mark", "").encode())
        tell(frame)
        request = heard()
