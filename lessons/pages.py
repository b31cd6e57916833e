"""Pages beside the notebooks, with figures and numbers that the lessons measured.

A page is written by hand. `2.94<!--L08.read_at_the_mask-->` is a number with the name under which results.json has it,
and the build puts in what was measured, with as many decimals; pictures are those that a lesson showed with
`show(figure, text, file=...)`, and the build puts in their alternative text.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lessons.sources import LESSONS, lesson_sources
from minigpt.files import write_text

PAGES = ("ENCODER_OR_DECODER.md",)
FIGURES = LESSONS / "figures"
NUMBER = re.compile(r"-?\d+(?:\.(\d+))?<!--([\w.]+)-->")
PICTURE = re.compile(r"!\[[^\]]*\]\(figures/([\w.]+)\)")


class Picture(NamedTuple):
    """A picture of a notebook that is kept in a file as well."""

    file: str
    text: str  # the alternative text
    content: bytes


def pictures(notebook: Mapping[str, Any]) -> Iterator[Picture]:
    """Those of a built notebook to which the lesson gave the name of a file."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("image/png", {})
            if "file" in about:
                yield Picture(
                    about["file"], about["alt"], base64.b64decode(output["data"]["image/png"])
                )


def write_figures(notebook: Mapping[str, Any]) -> None:
    """Keep the pictures of a built notebook that have file names."""
    for picture in pictures(notebook):
        FIGURES.mkdir(exist_ok=True)
        (FIGURES / picture.file).write_bytes(picture.content)


def all_pictures() -> dict[str, Picture]:
    """Of all built notebooks, by the names of their files."""
    notebooks = [source.with_suffix(".ipynb") for source in lesson_sources()]
    built = [json.loads(path.read_text(encoding="utf-8")) for path in notebooks if path.exists()]
    return {picture.file: picture for notebook in built for picture in pictures(notebook)}


def refreshed(page: str, numbers: Mapping[str, float], texts: Mapping[str, str]) -> str:
    """A page with its numbers and alternative texts as they were measured and shown. `KeyError` names what is not."""

    def number(match: re.Match[str]) -> str:
        return f"{numbers[match[2]]:.{len(match[1] or '')}f}<!--{match[2]}-->"

    return PICTURE.sub(lambda m: f"![{texts[m[1]]}](figures/{m[1]})", NUMBER.sub(number, page))


def refresh_pages() -> None:
    """Put the numbers of results.json and the texts of the notebooks into the pages."""
    numbers, texts = measured(), {name: picture.text for name, picture in all_pictures().items()}
    for name in PAGES:
        path = LESSONS / name
        write_text(path, refreshed(path.read_text(encoding="utf-8"), numbers, texts))


def measured() -> dict[str, float]:
    """The numbers of results.json by their names."""
    rows = json.loads((LESSONS / "results.json").read_text(encoding="utf-8"))
    return {row["name"]: row["value"] for row in rows}
