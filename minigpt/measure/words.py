"""How far a transcript is from what was said: wrong words."""

import re
from collections.abc import Sequence

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"
)  # fmt: skip
WRITTEN_OTHERWISE = {"mr": "mister"} | {str(number): word for number, word in enumerate(NUMBERS)}


def words_of(text: str) -> list[str]:
    """Words without capitals and signs; "mr" is "mister", numbers up to 12 are words, others are left out."""
    words = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("-", " ")).split()
    words = [WRITTEN_OTHERWISE.get(word, word) for word in words]
    return " ".join(re.sub(r"[0-9]", " ", word) for word in words).split()


def wrong_words(said: Sequence[str], wanted: Sequence[str]) -> int:
    """The fewest words put in, left out or replaced (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for i, word in enumerate(said, 1):
        above, row = row, [i]
        for j, other in enumerate(wanted, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]
