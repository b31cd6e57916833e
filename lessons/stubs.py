"""Stubs from solutions: `python -m lessons.stubs [FOLDER]` writes every exercise without its answer.

What stands between `# answer` and `# end of answer` in `lessons/solutions/` is left out. Without FOLDER they go to
`lessons/exercises/`, where students find them; an instructor who hands out the course without solutions names a folder.
"""

import sys
from pathlib import Path

from lessons.sources import LESSONS
from minigpt.errors import UserError
from minigpt.files import write_text

BEGIN, END = "    # answer", "    # end of answer"


def stub(solution: str) -> str:
    """The source of a solution without its answers. `UserError` if a mark has no partner."""
    lines: list[str] = []
    name, inside = "", False
    for number, line in enumerate(solution.splitlines(), 1):
        if line.startswith("def "):
            name = line[len("def ") :].split("(")[0]
        if line in (BEGIN, END) and inside == (line == BEGIN):
            raise UserError(
                f"line {number} of the solution, {line.strip()!r}, has no partner; marks come in pairs"
            )
        if line == BEGIN:
            inside = True
            lines.append(f'    raise NotImplementedError("write {name}")')
        elif line == END:
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise UserError(f"the answer of {name} has no end; close it with {END.strip()!r}")
    return "\n".join(lines) + "\n"


def write_stubs(folder: Path) -> list[Path]:
    """Write the stub of every solution into `folder`."""
    paths = []
    for solution in sorted((LESSONS / "solutions").glob("*.py")):
        paths.append(folder / solution.name)
        write_text(paths[-1], stub(solution.read_text(encoding="utf-8")))
    return paths


if __name__ == "__main__":
    for path in write_stubs(Path(sys.argv[1]) if len(sys.argv) > 1 else LESSONS / "exercises"):
        print(path)
