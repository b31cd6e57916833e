"""Who gets what: students, their files, what counts, and how it is shown."""

import csv
import io
import json
import os
import string
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from minigpt import UserError, grade
from minigpt.cli import main
from minigpt.grade import EXERCISES, Exam, Result, grade_class, grade_folder, read_class
from minigpt.grade.page import as_page
from minigpt.grade.report import as_text
from minigpt.grade.work import read_work

pytestmark = pytest.mark.usefixtures("patient_grader")
FUZZ = int(os.environ.get("MINIGPT_FUZZ", "150"))
RIGHT = "import math\ndef bits_per_byte(n, t, s):\n    return n / math.log(2) * t / s\n"
NATS = "def bits_per_byte(n, t, s):\n    return n * t / s\n"
WRONG = "def bits_per_byte(n, t, s):\n    return 0.0\n"
NAMES = ("bits_per_byte", "count_pairs", "warmup_cosine")


def notebook(*cells):
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# def relu_forward("]}, *made], "nbformat": 4})


def put(folder, **files):
    """Files below `folder`; in names, __ stands for a slash and the ending follows the last underscore."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def fake_judge(work, exercises, exam):
    """A file passes an exercise if its text says so: quick, and independent of how the class is read."""
    made = []
    for exercise in exercises:
        passed = f"def {exercise.name}(): right" in work.text
        points = exercise.points if passed else 0
        made.append(Result(work.path, exercise.name, exercise.lesson, passed, points, exercise.points, ""))
    return made


def plain_model(files):
    """student -> (points, out of), from {relative path: {exercise: passed}}; None: a file that is no work."""
    junk = {"venv", "__pycache__", "site-packages"}
    students, tried = {}, set()
    for path, content in files.items():
        parts = path.split("/")
        if any(part.startswith(".") for part in parts) or junk & set(parts[:-1]):
            if not parts[0].startswith(".") and parts[0] not in junk:
                students.setdefault(parts[0], set())
            continue
        ending = path.rpartition(".")[2].lower()
        student = parts[0] if len(parts) > 1 or ending not in ("py", "ipynb") else parts[0].rpartition(".")[0]
        passed = students.setdefault(student, set())
        if ending in ("py", "ipynb") and content:
            tried |= set(content)
            passed |= {name for name, right in content.items() if right}
    out_of = sum(EXERCISES[name].points for name in tried)
    return {name: (sum(EXERCISES[e].points for e in passed), out_of) for name, passed in students.items()}


def random_class(rng):
    files = {}
    for _ in range(rng.integers(1, 12)):
        student = "".join(rng.choice(list("ab.="), rng.integers(1, 4)))
        if student.strip(".") == "" or student.endswith(".py"):
            student = "z" + student + "z"
        inner = ["", "week 1/", "venv/", ".ipynb_checkpoints/", "a.py/", "__pycache__/", "x/site-packages/y/"]
        ending = str(rng.choice([".py", ".ipynb", ".PY", ".IPYNB", ".pdf", ".txt"]))
        own = student + "/" + inner[rng.integers(len(inner))] + rng.choice(list(string.ascii_lowercase)) + ending
        path = own if rng.random() < 0.8 else "top" + student + ending
        chosen = [name for name in NAMES if rng.random() < 0.5]
        files[path] = {name: bool(rng.random() < 0.5) for name in chosen}
    return files


def test_random_classes_get_what_a_plain_model_gives_them(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(min(FUZZ, 1000)):
        files, folder = random_class(rng), tmp_path / str(number)
        for path, content in files.items():
            text = "".join(f"def {name}(): {'right' if right else 'wrong'}\n" for name, right in content.items())
            try:
                put(folder, **{path: notebook(text) if path.lower().endswith(".ipynb") else text})
            except OSError:  # a folder has this name, or letter case does not count here
                pytest.skip("this file system does not tell these names apart")
        exam, wanted = Exam.of(seed=0), plain_model(files)
        if not wanted:
            with pytest.raises(UserError, match="holds no folders and no files"):
                read_class(folder)
            continue
        marks = {
            student: (sum(r.points for r in results), sum(r.out_of for r in results))
            for student, results in grade_class(read_class(folder), exam, fake_judge)
        }
        assert marks == wanted, files


def test_the_folder_of_the_exercises_is_one_students(tmp_path):
    own = {"03_feed_forward.py": RIGHT, "02_self_attention.ipynb": notebook(WRONG)}
    put(tmp_path / "exercises", **own)
    assert [student.name for student in read_class(tmp_path / "exercises")] == ["exercises"]
    put(tmp_path / "class", **own, **{"anna.py": RIGHT})
    assert [s.name for s in read_class(tmp_path / "class")] == ["02_self_attention", "03_feed_forward", "anna"]
    put(tmp_path / "weeks", **{"03_feed_forward/anna.py": RIGHT})
    assert [student.name for student in read_class(tmp_path / "weeks")] == ["03_feed_forward"]


def test_names_keep_their_points(tmp_path):
    put(tmp_path, **{"anna.smith.py": RIGHT, "anna.jones.py": WRONG, "bob.PY": RIGHT, "eve.IPYNB": notebook(RIGHT)})
    put(tmp_path, **{"dan/essay.pdf": "", "fay.txt": "", "gus/x.py": "x = 1"})
    marks = {student: [(r.passed, r.message) for r in results] for student, results in grade_folder(tmp_path)}
    assert list(marks) == ["anna.jones", "anna.smith", "bob", "dan", "eve", "fay.txt", "gus"]
    assert {name for name, rows in marks.items() if rows[-1][0]} == {"anna.smith", "bob", "eve"}
    assert all("nothing to grade" in marks[name][0][1] for name in ("dan", "fay.txt", "gus"))


def test_who_has_nothing_to_grade_reads_what_was_handed_in(tmp_path):
    put(tmp_path, **{"ada.py": RIGHT, "bob/a.pdf": "", "bob/b.zip": "", "eve/other.py": "def count_pairs(ids): 0\n"})
    (tmp_path / "dan.smith").mkdir()
    said = {student: results[0].message for student, results in grade_folder(tmp_path, exercise="bits_per_byte")}
    assert said["bob"] == "nothing to grade: no .py file and no notebook, only a.pdf, b.zip"
    assert said["dan.smith"] == "nothing to grade: no .py file and no notebook"
    assert said["eve"].endswith("other.py attempts no exercise that was asked for")


def test_an_exercise_counts_once_and_the_best_attempt_counts(tmp_path):
    put(tmp_path, **{f"ada/{i}.py": text for i, text in enumerate([WRONG, RIGHT, RIGHT, NATS])})
    put(tmp_path, **{f"{junk}/x.py": NATS for junk in ("ada/.ipynb_checkpoints", "ada/venv/lib", "ada/.git", "venv")})
    ((student, (result,)),) = grade_folder(tmp_path)
    assert (student, result.points, result.out_of, result.attempts) == ("ada", 2, 2, 4)
    assert [Path(other.file).name for other in result.others] == ["0.py", "2.py", "3.py"]
    assert "does not count" in repr(result)


def test_what_counts_can_be_named(tmp_path):
    put(tmp_path, **{"ada.py": RIGHT + "def relu_forward(x):\n    return x\n", "bob.py": RIGHT})
    everything = dict(grade_folder(tmp_path))
    assert sum(r.out_of for r in everything["bob"]) == 4
    only = dict(grade_folder(tmp_path, exercise="bits_per_byte"))
    assert all([r.exercise for r in results] == ["bits_per_byte"] for results in only.values())
    lesson = dict(grade_folder(tmp_path, lesson="01"))
    assert {sum(r.out_of for r in results) for results in lesson.values()} == {10}
    with pytest.raises(UserError, match="there is no lesson '99'"):
        Exam.of(lesson="99")
    with pytest.raises(UserError, match="holds no folders and no files"):
        (tmp_path / "empty").mkdir()
        read_class(tmp_path / "empty")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_folder_are_not_followed(tmp_path):
    put(tmp_path, **{"outside/secret.py": RIGHT, "class/ada/own.py": WRONG, "class/bob/own.py": RIGHT})
    (tmp_path / "class" / "ada" / "link.py").symlink_to(tmp_path / "outside" / "secret.py")
    (tmp_path / "class" / "ada" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "class" / "ada" / "bobs.py").symlink_to(tmp_path / "class" / "bob" / "own.py")
    (tmp_path / "class" / "eve").symlink_to(tmp_path / "outside")
    (tmp_path / "class" / "ada" / "self.py").symlink_to("self.py")
    os.mkfifo(tmp_path / "class" / "ada" / "pipe.py")
    results = dict(grade_folder(tmp_path / "class"))
    assert not any(r.passed for r in results["ada"]) and results["bob"][0].passed
    assert "nothing to grade" in results["eve"][0].message


@pytest.mark.parametrize("source", [
    b"\xef\xbb\xbf" + RIGHT.encode(), RIGHT.replace("\n", "\r\n").encode(),
    b"# -*- coding: latin-1 -*-\nname = 'Andr\xe9'\n" + RIGHT.encode(),
    "# coding: cp1252\nname = '\u20ac'\n".encode("cp1252") + RIGHT.encode(),
], ids=["byte-order mark", "CRLF", "latin-1", "cp1252"])  # fmt: skip
def test_encodings_are_read_as_python_reads_them(tmp_path, source):
    put(tmp_path, **{"mine.py": source})
    assert grade.grade_file(tmp_path / "mine.py")[0].passed


@pytest.mark.parametrize("source", [
    "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n" + RIGHT,
    "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n" + RIGHT,
    "try:\n    import numba\nexcept ImportError:\n" + textwrap.indent(RIGHT, "    "),
    "import sys\nclass W:\n    def flush(self):\n        raise KeyboardInterrupt\nsys.stdout = W()\n" + RIGHT,
], ids=["dataclass", "its own path", "in a branch", "its own stdout"])  # fmt: skip
def test_what_works_elsewhere_works_here(tmp_path, source):
    put(tmp_path, **{"mine.py": source})
    assert grade.grade_file(tmp_path / "mine.py")[0].passed


def test_an_encoding_that_python_does_not_read_is_said(tmp_path):
    put(tmp_path, **{"mine.py": RIGHT.encode("utf-16"), "odd.py": b"# coding: nonsense\n" + RIGHT.encode()})
    with pytest.raises(UserError, match="save it as UTF-8"):
        grade.grade_file(tmp_path / "mine.py")
    assert "raises SyntaxError" in grade.grade_file(tmp_path / "odd.py")[0].message


def test_notebooks(tmp_path):
    cells = [
        "%matplotlib inline\nimport math\nimport minigpt\nimport numpy as np\n",
        "%%bash\nrm -rf /", "this does not parse (", "!ls\nif True:\n    !pwd\nlog = math.log\n", "?help",
        "files = !ls\nx, y = %who\nmath.log?\nlog??\nbool = 3 % 2\nlog = math.log\nassert files is None",
        "raise SystemExit",
        "%%time\ndef bits_per_byte(n, t, s):\n    assert np\n    return n / log(2) * t / s",
    ]  # fmt: skip
    put(
        tmp_path,
        **{"good.ipynb": notebook(*cells), "bad.ipynb": notebook(*cells[:2], "def bits_per_byte(n, t, s):\n  )")},
    )
    assert grade.grade_file(tmp_path / "good.ipynb")[0].passed, grade.grade_file(tmp_path / "good.ipynb")
    (bad,) = grade.grade_file(tmp_path / "bad.ipynb")
    assert not bad.passed and "may not import minigpt" in bad.message
    put(tmp_path, **{"line.ipynb": notebook("x = 1", "def bits_per_byte(n, t, s):\n    return 1 / 0")})
    assert "in line 2 of cell 2" in grade.grade_file(tmp_path / "line.ipynb")[0].message
    for text in ("", "[" * 90_000, "{}", '{"cells": 3}', '{"cells": [{}]}', notebook() + "x"):
        put(tmp_path, **{"odd.ipynb": text})
        with pytest.raises(UserError, match="no notebook"):
            read_work(tmp_path / "odd.ipynb")
    put(tmp_path, **{"long.ipynb": notebook("x = 1\n" * 200_000)})
    with pytest.raises(UserError, match="MB of code"):
        read_work(tmp_path / "long.ipynb")


def test_nothing_steers_a_spreadsheet_or_a_terminal(tmp_path, capsys):
    escape = "def bits_per_byte(n, t, s):\n    print('\\x1b[2J')\n    raise ValueError('\\x1b]0;title\\x07\\nada,10')\n"
    put(tmp_path, **{"=1+1/x.py": escape, "@sum/x.py": RIGHT, "-2.py": WRONG, "+\x1bc\nada/x.py": WRONG})
    assert main(["grade", str(tmp_path), "--csv", "--seed", "5"]) == 1
    said = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(said)))
    assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    assert {row["student"] for row in rows} == {"'=1+1", "'@sum", "'-2", "'+\\x1bc ada"}
    assert {row["seed"] for row in rows} == {"5"}
    assert main(["grade", str(tmp_path), "--seed", "5"]) == 1
    text = capsys.readouterr().out
    assert "\x1b" not in said + text and "\x07" not in said + text
    assert "\nada" not in said + text
    assert "--seed 5" in text and "out of 1 exercise," in text


def test_a_class_as_text_and_json(tmp_path, capsys):
    put(tmp_path, **{"ada.py": RIGHT, "bob.py": NATS, "eve.py": NATS})
    assert main(["grade", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "2 times, bits_per_byte: Your answer is in nats" in said
    seed = said.rpartition("--seed ")[2].partition(".")[0]
    assert main(["grade", str(tmp_path), "--json", "--seed", seed]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [(row["student"], row["points"], row["attempts"]) for row in rows] == [
        ("ada", 2, 1),
        ("bob", 0, 1),
        ("eve", 0, 1),
    ]
    assert {row["seed"] for row in rows} == {int(seed)}


def test_the_page_for_an_instructor(tmp_path, capsys):
    put(
        tmp_path,
        **{
            "ada/a.py": RIGHT,
            "ada/b.py": WRONG,
            "bob.py": NATS,
            "<b>eve</b>&.py": "raise ValueError('<script>')\n" + NATS,
        },
    )
    page = tmp_path / "out" / "report.html"
    assert main(["grade", str(tmp_path), "--html", str(page), "--seed", "3"]) == 1
    assert "wrote" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text and "<b>eve" not in text and "&lt;b&gt;eve&lt;/b&gt;&amp;" in text
    assert text.index("most common mistakes") < text.index("<h2>Marks") < text.index("What was said")
    for wanted in ('lang="en"', "<caption>", 'scope="row"', 'aria-label="passed"', 'aria-label="failed"', "--seed 3",
                   "2/2 (2)", "Your answer is in nats", "does not count"):  # fmt: skip
        assert wanted in text
    assert not any(outside in text for outside in ("http:", "https:", "<link", "<img", "<script"))
    well_formed(text)


def well_formed(text):
    """Every element ends where it must: the page without its first line and its void elements is XML."""
    import re
    from xml.etree import ElementTree

    body = re.sub(r"<meta[^>]*>|<br>", "", text.partition("\n")[2]).replace("&ndash;", "-")
    ElementTree.fromstring(body)


def test_a_page_without_mistakes_and_without_work():
    exam = Exam.of(seed=1)
    empty = as_page([("ada", [Result("", "", "", False, 0, 0, "nothing to grade", attempts=0)])], exam)
    assert "No known mistake was found" in empty and "nothing to grade" in empty
    well_formed(empty)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have names that are no text")
def test_names_that_are_no_text(tmp_path, capsys):
    folder = os.fsencode(tmp_path)
    os.mkdir(folder + b"/an\xff")
    with open(folder + b"/an\xff/x.py", "wb") as file:
        file.write(RIGHT.encode())
    assert main(["grade", str(tmp_path), "--csv"]) == 0
    assert "an\\udcff" in capsys.readouterr().out


def test_the_text_for_one_student_goes_file_by_file():
    results = [
        Result("a.py", "relu", "05_backprop", True, 2, 2, "is right"),
        Result(
            "b.py", "gelu", "05_backprop", False, 0, 3, "the gradient of x is wrong", likely="You left out a factor."
        ),
        Result("a.py", "softmax", "05_backprop", False, 0, 4, "y is wrong"),
        Result("", "", "", False, 0, 0, "nothing to grade"),
    ]
    assert as_text("anna", results).splitlines() == [
        "anna: grading a.py",
        *repr(results[0]).splitlines(),
        *repr(results[2]).splitlines(),
        "anna: grading b.py",
        *repr(results[1]).splitlines(),
        "anna: without a file",
        "nothing to grade",
        "2 of 9 points",
    ]
    assert as_text("", results[:1]).startswith("grading a.py\npassed  relu (2/2)  is right\n2 of 2 points")
