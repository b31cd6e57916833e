"""A key-value cache in pages, for many sequences at once; the other half of `minigpt.infer.pages`."""

import math
import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigpt.model import TransformerConfig
from minigpt.model.call import Span

LARGEST = 127  # of what 8 bits hold, with a sign


class Numbers:
    """The pages of one attention, every number as it is: (2, G, pages, size, D), keys and values."""

    def __init__(self, shape: tuple[int, ...], dtype: Any):
        """shape: as above."""
        self.numbers = _untouched(shape, dtype)

    def write(self, kind: int, pages: np.ndarray, places: np.ndarray, x: np.ndarray) -> None:
        """x: (G, N, D), keys (kind 0) or values (1), each position into a place of a page: (N,) each."""
        self.numbers[kind][:, pages, places] = x

    def read(self, table: np.ndarray | slice) -> np.ndarray:
        """Keys and values of whole pages, (P,), one behind the other: (2, G, P * size, D). No copy of a slice."""
        whole = self.numbers[:, :, table]  # (2, G, P, size, D)
        return whole.reshape(*whole.shape[:2], -1, whole.shape[-1])

    def copy(self, source: int, page: int) -> None:
        """Write the contents of page `source` into `page`."""
        self.numbers[:, :, page] = self.numbers[:, :, source]

    @staticmethod
    def bytes(width: int, dtype: Any) -> int:
        """What the key of one head at one position takes."""
        return width * np.dtype(dtype).itemsize


class EightBits(Numbers):
    """The same, rounded to whole numbers of 8 bits times a scale for every head and position: the largest / 127.

    Dettmers et al. (2022), "LLM.int8()", arXiv:2208.07339: absmax quantization, section 2.1, vector by vector, as in
    section 3.1. The error of a number is at most half a scale, 1/254 of the largest beside it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any):
        """shape: as above."""
        super().__init__(shape, np.int8)
        self.scales = _untouched((*shape[:-1], 1), dtype)  # (2, G, pages, size, 1)

    def write(self, kind: int, pages: np.ndarray, places: np.ndarray, x: np.ndarray) -> None:
        """As that of `Numbers`."""
        scales = np.abs(x).max(axis=-1, keepdims=True) / LARGEST  # (G, N, 1)
        self.scales[kind][:, pages, places] = scales
        with np.errstate(invalid="ignore"):  # of a damaged model; its scale is no number either
            super().write(kind, pages, places, np.rint(x / np.where(scales == 0, 1, scales)))

    def read(self, table: np.ndarray | slice) -> np.ndarray:
        """As that of `Numbers`."""
        scales = self.scales[:, :, table]
        return super().read(table) * scales.reshape(*scales.shape[:2], -1, 1)

    def copy(self, source: int, page: int) -> None:
        """As that of `Numbers`."""
        super().copy(source, page)
        self.scales[:, :, page] = self.scales[:, :, source]

    @staticmethod
    def bytes(width: int, dtype: Any) -> int:
        """As that of `Numbers`."""
        return width + np.dtype(dtype).itemsize


def _untouched(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that take memory where they are written first, a few kilobytes at a time.

    NumPy's own large arrays ask Linux for 2 MB at a time: sequences that lie apart would soon have all of it filled
    with zeros, which took as long as writing 30 tokens.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


STORES: dict[int | None, type[Numbers]] = {None: Numbers, 8: EightBits}  # by the bits of a number; None: as it is


class Stretch(NamedTuple):
    """What comes next of one sequence."""

    table: list[int]  # its pages, in order
    start: int  # the first new position
    new: int  # how many there are
    gone: slice = slice(0, 0)  # earlier positions whose pages, whole ones, are not in the table any more


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
    bits : int, optional
        8: keep numbers in 8 bits, in about a quarter of the memory; None: as they are.
    """

    def __init__(self, config: TransformerConfig, count: int, size: int, dtype: Any = np.float32, bits: Any = None):
        """config: of the model; count: pages; size: positions in each; dtype: that of the parameters; bits: see above.

        The memory of a page is taken by the system when it is first written.
        """
        self.size = size
        self.spans: list[Span] = []
        self._tables: list[tuple[np.ndarray | slice, int]] = []  # of each span its pages, and how many positions it has
        self._pages = self._places = np.empty(0, np.int64)  # (N,) where each new position is written
        shape = (2, config.key_value_heads, count, size, config.head_width)
        self._stores = {f"blocks.{layer}.attention": STORES[bits](shape, dtype) for layer in range(config.layers)}

    @staticmethod
    def page_bytes(config: TransformerConfig, size: int, dtype: Any = np.float32, bits: Any = None) -> int:
        """What one page takes in all layers."""
        return 2 * config.layers * config.key_value_heads * size * STORES[bits].bytes(config.head_width, dtype)

    def see(self, sequences: list[Stretch]) -> None:
        """What comes next, of each sequence."""
        self.spans, self._tables, pages, places, row = [], [], [], [], 0
        for table, start, new, gone in sequences:
            held = start + new - (gone.stop - gone.start)
            positions = np.arange(held - new, held)  # where they are in what is held
            whole = np.array(table[: -(-held // self.size)])
            self.spans.append(Span(slice(row, row + new), start, gone))
            beside = bool((np.diff(whole) == 1).all())
            self._tables.append((slice(int(whole[0]), int(whole[-1]) + 1) if beside else whole, held))
            pages.append(whole[positions // self.size])
            places.append(positions % self.size)
            row += new
        self._pages, self._places = np.concatenate(pages), np.concatenate(places)

    def extend_spans(
        self, name: str, key: np.ndarray, value: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Write key, value: (1, G, N, D) of the attention called `name`; yield each span's rows, keys and values."""
        store = self._stores[name]
        for kind, x in enumerate((key, value)):
            store.write(kind, self._pages, self._places, x[0])
        for span, (table, held) in zip(self.spans, self._tables, strict=True):
            keys, values = store.read(table)[:, None, :, :held]  # (1, G, S, D) each
            yield span.rows, keys, values

    def read(self, name: str, table: Any) -> np.ndarray:
        """Keys and values of whole pages, (P,), of the attention called `name`: (2, G, P * size, D)."""
        return self._stores[name].read(np.asarray(table))

    def copy(self, source: int, page: int) -> None:
        """Write the contents of page `source` into `page`, in all layers."""
        for store in self._stores.values():
            store.copy(source, page)
