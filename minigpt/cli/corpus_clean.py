"""`minigpt corpus clean`: a corpus without duplicates, bad text and personal information, with a report."""

import argparse
import time
from typing import Any

from minigpt.cli.options import flag_of, folder, positive, print_json, quoted
from minigpt.errors import UserError
from minigpt.machine import cores
from minigpt.text.documents import FIELD

NEEDED = {  # an option and what must be there for it to have an effect
    "near": ("duplicates", ("near",), "--duplicates near"),
    "min_quality": ("good", None, "--good and --bad"),
    "how": ("personal", None, "some kind of --personal"),
    "min_words": ("rules", ("plain", "web"), "--rules plain or web"),
}


def clean_options(parser: argparse.ArgumentParser) -> None:
    """Everything of a cleaning that can be said."""
    parser.set_defaults(goes_on=True)  # a reader that leaves does not end it
    parser.add_argument("input", metavar="IN", help="a file (text, JSON Lines, also .gz), a folder of them, or a name")
    parser.add_argument("out", metavar="OUT", type=folder, help="a new folder; after an interruption the same one")
    parser.add_argument("--field", help=f"of JSON Lines: the one that holds the text (default {FIELD})")
    parser.add_argument("--keep", type=_names, default=(), metavar="FIELDS", help="other fields to carry over: a,b")
    parser.add_argument(
        "--split", choices=("file", "paragraphs", "lines"), help="what is a document in a text file (default file)"
    )
    parser.add_argument(
        "--rules",
        choices=("none", "plain", "web"),
        default="plain",
        help="plain (the default): readable, not repetitive; web: those published for pages of the web",
    )
    parser.add_argument("--min-words", type=int, metavar="N", help="of a document, instead of what the rules say")
    parser.add_argument(
        "--personal", type=_names, metavar="KINDS", help="of personal information: email,phone or none (default: all)"
    )
    parser.add_argument(
        "--how", choices=("placeholder", "remove", "pseudonym"), help="what stands for it then (default placeholder)"
    )
    parser.add_argument("--name-tagger", metavar="FILE", help="find names by this trained tagger, not by the rule")
    parser.add_argument("--secret", metavar="FILE", help="16 bytes or more that pseudonyms depend on; keep them")
    parser.add_argument(
        "--duplicates", choices=("none", "exact", "near"), default="near", help="to take out (default near)"
    )
    parser.add_argument("--near", type=float, metavar="LIKENESS", help="from which texts are near ones (default 0.8)")
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="OTHER",
        help="take out what it has, such as a test set",
    )
    parser.add_argument("--language", type=_names, default=(), metavar="LANGUAGES", help="that stay: english,french")
    parser.add_argument("--language-from", metavar="FOLDER", help="with a folder of texts for each language")
    parser.add_argument("--good", metavar="CORPUS", help="train a classifier on this ...")
    parser.add_argument("--bad", metavar="CORPUS", help="... against this, and take out what is like it")
    parser.add_argument("--min-quality", type=float, metavar="P", help="least probability of being good (default 0.5)")
    parser.add_argument("--workers", type=positive, help="processes (default: one for each core)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")


def execute_clean(arguments: argparse.Namespace) -> int:
    """Clean, and say what was taken and where to read on."""
    from minigpt.corpus import clean

    began = time.monotonic()
    report = clean(
        arguments.input,
        arguments.out,
        _settings(arguments),
        workers=arguments.workers or cores(),
        progress=not arguments.json,
    )
    if arguments.json:
        print_json(report)
    else:
        _say(report, arguments.out, time.monotonic() - began)
    return 0


def _settings(arguments: argparse.Namespace) -> Any:
    from minigpt.corpus import CleanSettings

    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    asked = {name: getattr(arguments, name) for name in CleanSettings.__dataclass_fields__}
    asked["against"] = tuple(asked["against"])
    asked["personal"] = () if asked["personal"] == ("none",) else asked["personal"]
    settings = CleanSettings(**{name: value for name, value in asked.items() if value is not None})
    for name, (other, values, needed) in NEEDED.items():
        value = getattr(settings, other)
        if asked[name] is not None and not (value in values if values else value):
            raise UserError(f"{flag_of(name)} changes nothing without {needed}; leave it out")
    return settings


def _names(text: str) -> tuple[str, ...]:
    """Names with commas between them, for argparse."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name in it")
    if len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} has a name in it twice")
    return names


def _say(report: dict[str, Any], out: Any, seconds: float) -> None:
    before, after = report["input"], report["output"]
    print(f"{before['documents']:,} documents, {before['bytes'] / 1e6:,.2f} MB, in {seconds:.1f} s")
    for entry in report["filters"]:
        print(f"  {entry['name']:45} {entry['documents']:9,}  {entry['documents'] / before['documents']:7.2%}")
    if report["personal"]:
        said = ", ".join(f"{kind} {count:,}" for kind, count in report["personal"].items())
        print(f"personal information replaced, which makes nothing anonymous: {said}")
    print(f"{after['documents']:,} documents, {after['bytes'] / 1e6:,.2f} MB, are left in {quoted(out)}")
    print(f"Read {quoted(out / 'report.md')} and {quoted(out / 'datasheet.md')}. Next:  minigpt train {quoted(out)}")
