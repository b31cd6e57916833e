"""The course for a student who only installed: copied into a folder of theirs, where they may write."""

import os
from pathlib import Path

from minigpt.course.folder import shipped_lessons
from minigpt.errors import UserError
from minigpt.files import replacing

HANDED_OUT = ("*.ipynb", "*.md", "figures/*.png", "exercises/*.py")
SOLUTIONS = ("solutions/*.py",)


def copy_lessons(folder: str | Path, *, solutions: bool = False) -> tuple[list[Path], list[Path]]:
    """Copy notebooks, exercises and pages into `folder`, which is made if need be. Nothing is overwritten.

    solutions: whether these are handed out too. Returns what was copied and what was there already, as paths.
    `UserError` if the folder cannot be written, or is a file.
    """
    if not str(folder):
        raise UserError("the name of the folder is empty; name one, such as my-course")
    if os.path.isfile(folder):
        raise UserError(f"{folder} is a file, but the lessons need a folder; choose another name")
    source = shipped_lessons()
    copied, kept = [], []
    for pattern in HANDED_OUT + SOLUTIONS * solutions:
        found = sorted(source.glob(pattern))
        if not found:
            raise UserError(f"{source} holds no {pattern}; install minigpt again with pip")
        for path in found:
            target = Path(folder) / path.relative_to(source)
            if os.path.lexists(target):
                kept.append(target)
                continue
            with replacing(target) as temporary:
                temporary.write_bytes(path.read_bytes())
            copied.append(target)
    return copied, kept
