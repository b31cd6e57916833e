"""`minigpt corpus plant`: a copy of a text with sentences that hold secret numbers, and a file that lists them."""

import argparse
from pathlib import Path

import numpy as np

from minigpt.cli.options import file, positive, print_json, quoted, read_utf8
from minigpt.errors import UserError
from minigpt.files import check_place, write_text
from minigpt.privacy.canaries import make_canaries, plant, write_canaries
from minigpt.text.documents import TextFile

TIMES = (0, 1, 4, 16, 64)


def plant_options(parser: argparse.ArgumentParser) -> None:
    """What is planted, and where."""
    parser.add_argument("input", metavar="IN", help="a UTF-8 text")
    parser.add_argument("out", metavar="OUT", type=file, help="a new text; beside it OUT.canaries.json is written")
    parser.add_argument(
        "--times",
        type=int,
        nargs="+",
        default=list(TIMES),
        metavar="N",
        help=f"how often a sentence is planted; 0 is the control (default {' '.join(map(str, TIMES))})",
    )
    parser.add_argument("--each", type=positive, default=10, metavar="N", help="sentences of each (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the numbers and places (default 0)")


def execute_plant(arguments: argparse.Namespace) -> int:
    """Plant, write, and say how to go on."""
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    secrets = Path(f"{arguments.out.with_suffix('')}.canaries.json")
    for path in (arguments.out, secrets):
        check_place(path)
        if path.exists():
            raise UserError(f"{path} is there already; choose another name for OUT")
    for name in (arguments.input, arguments.out):
        if TextFile(Path(name), str(name)).is_json_lines:
            raise UserError(f"{name} is JSON Lines, between which no sentence may stand; plant into a plain text")
    rng = np.random.default_rng(arguments.seed)
    canaries = make_canaries(arguments.times, arguments.each, rng)
    text = plant(read_utf8(arguments.input), canaries, rng)
    write_canaries(secrets, canaries)
    write_text(arguments.out, text)
    planted = sum(canary.times for canary in canaries)
    if arguments.json:
        print_json(
            {"text": str(arguments.out), "canaries": str(secrets), "sentences": len(canaries), "planted": planted}
        )
        return 0
    print(f"{len(canaries)} sentences are planted {planted} times in {arguments.out}; {secrets} lists them")
    print(f"go on with\n  minigpt train {quoted(arguments.out)} --out RUN")
    print(f"  minigpt audit RUN --canaries {quoted(secrets)}")
    return 0
