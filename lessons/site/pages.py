"""The pages: the lessons' notebooks, claims, glossary and library as sources for Sphinx, and Sphinx's HTML of them."""

import contextlib
import html
import io
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from lessons.site.api import write_api
from lessons.site.claims import with_links
from lessons.sources import LESSONS, lesson_sources
from minigpt.errors import UserError
from minigpt.files import write_text

HERE = Path(__file__).parent
PAGES = ("ENCODER_OR_DECODER.md", "GLOSSARY.md", "README.md")

# What no page can run, by words of the cell's source, and why.
ELSEWHERE = {
    "on_workers(run)": "This cell trains with worker processes, and a browser has none.",
    "L12.first_loss_of_processes": "This cell reads what worker processes gave, and a browser has none.",
}

INDEX = """# minigpt, the course

A transformer in plain NumPy, taken apart: every gradient written by hand, every statement measured. Read it here; a
page's code runs in the page, without an installation: change a cell and press *run*.

```{{toctree}}
:caption: The lessons
:maxdepth: 1

{lessons}
```

```{{toctree}}
:caption: Look up
:maxdepth: 1

CLAIMS
ENCODER_OR_DECODER
GLOSSARY
playground
README
api/index
```
"""

EXERCISE = """## Exercises of this lesson

Write into the file below and press *grade*: you get the points and the hints that `minigpt grade` gives. Without
scripts, copy it into a file of yours and run `minigpt grade FILE`.

```{{raw}} html
<section class="exercise" data-lesson="{lesson}" aria-label="Exercises">
<pre class="stub">{stub}</pre>
</section>
```
"""

PLAYGROUND = """# Playground

```{{raw}} html
{body}
```
"""


def write_sources(folder: Path) -> None:
    """Everything that Sphinx reads, into a new folder."""
    folder.mkdir(parents=True)
    names = [path.stem for path in lesson_sources()]
    for name in names:
        notebook = json.loads((LESSONS / f"{name}.ipynb").read_text(encoding="utf-8"))
        write_text(folder / f"{name}.ipynb", json.dumps(_prepared(notebook, name)))
    shutil.copytree(LESSONS / "figures", folder / "figures")
    for page in PAGES:
        shutil.copy(LESSONS / page, folder / page)
    write_text(
        folder / "CLAIMS.md",
        with_links((LESSONS / "CLAIMS.md").read_text(encoding="utf-8"), LESSONS, names),
    )
    body = (HERE / "static" / "playground.html").read_text(encoding="utf-8")
    write_text(folder / "playground.md", PLAYGROUND.format(body=body))
    write_text(folder / "index.md", INDEX.format(lessons="\n".join(names)))
    write_api(folder / "api")


def _prepared(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The notebook with its exercises at the end."""
    stub = LESSONS / "exercises" / f"{name}.py"
    if stub.exists():
        text = EXERCISE.format(lesson=name, stub=html.escape(stub.read_text(encoding="utf-8")))
        cell = {"cell_type": "markdown", "id": "exercises", "metadata": {}, "source": text}
        notebook["cells"].append(cell)
    return notebook


def render(sources: Path, out: Path, between: Path) -> None:
    """Have Sphinx make HTML. `UserError` if it is not installed or warns of anything."""
    try:
        from sphinx.application import Sphinx
        from sphinx.util.docutils import docutils_namespace
    except ImportError as error:
        raise UserError(f"{error.name} is not installed; pip install '.[site]'") from None
    static = between / "static"
    shutil.copytree(HERE / "static", static, ignore=shutil.ignore_patterns("*.html", "service.js"))
    problems, told = io.StringIO(), io.StringIO()
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    # What Sphinx registers is taken back at the end, so that another site can be made in this process.
    with contextlib.redirect_stdout(told), warnings.catch_warnings(), docutils_namespace():
        warnings.simplefilter("ignore")  # what Sphinx's themes use of Sphinx is theirs to mend
        app = Sphinx(
            srcdir=sources,
            confdir=None,
            outdir=out,
            doctreedir=between / "doctrees",
            buildername="html",
            confoverrides=settings(static),
            status=told,
            warning=problems,
            freshenv=True,
        )
        app.connect("doctree-read", name_cells)
        app.connect("html-page-context", before_the_theme)
        app.build(force_all=True)
    found = [line for line in problems.getvalue().splitlines() if line.strip()]
    if found:
        shown = "\n".join(found[:20]).replace(str(sources), "")
        raise UserError(f"Sphinx warns of {len(found)} things; mend them:\n{shown}")
    for made in (".buildinfo", "objects.inv"):
        (out / made).unlink(missing_ok=True)


def settings(static: Path) -> dict[str, Any]:
    """What a conf.py would say."""
    return {
        "project": "minigpt",
        "html_title": "minigpt, the course",
        "language": "en",
        "extensions": ["myst_nb", "lessons.site.formulas"],
        "nb_execution_mode": "off",
        "nb_render_markdown_format": "myst",  # what cells printed: tables, which CommonMark has not
        "myst_enable_extensions": ["dollarmath", "html_image"],
        "myst_heading_anchors": 4,
        "myst_links_external_new_tab": False,
        "html_theme": "sphinx_book_theme",
        "html_theme_options": {
            "use_download_button": False,
            "use_fullscreen_button": False,
            # The theme's scripts equip the first menu button they find: no bar over the page may have one as well.
            **{f"navbar_{part}": [] for part in ("start", "center", "end", "persistent")},
            "back_to_top_button": False,  # it lies over what a small screen shows
            "show_toc_level": 2,
            "navigation_with_keys": False,
            "pygments_light_style": "a11y-high-contrast-light",
            "pygments_dark_style": "a11y-high-contrast-dark",
        },
        "html_context": {"default_mode": "auto"},
        "html_static_path": [str(static)],
        "html_favicon": str(static / "icon.svg"),
        "html_css_files": ["page.css"],
        "html_js_files": [
            ("wake.js", {"type": "module", "async": "async"}),
            ("page.js", {"type": "module"}),
        ],
        "html_copy_source": False,
        "html_show_sourcelink": False,
        "html_show_copyright": False,
        "html_show_sphinx": False,
        "author": "the authors of minigpt",
        "html_math_renderer": "svg",
        "toc_object_entries": False,
        "suppress_warnings": ["misc.highlighting_failure", "myst.header"],
    }


def before_the_theme(
    _app: Any, _page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Have a page run storage.js before any script of the theme."""
    script = f'<script src="{context["pathto"]("_static/storage.js", 1)}"></script>'
    context["metatags"] = context.get("metatags", "") + script


def name_cells(app: Any, doctree: Any) -> None:
    """Give every code cell an address, `#cell-07`, and a note if no page can run it; every picture gets its text."""
    from docutils import nodes

    path = Path(app.srcdir) / f"{app.env.docname}.ipynb"
    if not path.exists():
        return
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for node in list(doctree.findall(nodes.container)):
        if node.get("nb_element") != "cell_code":
            continue
        index = node["cell_index"]
        node["ids"].append(f"cell-{index:02}")
        source = "".join(cells[index]["source"])
        for why in [why for words, why in ELSEWHERE.items() if words in source]:
            node["classes"].append("elsewhere")
            note = nodes.note(
                "",
                nodes.paragraph(text=f"Not in the browser. {why} What it shows was made outside."),
            )
            node.parent.insert(node.parent.index(node), note)
        texts = [
            output.get("metadata", {}).get("image/png", {}).get("alt", "")
            for output in cells[index].get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        for picture, text in zip(node.findall(nodes.image), texts, strict=True):
            picture["alt"] = text
