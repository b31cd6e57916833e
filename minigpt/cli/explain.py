"""`minigpt explain`: why a model says what it says of a text, as a page and a picture."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.options import MODEL, add_command, checkpoint_option, file, print_json, visible
from minigpt.errors import UserError
from minigpt.explain.explanation import FAST, SAME, Explanation, explain_text
from minigpt.explain.integrated import FEW, MOST
from minigpt.explain.methods import METHODS
from minigpt.explain.page import part_name, write_page
from minigpt.explain.question import EMBEDDING
from minigpt.explain.table import kept_trials
from minigpt.files import check_place, equal_line_ends, replacing, write_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.pretrained import open_model

WIDTH, NAME = 40, 24  # of a bar, and of what stands before it


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "explain",
        execute,
        "  minigpt explain smollm2 'The capital of France is'\n"
        "  minigpt explain smollm2 'The capital of France is' --against 'The capital of Spain is' --out paris.html\n"
        "  minigpt explain minilm 'A cat sleeps.' --against 'The kitten is asleep.'\n"
        "  minigpt explain g2p attention --method occlusion",
    )
    parser.add_argument("model", metavar="MODEL", help=f"{MODEL}; one that reads text")
    parser.add_argument("text", help="at most 64 tokens; of a model that fills gaps, with its mask")
    parser.add_argument("--against", metavar="TEXT", help="what makes the difference to this one, of as many tokens?")
    parser.add_argument(
        "--method",
        nargs="+",
        choices=tuple(METHODS),
        default=list(FAST),
        help=f"(default {', '.join(FAST)}); integrated gradients take {FEW + MOST:,} steps at most; a bar says so",
    )
    parser.add_argument("--out", type=file, metavar="PAGE.html", help="write a page, and a PNG beside it")
    parser.add_argument("--seed", type=int, default=0, help="of the methods that draw (default 0)")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print the scores as one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Explain, and print or write it."""
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    page = None if arguments.out is None else Path(arguments.out)
    for path in () if page is None else (page, page.with_suffix(".png")):
        if page is not None and page.suffix.lower() != ".html":
            raise UserError(f"{page} would hold a page; give it the ending .html")
        check_place(path)
        if path.exists():
            raise UserError(f"{path} is there already; choose another name for --out")
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    quiet = np.errstate(over="ignore", invalid="ignore")  # of a damaged model, which is refused
    with blas_threads(threads_for_width(opened.model.config.width)), quiet:
        found = explain_text(
            opened,
            equal_line_ends(arguments.text),
            other=None if arguments.against is None else equal_line_ends(arguments.against),
            methods=list(dict.fromkeys(arguments.method)),
            rng=np.random.default_rng(arguments.seed),
            progress=not arguments.json,
        )
    if arguments.json:
        print_json(_plain(found))
    else:
        print("\n".join(_lines(found)))
    if page is not None:
        from minigpt.plots_explain import draw_explanation

        with replacing(page.with_suffix(".png")) as temporary:
            draw_explanation(found, temporary)
        write_text(page, write_page(found, kept_trials()))
        if not arguments.json:
            print(f"\nthe page is {page}, the picture {page.with_suffix('.png')}")
    return 0


def _plain(found: Explanation) -> dict[str, Any]:
    """For JSON: all but the maps."""
    methods = {
        one.method: {"refused": one.refused}
        if one.refused
        else {
            "scores": {place: scores.tolist() for place, scores in one.by_place.items()},
            "error": one.error,
            **({"way": one.way} if one.way else {}),
        }
        for one in found.scores
    }
    names = ("model", "text", "other", "target", "value", "probability", "against", "labels", "parts", "rest", "lens")
    arrays: dict[str, Any] = {"patched": found.patched, "patched_heads": found.patched_heads}
    return {
        **{name: getattr(found, name) for name in names},
        "methods": methods,
        "rollout": {place: shares.tolist() for place, shares in found.rolled.items()},
        **{name: None if values is None else values.tolist() for name, values in arrays.items()},
        "patched_one_by_one": found.exact,
    }


def _lines(found: Explanation) -> list[str]:
    """For people: of each method a bar for each token; then the parts, the lens, and where two texts part."""
    chance = "" if found.probability is None else f", probability {found.probability:.3f}"
    less = f" less that of {found.against!r}" if found.against else ""
    lines = [f"{found.target!r}{chance}; its score{less}: {found.value:.3f}"]
    if found.probability is None:
        lines = [f"how far the vector of this text reaches in the direction of the other's: {found.value:.3f}"]
    lines = [visible(line) for line in [*lines, *[SAME] * found.same]]
    for one in found.scores:
        way = f", {one.way}" if one.way else ""
        lines += ["", f"{one.method}: refused, {one.refused}" if one.refused else one.method + way]
        for place, shares in one.by_place.items():
            lines += _bars(list(map(repr, found.labels[place])), shares.tolist())
    if found.parts:
        lines += ["", "which parts write it: terms of the score"]
        names, scores = [part_name(name) for name, _ in found.parts], [score for _, score in found.parts]
        lines += _bars([*names, "all others"], [*scores, found.rest])
    return lines + _inside(found)


def _bars(names: Sequence[str], scores: Sequence[float]) -> list[str]:
    most = max(map(abs, scores), default=0.0) or 1.0
    lines = []
    for name, score in zip(names, scores, strict=True):
        bar = ("+" if score >= 0 else "-") * round(WIDTH * abs(score) / most)
        lines.append(f"{visible(name)[:NAME]:>{NAME}} {score:+8.3f} {bar}")
    return lines


def _inside(found: Explanation) -> list[str]:
    """What each layer would say, and what of it takes the answer furthest to that of the other text."""
    lines = []
    if found.lens:
        lines += ["", "what it would say after each layer (the logit lens)"]
        lines += [f"{name:>{NAME}}  {visible(repr(best[0][0]))} {100 * best[0][1]:.0f} %" for name, best in found.lens]
    if found.patched is not None:
        how = "each was tried" if found.exact else "told to first order"
        lines += ["", f"one token after a layer, put in from the other text, takes the answer there ({how})"]
        words = found.labels[EMBEDDING]
        for layer, row in enumerate(found.patched):
            place = int(np.abs(row).argmax())
            lines.append(f"{layer:>{NAME}}  {100 * row[place]:.0f} % by {visible(repr(words[place]))}")
    return lines
