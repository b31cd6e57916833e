"""Replacing what was found."""

from collections.abc import Sequence

from minigpt.corpus.personal.pseudonyms import Pseudonyms
from minigpt.corpus.personal.span import Span
from minigpt.errors import UserError

HOW = ("placeholder", "remove")


def replace(text: str, spans: Sequence[Span], how: str | Pseudonyms = "placeholder") -> str:
    """The text with something else in the place of each span.

    Parameters
    ----------
    text : str
    spans : sequence of Span
        As `find` gives them for this text: in order, none overlapping.
    how : {"placeholder", "remove"} or Pseudonyms
        `<EMAIL>`, nothing, or an invented value that is the same for the same value.

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
        parts += [text[end : span.start], _instead(text[span.start : span.end], span.kind, how)]
        end = span.end
    return "".join([*parts, text[end:]])


def _instead(value: str, kind: str, how: str | Pseudonyms) -> str:
    if isinstance(how, Pseudonyms):
        return how.of(kind, value)
    return f"<{kind.upper()}>" if how == "placeholder" else ""
