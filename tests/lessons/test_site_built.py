"""The whole site, built: it leads nowhere wrong, asks nobody else, and is the same twice."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import optional, thorough

from lessons.site.__main__ import build, main
from lessons.site.links import Page, broken_links, loaded_from_elsewhere
from lessons.sources import lesson_sources
from minigpt.errors import UserError

pytestmark = thorough


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site without an interpreter of its own."""
    optional("sphinx_book_theme")
    out = tmp_path_factory.mktemp("site") / "out"
    build(out)
    return out


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_link_is_broken_and_nothing_comes_from_elsewhere(site):
    assert broken_links(site) == [] and loaded_from_elsewhere(site) == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", styles)


def test_every_lesson_is_there_and_can_be_read_without_scripts(site):
    names = [path.stem for path in lesson_sources()]
    for before, name, after in zip([None, *names], names, [*names[1:], None], strict=False):
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        page = Page(site / f"{name}.html")
        assert {f"{other}.html" for other in (before, after) if other} <= set(page.links)
        assert 'id="cell-' in text and "_images/" in text
        assert not re.findall(r'<img(?![^>]*alt="[^"]{10,}")[^>]*_images', text), name
    for page in ("CLAIMS", "GLOSSARY", "ENCODER_OR_DECODER", "playground", "README", "search", "api/minigpt.ops"):
        assert (site / f"{page}.html").exists()
    claims = (site / "CLAIMS.html").read_text(encoding="utf-8")
    assert len(re.findall(r'href="\d\d_\w+\.html#cell-\d+"', claims)) > 50
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    formulas = [found for text in pages.values() for found in re.findall(r'class="math[^>]*>(.{14})', text)]
    assert len(formulas) > 200 and set(formulas) == {"<mjx-container"}
    assert not list(site.rglob("*tex-svg*"))


def test_the_tables_of_a_notebook_are_tables(site):
    for source in lesson_sources():
        cells = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
        shown = [out["data"] for cell in cells for out in cell.get("outputs", []) if "data" in out]
        printed = sum("".join(data.get("text/markdown", "")).startswith("|") for data in shown)
        written = sum(len(re.findall(r"^\|[ :|-]+\|$", "".join(cell["source"]), re.M)) for cell in cells)
        text = (site / f"{source.stem}.html").read_text(encoding="utf-8")
        assert text.count("<table") == printed + written, source.stem


@pytest.mark.parametrize("self_contained", [False, True])
def test_two_builds_are_equal(site, course_site, tmp_path, self_contained):
    build(tmp_path / "again", self_contained=self_contained)
    first, second = files(course_site if self_contained else site), files(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_an_earlier_site_is_replaced_and_anything_else_is_not(site, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    assert main([str(tmp_path / "mine")]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "mine" / "letter.txt").read_text(encoding="utf-8") == "dear"
    assert main([str(tmp_path / "new"), "--wheels", "x"]) == 2


def test_wheels_that_pyodide_does_not_list_are_refused(tmp_path):
    from lessons.site.interpreter import PYODIDE, write_pyodide
    from minigpt.text.fetch import cache_folder

    if not Path(cache_folder(), f"npm-{PYODIDE[0]}-{PYODIDE[1]}").exists() and shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(UserError, match="has no "):
        write_pyodide(tmp_path / "a", tmp_path / "wheels")
