"""One answer as it is written: tokens come in, text goes out."""

import codecs
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from minigpt.infer import Event
from minigpt.infer.stop import StopStrings
from minigpt.text import Tokenizer


class Told(NamedTuple):
    """A token that was written, for a client who asked how likely it was."""

    spelled: bytes
    logprob: float
    likeliest: list[tuple[bytes, float]]
    offset: int  # characters of the answer before it


class Piece(NamedTuple):
    """What is certain after one more token."""

    text: str
    told: list[Told]


class Writing:
    """The text of one sequence, up to a stop string, in whole characters: that of `minigpt.generate_text`.

    Neither a stop string nor what may become one is ever given out; a token is told of when its text has begun.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Collection[str], stop_tokens: Collection[int]):
        self._tokenizer, self._stop_tokens = tokenizer, stop_tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = StopStrings(stop)
        self._untold: deque[Told] = deque()
        self._read = self._given = 0  # characters that were written, that were given out
        self.tokens = 0  # that the model wrote, the one that ended it included
        self.finish_reason: str | None = None

    def add(self, event: Event) -> Piece:
        """The next token of the sequence."""
        self.tokens += 1
        self.finish_reason = event.finish_reason
        spelled = b"" if event.token in self._stop_tokens else self._tokenizer.decode_bytes([event.token])
        if spelled:
            likeliest = [(self._tokenizer.decode_bytes([token]), value) for token, value in event.alternatives]
            self._untold.append(Told(spelled, event.logprob, likeliest, self._read))
        text = self._decoder.decode(spelled, final=self.finish_reason is not None)
        self._read += len(text)
        ready = self._stop.add(text)
        if self._stop.found:
            self.finish_reason = "stop"
        elif self.finish_reason is not None:
            ready += self._stop.end()
        self._given += len(ready)
        return Piece(ready, self._tell())

    def _tell(self) -> list[Told]:
        whole = self.finish_reason is not None and not self._stop.found
        told = []
        while self._untold and (whole or self._untold[0].offset < self._given):
            told.append(self._untold.popleft())
        return told
