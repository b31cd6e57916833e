"""What is built holds all that it must: every module, the course and, in the source archive, the tests."""

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import EXTRAS, optional

import minigpt

ROOT = Path(minigpt.__file__).parents[1]
MADE = ("__pycache__", ".*_cache", ".hypothesis", ".venv", "*.egg-info", "build", "dist", "runs", ".git")
KINDS = {
    "lessons": (".py", ".ipynb", ".md", ".toml", ".json", ".png", ".js", ".css", ".html"),
    "examples": (".py", ".png", ".txt"),
    "tests": (".py",),
}


def sources(folder, *endings):
    """The files of a folder of the project, as paths from its root."""
    found = (path for path in (ROOT / folder).rglob("*") if path.suffix in endings and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with a wheel and a source archive, built from a copy so that nothing is left beside the sources."""
    optional("setuptools.command.bdist_wheel")  # from version 70.1 on
    top = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT, top / "project", ignore=shutil.ignore_patterns(*MADE))
    code = "from setuptools import build_meta as b; b.build_wheel('..'); b.build_sdist('..')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=top / "project", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return top


def test_the_wheel_holds_every_module_and_the_course(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    assert sources("minigpt", ".py", ".pyi", ".typed") <= there
    assert {f"minigpt/{name}" for name in sources("lessons", *KINDS["lessons"])} <= there
    assert {name.split("/")[0] for name in there if "dist-info" not in name} == {"minigpt"}
    assert wheel.stat().st_size < 10 << 20, "a student downloads this"


def test_the_source_archive_holds_what_runs_the_tests(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        there = {name.partition("/")[2] for name in file.getnames()}
    for folder, endings in KINDS.items():
        assert sources(folder, *endings) <= there
    pages = {"README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "MANIFEST.in", ".ci/ruff.toml"}
    assert pages | {"setup.cfg", "pyproject.toml", ".ci/run"} <= there


def test_every_package_is_listed():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "minigpt").rglob("__init__.py")}
    listed = settings["options"]["packages"].split()
    assert listed == sorted(there | {"minigpt.lessons"}), "list every package under `packages` in setup.cfg"
    assert settings["options"]["package_dir"].split() == ["minigpt.lessons", "=", "lessons"]


def test_every_reference_of_a_test_is_in_the_extra_that_is_named():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = {
        extra: set(re.findall(r"^[\w-]+", text, re.M)) for extra, text in settings["options.extras_require"].items()
    }
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    called = {
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "sphinx_book_theme": "sphinx-book-theme",
    }  # a module that has another name than its package
    modules = {called.get(name, name) for text in texts for name in re.findall(r'\boptional\("(\w+)', text)}
    assert {"torch", "mpi4py"} <= modules
    where = {called.get(name, name): extra for name, extra in EXTRAS.items()}
    assert not {name for name in modules if name not in extras[where.get(name, "parity")]}


def test_the_pages_speak_of_the_same_version():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    version, licence = settings["metadata"]["version"], settings["metadata"]["license"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert changes.index("## [Unreleased]") < changes.index(f"## [{version}]")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert released[0][0] == version
    assert {f"version: {version}", f'date-released: "{released[0][1]}"', f"license: {licence}"} <= set(citation)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "minigpt/README.md", "lessons/README.md"])
def test_a_page_names_files_that_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links and all(":" in link or (ROOT / page).parent.joinpath(link).exists() for link in links)
    named = set(re.findall(r"`([\w./]+\.(?:py|md|toml|cfg))`", text))
    places = (ROOT, ROOT / "minigpt", ROOT / "lessons", ROOT / "examples" / "benchmarks")
    gone = {name for name in named if not any((place / name).exists() for place in places)}
    assert not {name for name in gone if not re.search(r"NAME|NN_|my[-_]", name)}
