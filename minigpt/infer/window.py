"""What a model sees while it writes: the last tokens, at most a context of them."""

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.past import KeyValuePast
from minigpt.model import Batch, Call, Transformer, Weights
from minigpt.model.inputs import TOKENS


class Window:
    """The tokens in view, and the keys and values already computed for them.

    The rule for long texts: a prompt longer than the context is cut to its last `context` tokens. When the window is
    full and one more token comes, only the last half of a context stays in view and is encoded anew, from position 0.
    Moving by one token each time would change every position, and so every key and value, at every step; moving by
    half a context costs, over a long text, one extra row per token or less. The rule does not look at the cache, so
    the text is the same with and without it.

    A model that looks no further back than a window, and whose positions are relative, has no need of this: its texts
    go on, and the cache lets go what no window reaches. With dynamic rotary scaling every token beyond the original
    context changes all angles, so nothing can be kept there.
    """

    def __init__(
        self,
        model: Transformer,
        params: Weights,
        tokens: np.ndarray,
        *,
        cached: bool = True,
        room: int = 0,
        source: np.ndarray | None = None,
        vocabulary_size: int | None = None,
    ):
        """tokens: (B, T) integers, the prompt. room: how many tokens are expected to follow; 0 means any number.

        source: (B, S) integers, what the encoder of an encoder-decoder reads, once. vocabulary_size: of the tokenizer,
        where the model's is padded past it; ids from there on are never written. `UserError` for an encoder.
        """
        check_writes(model)
        self.memory = model.encode(params, Batch(tokens, source=source))[0] if model.two_stacks else None
        self.model, self.params = model, params
        self.ahead = self.memory.shape[1] if model.config.encoder_ahead and self.memory is not None else 0
        self.context, self.vocabulary_size = model.config.context - self.ahead, vocabulary_size
        self.config, self._seen = model.config, model.config.window or self.context
        self.tokens = tokens if self.config.endless else tokens[:, -self.context :]
        batch, length = self.tokens.shape
        self.past: KeyValuePast | None = None
        if cached:
            most = max(length, self.config.sinks + 2 * self._seen) if self.config.endless else self.context
            capacity = min(most, length + room) if room else most
            self.past = KeyValuePast(model.config, batch, self.ahead + capacity, params[TOKENS].dtype)
        self.run = Call(past=self.past)

    def logits(self) -> np.ndarray:
        """Scores of the token that comes next: (B, V), or as many as the tokenizer has tokens.

        Only the last position goes through the head.
        """
        x = self._hidden_states(self.tokens)  # (B, T - seen, C)
        return self.model.logits(self.params, x[:, -1])[0][:, : self.vocabulary_size]

    def logits_ahead(self, drafted: np.ndarray) -> np.ndarray:
        """Scores of the token that comes next, and of the one after each of `drafted`, from one call: (B, n + 1, V).

        drafted: (B, n) integers, at most `room` of them. `keep` tells which were right, before anything else is asked.
        """
        x = self._hidden_states(np.concatenate([self.tokens, drafted], axis=1))
        return self.model.logits(self.params, x[:, -1 - drafted.shape[1] :])[0][..., : self.vocabulary_size]

    def keep(self, drafted: np.ndarray) -> None:
        """Add drafted: (B, k), those of `logits_ahead` that were right; keys and values of the others are forgotten."""
        self.tokens = np.concatenate([self.tokens, drafted], axis=1)
        self.truncate(self.tokens.shape[1])

    def truncate(self, length: int) -> None:
        """Forget the tokens from the `length`th in view on, with their keys and values."""
        self.tokens = self.tokens[:, :length]
        if self.past is not None:
            self.past.truncate(min(self.past.length, self.ahead + length))

    @property
    def room(self) -> int:
        """How many more tokens come into view before it slides, or before keys must be let go or made anew."""
        scaling, past = self.config.rotary_scaling, self.past
        follows = scaling is not None and scaling.follows_length
        most = scaling.original(self.context) if follows else self.context
        if self.config.endless and past is not None:
            most = 0 if past.dropped else min(most, past.capacity)
        return max(0, most - self.tokens.shape[1])

    def _hidden_states(self, tokens: np.ndarray) -> np.ndarray:
        """Of those of tokens: (B, T) that are not in the past yet, (B, T - seen, C)."""
        if self.past is not None and self._angles_change(tokens.shape[1]):
            self.past.truncate(0)
        seen = max(0, self.past.length - self.ahead) if self.past is not None else 0
        return self.model.hidden_states(self.params, tokens[:, seen:], self.run, memory=self.memory)[0]

    def append(self, ids: np.ndarray) -> None:
        """Add ids: (B,), one token to each sequence; slide if the window was full."""
        if self.config.endless:
            if self.past is not None and self.past.length - self.past.dropped == self.past.capacity:
                self.past.let_go(self.config.sinks, self._seen - 1)
        elif self.tokens.shape[1] == self.context:
            self.tokens = self.tokens[:, self.context - max(0, self.context // 2 - 1) :]
            if self.past is not None:
                self.past.truncate(0)
        self.tokens = np.concatenate([self.tokens, ids[:, None]], axis=1)

    def _angles_change(self, length: int) -> bool:
        """Whether the keys of a text of this length are not those of the text before its last token."""
        scaling = self.config.rotary_scaling
        follows = scaling is not None and scaling.follows_length
        return follows and length > scaling.original(self.context)

    def select(self, indices: np.ndarray) -> None:
        """Keep the sequences `indices`: (K,) integers, in that order and with repeats."""
        self.tokens = self.tokens[indices]
        self.memory = None if self.memory is None else self.memory[indices]
        if self.past is not None:
            self.past.select(indices)


def check_writes(model: Transformer) -> None:
    """`UserError` for a model that cannot say what comes next."""
    if model.config.architecture == "encoder":
        raise UserError(
            "an encoder cannot write, nor say how probable a text is: its states change with every token that comes "
            "after them; use a decoder"
        )
    if model.config.head != "language":
        raise UserError(f"this model's head is {model.config.head!r}, so it cannot write; use one with a language head")


def check_prompt(tokens: np.ndarray) -> np.ndarray:
    """The prompt as an array of integers, (T,) or (B, T); `UserError` if it is anything else or empty."""
    tokens = np.asarray(tokens)
    if tokens.size == 0:
        raise UserError("the prompt has no tokens; start from at least one, such as the tokenizer's end_of_text")
    if tokens.dtype.kind not in "iu":
        raise UserError(
            f"the prompt holds {tokens.dtype} values, but token ids are whole numbers; encode the text first"
        )
    if tokens.ndim > 2:
        raise UserError(f"the prompt has shape {tokens.shape}, but a prompt is (T,) tokens or (B, T), one per row")
    return tokens
