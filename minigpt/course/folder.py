"""Where the lessons are: in the working folder, in a checkout, or installed with the package."""

from pathlib import Path

from minigpt.errors import UserError

CLAIMS = "claims.toml"  # by this file the folder is known


def lessons_folder() -> Path:
    """The folder of the lessons, the first that has a claims.toml of these.

    `./lessons`, so that what a student edits is what is read; the one beside the package in a checkout; the copy that
    is installed with the package. `UserError` if there is none.
    """
    package = Path(__file__).parents[1]
    for folder in (Path("lessons"), package.parent / "lessons", package / "lessons"):
        if (folder / CLAIMS).is_file():
            return folder
    raise UserError(
        f"there is no folder lessons with {CLAIMS} in {Path.cwd()}, nor one that came with the package; "
        "change to the folder that you cloned, or install minigpt again with pip"
    )
