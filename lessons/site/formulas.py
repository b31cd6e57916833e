"""Formulas as pictures, made while the site is built: MathJax sets them in Node.js, so that no page needs a script.

An extension of Sphinx, which `html_math_renderer = "svg"` chooses.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lessons.site.fetch import fetch_npm
from minigpt.errors import UserError

MATHJAX = (
    "mathjax",
    "3.2.2",
    "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
)


class Typesetter:
    """A process that sets one formula after another; it begins with the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def html(self, tex: str, *, display: bool) -> str:
        """The formula as SVG, with its MathML beside it for who hears it. `UserError` if MathJax cannot read it."""
        process = self._process = self._process or self._begun()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps([tex, display]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise UserError("Node.js ended before it had set the formulas; its own words are above")
        answer = json.loads(line)
        if "error" in answer:
            raise UserError(f"the formula {tex!r} cannot be set ({answer['error']}); mend it")
        return answer["html"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _begun(self) -> "subprocess.Popen[str]":
        program = shutil.which("node")
        if program is None:
            raise UserError("Node.js is not installed, and it sets the formulas; install it")
        command = [program, str(Path(__file__).with_name("typeset.js")), str(fetch_npm(*MATHJAX))]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")


def setup(app: Any) -> None:
    """Have Sphinx ask a `Typesetter` for each formula, in the text and in a page's contents."""
    from docutils import nodes

    typesetter = Typesetter()

    def inline(translator: Any, node: Any) -> None:
        picture = typesetter.html(node.astext(), display=False)
        translator.body.append(f'<span class="math">{picture}</span>')
        raise nodes.SkipNode

    def block(translator: Any, node: Any) -> None:
        if node.get("number") is not None:
            raise UserError(
                f"the formula {node.astext()!r} has a number, which no page shows; leave it out"
            )
        picture = typesetter.html(node.astext(), display=True)
        translator.body.append(f"{translator.starttag(node, 'div', CLASS='math')}{picture}</div>")
        raise nodes.SkipNode

    app.add_html_math_renderer("svg", (inline, None), (block, None))
    app.connect("build-finished", lambda *_arguments: typesetter.close())
