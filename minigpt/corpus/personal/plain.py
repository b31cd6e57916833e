"""A text as detectors read it, whatever signs it was written with, and where each of its characters stands."""

import re
import unicodedata

SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
HYPHENS = "\u2010\u2011\ufe63"
WIDE = range(0xFF01, 0xFF5F)  # full-width forms of the ASCII signs, in their order
LOOKS = str.maketrans(
    {
        **{chr(wide): chr(wide - WIDE[0] + ord("!")) for wide in WIDE},
        **dict.fromkeys(SPACES, " "),
        **dict.fromkeys(HYPHENS, "-"),
    }
)
LOOKALIKE = re.compile(f"[{''.join(map(chr, LOOKS))}]")
OTHER_DIGIT = re.compile(r"\d(?<![0-9])")
UNSEEN = "[\u00ad\u0300-\u036f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]+"
UNSPACED = "[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"  # Thai, Japanese, Chinese, Korean
BORDER = rf"(?<={UNSPACED})(?=[A-Za-z\d+])|(?<=[A-Za-z\d])(?={UNSPACED})"
HAS_UNSPACED = re.compile(UNSPACED)
EDITS = {True: re.compile(f"{UNSEEN}|{BORDER}"), False: re.compile(UNSEEN)}  # whether it has unspaced letters


def plain(text: str) -> tuple[str, list[int] | None]:
    """(the text in plain signs, for each of its characters, and for its end, the place in the text as it was).

    Digits of any script are 0 to 9; full-width signs, spaces and hyphens of all kinds are those of ASCII. Marks of
    direction, joiners and combining accents are left out: a number is one, however it is set. Between letters of
    scripts without spaces and Latin ones a space stands. None: every place is the same.
    """
    if text.isascii():
        return text, None
    text = text.translate(LOOKS) if LOOKALIKE.search(text) else text
    text = OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    parts: list[str] = []
    places: list[int] = []
    end = 0
    for match in EDITS[bool(HAS_UNSPACED.search(text))].finditer(text):
        parts.append(text[end : match.start()])
        places += range(end, match.start())
        if match.start() == match.end():  # between two scripts
            parts.append(" ")
            places.append(match.start())
        end = match.end()
    return ("".join([*parts, text[end:]]), [*places, *range(end, len(text) + 1)]) if parts else (text, None)
