"""Finding personal information: one detector for each kind, run over one text."""

from collections.abc import Callable, Iterable, Sequence

from minigpt.corpus.personal.email import find_emails
from minigpt.corpus.personal.internet import find_ips
from minigpt.corpus.personal.money import find_cards, find_ibans
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span, without_overlaps
from minigpt.errors import UserError

Detector = Callable[[Source], Iterable[Span]]

DETECTORS: dict[str, Detector] = {
    "email": find_emails,
    "ip": find_ips,
    "card": find_cards,
    "iban": find_ibans,
}
KINDS = tuple(DETECTORS)


def find(text: str, kinds: Sequence[str] = KINDS) -> list[Span]:
    """The spans of personal information in a text, in its order, no two of which overlap.

    Parameters
    ----------
    text : str
    kinds : sequence of str
        What is looked for, of `KINDS`.

    Returns
    -------
    list of Span
        Which of two that overlap stays is said by `minigpt.corpus.personal.span.without_overlaps`.

    Raises
    ------
    UserError
        If there is no such kind.

    Examples
    --------
    >>> from minigpt.corpus.personal import find
    >>> find("Write to ann@example.org.")
    [Span(start=9, end=24, kind='email', score=0.98)]
    """
    check_kinds(kinds)
    source = Source(text)
    return without_overlaps(span for kind in dict.fromkeys(kinds) for span in DETECTORS[kind](source))


def check_kinds(kinds: Sequence[str]) -> None:
    """`UserError` unless all are kinds of personal information."""
    if isinstance(kinds, str):
        raise UserError(f"kinds is a sequence of names, not the text {kinds!r}; write [{kinds!r}]")
    for kind in kinds:
        if kind not in DETECTORS:
            raise UserError(f"there is no kind {kind!r} of personal information; choose of {', '.join(KINDS)}")
