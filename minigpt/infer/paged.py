"""A key-value cache in pages, for many sequences at once; the other half of `minigpt.infer.pages`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigpt.model import TransformerConfig
from minigpt.model.call import Span


class PagedPast:
    """The keys and values of every attention, in pages that sequences point at.

    Hand it to a model as `Call(past=past)` after `see` has said which positions of which sequences come next: a single
    row of tokens, (1, N), one sequence behind the other.

    Parameters
    ----------
    config : TransformerConfig
        Of the model, a decoder.
    count, size : int
        How many pages, and positions in each.
    dtype
        That of the parameters.
    """

    def __init__(self, config: TransformerConfig, count: int, size: int, dtype: Any = np.float32):
        """config: of the model; count: pages; size: positions in each; dtype: that of the parameters."""
        self.size = size
        self.spans: list[Span] = []
        self._tables: list[np.ndarray] = []  # of each span, as many pages as it has positions for
        self._pages = self._places = np.empty(0, np.int64)  # (N,) where each new position is written
        shape = (2, config.key_value_heads, count, size, config.head_width)  # keys and values, (G, pages, size, D)
        self._arrays = {f"blocks.{layer}.attention": np.empty(shape, dtype) for layer in range(config.layers)}

    @staticmethod
    def page_bytes(config: TransformerConfig, size: int, dtype: Any = np.float32) -> int:
        """What one page takes in all layers."""
        numbers = 2 * config.layers * config.key_value_heads * size * config.head_width
        return numbers * np.dtype(dtype).itemsize

    def see(self, sequences: list[tuple[list[int], int, int]]) -> None:
        """What comes next: of each sequence its table of pages, the first new position, and how many there are."""
        self.spans, self._tables, pages, places, row = [], [], [], [], 0
        for table, start, count in sequences:
            positions = np.arange(start, start + count)
            whole = np.array(table[: -(-(start + count) // self.size)])
            self.spans.append(Span(slice(row, row + count), start))
            self._tables.append(whole)
            pages.append(whole[positions // self.size])
            places.append(positions % self.size)
            row += count
        self._pages, self._places = np.concatenate(pages), np.concatenate(places)

    def extend_spans(
        self, name: str, key: np.ndarray, value: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Write key, value: (1, G, N, D) of the attention called `name`; yield each span's rows, keys and values."""
        array = self._arrays[name]
        array[0][:, self._pages, self._places] = key[0]
        array[1][:, self._pages, self._places] = value[0]
        for span, table in zip(self.spans, self._tables, strict=True):
            length = span.start + span.rows.stop - span.rows.start
            whole = array[:, :, table]  # (2, G, pages, size, D), each head's positions one behind the other
            keys, values = whole.reshape(*whole.shape[:2], 1, -1, whole.shape[-1])[:, :, 0, :length]
            yield span.rows, keys[None], values[None]

    def copy(self, source: int, page: int) -> None:
        """Write the contents of page `source` into `page`."""
        for array in self._arrays.values():
            array[:, :, page] = array[:, :, source]
