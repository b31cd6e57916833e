"""The table of claims, with a link from every number to the cell that measured it."""

import json
import re
from pathlib import Path

NUMBER = re.compile(r"^\| `([EL]\d+\w*\.[\w.-]+)` \|", re.MULTILINE)


def measuring_cells(folder: Path, lessons: list[str]) -> dict[str, str]:
    """Name of a number -> `05_backprop.html#cell-12`, the cell that states it."""
    found: dict[str, str] = {}
    for lesson in lessons:
        cells = json.loads((folder / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
        for index, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                text = "".join(cell["source"]) + "".join(
                    "".join(output.get("text", "")) for output in cell.get("outputs", [])
                )
                for name in re.findall(r"\b[EL]\d+\w*\.[\w-]+", text):
                    if name not in found or f'expect("{name}' in text:
                        found.setdefault(name, f"{lesson}.html#cell-{index:02}")
    return found


def with_links(page: str, folder: Path, lessons: list[str]) -> str:
    """The page with its numbers as links; a number that no cell states stays as it is."""
    cells = measuring_cells(folder, lessons)

    def link(match: re.Match) -> str:
        name = match[1]
        return f'| <a href="{cells[name]}"><code>{name}</code></a> |' if name in cells else match[0]

    return NUMBER.sub(link, page)
