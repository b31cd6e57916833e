"""What a submission tries against the grader, the class or the machine fails, and costs nobody else a mark."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import minigpt
from lessons.sources import LESSONS
from minigpt import UserError, grade
from minigpt.grade.sandbox import Failed, Limits, Submission, process, worker
from minigpt.grade.sandbox.frames import pack
from minigpt.grade.work import Work

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such calls")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a keeper")
ASKED = "def bits_per_byte(nats, tokens, size):\n    return 1.0\n"


CAUGHT = """
try:
    open('/etc/x')
except PermissionError as error:
    found, trace = [], error.__traceback__
while trace:
    found += [v for v in trace.tb_frame.f_locals.values() if 'guard' in getattr(v, '__module__', None).__str__()]
    trace = trace.tb_next
assert found
"""
INSIDE = """
import sys
class Inside(int):
    def __and__(self, _):
        raise SystemExit
    __rand__ = __and__
class Name(str):
    def partition(self, _):
        raise SystemExit
"""


def graded(tmp_path, code, name="mine.py", **options):
    path = tmp_path / name
    path.write_bytes(code if isinstance(code, bytes) else textwrap.dedent(code).encode())
    return grade.grade_file(path, **options)


def ran(code, **limits):
    """A `Submission` of this code, loaded."""
    return Submission(Work("mine.py", (("mine.py", textwrap.dedent(code).encode()),)), ["f", "g"], Limits(**limits))


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """name -> what came of each attack: "done", or the exception's name. All in one process."""
    place = tmp_path_factory.mktemp("class")
    (place / "other.py").write_text("mine", encoding="utf-8")
    reference, other, numpy = Path(minigpt.__file__).parent, place / "other.py", Path(np.__file__).parent.parent
    relu = reference / "ops" / "relu.py"
    attacks = {
        "pop": "import sys; sys.meta_path.pop(0); import minigpt",
        "path": f"import sys; sys.path.insert(0, {str(reference.parent)!r}); import minigpt",
        "importlib": f"import sys, importlib; sys.path.insert(0, {str(reference.parent)!r}); "
        "importlib.import_module('minigpt.ops')",
        "installed": f"import sys; sys.path.insert(0, {str(numpy)!r}); import tqdm",
        "spec": f"import importlib.util as u; s = u.spec_from_file_location('m', {str(relu)!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m)",
        "read": f"open({str(relu)!r}).read()",
        "read what is installed": "import os; open(os.path.join(os.path.dirname(os.__file__), 'site-packages', 'x'))",
        "read by os": f"import os; os.open({str(relu)!r}, 0)",
        "read by NumPy": f"import numpy; numpy.fromfile({str(relu)!r}, 'u1')",
        "read around": f"open('../' * 40 + {str(relu)[1:]!r})",
        "read beside": "import sys, os; open(os.path.join(os.path.dirname(sys.argv[0]), 'keeper.py'))",
        "class": f"import sys\nclass P(str):\n    def startswith(self, *_): return True\nopen(P({str(other)!r}))",
        "list": f"import os; os.listdir({str(reference)!r})",
        "change": f"open({str(other)!r}, 'w').write('gone')",
        "remove": f"import os; os.remove({str(other)!r})",
        "rename": f"import os; os.rename({str(other)!r}, 'x')",
        "link": f"import os; os.symlink({str(place)!r}, 'x')",
        "leave": "import os; os.chdir('/')",
        "tree": f"import shutil; shutil.rmtree({str(place)!r})",
        "kill": "import os; os.kill(os.getppid(), 9)",
        "start": "import subprocess; subprocess.run(['true'])",
        "start below": "import _posixsubprocess",
        "database": "import sqlite3; sqlite3.connect('/tmp/x.db')",
        "shell": "import os; os.system('true')",
        "fork": "import os; os.fork()",
        "load": "import ctypes; ctypes.CDLL(None)",
        "own library": "import sys, importlib.machinery as m; sys.path.insert(0, '.');"
        "open('evil' + m.EXTENSION_SUFFIXES[0], 'w').write('C'); import evil",
        "interpreter": "import sys\n__import__('_interpreters' if sys.version_info > (3,13) else '_xxsubinterpreters')",
        "connect": "import socket; socket.socket().connect(('localhost', 9))",
        "hook": "import gc; gc.get_objects()",
        "limit": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "builtins": f"import builtins as b\nold = b.any, b.type\nb.any = b.type = lambda _: True\n"
        f"try: open({str(relu)!r})\nfinally: b.any, b.type = old",
        "defaults": CAUGHT + "for function in found: function.__defaults__ = ()",
        "code": CAUGHT + "for function in found: function.__code__ = (lambda *_: None).__code__",
        "cells": CAUGHT + f"for function in found:\n"
        f"    for cell in function.__closure__ or (): cell.cell_contents = ''\nopen({str(relu)!r})",
        "inside": INSIDE + f"sys.audit('open', {str(relu)!r}, None, Inside())",
        "name": INSIDE + "__import__(Name('minigpt'))",
        "relative": "import os; os.open('os.py', 0, dir_fd=os.open(os.path.dirname(os.__file__), 0))",
        "other case": "import os; open(os.path.join(os.path.dirname(os.__file__), 'Site-Packages', 'x.py'))",
        "attribute": f"import os; os.setxattr({str(other)!r}, 'user.x', b'1')",
        "Tcl": "import _tkinter",
        "C beside": "import _imp, types; "
        f"_imp.create_dynamic(types.SimpleNamespace(name='m', origin={str(place / 'm.so')!r}))",
        "signal": "import os, signal; signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)",
        "pipe": f"import os; os.mkfifo({str(place / 'pipe')!r})",
        "memory": "import os; os.memfd_create('x')",
        "slower": "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "again": "import sys; del sys.modules['posix']; import posix",
        "folders": "import os, tempfile\nwith tempfile.TemporaryDirectory() as f: open(f + '/x', 'w').write('mine')",
        "threads": "from concurrent.futures import ThreadPoolExecutor as P; assert [*P(2).map(int, ['1'])] == [1]",
        "own file": "open('notes.txt', 'w').write('mine'); assert open('notes.txt').read() == 'mine'",
        "library": "import statistics, fractions; import numpy.testing",
        "full disk": "for i in range(1000): open(f'{i}', 'w')",
    }
    code = f"""
    import sys
    def f(name):
        path, finders = list(sys.path), list(sys.meta_path)
        try:
            exec({attacks!r}[name], {{}})
            return "done"
        except BaseException as error:
            return type(error).__name__
        finally:
            sys.path[:], sys.meta_path[:] = path, finders
    """
    with ran(code) as submission:
        found = {name: submission.call("f", [name]) for name in attacks}
    assert other.read_text(encoding="utf-8") == "mine"
    return found


@pytest.mark.parametrize(("outcome", "names"), [
    ("ImportError", "pop, path"), ("ModuleNotFoundError", "importlib"), ("done", "own file, library"),
    ("PermissionError", "read what is installed"),
    ("PermissionError", "installed, spec, read, read by os, read by NumPy, read around, read beside, class, list"),
    ("PermissionError", "change, remove, rename, link, leave, tree"),
    ("PermissionError", "kill, start, start below, database, shell, fork, load, connect, hook, limit"),
    ("PermissionError", "own library, interpreter, builtins, defaults, code, cells, inside, name, relative"),
    ("PermissionError", "other case, C beside, full disk"), ("done", "folders, threads"),
    pytest.param("PermissionError", "attribute, Tcl", marks=linux),
    pytest.param("AttributeError", "signal, pipe, memory, slower", marks=linux),
    pytest.param("TypeError", "again", marks=posix),
])  # fmt: skip
@posix
def test_cheating_in_a_few_lines(tried, names, outcome):
    assert {name: tried[name] for name in names.split(", ")} == dict.fromkeys(names.split(", "), outcome)


def test_the_process_knows_no_way_to_the_reference():
    code = """
    import os, sys, numpy
    def f():
        return [*sys.argv, *sys.path, *os.environ.values(), *sys.modules]
    """
    with ran(code) as submission:
        found = submission.call("f", [])
    here = str(Path(minigpt.__file__).parent)
    assert not [text for text in found if here in text or text.partition(".")[0] == "minigpt"]


def test_giving_up_above_a_size_does_not_pass(tmp_path):
    code = """
    def merge_pair(ids, pair, new):
        if len(ids) > 20:
            return []
        merged, i = [], 0
        while i < len(ids):
            if tuple(ids[i : i + 2]) == tuple(pair):
                merged.append(new)
                i += 2
            else:
                merged.append(ids[i])
                i += 1
        return merged
    """
    (result,) = graded(tmp_path, code)
    assert not result.passed
    relu = "import numpy as np\ndef relu_forward(x):\n    return np.maximum(x, 0) if x.size < 50 else x, x\n"
    assert not graded(tmp_path, relu)[0].passed


def test_questions_differ_and_can_be_repeated(tmp_path):
    code = "def bits_per_byte(*arguments):\n    print(repr(arguments))\n    return 1.0\n"
    one, other, again = (graded(tmp_path, code, seed=seed)[0] for seed in (3, 4, 3))
    assert one.message == again.message != other.message
    drawn = {grade.Exam.of().seed for _ in range(5)}
    assert len(drawn) > 1
    with pytest.raises(UserError, match="must be 0 or more"):
        grade.Exam.of(seed=-1)


def test_what_is_said_holds_no_answer_to_be_pasted(tmp_path):
    for wrong in ("1.0", "None", "[1, 2]"):
        (result,) = graded(tmp_path, f"def bits_per_byte(n, t, s):\n    return {wrong}\n", seed=1)
        numbers = np.random.default_rng((1 << 32) + __import__("zlib").crc32(b"bits_per_byte"))
        exercise = grade.EXERCISES["bits_per_byte"]
        arguments, options = exercise.draw(numbers)
        assert f"{exercise.right(*arguments, **options):.4f}"[:5] not in result.message
        assert "must be" not in result.message
    relu = "def relu_forward(x):\n    return x * 0 - 1, x\n"
    assert "is too small" in graded(tmp_path, relu)[0].message


def test_endless_printing_is_cut(tmp_path):
    code = "def bits_per_byte(*_):\n    for i in range(200_000):\n        print('x' * 100)\n    return 'end'\n"
    (result,) = graded(tmp_path, code, seconds=120)
    assert not result.passed and len(result.printed) < 3000


def test_replies_are_bounded(tmp_path):
    for value, message in (
        ("np.zeros(3 * 10**6)", "more than any exercise asks"),
        ("[0] * 10**6", "more than any exercise asks"),
        ("'x' * 10**8", "more than any exercise asks"),
        ("10**5000", "raises ValueError"),
    ):
        (result,) = graded(tmp_path, f"import numpy as np\ndef bits_per_byte(*_):\n    return {value}\n", seconds=120)
        assert message in result.message


def test_a_file_has_a_time_limit_too(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "CALLS", 0.15)
    code = "import time\ndef bits_per_byte(n, t, s):\n    time.sleep(0.35)\n    return n / 0.6931471805599453 * t / s\n"
    (result,) = graded(tmp_path, code, seconds=10)
    assert not result.passed and "the file took longer than 1.5 seconds" in result.message


def test_a_wrong_answer_does_not_ask_every_question_slowly(tmp_path, monkeypatch):
    monkeypatch.setattr("minigpt.grade.plain.LIKELY_SECONDS", 0.3)
    code = "import time\ndef bits_per_byte(*_):\n    print('asked')\n    time.sleep(0.2)\n    return 1.0\n"
    monkeypatch.setattr(process, "PRINTED_LINES", 1000)
    (result,) = graded(tmp_path, code)
    assert "yours is 1.0" in result.message
    assert 0 < result.printed.count("asked") < 5


def test_what_was_printed_is_waited_for(tmp_path, monkeypatch):
    listen = Submission._listen

    def late(self, stream):
        time.sleep(0.5)
        listen(self, stream)

    monkeypatch.setattr(Submission, "_listen", late)
    (result,) = graded(tmp_path, "def bits_per_byte(*_):\n    print('here')\n    return 1.0\n")
    assert result.printed.endswith("here")


def copied(monkeypatch, place, **begin):
    """Submissions run the files of the sandbox from `place`, where those named begin with other code as well."""
    for name in process.COPIED:
        source = (Path(worker.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        (place / f"{name}.py").write_text(begin.get(name, "") + source, encoding="utf-8")
    monkeypatch.setattr(process, "__file__", str(place / "process.py"))


def test_a_process_that_is_long_in_coming_takes_none_of_the_students_time(tmp_path, monkeypatch):
    copied(monkeypatch, tmp_path, keeper="import time\ntime.sleep(2.2)\n")
    with ran("def f():\n    return 1\n", seconds=2.0) as submission:
        assert submission.call("f", []) == 1
        assert submission.deadline - time.monotonic() > 11 * 2.0


@linux
def test_a_keeper_that_is_late_still_ends_the_others(tmp_path, monkeypatch):
    late = "import os, time\nclose = os.close\nos.close = lambda stream: (time.sleep(0.3), close(stream))\n"
    copied(monkeypatch, tmp_path, keeper=late)
    monkeypatch.setattr(process, "JOIN_SECONDS", 0.05)
    with ran("import os\ndef f():\n    return os.getpid()\n") as submission:
        pid = submission.call("f", [])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("code", [
    b"x = " + b"(" * 100_000, b"x = " + b"-" * 100_000 + b"1", b"x = " + b"[" * 90 + b"]" * 90 + b"\0",
    b"x = 'a'" + b" + 'a'" * 50_000, b"x = 1\n" * 300_000,
], ids=["brackets", "minus", "zero", "sum", "long"])  # fmt: skip
def test_source_that_exhausts_a_parser_is_one_failure(tmp_path, code):
    (tmp_path / "ada").mkdir()
    (tmp_path / "bob").mkdir()
    (tmp_path / "ada" / "a.py").write_bytes(code + b"\ndef bits_per_byte(*a): pass\n")
    (tmp_path / "bob" / "b.py").write_text(RIGHT, encoding="utf-8")
    results = dict(grade.grade_folder(tmp_path, exercise="bits_per_byte"))
    assert [r.passed for r in results["bob"]] == [True]
    assert not any(r.passed for r in results["ada"])


RIGHT = "import math\ndef bits_per_byte(n, t, s):\n    return n / math.log(2) * t / s\n"


@pytest.mark.parametrize("sent", [
    b"", b"\0" * 7, b"\xff" * 64, b"\0" * 64, (10**9).to_bytes(8, "big") + b"x", (8).to_bytes(8, "big") + b"PK345678",
    pack({"functions": 3}), pack({"functions": {"f": {"any": 1}}}), pack([1]), pack({"error": 5, "line": "x"}),
], ids=range(10))  # fmt: skip
def test_a_process_that_says_something_else(sent, monkeypatch, tmp_path):
    hostile = f"import sys, time\ndef main():\n    sys.stdout.buffer.write({sent!r})\n    sys.stdout.flush()\n"
    for name in process.COPIED:
        (tmp_path / f"{name}.py").write_text(hostile, encoding="utf-8")
    monkeypatch.setattr(process, "__file__", str(tmp_path / "process.py"))
    with pytest.raises(Failed):
        ran("def f(): pass", seconds=5.0)


@posix
def test_replies_that_nobody_asked_for_are_not_gathered(monkeypatch, tmp_path):
    flood = """
import os

def main():
    frame = (4 << 20).to_bytes(8, "big") + bytes(4 << 20)
    while True:
        os.write(1, frame)
"""
    for name in process.COPIED:
        (tmp_path / f"{name}.py").write_text(flood, encoding="utf-8")
    monkeypatch.setattr(process, "__file__", str(tmp_path / "process.py"))
    tracemalloc.start()
    with pytest.raises(Failed):
        ran("def f(): pass", seconds=5.0)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_exercises_that_each_hang_share_the_time_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "CALLS", 3)
    names = ("bits_per_byte", "count_pairs", "merge_pair", "warmup_cosine", "causal_mask", "idle_share")
    code = "".join(f"def {name}(*_, **__):\n    while True:\n        pass\n" for name in names)
    results = graded(tmp_path, code, seconds=0.5)
    assert len(results) == len(names) and not any(result.passed for result in results)
    assert all("the file took longer than 1.5 seconds" in result.message for result in results[3:])


@linux
def test_who_leaves_the_group_and_holds_the_pipes_is_ended(monkeypatch, tmp_path):
    """A worker without a guard starts a process with a session of its own, which would live for ten minutes."""
    copied(monkeypatch, tmp_path)
    (tmp_path / "guard.py").write_text("def refuse(*_):\n    pass\n", encoding="utf-8")
    code = """
    import os, subprocess, sys
    def f():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        return child.pid
    def g():
        os._exit(0)
    """
    with ran(code) as submission:
        pid = submission.call("f", [])
        with pytest.raises(Failed):
            submission.call("g", [])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@posix
def test_without_a_keeper_nobody_is_waited_for(monkeypatch, tmp_path):
    """Where no process can adopt others, one that escapes may live on, but the grader goes on."""
    copied(monkeypatch, tmp_path)
    (tmp_path / "guard.py").write_text("def refuse(*_):\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(process.sys, "platform", "darwin")
    monkeypatch.setattr(process, "JOIN_SECONDS", 0.2)
    code = """
    import subprocess, sys
    def f():
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True).pid
    """
    start = time.monotonic()
    with ran(code) as submission:
        pid = submission.call("f", [])
    assert time.monotonic() - start < 300
    os.kill(pid, signal.SIGKILL)


@posix
@pytest.mark.parametrize(("refused", "unset"), [
    ({"RLIMIT_AS"}, ["memory"]), ({"RLIMIT_FSIZE", "RLIMIT_CORE"}, ["the size of files", "dumps"]), (set(), []),
])  # fmt: skip
def test_a_limit_that_cannot_be_set_is_left_out(monkeypatch, refused, unset):
    import resource

    names = {getattr(resource, name): name for name in ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_CORE")}

    def setrlimit(kind, _):
        if names[kind] in refused:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert worker.limit(100) == unset
    monkeypatch.setitem(sys.modules, "resource", None)
    assert "memory" in worker.limit(100)


@posix
def test_the_code_runs_as_nobody_where_that_is_possible(monkeypatch, tmp_path):
    monkeypatch.setattr(process.os, "geteuid", lambda: 1000)
    assert not process._can_be_nobody()
    monkeypatch.setattr(process.os, "geteuid", lambda: 0)
    private = any(
        not folder.stat().st_mode & 1 for p in (os.__file__, np.__file__) for folder in Path(p).resolve().parents
    )
    assert process._can_be_nobody() == (not private)


def test_a_student_cannot_reach_what_others_handed_in(tmp_path):
    """All is read before anything runs: who deletes or rewrites files comes too late."""
    for student in ("ada", "eve"):
        (tmp_path / student).mkdir()
        (tmp_path / student / "work.py").write_text(RIGHT, encoding="utf-8")
    graded = grade.grade_folder(tmp_path)
    first = next(graded)
    (tmp_path / "eve" / "work.py").unlink()
    (second,) = graded
    assert first[1][0].passed and second[1][0].passed


def test_memory_of_the_grader_stays_small(tmp_path):
    """The answers of a whole file: 3 MB each, to every question."""
    code = "import numpy as np\ndef average_gradients(*_):\n    return np.zeros(3 * 10**5)\n"
    script = (
        "import resource, sys\nfrom minigpt import grade\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "grade.grade_file(sys.argv[1])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    path = tmp_path / "mine.py"
    path.write_text(code, encoding="utf-8")
    if os.name != "nt":
        command = [sys.executable, "-c", script, path]
        done = subprocess.run(command, capture_output=True, text=True, cwd=LESSONS.parent, check=True)
        assert int(done.stdout) < 200_000 * (1024 if sys.platform == "darwin" else 1)
