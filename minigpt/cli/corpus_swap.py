"""`minigpt corpus swap`: a copy of a corpus in which what is said of one group is said of the other, too."""

import argparse
import json
from pathlib import Path
from typing import Any

from minigpt.cli.options import file, print_json, quoted
from minigpt.errors import UserError
from minigpt.fairness.counterfactual import GENDER, UNSURE, Swapping, paragraphs
from minigpt.files import check_place, write_text
from minigpt.text.documents import FIELD, TextFile, read_documents


def swap_options(parser: argparse.ArgumentParser) -> None:
    """What is exchanged, and where."""
    parser.add_argument("input", metavar="IN", help="a UTF-8 text, or JSON Lines with a field text")
    parser.add_argument("out", metavar="OUT", type=file, help="a new file of the same kind")
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="WORD=WORD",
        help=f"what is exchanged (default {len(GENDER)} pairs of English words of two genders, from he=she on); what "
        f"holds one of {', '.join(UNSURE)}, of which each may become two, then stays as it is",
    )


def execute_swap(arguments: argparse.Namespace) -> int:
    """Read, exchange, write, and say what it costs."""
    check_place(arguments.out)
    if arguments.out.exists():
        raise UserError(f"{arguments.out} is there already; choose another name for OUT")
    source = TextFile(Path(arguments.input), arguments.input)
    if source.is_json_lines != TextFile(arguments.out, "").is_json_lines:
        raise UserError(f"{arguments.input} and {arguments.out} are of two kinds; name both .jsonl, or neither")
    if arguments.out.suffix == ".gz":
        raise UserError(f"{arguments.out} would be packed; write a plain file")
    swapping = Swapping(GENDER, UNSURE) if arguments.pairs is None else Swapping(_pairs(arguments.pairs))
    found, before = [], 0
    for document in read_documents(source):
        before += len(document.text.encode())
        if source.is_json_lines:
            both = swapping.both(document.text)
            found += [json.dumps({**document.fields, FIELD: text}, ensure_ascii=False) for text in both]
        else:
            found += [text for piece in paragraphs(document.text) for text in swapping.both(piece)]
    text = ("\n" if source.is_json_lines else "\n\n").join(found) + "\n"
    write_text(arguments.out, text)
    said: dict[str, Any] = {
        "file": str(arguments.out),
        **swapping.counts(),
        "bytes_before": before,
        "bytes": len(text.encode()),
    }
    if arguments.json:
        print_json(said)
        return 0
    what = "documents" if source.is_json_lines else "paragraphs"
    print(
        f"{said['swapped']:,} of {said['pieces']:,} {what} also stand with {said['words']:,} words exchanged in "
        f"{arguments.out}: {said['bytes'] / max(1, before):.2f} times as much text"
    )
    if said["unsure"]:
        print(f"{said['unsure']:,} that hold {', '.join(UNSURE)} stay alone: each of these words may become two others")
    print(f"go on with\n  minigpt train {quoted(arguments.out)} --out RUN\n  minigpt bias RUN")
    return 0


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    """he=she as (he, she). `UserError` for anything else."""
    found = []
    for word in words:
        one, equals, other = word.partition("=")
        if not equals or not one.isalpha() or not other.isalpha() or one.lower() == other.lower():
            raise UserError(f"--pairs has {word!r:.50}, but it must be two different words, such as he=she")
        found.append((one, other))
    return found
