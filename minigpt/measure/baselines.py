"""What a loss has to be compared with: guessing, counting, and the compressors that everybody has."""

import bz2
import gzip
import lzma
import math

import numpy as np

from minigpt.text import Tokenizer, document_end

PRIMING = 4 << 20  # bytes; xz -9 could refer to more, but takes a second for each megabyte


def uniform_nats(vocabulary_size: int) -> float:
    """Nats per token of one who knows nothing: log V."""
    return math.log(vocabulary_size)


def unigram_nats(training: np.ndarray, tokens: np.ndarray, vocabulary_size: int) -> float:
    """Nats per token of one who knows how often each token occurs in `training`, (N,) integers.

    Every count is one higher than seen (Laplace), so that no token is impossible. tokens: (M,) integers to be scored.
    """
    return float(-_unigram_log(training, vocabulary_size)[tokens].mean())


def bigram_nats(training: np.ndarray, tokens: np.ndarray, vocabulary_size: int) -> float:
    """Nats per token of one who knows, from `training`, what follows what. The first of `tokens` is only context.

    p(b | a) = (count(a, b) + kinds(a) p(b)) / (count(a) + kinds(a)), where kinds(a) is how many different tokens
    followed a: the more, the likelier is yet another one (Witten & Bell 1991, IEEE Trans. Inf. Theory 37, method C).
    """
    return float(-bigram_log(training, tokens[:-1], tokens[1:], vocabulary_size).mean())


def bigram_log(training: np.ndarray, before: np.ndarray, after: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """log p(after | before) of `bigram_nats`, for each pair: (M,)."""
    first, _, kinds_of_pair, pair_counts = count_pairs(training, vocabulary_size)
    kinds = np.bincount(first, minlength=vocabulary_size)  # (V,)
    totals = np.bincount(first, weights=pair_counts, minlength=vocabulary_size)  # (V,)

    before = before.astype(np.int64)
    wanted = before * vocabulary_size + after
    place = np.minimum(np.searchsorted(kinds_of_pair, wanted), len(kinds_of_pair) - 1)
    counts = np.where(kinds_of_pair[place] == wanted, pair_counts[place], 0)
    unigram = np.exp(_unigram_log(training, vocabulary_size))[after]
    seen = totals[before] > 0  # what never occurred as a first says nothing about a second
    weight = np.where(seen, kinds[before], 1)
    return np.log((counts + weight * unigram) / (totals[before] + weight))


def count_pairs(training: np.ndarray, vocabulary_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First, second, first * V + second, and the count of every pair of neighbours that occurs, in order."""
    pairs, counts = np.unique(training[:-1].astype(np.int64) * vocabulary_size + training[1:], return_counts=True)
    return pairs // vocabulary_size, pairs % vocabulary_size, pairs, counts


def counted_nats(training: np.ndarray, tokens: np.ndarray, vocabulary_size: int) -> dict[str, float]:
    """Nats per token of knowing nothing, frequencies, and pairs. The first of `tokens` is only context."""
    return {
        "uniform": uniform_nats(vocabulary_size),
        "unigram": unigram_nats(training, tokens[1:], vocabulary_size),
        "bigram": bigram_nats(training, tokens, vocabulary_size),
    }


def compressed_bits_per_byte(data: bytes, training: bytes = b"") -> dict[str, float]:
    """Bits per byte of gzip -9, bzip2 -9 and xz -9e on `data`, which start from nothing, as a model does not.

    With `training`, "xz primed" too: by how much longer both texts are together than the first alone, of which xz has
    then read the last `PRIMING` bytes.
    """
    sizes = {
        "gzip": len(gzip.compress(data, compresslevel=9, mtime=0)),
        "bz2": len(bz2.compress(data, compresslevel=9)),
        "xz": _xz_size(data),
    }
    if training:
        read = training[-PRIMING:]
        sizes["xz primed"] = _xz_size(read + data) - _xz_size(read)
    return {name: 8 * size / max(1, len(data)) for name, size in sizes.items()}


def training_bytes(training: np.ndarray, tokenizer: Tokenizer) -> bytes:
    """The end of the text of `training`, (N,) ids, as far as xz reads it."""
    ids = np.asarray(training[-PRIMING:])  # a token has at least one byte
    return tokenizer.decode_bytes(ids[ids != document_end(tokenizer)])[-PRIMING:]


def _xz_size(data: bytes) -> int:
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def _unigram_log(training: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """log p of every token, (V,)."""
    counts = np.bincount(training, minlength=vocabulary_size) + 1.0
    return np.log(counts / counts.sum())
