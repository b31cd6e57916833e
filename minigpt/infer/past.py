"""Key-value cache: each position's keys and values are computed once and kept.

A causal transformer's keys and values at a position depend only on what stands before it, so a new token changes none
of them. Writing token T then costs one row through the network and one look at T rows, instead of T rows through the
network (Shazeer 2019, "Fast Transformer Decoding", arXiv:1911.02150, section 2.4, "incremental" attention).
"""

from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import TransformerConfig


class KeyValuePast:
    """The keys and values of the first `length` positions, for every attention of a decoder.

    Hand it to a model as `Call(past=past)`: a forward then continues at position `length`, and `length` grows by its T.
    The memory is taken at once: 2 * layers * batch * capacity * G * D numbers.

    Parameters
    ----------
    config : TransformerConfig
        Of the model.
    batch : int
        B.
    capacity : int
        Positions to make room for.
    dtype
        That of the parameters.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> past = minigpt.KeyValuePast(model.config, batch=1, capacity=8)
    >>> for token in (5, 6, 7):
    ...     logits, _ = model.forward(params, np.array([[token]]), minigpt.Call(past=past))  # the same as all at once
    >>> past.length, logits.shape
    (3, (1, 1, 50))
    """

    def __init__(self, config: TransformerConfig, batch: int, capacity: int, dtype: Any = np.float32):
        """config: of the model; batch: B; capacity: positions to make room for; dtype: that of the parameters."""
        self.length = self.dropped = 0
        self.spans = None
        self.capacity = capacity
        self._shape = (config.key_value_heads, capacity, config.head_width)  # (G, capacity, D), of one sequence
        self._stored: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._last = f"blocks.{config.layers - 1}.attention"
        self._arrays = {
            f"blocks.{layer}.attention": (
                np.empty((batch, *self._shape), dtype),
                np.empty((batch, *self._shape), dtype),
            )
            for layer in range(config.layers)
        }

    def extend(self, name: str, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append key, value: (B, G, T, D) of the attention called `name`; return views of all so far: (B, G, S, D).

        Every attention of one forward appends at the same place, so `length` moves on only with the last of them: a
        forward that fails half-way leaves nothing behind. `UserError` if they do not fit the capacity.
        """
        begin = self.length - self.dropped
        end = begin + key.shape[2]
        if end > self.capacity:
            raise UserError(f"{end} positions do not fit a past of {self.capacity}; make it with more capacity")
        keys, values = self._arrays[name]
        keys[:, :, begin:end] = key
        values[:, :, begin:end] = value
        if name == self._last:
            self.length = self.dropped + end
        return keys[:, :, :end], values[:, :, :end]

    def stored(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Keys and values of the cross-attention called `name`: (B, G, S, D), or None before `store`."""
        return self._stored.get(name)

    def store(self, name: str, key: np.ndarray, value: np.ndarray) -> None:
        """Store them: what a decoder looks at in the encoder's text does not change while it writes.

        Each head's rows are laid one after another, once, as attention wants them (see `_in_one_piece` there).
        """
        self._stored[name] = np.ascontiguousarray(key), np.ascontiguousarray(value)

    def truncate(self, length: int) -> None:
        """Forget everything from position `length` on. `UserError` if there are not that many."""
        if not 0 <= length <= self.length:
            raise UserError(f"cannot go back to {length} positions; the past holds {self.length}")
        if self.dropped and 0 < length < self.length:
            raise UserError(f"cannot go back to {length} positions, since {self.dropped} were let go; begin again at 0")
        self.length, self.dropped = length, self.dropped if length else 0

    def let_go(self, first: int, last: int) -> None:
        """Keep the first and the last so many positions, when no window will reach those between them again."""
        held = self.length - self.dropped
        if held <= first + last:
            return
        for arrays in self._arrays.values():
            for array in arrays:
                array[:, :, first : first + last] = array[:, :, held - last : held].copy()
        self.dropped += held - first - last

    def select(self, indices: np.ndarray) -> None:
        """Keep the sequences `indices`: (K,) integers, in that order and with repeats; the batch becomes K."""
        for name, arrays in self._arrays.items():
            key, value = (np.empty((len(indices), *self._shape), array.dtype) for array in arrays)
            for new, old in zip((key, value), arrays, strict=True):
                held = self.length - self.dropped
                new[:, :, :held] = old[indices, :, :held]
            self._arrays[name] = key, value
        self._stored = {name: (key[indices], value[indices]) for name, (key, value) in self._stored.items()}
