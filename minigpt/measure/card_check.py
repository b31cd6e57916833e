"""Is a card true? Its commands run again; every number must be what they say, and every number must have one.

What may be run is this list and nothing else: minigpt's own commands that read, called as functions, never a shell.
A card comes from others, so a path in it leads nowhere but below the folder in which it is checked.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from minigpt.errors import UserError
from minigpt.files import equal_line_ends
from minigpt.measure.card import (
    LICENCES,
    PROSE,
    TABLE_HEAD,
    Command,
    Statement,
    command_line,
    header_of,
    number_of,
    statements_of,
    title_of,
)
from minigpt.values import shown

MOST = 1 << 20  # characters of a card
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")  # of a model, or below this folder
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
COUNT = re.compile(r"[1-9][0-9]{0,6}")
FORMS = {  # kind -> words; PATH, NUMBER and COUNT stand for what differs
    "facts": ("card", "PATH", "--facts", "--watts", "NUMBER", "--grams", "NUMBER"),
    "text": ("evaluate", "PATH", "PATH", "--json"),
    "task": ("evaluate", "PATH", "PATH.jsonl", "--json"),
    "audit": ("audit", "PATH", "--pieces", "COUNT", "--json"),
    "bias": ("bias", "PATH", "--measure", "crows-pairs", "--most", "COUNT", "--json"),
}
LISTED = re.compile(r"- ([A-Z]): `minigpt ([^`]*)`")
MOST_COMMANDS = 8
LANGUAGE = re.compile(r"[a-z]{2,3}")
HTML = re.compile(r"<(?!https?://)[A-Za-z!/?]|&[A-Za-z]+;")  # which may hide what stands between, or spell a number


class Verdict(NamedTuple):
    """What came of a check."""

    statements: int
    commands: int
    wrong: list[str]  # a sentence for each thing that does not hold

    @property
    def holds(self) -> bool:
        """Whether the card is true."""
        return not self.wrong


def kind_of(words: Sequence[str]) -> str:
    """Which of `FORMS` a command has. `UserError` for any other."""
    for kind in ("facts", "task", "text", "audit", "bias"):
        form = FORMS[kind]
        if len(words) == len(form) and all(map(_fits, form, words)):
            return kind
    raise UserError(
        f"the card lists {shown(' '.join(words))}, but a card may only ask minigpt's card --facts, evaluate, audit and "
        "bias, of models and files below this folder; nothing was run"
    )


def _fits(form: str, word: str) -> bool:
    if form == "PATH.jsonl":
        return word.endswith(".jsonl") and _fits("PATH", word)
    pattern = {"NUMBER": NUMBER, "COUNT": COUNT, "PATH": NAME}.get(form)
    return word == form if pattern is None else pattern.fullmatch(word) is not None


def verify_card(text: str, ask: Callable[[Sequence[str]], Mapping[str, Any]]) -> Verdict:
    """Run what the card lists and compare every line. ask: a command's words -> its JSON output.

    `UserError`, before anything runs, for what is no card, lists anything but `FORMS`, or asks of several models.
    """
    if len(text) > MOST:
        raise UserError(f"a card has at most {MOST:,} characters, and this has {len(text):,}")
    lines = [line.rstrip() for line in equal_line_ends(text.removeprefix("\ufeff")).rstrip("\n").split("\n")]
    listed = [found for line in lines if (found := LISTED.fullmatch(line))]
    asked = [(kind_of(found[2].split(" ")), tuple(found[2].split(" "))) for found in listed]
    if [kind for kind, _ in asked[:1]] != ["facts"] or len(asked) > MOST_COMMANDS:
        raise UserError(
            f"a card lists 1 to {MOST_COMMANDS} commands, the first of them `minigpt card MODEL --facts`; this one "
            "does not, so write one with `minigpt card MODEL`"
        )
    models = list(dict.fromkeys(words[1] for _, words in asked))
    if len(models) > 1 or [kind for kind, _ in asked].count("facts") > 1:
        raise UserError(
            f"a card is of one model, and its first command alone counts what that is, but this one asks of "
            f"{', '.join(models)} by {len(asked)} commands; write one with `minigpt card MODEL`; nothing was run"
        )
    commands = [Command(kind, words, ask(words)) for kind, words in asked]
    return Verdict(len(statements_of(commands)), len(commands), _wrong(lines, commands))


def _wrong(lines: list[str], commands: Sequence[Command]) -> list[str]:
    """Every line that does not hold, and every line that is missing."""
    wrong = []
    end = lines.index("---", 1) if lines[0] == "---" and "---" in lines[1:] else -1
    header, body = lines[: end + 1], lines[end + 1 :]
    wrong += _wrong_header(header, commands)
    allowed = {title_of(commands), *TABLE_HEAD, *PROSE.values()}
    needed = {title_of(commands), *(command_line(place, one.words) for place, one in enumerate(commands))}
    allowed |= needed
    wrong += [f"this line is missing: {line}" for line in sorted(needed - {*body})]
    statements = statements_of(commands)
    lines_of = [{*map(one.line, one.ways)} for one in statements]
    for one, ways in zip(statements, lines_of, strict=True):
        if not ways & {*body}:
            wrong.append(f"{one.row.label} must be {one.written}: {one.line()}")
        allowed |= ways
    for line in body:
        if line not in allowed and (line.startswith("|") or any(map(str.isnumeric, line))):
            wrong.append(f"no command says this: {shown(line)}; a number stands in a table, with its command")
        elif line not in allowed and HTML.search(line):
            wrong.append(f"this may show a reader something else: {shown(line)}; a card is Markdown without HTML")
    return wrong + _misplaced(body, statements)


def _misplaced(body: Sequence[str], statements: Sequence[Statement]) -> list[str]:
    """Every number that stands under the heading of others, where it would seem to be one of them."""
    belongs = {one.line(written): one.row.section for one in statements for written in one.ways}
    wrong, section = [], ""
    for line in body:
        section = line[3:] if line.startswith("## ") else section
        if belongs.get(line, section) != section:
            wrong.append(f"this stands under {section!r}, but belongs under {belongs[line]!r}: {line}")
    return wrong


def _wrong_header(header: list[str], commands: Sequence[Command]) -> list[str]:
    """What in the header is not as the commands say."""
    given = {name: value for line in header if line.count(": ") == 1 for name, value in [line.split(": ")]}
    licence, language = given.get("license", ""), given.get("language")
    if licence not in LICENCES or (language is not None and not LANGUAGE.fullmatch(language)):
        return [f"the header must have a license, one of {', '.join(LICENCES)}, and a language as of ISO 639, if any"]
    wanted = [
        {line} if one is None else {line.format(number_of(written)) for written in one.ways}
        for line, one in header_of(commands, licence, language)
    ]
    if len(header) != len(wanted):
        return [f"the header has {len(header)} lines, but what the commands say makes {len(wanted)}"]
    return [
        f"line {place} of the header must be {sorted(ways)[0]!r}, but it is {shown(line)}"
        for place, (line, ways) in enumerate(zip(header, wanted, strict=True), 1)
        if line not in ways
    ]
