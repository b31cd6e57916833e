"""How far a transcript is from what was said: wrong words."""

import re
from collections.abc import Sequence


def words_of(text: str) -> list[str]:
    """Words without capitals and signs; "mr" is "mister"."""
    words = re.sub(r"[^a-z' ]", " ", text.lower().replace("-", " ")).split()
    return ["mister" if word == "mr" else word for word in words]


def wrong_words(said: Sequence[str], wanted: Sequence[str]) -> int:
    """The fewest words put in, left out or replaced (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for i, word in enumerate(said, 1):
        above, row = row, [i]
        for j, other in enumerate(wanted, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]
