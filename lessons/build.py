"""Build the notebooks from their sources: `python -m lessons.build`.

Every `lessons/NN_name.py` is run and becomes `lessons/NN_name.ipynb` with its outputs; its numbers go into
`lessons/results.json`, and with those `lessons/CLAIMS.md` is written; `lessons/GLOSSARY.md` is made of the sentences
that define a term; pictures with a file name are kept in `lessons/figures/`, and the pages that show them get their
numbers. Two builds on one machine give the same bytes. Needs: pip install '.[lessons]'
"""

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
import psutil
from nbclient import NotebookClient

from lessons.checks import Spent, check_lesson
from lessons.glossary import glossary_page
from lessons.pages import refresh_pages, write_figures
from lessons.sources import LESSONS, lesson_sources
from lessons.stubs import write_stubs
from minigpt.course.claims import load_claims
from minigpt.course.claims_page import claims_page
from minigpt.course.lesson import QUICK, RESULTS
from minigpt.files import write_json, write_text

SECONDS = 1800  # after which a cell is taken to hang; a busy machine takes its time
KERNEL_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def build(source: Path, *, quick: bool = False) -> tuple[str, list[dict], Spent]:
    """Run a lesson. Returns the notebook as text, its measured numbers, and what it took.

    `SystemExit` if a full run contradicts what the lesson says of itself.
    """
    notebook = read_source(source)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        os.environ.update({**KERNEL_SETTINGS, RESULTS: str(results), QUICK: "1" if quick else "0"})
        spent = []
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            on_cell_executed=lambda **_: spent.append(spent_by(client.km.provisioner.pid)),
            record_timing=False,
            resources={"metadata": {"path": "."}},
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute()
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    if not quick:
        check_lesson(source, notebook, spent[-1])
    return as_text(notebook), [json.loads(line) for line in lines], spent[-1]


def spent_by(process: int) -> Spent:
    """Processor time and the most memory of a kernel; where the system does not tell the most, the present memory."""
    kernel = psutil.Process(process)
    times = kernel.cpu_times()
    memory = kernel.memory_info().rss
    status = Path(f"/proc/{process}/status")
    if status.exists():
        most = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        memory = int(most[1]) * 1024 if most else memory
    return Spent(times.user + times.system, memory / 1e9)


def read_source(source: Path) -> nbformat.NotebookNode:
    """A lesson as a notebook without outputs, its cells numbered instead of named at random."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell["id"], cell["metadata"] = f"cell-{number:02}", {}
    return notebook


def as_text(notebook: nbformat.NotebookNode) -> str:
    """The notebook as JSON, without what changes from machine to machine."""
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.pop("execution_count", None)
            if output.output_type == "execute_result":
                output["execution_count"] = cell.execution_count
    return nbformat.writes(notebook, version=4)


def main() -> int:
    """Build the lessons named on the command line, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons.build", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="numbers or names; all if none is given"
    )
    parser.add_argument(
        "--quick", action="store_true", help="run small and write nothing: does it still run?"
    )
    arguments = parser.parse_args()
    for source in lesson_sources(arguments.lessons):
        text, numbers, spent = build(source, quick=arguments.quick)
        print(
            f"{source.stem:28} {spent.seconds:5.1f} s  {spent.gigabytes:4.1f} GB  "
            f"{len(numbers)} numbers in their bands",
            flush=True,
        )
        if not arguments.quick:
            write_text(source.with_suffix(".ipynb"), text)
            write_figures(json.loads(text))
            record(source.stem, numbers)
    if not arguments.quick:
        write_text(LESSONS / "CLAIMS.md", claims_page(load_claims(LESSONS)))
        write_text(LESSONS / "GLOSSARY.md", glossary_page())
        refresh_pages()
        write_stubs(LESSONS / "exercises")
    return 0


def record(lesson: str, numbers: list[dict]) -> None:
    """Replace the numbers of a lesson in results.json."""
    path = LESSONS / "results.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    fresh = [
        {"lesson": lesson, **{key: row[key] for key in ("name", "value", "above", "below")}}
        for row in numbers
    ]
    rows = [row for row in kept if row["lesson"] != lesson] + fresh
    write_json(path, sorted(rows, key=lambda row: row["lesson"]))


if __name__ == "__main__":
    sys.exit(main())
