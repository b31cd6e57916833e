"""`minigpt corpus`: the texts that can be trained on by name; cleaning, planting, exchanging in one's own."""

import argparse
from typing import Any

from minigpt.cli.corpus_clean import clean_options, execute_clean
from minigpt.cli.corpus_plant import execute_plant, plant_options
from minigpt.cli.corpus_swap import execute_swap, swap_options
from minigpt.cli.options import add_command, print_json
from minigpt.text import CORPORA, load_corpus


def add(subparsers: Any) -> None:
    """Declare the subcommand and its actions."""
    parser = add_command(
        subparsers,
        "corpus",
        _list,
        "  minigpt corpus list\n  minigpt corpus fetch shakespeare kjv\n  minigpt corpus clean my-texts cleaned\n"
        "  minigpt corpus swap stories.txt both.txt --pairs he=she king=queen\n"
        "  minigpt train shakespeare",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    actions = parser.add_subparsers(metavar="ACTION", help="list (the default), fetch, clean, plant or swap")
    for name, help, execute in (
        ("list", "list the texts that have a name", _list),
        ("fetch", "download and unpack some of them", _fetch),
        ("clean", "take duplicates, bad text and personal information out of a corpus", execute_clean),
        ("plant", "plant sentences with secret numbers, by which `minigpt audit` measures memory", execute_plant),
        ("swap", "say of each of two groups what is said of the other, against a stereotype", execute_swap),
    ):
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")
        action.set_defaults(execute=execute)
        if name == "fetch":
            action.add_argument("names", nargs="*", metavar="NAME", help="what to fetch (default: all)")
        elif name == "clean":
            clean_options(action)
        elif name == "plant":
            plant_options(action)
        elif name == "swap":
            swap_options(action)


def _list(arguments: argparse.Namespace) -> int:
    rows = [
        {
            "name": name,
            "description": entry.description,
            "megabytes": entry.megabytes,
            "licence": entry.licence,
            "needs_download": entry.needs_download,
        }
        for name, entry in CORPORA.items()
    ]
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        origin = "download" if row["needs_download"] else "always there"
        print(f"{row['name']:12} {row['megabytes']:5.1f} MB  {origin:12}  {row['description']} ({row['licence']})")
    print("\nAny UTF-8 text file, or folder of them, will do as well: minigpt train PATH")
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    sizes = {}
    for name in arguments.names or CORPORA:
        corpus = load_corpus(name)
        sizes[name] = sum(len(text.encode()) for text in corpus.documents)
        if not arguments.json:
            print(f"{name}: {len(corpus.documents)} documents, {sizes[name] / 1e6:.2f} MB of text, ready")
    if arguments.json:
        print_json(sizes)
    return 0
