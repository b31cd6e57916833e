"""A question in the words and the form of those that a model was trained on, or the word that it never read.

A model that has read "color" takes "colour" for something else, and "What" is not its "what": it answers, but not to
what was asked. So a question is brought to the form of training where that is certain, and refused otherwise.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from minigpt.errors import UserError
from minigpt.values import shown

PIECE = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")  # a word, or a sign
CLOSING = re.compile(r"(?:\s|[^\w\s])*\Z")
SAME = (("color", "colour"), ("colors", "colours"), ("colored", "coloured"), ("gray", "grey"), ("center", "centre"))
OTHER_SPELLING = {one: other for pair in SAME for one, other in (pair, pair[::-1])}
MOST_NAMED = 3  # words, or questions


class Wording:
    """The questions of a training, and how others are put in their words. source: where they can be read."""

    def __init__(self, questions: Iterable[str], source: str | Path):
        self.counts, self.source = Counter(questions), source
        self.closings: set[str] = set()
        self._of_words: dict[tuple[str, ...], str] = {}  # the most frequent question of these words
        self._pieces: Counter[tuple[bool, str]] = Counter()  # at the beginning or not, and as it is written
        # at the beginning or not, without capitals -> as it is written most
        self._forms: dict[tuple[bool, str], str] = {}
        for question, count in self.counts.most_common():
            pieces = PIECE.findall(question)
            self._of_words.setdefault(tuple(folded(piece) for piece in pieces if is_word(piece)), question)
            self.closings.add(closing_of(question))
            for number, piece in enumerate(pieces):
                self._pieces[number == 0, piece] += count
        for elsewhere in (False, True):
            for (first, piece), _ in self._pieces.most_common():
                self._forms.setdefault((first != elsewhere, folded(piece)), piece)

    def as_trained(self, question: str) -> str:
        """The question as training would have put it.

        It differs at most in capitals, spaces, signs, and the spelling of words that training has in the other of
        British and American alone. Where training asked in the same words, it is training's own question; in a new
        order of known words, each is written as training writes it, and the end is training's if all its questions end
        alike. `UserError` names the words, signs or end that no question of training has.
        """
        if question in self.counts:
            return question
        text = " ".join(question.split())
        closing = closing_of(text)
        body = text[: len(text) - len(closing)]
        pieces = [self._known(piece) for piece in PIECE.findall(body)]
        words = tuple(folded(piece) for piece in pieces if is_word(piece))
        if unknown := [word for word in words if (True, word) not in self._forms]:
            raise self._refusal("the word", unknown, words)
        if not words:
            raise UserError(f"the question {shown(question)} has no word; {self._what_can_be_asked(words)}")
        if words in self._of_words:
            return self._of_words[words]
        if unknown := [piece for piece in pieces if (True, folded(piece)) not in self._forms]:
            raise self._refusal("the sign", unknown, words)
        if len(self.closings) > 1 and closing not in self.closings:
            raise UserError(f"no question of its training ends as {shown(text)} does; {self._what_can_be_asked(words)}")
        written = iter([self._written(number == 0, piece) for number, piece in enumerate(pieces)])
        end = closing if len(self.closings) > 1 else next(iter(self.closings))
        return PIECE.sub(lambda _: next(written), body) + end

    def _known(self, piece: str) -> str:
        """The piece, or its other spelling if that alone is known."""
        other = OTHER_SPELLING.get(folded(piece), piece)
        return piece if (True, folded(piece)) in self._forms or (True, other) not in self._forms else other

    def _written(self, first: bool, piece: str) -> str:
        """As training writes it at the beginning or elsewhere; where it does so in several ways, as it stands."""
        return piece if (first, piece) in self._pieces else self._forms[first, folded(piece)]

    def _refusal(self, what: str, unknown: Sequence[str], words: Sequence[str]) -> UserError:
        named = " and ".join(shown(piece) for piece in dict.fromkeys(unknown[:MOST_NAMED]))
        return UserError(f"no question of its training has {what} {named}; {self._what_can_be_asked(words)}")

    def _what_can_be_asked(self, words: Sequence[str]) -> str:
        """The questions of training that have the most of these words, and where all are."""

        def in_common(question: str) -> int:
            return len({*words} & {folded(piece) for piece in PIECE.findall(question)})

        nearest = sorted(self.counts, key=in_common, reverse=True)[:MOST_NAMED]
        return f"ask as {self.source} does, such as {', '.join(shown(question) for question in nearest)}"


def folded(piece: str) -> str:
    """Without capitals, with one kind of apostrophe."""
    return unicodedata.normalize("NFC", piece).replace("’", "'").casefold()


def is_word(piece: str) -> bool:
    """Or else a sign."""
    return PIECE.fullmatch(piece) is not None and re.match(r"\w", piece) is not None


def closing_of(question: str) -> str:
    """The signs, and spaces, at the end."""
    found = CLOSING.search(question)
    assert found is not None, "it may be empty"
    return found[0]
