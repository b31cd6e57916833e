"""What a page needs to run Python: Pyodide, NumPy and matplotlib in its wheels, and the library itself.

Pyodide's own files come from npm; its wheels lie in Pyodide's public address and, so that they can be had without it,
in a package of PyPI that carries them. Whatever brings them, each is compared with the checksums of Pyodide's own list.
"""

import hashlib
import importlib
import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

from lessons.site.fetch import fetch_npm
from lessons.sources import LESSONS
from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.fetch import Package, fetch_package

HERE = Path(__file__).parent
VERSION = "314.0.3"  # the newest whose wheels the package below carries; Python 3.14, NumPy 2.4, matplotlib 3.10
PYODIDE = (
    "pyodide",
    VERSION,
    "sha512-sK40My6m8tmBUYtYH9au9rXUeh9x0wfahtHdOlGmJxZDsKBGKtP6KznyFB2+u/klbQTdDionR0uaVd176zVQzQ==",
)
ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"
CORE = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
WHEELS = Package(
    "open-webui",
    "0.12.4",
    "02e9caba96234db3fa17a92e56163b3f7f2b8ca8227fa886b85c178d696483f6",
    "open_webui/frontend/pyodide",
    106.4,
    "of each wheel its own, mostly BSD",
)
NEEDED = ("numpy", "regex", "threadpoolctl", "platformdirs")
UNKEPT = (".nojekyll", "service.js")
UNKEPT_SUFFIXES = (".map", ".mo", ".po", ".txt")  # which no page asks for
LATER = ("matplotlib",)  # with what it needs; loaded by the cell that imports it
READ_BY_LESSONS = ("claims.toml", "results.json", "[0-9]*.py")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every file in the archive, so that two builds are equal


def write_interpreter(site: Path, *, self_contained: bool, wheels: Path | None) -> None:
    """The library and the service worker, with Pyodide if the site is to be self-contained, and a note of all files."""
    write_library(site / "_static" / "minigpt.zip")
    write_chapters(site / "_static" / "chapters.zip")
    address = ADDRESS
    if self_contained:
        write_pyodide(site / "_pyodide", wheels)
        address = "_pyodide/"
    shutil.copy(HERE / "static" / "service.js", site / "service.js")
    (site / ".nojekyll").write_text(
        "", encoding="utf-8"
    )  # GitHub Pages would leave out folders that begin with _
    note: dict[str, Any] = {"pyodide": address, "packages": NEEDED, "later": LATER}
    files = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    note["kept"] = [
        name for name in files if name not in UNKEPT and not name.endswith(UNKEPT_SUFFIXES)
    ]
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (site / name).read_bytes())
    note["version"] = digest.hexdigest()[:16]
    write_json(site / "minigpt.json", note)
    script = (site / "service.js").read_text(encoding="utf-8").replace("VERSION", note["version"])
    (site / "service.js").write_text(script, encoding="utf-8")


def write_library(path: Path) -> None:
    """minigpt and what stands in for missing packages, as one archive; the same sources give the same bytes."""
    root = LESSONS.parent / "minigpt"
    files = {
        f"minigpt/{file.relative_to(root).as_posix()}": file
        for file in root.rglob("*")
        if file.is_file()
        and "__pycache__" not in file.parts
        and root / "lessons" not in file.parents
    }
    browser = HERE / "browser"
    files |= {file.relative_to(browser).as_posix(): file for file in browser.rglob("*.py")}
    named = {
        f"minigpt/lessons/{file.name}": file
        for pattern in READ_BY_LESSONS
        for file in LESSONS.glob(pattern)
    }
    _write_archive(path, {name: file.read_bytes() for name, file in {**files, **named}.items()})


def write_chapters(path: Path) -> None:
    """The chapters of Python's documentation that `help` shows, which Pyodide leaves out, as the Python here has them.

    A page fetches them when a cell reads Python's documentation. `UserError` if this Python has none either.
    """
    try:
        topics = importlib.import_module("pydoc_data.topics")
    except ImportError:
        raise UserError(
            "this Python has no pydoc_data.topics, which lessons read; build the site with a Python that is whole"
        ) from None
    notice = f"{sys.copyright}\nLicence: https://docs.python.org/3/license.html\n"
    files = {"topics.py": Path(str(topics.__file__)).read_bytes(), "NOTICE": notice.encode()}
    files["__init__.py"] = b""
    _write_archive(path, {f"pydoc_data/{name}": data for name, data in files.items()})


def _write_archive(path: Path, files: dict[str, bytes]) -> None:
    """The same files give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def write_pyodide(folder: Path, wheels: Path | None) -> None:
    """Pyodide and the wheels that lessons need. `UserError` names a wheel that is not as Pyodide lists it."""
    folder.mkdir()
    core = fetch_npm(*PYODIDE)
    for name in CORE:
        shutil.copy(core / name, folder / name)
    listed = json.loads((core / "pyodide-lock.json").read_text(encoding="utf-8"))["packages"]
    source = wheels or fetch_package(WHEELS)
    for name in with_dependencies(listed, (*NEEDED, *LATER)):
        file = source / listed[name]["file_name"]
        if not file.is_file():
            raise UserError(f"{source} has no {file.name}; give the wheels of Pyodide {VERSION}")
        if hashlib.sha256(file.read_bytes()).hexdigest() != listed[name]["sha256"]:
            raise UserError(f"{file} is not the wheel that Pyodide {VERSION} lists; it is not used")
        shutil.copy(file, folder / file.name)


def with_dependencies(listed: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    """The names of the packages, and of all that they need, as Pyodide's list has them."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += listed[name]["depends"]
    return sorted(found)
