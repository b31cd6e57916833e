"""`minigpt corpus`: the texts that can be trained on by name."""

from minigpt.cli.options import add_command, print_json
from minigpt.text import CORPORA, load_corpus


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "corpus",
        execute,
        "  minigpt corpus list\n  minigpt corpus fetch shakespeare kjv\n  minigpt train shakespeare",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "fetch"),
        default="list",
        help="list them (default), or download and unpack some",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to fetch (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def execute(arguments) -> int:
    """List, or fetch and say what was fetched."""
    return _list(arguments) if arguments.action == "list" else _fetch(arguments)


def _list(arguments) -> int:
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


def _fetch(arguments) -> int:
    sizes = {}
    for name in arguments.names or CORPORA:
        corpus = load_corpus(name)
        sizes[name] = sum(len(text.encode()) for text in corpus.documents)
        if not arguments.json:
            print(f"{name}: {len(corpus.documents)} documents, {sizes[name] / 1e6:.2f} MB of text, ready")
    if arguments.json:
        print_json(sizes)
    return 0
