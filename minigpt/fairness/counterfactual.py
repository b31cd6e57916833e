"""Counterfactual augmentation: every text stands a second time in the corpus, with the words of two groups exchanged.

Zhao et al. (2018), arXiv:1804.06876, section 4; Lu et al. (2020), "Gender Bias in Neural Natural Language Processing",
arXiv:1807.11714. What is exchanged then says nothing any more of what stands around it.
"""

from collections.abc import Mapping, Sequence

import regex

from minigpt.errors import UserError

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


def augmented(documents: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """All documents, each followed by its counterfactual if that differs.

    A form that stands for two (`her` for him and for his) cannot be exchanged without knowing the sentence: leave such
    pairs out, or choose texts without them.
    """
    table = both_ways(pairs)
    found = []
    for text in documents:
        other = swapped(text, table)
        found += [text] if other == text else [text, other]
    return found
