"""Attention masks: booleans, True = this query may attend to that key. They combine with `&`."""

from typing import NamedTuple

import numpy as np

NOTHING = np.zeros((1, 1, 1), bool)  # of a tile in which no query may attend to any key


class MaskRule(NamedTuple):
    """A mask as a rule: its (T, S) booleans, which a long text has too many of, are made a tile at a time."""

    queries: np.ndarray  # (T,) integers, ascending: where each query stands in the text
    keys: np.ndarray  # (S,) integers, ascending
    causal: bool = True
    window: int | None = None  # the last so many positions, a query's own among them; None: all
    sinks: int = 0  # beside the window, the first so many positions of the text
    present: np.ndarray | None = None  # (B, S) booleans, False = padding
    prefix: np.ndarray | None = None  # (B,) integers: everybody sees the first so many positions

    def tile(self, sequence: int, _heads: slice, rows: slice, columns: slice) -> np.ndarray | None:
        """Booleans that broadcast to (h, t, s), of one sequence; None where all may attend to all."""
        queries, keys = self.queries[rows], self.keys[columns]
        prefix = 0 if self.prefix is None else int(self.prefix[sequence])
        mask = band(queries, keys, self.causal, self.window, self.sinks, prefix)
        if self.present is not None and not self.present[sequence, columns].all():
            present = self.present[sequence, columns]
            mask = present[None] if mask is None else mask & present
        return mask

    def array(self) -> np.ndarray | None:
        """All of it, booleans that broadcast to (B, H, T, S)."""
        whole = slice(None)
        batch = [len(of) for of in (self.present, self.prefix) if of is not None]
        tiles = [self.tile(sequence, whole, whole, whole) for sequence in range(batch[0] if batch else 1)]
        if all(tile is None for tile in tiles):
            return None
        shape = len(self.queries), len(self.keys)
        each = [np.ones(shape, bool) if tile is None else np.broadcast_to(tile, (1, *shape))[0] for tile in tiles]
        return np.stack(each)[:, None] if batch else each[0]


def band(
    queries: np.ndarray, keys: np.ndarray, causal: bool, window: int | None, sinks: int, prefix: int
) -> np.ndarray | None:
    """The mask without padding, (t, s) or `NOTHING`; None where it hides nothing."""
    always = max(prefix, sinks if window is not None else 0)  # these positions are never too far away
    late = causal and keys[-1] > queries[0]
    far = window is not None and max(queries[-1] - keys[0], 0 if causal else keys[-1] - queries[0]) >= window
    if not late and not far:
        return None
    if late and keys[0] > queries[-1] and keys[0] >= prefix:
        return NOTHING
    if window is not None and keys[-1] <= queries[0] - window and keys[0] >= always:
        return NOTHING
    distance = queries[:, None] - keys
    mask = distance >= 0 if causal else np.ones(distance.shape, bool)
    if window is not None:
        mask &= (np.abs(distance) < window) | (keys < sinks)
    return mask | (keys < prefix) if prefix else mask


def causal_mask(queries: int, keys: int | None = None) -> np.ndarray:
    """Each query sees itself and what came before: (T, S) booleans.

    queries: T; keys: S, default T. When there are more keys than queries, the queries are the last T of S positions
    (as when decoding with cached keys), so query t stands at position S - T + t.
    """
    keys = queries if keys is None else keys
    return np.tri(queries, keys, keys - queries, dtype=bool)


def padding_mask(present: np.ndarray) -> np.ndarray:
    """Padding is never attended to. present: (B, S) booleans, True = a real token. Returns (B, 1, 1, S)."""
    return present[:, None, None, :]
