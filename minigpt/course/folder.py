"""Where the lessons are: in the working folder, in a checkout, or installed with the package."""

from pathlib import Path

from minigpt.errors import UserError

CLAIMS = "claims.toml"  # by this file the folder is known


def lessons_folder() -> Path:
    """The folder of the lessons, the first that has a claims.toml of these.

    `./lessons`, so that what a student edits is what is read; then `shipped_lessons()`. `UserError` if there is none.
    """
    return _first(Path("lessons"), *_shipped())


def shipped_lessons() -> Path:
    """The lessons as they came with the package, wherever the user works. `UserError` if there are none."""
    return _first(*_shipped())


def _shipped() -> tuple[Path, Path]:
    """The folder beside the package in a checkout; the copy that is installed with the package."""
    package = Path(__file__).parents[1]
    return package.parent / "lessons", package / "lessons"


def _first(*folders: Path) -> Path:
    for folder in folders:
        if (folder / CLAIMS).is_file():
            return folder
    raise UserError(
        f"there is no folder lessons with {CLAIMS} in {Path.cwd()}, nor one that came with the package; "
        "change to the folder that you cloned, or install minigpt again with pip"
    )
