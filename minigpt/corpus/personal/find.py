"""Finding personal information: one detector for each kind, run over one text."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from minigpt.corpus.personal.address import find_addresses
from minigpt.corpus.personal.birth import find_dates_of_birth
from minigpt.corpus.personal.email import find_emails
from minigpt.corpus.personal.internet import find_ips
from minigpt.corpus.personal.keys import find_keys
from minigpt.corpus.personal.money import find_cards, find_ibans
from minigpt.corpus.personal.names import find_names
from minigpt.corpus.personal.national import find_national_numbers
from minigpt.corpus.personal.phone import find_phones
from minigpt.corpus.personal.plain import plain
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span, without_overlaps
from minigpt.corpus.personal.urls import find_urls
from minigpt.corpus.personal.usernames import find_usernames
from minigpt.errors import UserError, described

Detector = Callable[[Source], Iterable[Span]]

DETECTORS: dict[str, Detector] = {
    "email": find_emails,
    "phone": find_phones,
    "ip": find_ips,
    "card": find_cards,
    "iban": find_ibans,
    "national_id": find_national_numbers,
    "url": find_urls,
    "address": find_addresses,
    "date_of_birth": find_dates_of_birth,
    "username": find_usernames,
    "key": find_keys,
    "name": find_names,
}
KINDS = tuple(DETECTORS)


def find(text: str, kinds: Sequence[str] = KINDS, *, names: Detector = find_names) -> list[Span]:
    """The spans of personal information in a text, in its order, no two of which overlap.

    Parameters
    ----------
    text : str
    kinds : sequence of str
        What is looked for, of `KINDS`.
    names : callable
        What looks for names: the rule, or a `minigpt.corpus.personal.tagger.NameTagger`, which finds more and is slow.

    Returns
    -------
    list of Span
        Which of two that overlap stays is said by `minigpt.corpus.personal.span.without_overlaps`.

    Raises
    ------
    UserError
        If there is no such kind, or `text` is none.

    Examples
    --------
    >>> from minigpt.corpus.personal import find
    >>> find("Write to ann@example.org.")
    [Span(start=9, end=24, kind='email', score=0.98)]
    """
    check_kinds(kinds)
    if not isinstance(text, str):
        raise UserError(f"personal information is found in text, not in {described(text)}; decode it first")
    shown, places = plain(text)
    source, detectors = Source(shown), DETECTORS | {"name": names}
    spans = without_overlaps(span for kind in dict.fromkeys(kinds) for span in detectors[kind](source))
    if places is None:
        return spans
    return [replace(span, start=places[span.start], end=places[span.end]) for span in spans]


def check_kinds(kinds: Sequence[str]) -> None:
    """`UserError` unless all are kinds of personal information."""
    if isinstance(kinds, str):
        raise UserError(f"kinds is a sequence of names, not the text {kinds!r}; write [{kinds!r}]")
    for kind in kinds:
        if kind not in DETECTORS:
            raise UserError(f"there is no kind {kind!r} of personal information; choose of {', '.join(KINDS)}")
