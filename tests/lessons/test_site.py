"""What the site is made of, and what runs inside of a page, as far as it can be asked without Sphinx and a browser."""

import base64
import hashlib
import importlib.util
import json
import shutil
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import require
from slips import SLIP_OF_LESSON, slip_of, told_by_the_command

import minigpt
from lessons.site import interpreter
from lessons.site.api import as_markdown, module_page
from lessons.site.claims import measuring_cells, with_links
from lessons.site.fetch import fetch_npm
from lessons.site.links import broken_links, loaded_from_elsewhere
from lessons.sources import LESSONS, lesson_sources
from minigpt.errors import UserError
from minigpt.text.fetch import cache_folder

BROWSER = Path(interpreter.__file__).parent / "browser"


@pytest.fixture(scope="module")
def stand_in():
    """What a page has in place of safetensors."""
    folder = BROWSER / "safetensors"
    spec = importlib.util.spec_from_file_location(
        "stand_in", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["stand_in"] = module
    spec.loader.exec_module(module)
    yield importlib.import_module("stand_in.numpy")
    del sys.modules["stand_in"], sys.modules["stand_in.numpy"]


@pytest.fixture
def page(monkeypatch):
    """Imports a module of the page."""
    monkeypatch.syspath_prepend(str(BROWSER.parent))
    monkeypatch.setattr(sys, "path", [*sys.path, str(BROWSER)])  # at the end: safetensors stays the compiled one
    yield importlib.import_module
    for name in [name for name in sys.modules if name.startswith("page_")]:
        del sys.modules[name]


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    kinds = ("f4", "f8", "f2", "i8", "i4", "u1", "?")
    made = {f"b.{kind}": (7 * rng.standard_normal((3, 5))).astype(kind) for kind in kinds}
    return made | {"empty": np.zeros((0, 4), "f4"), "a number": np.full((), 3, "f4")}


def test_the_stand_in_for_safetensors_writes_and_reads_what_the_compiled_one_does(stand_in, arrays, tmp_path):
    from safetensors.numpy import load, save

    theirs, ours = save(arrays, {"made": "today"}), stand_in.save(arrays, {"made": "today"})
    for read, data in ((stand_in.load, theirs), (load, ours)):
        found = read(data)
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[n], arrays[n]) and found[n].dtype == arrays[n].dtype for n in arrays)
    (tmp_path / "x").write_bytes(theirs)
    with sys.modules["stand_in"].safe_open(tmp_path / "x", framework="np") as file:
        assert file.metadata() == {"made": "today"} and file.get_slice("b.f4").get_dtype() == "F32"
        assert file.get_slice("empty").get_shape() == [0, 4]


@pytest.mark.parametrize("cut", [0, 5, 20, -1])
def test_the_stand_in_refuses_what_is_cut_off(stand_in, arrays, cut):
    with pytest.raises(sys.modules["stand_in"].SafetensorError):
        stand_in.load(stand_in.save(arrays)[:cut])


def test_every_number_of_the_claims_leads_to_a_cell_that_has_it():
    names = [path.stem for path in lesson_sources()]
    page_ = with_links((LESSONS / "CLAIMS.md").read_text(encoding="utf-8"), LESSONS, names)
    results = json.loads((LESSONS / "results.json").read_text(encoding="utf-8"))
    cells = measuring_cells(LESSONS, names)
    assert {row["name"] for row in results} <= set(cells)
    measured = [row["name"] for row in results if f"<code>{row['name']}</code>" in page_]
    assert len(measured) > 50
    for row in results:
        lesson, _, cell = cells[row["name"]].partition(".html#cell-")
        assert lesson == row["lesson"]
        notebook = json.loads((LESSONS / f"{lesson}.ipynb").read_text(encoding="utf-8"))
        assert row["name"] in json.dumps(notebook["cells"][int(cell)])


def test_the_library_of_the_page_is_the_same_twice_and_has_no_notebooks(tmp_path):
    for name in ("a", "b"):
        interpreter.write_library(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    names = zipfile.ZipFile(tmp_path / "a").namelist()
    assert {"minigpt/__init__.pyi", "safetensors/numpy.py", "page_kernel.py"} <= set(names)
    assert not [name for name in names if name.endswith((".ipynb", ".pyc"))]
    assert (tmp_path / "a").stat().st_size < 2 << 20


def test_the_chapters_of_the_page_are_those_of_this_python(tmp_path, monkeypatch):
    from pydoc_data.topics import topics

    for name in ("a", "b"):
        interpreter.write_chapters(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = {}
    exec(zipfile.ZipFile(tmp_path / "a").read("pydoc_data/topics.py"), found)
    assert found["topics"] == topics and len(topics) > 50
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(UserError, match="build the site with a Python that is whole"):
        interpreter.write_chapters(tmp_path / "c")


def test_formulas_are_drawn_where_the_site_is_built():
    from lessons.site.formulas import MATHJAX, Typesetter

    kept = (cache_folder() / f"npm-{MATHJAX[0]}-{MATHJAX[1]}").exists()
    require(kept and shutil.which("node") is not None, "MathJax was not fetched, or Node.js is not installed")
    typesetter = Typesetter()
    html = typesetter.html(r"\frac{q k^\top}{\sqrt{D}}", display=True)
    assert html.startswith('<mjx-container class="MathJax" jax="SVG" display="true"><svg') and "<path" in html
    assert "<mfrac>" in html and "<msqrt>" in html and "\\frac" not in html
    assert html == typesetter.html(r"\frac{q k^\top}{\sqrt{D}}", display=True)
    with pytest.raises(UserError, match=r"'x_\{1' cannot be set .*brace"):
        typesetter.html("x_{1", display=False)
    typesetter.close()


def test_a_link_to_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="https://example.org">y</a>', "utf-8")
    (tmp_path / "b.html").write_text('<p id="here"><a href="a.html">x</a><img src="c.png">', "utf-8")
    assert broken_links(tmp_path) == ["b.html: c.png"]
    (tmp_path / "b.html").write_text('<p id="there"><script src="https://example.org/x.js"></script>', "utf-8")
    assert broken_links(tmp_path) == ["a.html: b.html#here"]
    assert loaded_from_elsewhere(tmp_path) == ["b.html: https://example.org/x.js"]


def test_a_place_that_is_not_the_sites_own_is_refused_in_a_sentence(tmp_path, capsys, monkeypatch):
    from lessons.site import __main__ as command

    (tmp_path / "file").write_text("dear", encoding="utf-8")
    site = tmp_path / "site"
    site.mkdir()
    (site / "minigpt.json").write_text('{"kept": ["index.html", "_static/page.js"]}', encoding="utf-8")
    for name in ("index.html", "service.js"):
        (site / name).write_text("an earlier site", encoding="utf-8")
    assert command.main([str(tmp_path / "file" / "deep")]) == 2
    assert "give a place where you may write" in capsys.readouterr().err
    (site / "CNAME").write_text("example.org", encoding="utf-8")
    assert command.main([str(site)]) == 2
    assert "holds CNAME, which a new one would replace" in capsys.readouterr().err
    (site / "CNAME").unlink()

    def interrupt(_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("lessons.site.pages.write_sources", interrupt)
    assert command.main([str(site)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert (site / "index.html").read_text(encoding="utf-8") == "an earlier site"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "site"]


def test_a_docstring_becomes_markdown():
    text = as_markdown("Two * stars.\n\nParameters\n----------\nx : (B, T)\n    In.\n\n>>> 1 + 1\n2")
    assert text == "Two \\* stars.\n\n**Parameters**\n\n- `x : (B, T)`: In.\n\n```python\n>>> 1 + 1\n2\n```"
    assert "## check_gradient" in module_page(minigpt)


def test_an_npm_package_that_differs_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    monkeypatch.setattr("lessons.site.fetch.shutil.which", lambda name: None)
    with pytest.raises(UserError, match="npm is not installed"):
        fetch_npm("left", "1.0.0", "sha512-x")

    def pack(command, **_options):
        Path(command[command.index("--pack-destination") + 1], "left-1.0.0.tgz").write_bytes(b"something else")
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr("lessons.site.fetch.shutil.which", lambda name: "npm")
    monkeypatch.setattr("lessons.site.fetch.subprocess.run", pack)
    with pytest.raises(UserError, match="another SHA-512"):
        fetch_npm("left", "1.0.0", "sha512-x")
    assert not list(tmp_path.iterdir())


def test_an_npm_package_that_another_process_brought_meanwhile_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.js").write_text("1", encoding="utf-8")
    with tarfile.open(tmp_path / "left.tgz", "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    data, found = (tmp_path / "left.tgz").read_bytes(), []
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()

    def pack(command, **_options):
        Path(command[command.index("--pack-destination") + 1], "left-1.0.0.tgz").write_bytes(data)
        if not found:
            found.append(None)
            found.append((fetch_npm("left", "1.0.0", integrity) / "a.js").stat().st_ino)
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr("lessons.site.fetch.shutil.which", lambda name: "npm")
    monkeypatch.setattr("lessons.site.fetch.subprocess.run", pack)
    folder = fetch_npm("left", "1.0.0", integrity)
    assert (folder / "a.js").stat().st_ino == found[1]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["npm-left-1.0.0"]
    (folder / "a.js").write_text("changed", encoding="utf-8")
    assert (fetch_npm("left", "1.0.0", integrity) / "a.js").read_text(encoding="utf-8") == "1"


def test_a_cell_runs_and_shows_what_a_notebook_shows(page, monkeypatch):
    kernel, told = page("page_kernel"), []
    monkeypatch.setenv("MINIGPT_QUICK", "0")

    def run(source):
        told.clear()
        return kernel.run_cell("p", "cell 1", source, lambda *piece: told.append(piece), True)

    assert run("from minigpt.course import quick, table\nprint('a'); x = 3\nx, quick()")
    assert ("text", "(3, True)\n", "") in told and ("text", "a", "") in told
    assert run("table(['a'], [[x]])") and told[-1][0] == "markdown" and "| 3 |" in told[-1][1]
    assert not run("def f():\n    return 1 / 0\nf()")
    assert told[-1][1].startswith("Traceback") and 'File "<p, cell 1>", line 3' in told[-1][1]
    assert "page_kernel" not in told[-1][1]
    assert not run("import minigpt; minigpt.Sampling(top_k=0)") and told[-1][1].startswith("top_k is 0")
    assert run("print('x' * 200_000)") and "is left out" in "".join(piece[1] for piece in told)
    assert run("for i in range(20_000): print(i)") and len(told) < 2000  # a page could not follow each by itself
    assert "".join(piece[1] for piece in told).startswith("".join(f"{i}\n" for i in range(15_000)))
    assert not run("for i in range(999): print(i)\ndisplay_ = 1 / 0") and told[-1][0] == "error"
    assert "".join(piece[1] for piece in told[:-1]).endswith("998\n")
    kernel.forget("p")
    assert not run("x")


def test_a_figure_is_a_picture_with_its_text(page, monkeypatch):
    kernel, told = page("page_kernel"), []
    from matplotlib.figure import Figure

    kernel.run_cell("p", "cell 1", "display(figure, {'image/png': {'alt': 'two lines'}})", lambda *_: None, True)
    kernel._names["p"] |= {"display": kernel.display, "figure": Figure()}
    source = "display(figure, {'image/png': {'alt': 'two lines'}})"
    assert kernel.run_cell("p", "cell 1", source, lambda *piece: told.append(piece), True)
    ((kind, picture, alt),) = told
    assert (kind, alt) == ("image", "two lines") and base64.b64decode(picture).startswith(b"\x89PNG")


@pytest.mark.usefixtures("patient_grader")
@pytest.mark.parametrize("lesson", SLIP_OF_LESSON)
@pytest.mark.parametrize("kind", ["solution", "stub", "slip", "slip alone"])
def test_the_page_grades_as_the_command_does(page, monkeypatch, tmp_path, lesson, kind):
    slip, likely = slip_of(lesson)
    solution, stub = (
        (LESSONS / folder / f"{lesson}.py").read_text(encoding="utf-8") for folder in ("solutions", "exercises")
    )
    source = {"solution": solution, "stub": stub, "slip": solution + slip, "slip alone": slip}[kind]
    warned = lambda text, kind_, place, line, *_: sys.stderr.write(  # noqa: E731
        warnings.formatwarning(text, kind_, place, line)
    )
    monkeypatch.setattr(warnings, "showwarning", warned)  # as outside of pytest, which keeps them for itself
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        passed, text = page("page_grade").grade(f"exercises/{lesson}.py", source, lesson, 5, lambda *_: None)
    ended, command = told_by_the_command(source, lesson, 5, tmp_path)
    assert passed == ended == (kind == "solution") and text + "\n" == command
    assert (likely in text) == kind.startswith("slip") and ("is not written yet" in text) == (kind == "stub")


def test_the_playground_learns_and_says_what_it_would_draw(page):
    module = page("page_playground")

    def answer(what, **settings):
        return json.loads(module.answer(what, json.dumps(settings), lambda *_: None))

    settings = {"width": 16, "layers": 1, "heads": 2, "context": 8, "steps": 30, "rate": 0.02, "mask": "decoder"}
    assert "at least" in answer("begin", text="short", **settings)["problem"]
    assert "train a model first" in answer("learn", count=1, prompt="a")["problem"]
    made = answer("begin", text="abcdefgh" * 30, **settings)
    assert made["vocabulary"] == 9
    seen = answer("learn", count=40, prompt="abc")
    assert seen["step"] == 30 and seen["losses"][-1] < seen["losses"][0] and np.shape(seen["attention"]) == (1, 2, 3, 3)
    found = answer("candidates", prompt="abc", temperature=1, top_k=2, top_p=1)
    assert found["kept"] == 2 and sum(row["after"] for row in found["rows"]) == pytest.approx(1)
    assert found["rows"][0]["token"] == "d"
    greedy = answer("candidates", prompt="abc", temperature=0, top_k=0, top_p=1)
    assert [row["after"] for row in greedy["rows"]] == [1] + 8 * [0] and greedy["kept"] == 1
    answer("begin", text="гдежо" * 30, **settings)  # the prompt of the page is of another alphabet
    seen = answer("learn", count=1, prompt="the ")
    assert seen["sample"].startswith("гдеж") and np.shape(seen["attention"]) == (1, 2, 4, 4)
    assert "steps is ''; give a whole number" in answer("begin", text="a" * 99, **{**settings, "steps": ""})["problem"]
    assert "rate is 'x'; give a number" in answer("begin", text="a" * 99, **{**settings, "rate": "x"})["problem"]


def test_the_playground_finds_who_sees_the_answer(page):
    module = page("page_playground")

    def leaks(mask):
        settings = {"text": "the keys to the cabinet are", "mask": mask, "prefix": 3}
        return json.loads(module.answer("leaks", json.dumps(settings), lambda *_: None))

    decoder, encoder, prefix = map(leaks, ("decoder", "encoder", "prefix"))
    assert np.array_equal(decoder["moved"], np.tri(6, dtype=bool)) and decoder["leaking"] == []
    assert np.all(encoder["moved"]) and encoder["leaking"] == [0, 1, 2, 3, 4]
    assert np.array_equal(prefix["moved"], np.tri(6, dtype=bool) | (np.arange(6) < 3)) and prefix["leaking"] == []


def test_the_playground_checks_a_backward(page):
    module = page("page_playground")
    forward = "def f_forward(x):\n    return np.logaddexp(0, x), x\n"

    def check(backward):
        return json.loads(module.answer("check", json.dumps({"source": forward + backward}), lambda *_: None))

    assert check("def f_backward(dy, x):\n    return dy / (1 + np.exp(-x))")["passed"]
    assert not check("def f_backward(dy, x):\n    return dy * np.tanh(x)")["passed"]
    assert "one pair" in check("")["problem"]


def test_what_no_page_can_run_is_one_cell_each():
    from lessons.site.pages import ELSEWHERE

    cells = [
        "".join(cell["source"])
        for path in lesson_sources()
        for cell in json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert {words: sum(words in cell for cell in cells) for words in ELSEWHERE} == dict.fromkeys(ELSEWHERE, 1)
