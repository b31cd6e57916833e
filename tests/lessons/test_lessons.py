"""Every lesson runs, its numbers lie in their bands, and its notebook is what its source gives."""

import ast
import json
import os
import re
import runpy
import sys
from functools import cache

import matplotlib.pyplot as plt
import pytest
from conftest import optional, require, thorough

from lessons.checks import TIME
from lessons.glossary import glossary_page
from lessons.sources import LESSONS, lesson_sources
from minigpt.course.lesson import QUICK, RESULTS
from minigpt.machine import blas_threads
from minigpt.text import named_corpora
from minigpt.text.pydocs import pydocs_documents

SOURCES = lesson_sources()
PAGE = (LESSONS / "README.md").read_text(encoding="utf-8")
lessons = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@cache
def documents():
    """Python's documentation, read once for all lessons: it takes seconds."""
    return pydocs_documents(progress=False)


def run(source, monkeypatch, tmp_path, *, quick):
    """Run a lesson as a script; return its numbers by name."""
    results = tmp_path / "results.jsonl"
    monkeypatch.setenv(QUICK, "1" if quick else "0")
    monkeypatch.setenv(RESULTS, str(results))
    monkeypatch.chdir(LESSONS.parent)
    monkeypatch.setattr(named_corpora, "pydocs_documents", lambda *, progress: list(documents()))
    plt.switch_backend("agg")
    with blas_threads(1):
        runpy.run_path(str(source), run_name="__main__")
    assert not plt.get_fignums(), "a figure was not shown; end the cell with show(figure)"
    lines = results.read_text(encoding="utf-8").splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def recorded():
    return json.loads((LESSONS / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [pytest.param(path, marks=() if path.stem[:2] == "02" else thorough) for path in SOURCES],
    ids=lambda path: path.stem,
)
def test_runs_quickly(source, monkeypatch, tmp_path):
    numbers = run(source, monkeypatch, tmp_path, quick=True)
    assert set(numbers) == {row["name"] for row in recorded() if row["lesson"] == source.stem}


@lessons
def test_runs_in_full(source, monkeypatch, tmp_path):
    require(os.environ.get("MINIGPT_REQUIRE_ALL") == "1", "a full run takes minutes; MINIGPT_REQUIRE_ALL=1 asks for it")
    numbers = run(source, monkeypatch, tmp_path, quick=False)
    bands = {row["name"]: (row["above"], row["below"]) for row in recorded() if row["lesson"] == source.stem}
    assert {name: (row["above"], row["below"]) for name, row in numbers.items()} == bands


def test_recorded_numbers_lie_in_their_bands():
    for row in recorded():
        assert row["above"] is None or row["value"] >= row["above"], row
        assert row["below"] is None or row["value"] <= row["below"], row
        assert row["above"] is not None or row["below"] is not None, row


@lessons
def test_the_notebook_is_that_of_the_source(source):
    optional("jupytext")
    from lessons.build import read_source

    built = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    ours = [(cell.cell_type, cell.source) for cell in read_source(source).cells]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in built["cells"]] == ours
    outputs = [output for cell in built["cells"] for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == source.read_text(encoding="utf-8").count("\nshow(")
    assert all(len(picture["metadata"]["image/png"]["alt"]) > 30 for picture in pictures)
    assert not [output for output in outputs if output["output_type"] == "error"]
    said = "".join("".join(output.get("text", [])) for output in outputs)
    for row in recorded():
        if row["lesson"] == source.stem:
            assert f"{row['name']} = {row['value']:.4g} " in said


@lessons
def test_the_source_that_a_notebook_shows_is_the_librarys(source):
    cells = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    code = [("".join(cell["source"]).strip(), cell) for cell in cells if cell["cell_type"] == "code"]
    nodes = [node for text, _ in code for node in ast.parse(text).body]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {}
    exec(compile(ast.Module(imports, []), "imports", "exec"), names)
    for text, cell in code:
        if text.startswith("show_source(") and "\n" not in text:
            shown = "".join(cell["outputs"][0]["data"]["text/plain"])
            assert shown == repr(eval(text, names)).rstrip(), f"{text}: build the lesson again"


@lessons
def test_no_table_is_lost(source):
    """A notebook shows the value of a cell's last line alone, so a table that stands before it is seen by nobody."""
    cells = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            *before, _ = ast.parse("".join(cell["source"])).body
            for node in before:
                lost = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func)
                assert lost not in ("table", "spread_table", "show_source", "hear")


@lessons
def test_a_lesson_is_a_page_not_a_book(source):
    text = source.read_text(encoding="utf-8")
    assert text.count("\n# %%") + text.startswith("# %%") <= 60
    for heading in ("## Verdict", "## What this does not show", "## Exercises", "## Further reading"):
        assert heading in text
    modules = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    third_party = modules - {"minigpt", "numpy", "matplotlib"}
    assert third_party <= set(sys.stdlib_module_names)


@lessons
def test_the_teachers_page_says_what_the_lesson_says(source):
    minutes, seconds, _ = TIME.search(lesson_prose(source)).groups()
    row = next(line for line in PAGE.splitlines() if f"({source.stem}.ipynb)" in line)
    assert f" {minutes} min | {seconds} s |" in row


PREDICTED = re.compile(r"^#.*\*\*Predictions?\.\*\*", re.MULTILINE)
JUDGED = re.compile(r"^ *(?:prediction|on_field_text)\(", re.MULTILINE)
JUDGED_LATER = {  # predictions that are judged together with the one after them, but for the last of 19, which has none
    "06_optimizers": 1,
    "14_an_anonymized_corpus": 1,
    "19_efficient_inference": 1,
}


@lessons
def test_each_prediction_is_followed_by_its_outcome(source):
    """Between one prediction and the next, or the verdict, a call of `prediction` says how it came out."""
    text = source.read_text(encoding="utf-8")
    starts = [match.start() for match in PREDICTED.finditer(text)]
    ends = [*starts[1:], text.index("## Verdict")]
    parts = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    silent = sum(JUDGED.search(part) is None for part in parts)
    assert silent == JUDGED_LATER.get(source.stem, 0)


def test_the_table_of_recipes_is_the_record():
    """Lesson 06 copies what examples/benchmarks/recipe.py found; the file beside that program is the record."""
    folder = LESSONS.parent / "examples" / "benchmarks"
    kept = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))["found"]
    source = next(path for path in SOURCES if path.stem == "06_optimizers").read_text(encoding="utf-8")
    tree = ast.parse(source)
    (table,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "recorded"
    )
    record = {
        name: (
            seeds["0"]["steps"],
            round(1000 * sum(one["seconds"] for one in seeds.values()) / len(seeds)),
            tuple(round(seeds[seed]["bits_per_byte"], 4) for seed in sorted(seeds)),
        )
        for name, seeds in kept.items()
    }
    assert {name.removeprefix("nothing: the "): row for name, row in table.items()} == record
    rows = (folder / "recipe.md").read_text(encoding="utf-8")
    for name, (steps, ms, bits) in record.items():
        assert f"| {name} | {steps} | {ms} | {len(bits)} | {sum(bits) / len(bits):.4f} |" in rows


def lesson_prose(source):
    """What a lesson says, without the marks of comments."""
    return " ".join(line.removeprefix("#").strip() for line in source.read_text(encoding="utf-8").splitlines())


def test_the_glossary_is_that_of_the_lessons():
    assert (LESSONS / "GLOSSARY.md").read_text(encoding="utf-8") == glossary_page()
