"""Grading files, folders and functions: what is right passes, what goes wrong is said, and nothing hangs."""

import csv
import importlib.util
import io
import json
import sys
import textwrap
from functools import cache

import numpy as np
import pytest

from lessons.sources import LESSONS
from lessons.stubs import stub
from minigpt import UserError, grade
from minigpt.cli import main
from minigpt.grade import EXERCISES, Exam

pytestmark = pytest.mark.usefixtures("patient_grader")
SOLUTIONS = sorted((LESSONS / "solutions").glob("*.py"))
files = pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
RELU = """
    import numpy as np

    def relu_forward(x):
        return np.maximum(x, 0), x
"""


def written(tmp_path, code, name="mine.py"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return path


def result_of(tmp_path, code, **options):
    (result,) = grade.grade_file(written(tmp_path, code), **options)
    return result


@cache
def results_of(solution):
    """Grading all solutions takes a quarter of a minute, so it is done once."""
    return grade.grade_file(solution)


@files
def test_every_solution_passes(solution):
    results = results_of(solution)
    assert all(result.passed for result in results), results
    assert {result.file for result in results} == {str(solution)}


@files
def test_every_stub_is_what_its_solution_gives_and_fails(solution, tmp_path):
    text = stub(solution.read_text(encoding="utf-8"))
    assert (LESSONS / "exercises" / solution.name).read_text(encoding="utf-8") == text
    results = grade.grade_file(LESSONS / "exercises" / solution.name)
    attempted = {result.exercise for result in results}
    assert attempted == {result.exercise for result in results_of(solution)}
    assert not any(result.passed for result in results)
    assert all("is not written yet" in result.message for result in results)


def test_a_stub_without_a_partner_is_refused():
    with pytest.raises(UserError, match="has no partner"):
        stub("def f():\n    # end of answer\n")
    with pytest.raises(UserError, match="has no end"):
        stub("def f():\n    # answer\n    return 1\n")


def test_a_wrong_gradient_is_located_and_named(tmp_path):
    code = (
        RELU
        + """
    def relu_backward(dy, x):
        return dy * (x >= -0.5)
    """
    )
    result = result_of(tmp_path, code, seed=3)
    assert not result.passed
    assert "the gradient of x is wrong, worst at [" in result.message
    assert "yours" in result.message and "numeric" in result.message
    named = result_of(tmp_path, RELU + "\n    def relu_backward(dy, x):\n        return dy * np.maximum(x, 0)\n")
    assert "multiplied by y" in named.likely


@pytest.mark.parametrize(("body", "message"), [
    ("while True: pass", "took longer than 1 seconds and was stopped"),
    ("return np.ones(10**12), None", "needs more than 300 MB of memory in line 6"),
    ("return [np.ones(10**7) for _ in range(10**4)], None", "needs more than 300 MB of memory|too much memory"),
    ("return 1 / 0, None", "raises ZeroDivisionError in line 6: division by zero; asked with x="),
    ("return None", "must return two things, y and the cache"),
    ("return 3.0, None", "y of relu_forward is a float, but it must be a NumPy array"),
    ("return x.sum(), None", "has shape|is a float"),
    ("return x * np.nan, None", "entries that are not finite"),
    ("x[x < 0] = 0; return x, None", "changes one of its arguments in place"),
    ("import os; os._exit(0)", "ended the process that graded it"),
    ("import sys; sys.exit(0)", "raises SystemExit"),
    ("return relu_forward(x)", "raises RecursionError"),
    ("return input(), None", "raises EOFError"),
    ("import minigpt; return x, None", "may not import minigpt: that would grade its code, not yours"),
    ("import torch; return x, None", "may not import torch"),
    ("return np.maximum(x, 0).tolist(), None", "is a list, but it must be a NumPy array"),
    ("import sys; sys.stdout.close(); return np.maximum(x, 0) + 1, None", "y of relu_forward is wrong"),
    ("raise NotImplementedError", "relu_forward is not written yet"),
])  # fmt: skip
def test_what_goes_wrong_is_said_clearly(tmp_path, body, message):
    code = f"""
    import numpy as np


    def relu_forward(x):
        {body}
    """
    endless = "while True" in body  # the rest must not be taken for it on a machine with other work to do
    result = result_of(tmp_path, code, seconds=1.0 if endless else 120.0, megabytes=300)
    assert not result.passed and result.points == 0
    assert __import__("re").search(message, result.message), result.message


@pytest.mark.parametrize(("code", "message"), [
    ("while True: pass\ndef relu_forward(x): pass", "loading the file took longer than 1 seconds"),
    ("def relu_forward(x): return (", "raises SyntaxError in line 1"),
    ("from minigpt.ops import relu_forward", "may not import minigpt"),
    ("import nothing_of_the_kind\ndef relu_forward(x): pass", "raises ModuleNotFoundError in line 1"),
    ("def relu_forward(): return 1", "takes other arguments"),
])  # fmt: skip
def test_files_that_cannot_be_loaded(tmp_path, code, message):
    result = result_of(tmp_path, code, seconds=1.0 if "while True" in code else 120.0)
    assert not result.passed
    assert message in result.message


@pytest.mark.parametrize(("backward", "message"), [
    ("return dy, dy", "returns 2 gradients, but 1 arguments have one"),
    ("return None", "is a NoneType, but it must be a NumPy array; is a return missing?"),
    ("return dy[0]", "has shape"),
    ("dy *= 2; return dy", "changes one of its arguments in place"),
])  # fmt: skip
def test_backwards_that_cannot_be_graded(tmp_path, backward, message):
    result = result_of(tmp_path, RELU + f"\n    def relu_backward(dy, cache):\n        {backward}\n")
    assert not result.passed
    assert message in result.message


def test_a_backward_alone_gets_the_cache_of_our_forward(tmp_path):
    right = "def softmax_backward(dy, cache):\n    y = cache.y\n    return y * (dy - (dy * y).sum(-1, keepdims=True))\n"
    assert result_of(tmp_path, right).passed
    result = result_of(tmp_path, "def softmax_backward(dy, cache):\n    return dy * cache.y * (1 - cache.y)\n")
    assert not result.passed
    assert "the gradient of x is wrong" in result.message
    assert result.likely
    attention = """
    import numpy as np

    def attention_backward(dy, cache):
        query, key, value, pieces, scale = cache
        return np.zeros(1), np.zeros(1), np.zeros(1)
    """
    assert "has shape (1,)" in result_of(tmp_path, attention).message


def test_what_the_code_prints_is_shown(tmp_path):
    result = result_of(tmp_path, "def relu_forward(x):\n    print('here', x.shape)\n    return x, None")
    assert "here (3, 5)" in result.printed
    assert "| here (3, 5)" in repr(result)


def test_only_the_named_exercise_is_graded(tmp_path):
    solution = LESSONS / "solutions" / "00_reading_the_article.py"
    (result,) = grade.grade_file(solution, "traced_and_covered")
    assert result.exercise == "traced_and_covered" and result.passed
    with pytest.raises(UserError, match="there is no exercise 'nonsense'"):
        grade.grade_file(solution, "nonsense")
    with pytest.raises(UserError, match="does not define relu_forward or relu_backward"):
        grade.grade_file(solution, "relu_backward")
    with pytest.raises(UserError, match="attempts no exercise"):
        grade.grade_file(written(tmp_path, "x = 1"))
    with pytest.raises(UserError, match="there is no file"):
        grade.grade_file(tmp_path / "gone.py")


SCALE = 2.0


def _double(x):
    return SCALE * x


def bits_per_byte(nats_per_token, tokens, size):
    return _double(nats_per_token) / (2 * np.log(2)) * tokens / size


def causal_mask(length):
    return ~np.tri(length, dtype=bool)


def test_check_grades_a_function_with_all_that_it_uses():
    result = grade.check(bits_per_byte)
    assert result.passed, result
    wrong = grade.check(causal_mask)
    assert not wrong.passed
    assert "inverted" in wrong.likely
    assert wrong.file == "causal_mask of this session"


def test_check_refuses_what_it_cannot_grade():
    def relu_forward(x):
        return wrong, x

    wrong = None
    with pytest.raises(UserError, match="uses variables around it"):
        grade.check(relu_forward)
    with pytest.raises(UserError, match="is not the name of an exercise"):
        grade.check(_double)


def test_check_takes_along_what_a_notebook_has(tmp_path):
    """Imports by name, constants, partials, classes, arrays; what cannot travel is named."""
    text = """
    import functools, math
    import numpy as np
    from collections import Counter as Count
    from functools import partial
    from math import log, sqrt
    from numpy import maximum
    from numpy.linalg import norm

    INFINITE, TABLE, NAMES = float("inf"), {"a": (1, [2.5, None])}, frozenset({"x"})
    WEIGHTS, ONE, HALF = np.array([[1.0, 2.0], [3.0, np.nan]]), np.float32(1.0), np.int64(2)
    base = partial(log, 2)
    power = partial(pow, exp=1)

    class Bits:
        scale = ONE
        def of(self, n):
            return n * self.scale

    def helper(n):
        assert sqrt(maximum(4, 2)) == 2 and norm(np.ones(4)) == 2 and Count("aa")["a"] == 2
        assert min(3, INFINITE) == 3 and TABLE["a"][1][0] == 2.5 and "x" in NAMES and WEIGHTS[1, 0] == 3 and HALF == 2
        return power(Bits().of(n))

    def bits_per_byte(n, t, s):
        return helper(n) / log(2) * t / s
    """
    assert grade.check(module_of(tmp_path, text, "one").bits_per_byte).passed
    for value, kind in (
        ("open(__file__)", "TextIOWrapper"),
        ("object()", "object"),
        ("np.zeros(10**5)", "100000 numbers"),
    ):
        code = f"import numpy as np\nTHING = {value}\ndef bits_per_byte(n, t, s):\n    return THING\n"
        module = module_of(tmp_path, code, f"other{len(kind)}")
        with pytest.raises(UserError, match=f"THING is a.* {kind}|THING is a {kind}"):
            grade.check(module.bits_per_byte)
        getattr(module.THING, "close", int)()


def module_of(tmp_path, code, name):
    path = written(tmp_path, code, f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_check_never_grades_the_reference():
    from minigpt.ops import relu_forward

    assert "may not import minigpt" in grade.check(relu_forward).message


def test_a_class_as_a_spreadsheet(tmp_path, capsys):
    right = (LESSONS / "solutions" / "00_reading_the_article.py").read_text(encoding="utf-8")
    for student, code in (("ada", right), ("bob", "def count_pairs(ids):\n    return {}"), ("eve", "x = 1")):
        (tmp_path / student).mkdir()
        (tmp_path / student / "work.py").write_text(code, encoding="utf-8")
    assert main(["grade", str(tmp_path), "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    totals = {row["student"]: (row["points"], row["out of"]) for row in rows if row["exercise"] == "total"}
    assert totals == {"ada": ("4", "6"), "bob": ("0", "6"), "eve": ("0", "6")}
    assert any("attempts no exercise" in row["message"] for row in rows)


def test_the_command(tmp_path, capsys):
    solution = str(LESSONS / "solutions" / "00_reading_the_article.py")
    assert main(["grade", solution]) == 0
    said = capsys.readouterr().out
    assert f"grading {solution}" in said and "4 of 4 points" in said
    assert main(["grade", str(LESSONS / "exercises" / "00_reading_the_article.py"), "--json"]) == 1
    assert [row["passed"] for row in json.loads(capsys.readouterr().out)] == [False, False]
    assert main(["grade", str(tmp_path / "gone.py")]) == 2
    assert "there is no file or folder" in capsys.readouterr().err


def test_every_exercise_of_the_solutions_is_in_the_table_under_its_lesson():
    for solution in SOLUTIONS:
        for result in results_of(solution):
            assert EXERCISES[result.exercise].points > 0


@files
def test_the_page_for_teachers_says_what_a_file_is_worth(solution):
    text = (LESSONS / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if f"({solution.stem}.ipynb)" in line and line.startswith("|"))
    assert int(row.split("|")[-2]) == sum(result.out_of for result in results_of(solution))
    assert {e.name for e in Exam.of(lesson=solution.stem).exercises} == {r.exercise for r in results_of(solution)}


def test_what_a_stub_gives_away_earns_nothing(tmp_path):
    solution = (LESSONS / "solutions" / "05_backprop.py").read_text(encoding="utf-8")
    renamed = solution.replace("def softmax_backward", "def softmax_back")
    results = {result.exercise: result for result in grade.grade_file(written(tmp_path, renamed), lesson="05")}
    assert [name for name, result in results.items() if not result.passed] == ["softmax"]
    assert "softmax_backward is not there; define it under this name" in results["softmax"].message
    assert "softmax_backward is not there" in result_of(tmp_path, renamed, exercise="softmax_backward").message
    assert result_of(tmp_path, renamed, exercise="softmax_forward").passed
    # The forward that lesson 05 gives is what lesson 02 asks for: it counts where that lesson is asked for by name.
    stub_file = LESSONS / "exercises" / "05_backprop.py"
    assert not any(result.passed for result in grade.grade_file(stub_file, "attention_backward"))


def test_a_forward_that_takes_less_than_the_stub_is_not_judged_in_fewer_cases(tmp_path):
    text = (LESSONS / "solutions" / "05_backprop.py").read_text(encoding="utf-8")
    assert result_of(tmp_path, text, exercise="attention_backward").passed
    without = text.replace("value, *, mask=None", "value").replace(
        "    scores = query", "    mask = None\n    scores = query"
    )
    result = result_of(tmp_path, without, exercise="attention_backward")
    assert not result.passed
    assert "it is called as attention_forward(query, key, value, *, mask=None)" in result.message


def test_one_file_is_out_of_all_that_was_asked_for(tmp_path):
    results = grade.grade_file(written(tmp_path, "def causal_mask(length):\n    return None"), lesson="02")
    assert [(r.exercise, r.message == "not attempted") for r in results] == [
        ("causal_mask", False),
        ("split_heads", True),
        ("attention", True),
    ]
    assert sum(result.out_of for result in results) == 10


@pytest.mark.parametrize("kind", ["np.ma.masked_array(dx, mask=dx != 0)", "np.matrix(dx)", "dx.view(Own)"])
def test_a_kind_of_array_that_says_more_than_its_numbers_is_refused_by_name(tmp_path, kind):
    backward = f"""
    class Own(np.ndarray):
        pass

    def relu_backward(dy, x):
        dx = dy * (x > 0)
        return {kind}
    """
    result = result_of(tmp_path, RELU + backward)
    assert not result.passed
    assert result.message.endswith("of float64, but it must be a NumPy array")
    mask = "import numpy as np\ndef causal_mask(length):\n    return np.ma.array(np.ones((length, length), bool))\n"
    assert "yours is a MaskedArray of bool, but a NumPy array is wanted" in result_of(tmp_path, mask).message
