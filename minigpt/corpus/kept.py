"""What the filters left, in the files of the chunks: read one document at a time, by its number."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.corpus.minhash import Bands
from minigpt.corpus.shingles import shingles
from minigpt.files import read_json

REMEMBERED = 1 << 13  # signatures


class Kept:
    """The documents of all chunks, numbered through; those that are only compared with come first.

    In memory are, for each document, its digest, sizes, place and the keys of its bands: 140 bytes with 21 bands; and
    while near duplicates are looked for as many again for one that shares a key (`KeptBuckets`).
    """

    def __init__(self, folder: Path, chunks: int, bands: Bands | None):
        self.folder, self.bands = folder, bands
        self.results = [read_json(folder / f"{chunk:06d}.json") for chunk in range(chunks)]
        tables = [dict(np.load(folder / f"{chunk:06d}.npz")) for chunk in range(chunks)]
        self.starts = np.cumsum([0, *(len(table["sizes"]) for table in tables)])  # (chunks + 1,)
        self.offsets = [table["offsets"] for table in tables]
        self.sizes = np.concatenate([table["sizes"] for table in tables])  # (N, 2) bytes and words
        self.digests = np.concatenate([table["digests"] for table in tables])  # (N, 2)
        self.others = sum(result["kept"] for result in self.results if result["is_other"])
        self.signature = lru_cache(REMEMBERED)(self._signature)

    def __len__(self) -> int:
        return len(self.sizes)

    def chunk(self, number: int) -> Path:
        """The file of a chunk."""
        return self.folder / f"{number:06d}.jsonl"

    def record(self, document: int) -> dict[str, Any]:
        """A document with its place and fields."""
        chunk, row = self._place(document)
        start, end = self.offsets[chunk][row : row + 2]
        with open(self.chunk(chunk), "rb") as file:
            file.seek(start)
            return json.loads(file.read(end - start))

    def shingles(self, document: int) -> np.ndarray:
        """Of its text."""
        return shingles(self.record(document)["text"])

    def keys(self) -> np.ndarray:
        """Of the bands of all documents: (N, bands) uint32."""
        assert self.bands is not None
        values = self.bands.bands * self.bands.rows
        files = (self.chunk(chunk).with_suffix(".signatures") for chunk in range(len(self.results)))
        return np.concatenate([self.bands.keys(np.fromfile(file, np.uint32).reshape(-1, values)) for file in files])

    def _signature(self, document: int) -> np.ndarray:
        assert self.bands is not None
        chunk, row = self._place(document)
        values = self.bands.bands * self.bands.rows
        return np.fromfile(self.chunk(chunk).with_suffix(".signatures"), np.uint32, values, offset=4 * row * values)

    def _place(self, document: int) -> tuple[int, int]:
        """Chunk, and number in it."""
        chunk = int(np.searchsorted(self.starts, document, "right")) - 1
        return chunk, document - int(self.starts[chunk])
