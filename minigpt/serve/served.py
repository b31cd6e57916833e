"""What is served: an opened model, what it can answer, and what fits into it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.infer.window import check_writes
from minigpt.pretrained import OpenedModel
from minigpt.serve.limits import Limits
from minigpt.serve.refused import unfit
from minigpt.text import document_end
from minigpt.text.chat import END, chat_tokens
from minigpt.text.frame import frame_of

COMPLETIONS, CHAT, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"
LONGEST_WORD = 100  # bytes of a text for each token, where a tokenizer may read many as one: WordPiece's unknown word


class Served:
    """A model with a name, for the questions that it can answer.

    Parameters
    ----------
    opened : OpenedModel
        A decoder or an encoder.
    limits : Limits
        Of tokens.
    name : str, optional
        By which clients ask for it; the last part of its path unless given.

    Raises
    ------
    UserError
        For a model that neither writes nor has sentence vectors, or has no tokenizer.
    """

    def __init__(self, opened: OpenedModel, limits: Limits, name: str | None = None):
        if opened.model.two_stacks:
            raise UserError(
                "an encoder-decoder reads one text and writes another, which no route of the server asks for; "
                "serve a decoder or an encoder, or use `minigpt generate`"
            )
        check_tokenizer(opened.model, opened.tokenizer)
        self.model, self.params, self.tokenizer = opened.model, opened.params, opened.tokenizer
        self.limits, self.name = limits, name or Path(opened.name).name.removesuffix(".gguf") or opened.name
        self.context, self._of = opened.model.config.context, "this model's context"
        self.encodes = opened.model.config.architecture == "encoder"
        if not self.encodes:
            check_writes(opened.model)
            if opened.run is not None:
                opened.run.check_writes()
        self.routes = (EMBEDDINGS,) if self.encodes else (COMPLETIONS, CHAT) if self._chats() else (COMPLETIONS,)
        end = self.tokenizer.end_of_text
        ends = {end, self.tokenizer.special_tokens.get(END) if CHAT in self.routes else None}
        self.stop_tokens = {COMPLETIONS: {end} - {None}, CHAT: ends - {None}}
        self._marks = frame_of(self.tokenizer).marks if self.encodes else 0
        longest = max(len(self.tokenizer.decode_bytes([token])) for token in range(self.tokenizer.vocabulary_size))
        self._longest = max(longest, LONGEST_WORD) if self.encodes else longest

    def _chats(self) -> bool:
        try:
            chat_tokens(self.tokenizer, [])
        except UserError:
            return False
        return True

    @property
    def most_prompt(self) -> int:
        """Tokens of a prompt."""
        room = self.context - self._marks if self.encodes else self.context - 1
        return min(room, self.limits.prompt_tokens or room)

    def bound(self, tokens: int) -> None:
        """No text may have more tokens than that, since the server's cache has no room for them."""
        if tokens < self.context:
            self.context, self._of = tokens, "this server's cache"

    def check_route(self, route: str) -> None:
        """`Refused` for a question that this model cannot answer."""
        if route in self.routes:
            return
        if self.encodes:
            raise unfit(f"{self.name} is an encoder, which writes nothing; ask {EMBEDDINGS}", "model", "wrong_route")
        if route == EMBEDDINGS:
            raise unfit(
                f"{self.name} is a decoder, which has no sentence vectors; serve an encoder, such as minilm",
                "model",
                "wrong_route",
            )
        chat_tokens(self.tokenizer, [])  # says why it does not chat

    def tokens(self, text: str | Sequence[int], name: str) -> np.ndarray:
        """The ids of a prompt: (T,). `Refused` if there are too many, before a text that is far too long is read.

        An empty text begins where every text of the training began: at the end of another one.
        """
        if not isinstance(text, str):
            return self._check_ids(np.array(text, np.int64), name)
        if len(text.encode()) > self.most_prompt * self._longest:
            raise self._too_long(f"more than {self.most_prompt:,}", name)
        if not text and not self.encodes:
            return np.array([document_end(self.tokenizer)])
        return self.check_length(self.tokenizer.encode(text), name)

    def chat(self, messages: list[dict[str, str]]) -> np.ndarray:
        """The ids of a conversation in the model's own form: (T,). `Refused` as `tokens`."""
        if sum(len(message["content"].encode()) for message in messages) > self.most_prompt * self._longest:
            raise self._too_long(f"more than {self.most_prompt:,}", "messages")
        return self.check_length(chat_tokens(self.tokenizer, messages), "messages")

    def check_length(self, ids: np.ndarray, name: str) -> np.ndarray:
        """The ids; `Refused` if there are none, or more than the limit."""
        if not len(ids):
            raise unfit(f"{name} has no tokens in this model's vocabulary; send other text", name)
        if len(ids) > self.most_prompt:
            raise self._too_long(f"{len(ids):,}", name)
        return ids

    def _check_ids(self, ids: np.ndarray, name: str) -> np.ndarray:
        vocabulary = self.tokenizer.vocabulary_size
        if len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary:
            wrong = int(ids[(ids < 0) | (ids >= vocabulary)][0])
            raise unfit(f"{name} has token {wrong}, but this model's vocabulary ends at {vocabulary - 1}", name)
        return self.check_length(ids, name)

    def _too_long(self, count: str, name: str) -> Exception:
        return unfit(
            f"{name} has {count} tokens, but this server takes at most {self.most_prompt:,} of {self._of} of "
            f"{self.context:,}; shorten it",
            name,
            "context_length_exceeded",
        )

    def room(self, prompt: np.ndarray, asked: int | None, default: int | None, name: str) -> int:
        """How many tokens to write after a prompt: (T,). `Refused` if so many were asked for that they do not fit."""
        room = min(self.context - len(prompt), self.limits.new_tokens or self.context)
        if asked is None:
            return min(room, default or room)
        if asked > room:
            raise unfit(
                f"{name} is {asked:,}, but after a prompt of {len(prompt):,} tokens there is room for {room:,} in "
                f"{self._of} of {self.context:,}; ask for fewer",
                name,
                "context_length_exceeded",
            )
        return asked

    def described(self, created: int) -> dict[str, Any]:
        """The model in the form of /v1/models, and which routes it answers."""
        return {
            "id": self.name,
            "object": "model",
            "created": created,
            "owned_by": "minigpt",
            "max_model_len": self.context,
            "routes": list(self.routes),
        }
