"""Replacing what was found."""

from collections.abc import Sequence
from contextlib import suppress

from minigpt.corpus.personal.generalise import year_of
from minigpt.corpus.personal.plain import plain
from minigpt.corpus.personal.pseudonyms import Pseudonyms
from minigpt.corpus.personal.span import Span
from minigpt.errors import UserError

HOW = ("placeholder", "remove", "generalise")


def replace(text: str, spans: Sequence[Span], how: str | Pseudonyms = "placeholder") -> str:
    """The text with something else in the place of each span.

    Parameters
    ----------
    text : str
    spans : sequence of Span
        As `find` gives them for this text: in order, none overlapping.
    how : {"placeholder", "remove", "generalise"} or Pseudonyms
        `<EMAIL>`, nothing, of a date of birth the year (and a placeholder of what has no coarser form), or an invented
        value that is the same for the same value.

    Returns
    -------
    str

    Raises
    ------
    UserError
        If the spans are of another text, overlap, or `how` is none of these.

    Examples
    --------
    >>> from minigpt.corpus.personal import Pseudonyms, find, replace
    >>> text = "ann@example.com wrote to bob@example.com, and Ann@example.com again."
    >>> replace(text, find(text))
    '<EMAIL> wrote to <EMAIL>, and <EMAIL> again.'
    >>> replace(text, find(text), Pseudonyms(b"a secret that is kept"))
    'user51046399@example.org wrote to user63753704@example.org, and user51046399@example.org again.'
    """
    if not isinstance(how, Pseudonyms) and how not in HOW:
        raise UserError(f"there is no way {how!r} to replace; choose one of {', '.join(HOW)}, or give Pseudonyms")
    parts, end = [], 0
    for span in spans:
        if not end <= span.start < span.end <= len(text):
            raise UserError(f"{span} overlaps another, or is not in this text; give what `find` found in it")
        parts += [text[end : span.start], _instead(plain(text[span.start : span.end])[0], span.kind, how)]
        end = span.end
    return "".join([*parts, text[end:]])


def _instead(value: str, kind: str, how: str | Pseudonyms) -> str:
    if isinstance(how, Pseudonyms):
        return how.of(kind, value)
    if how == "generalise" and kind == "date_of_birth":
        with suppress(UserError):
            return year_of(value)
    return "" if how == "remove" else f"<{kind.upper()}>"
