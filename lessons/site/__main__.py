"""Build the course as a site: `python -m lessons.site OUT`.

Every lesson with its figures, the claims with links to the cells that measured them, the glossary, the library's pages
and a playground; any server of files can offer the folder (`python -m http.server --directory OUT`). Code cells run in
the reader's browser. Needs: pip install '.[site]', and Node.js with npm, for formulas.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import read_json


def main(words: list[str] | None = None) -> int:
    """0, 2 with a sentence on what is wrong, or 130 if somebody interrupted it."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons.site",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="a folder that is not there yet, or an earlier site"
    )
    parser.add_argument(
        "--self-contained",
        action="store_true",
        help="put the interpreter and its packages into the folder (40 MB); else pages that run fetch them from "
        "Pyodide's public address",
    )
    parser.add_argument(
        "--wheels",
        metavar="FOLDER",
        type=Path,
        help="with --self-contained: a folder with Pyodide's wheels, in place of those that pip brings",
    )
    arguments = parser.parse_args(words)
    try:
        if arguments.wheels and not arguments.self_contained:
            raise UserError(
                "--wheels are those of a site with everything in it; add --self-contained"
            )
        build(arguments.out, self_contained=arguments.self_contained, wheels=arguments.wheels)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"error: interrupted; {arguments.out} is as it was", file=sys.stderr)
        return 130
    return 0


def build(out: Path, *, self_contained: bool = False, wheels: Path | None = None) -> None:
    """Build the site into `out`, which is replaced once the new one is whole."""
    from lessons.site.interpreter import write_interpreter
    from lessons.site.links import broken_links
    from lessons.site.pages import render, write_sources

    _check_place(out)
    with _beside(out) as folder:
        work = Path(folder)
        write_sources(work / "sources")
        render(work / "sources", work / "site", work / "between")
        write_interpreter(work / "site", self_contained=self_contained, wheels=wheels)
        broken = broken_links(work / "site")
        if broken:
            raise UserError(
                f"{len(broken)} links lead nowhere, the first is {broken[0]}; mend the page that has it"
            )
        if out.exists():
            shutil.move(out, work / "former")
        shutil.move(work / "site", out)
    pages = len(list(out.rglob("*.html")))
    megabytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    print(f"{out}: {pages} pages, {megabytes:.1f} MB")
    print(f"To read and run it here: python -m http.server --directory {out} 8000")


def _beside(out: Path) -> tempfile.TemporaryDirectory:
    """A folder in which the site grows. `UserError` if nothing can be written there."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=out.parent, prefix=".building-")
    except OSError as error:
        raise UserError(
            f"{out} cannot be made ({error.strerror}); give a place where you may write"
        ) from None


def _check_place(out: Path) -> None:
    """Refuse a folder that holds something else than an earlier site."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give the site a folder of its own")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / "minigpt.json").exists():
        raise UserError(
            f"{out} holds something else than a site of ours; give the site a folder of its own"
        )
    own = {"service.js", "minigpt.json", ".nojekyll", "_sources"}
    own |= {str(name).partition("/")[0] for name in read_json(out / "minigpt.json").get("kept", ())}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in own)
    if foreign:
        raise UserError(
            f"{out} is a site of ours and holds {foreign[0]}, which a new one would replace; move it away"
        )


if __name__ == "__main__":
    sys.exit(main())
