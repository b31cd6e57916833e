"""Counterfactual augmentation: every text stands a second time in the corpus, with the words of two groups exchanged.

Zhao et al. (2018), arXiv:1804.06876, section 4; Lu et al. (2020), "Gender Bias in Neural Natural Language Processing",
arXiv:1807.11714. What is exchanged then says nothing any more of what stands around it.
"""

from collections.abc import Mapping, Sequence

import regex

from minigpt.errors import UserError

GENDER = (
    ("he", "she"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl"), ("boys", "girls"),
    ("father", "mother"), ("fathers", "mothers"), ("son", "daughter"), ("sons", "daughters"), ("brother", "sister"),
    ("brothers", "sisters"), ("husband", "wife"), ("husbands", "wives"), ("uncle", "aunt"), ("uncles", "aunts"),
    ("nephew", "niece"), ("grandfather", "grandmother"), ("grandson", "granddaughter"), ("king", "queen"),
    ("kings", "queens"), ("prince", "princess"), ("gentleman", "lady"), ("gentlemen", "ladies"), ("male", "female"),
    ("males", "females"), ("mr", "mrs"),
)  # fmt: skip
UNSURE = ("her", "him", "his", "hers")  # her is him or his, his is her or hers
WORD = regex.compile(r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*")


def both_ways(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Word -> the one that takes its place, in both directions. `UserError` for a word that stands in two pairs."""
    table: dict[str, str] = {}
    for pair in pairs:
        for word, other in (pair, pair[::-1]):
            if table.setdefault(word.lower(), other.lower()) != other.lower():
                raise UserError(f"{word!r} stands in two pairs, so it is not clear what it becomes; leave one out")
    return table


def swapped(text: str, table: Mapping[str, str]) -> str:
    """The text with the words of the table exchanged; capitals stay where they are. Other words are not changed."""

    def other(match: regex.Match) -> str:
        word = match[0]
        found = table.get(word.lower())
        if found is None:
            return word
        return found.upper() if word.isupper() and len(word) > 1 else found.capitalize() if word[0].isupper() else found

    return WORD.sub(other, text)


def paragraphs(text: str) -> list[str]:
    """What stands between blank lines."""
    return [piece for piece in regex.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", text.strip("\n")) if piece.strip()]


class Swapping:
    """Counterfactuals of one text after the other, and how many there were.

    pairs: the words that are exchanged. unsure: what holds one of these words stays as it is, on both sides alike.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], unsure: Sequence[str] = ()) -> None:
        self._table, self._unsure = both_ways(pairs), set(unsure)
        self._counts = {"pieces": 0, "swapped": 0, "words": 0, "unsure": 0}

    def both(self, text: str) -> list[str]:
        """The text, followed by its counterfactual if that differs and is sure."""
        words = [word.lower() for word in WORD.findall(text)]
        known = sum(word in self._table for word in words)
        self._counts["pieces"] += 1
        if known and not self._unsure.isdisjoint(words):
            self._counts["unsure"] += 1
            return [text]
        if not known:
            return [text]
        self._counts["swapped"] += 1
        self._counts["words"] += known
        return [text, swapped(text, self._table)]

    def counts(self) -> dict[str, int]:
        """pieces there were, swapped and unsure ones among them, and words that were exchanged."""
        return dict(self._counts)


def augmented(documents: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """All documents, each followed by its counterfactual if that differs.

    A form that stands for two (`her` for him and for his) cannot be exchanged without knowing the sentence: leave such
    pairs out, or choose texts without them.
    """
    swapping = Swapping(pairs)
    return [both for text in documents for both in swapping.both(text)]
