"""Texts as sets of numbers: the hashes of every few words in a row, by which texts are compared."""

import hashlib

import numpy as np
import regex

SHINGLE = 5  # words
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))
BETWEEN = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
ASCII_BETWEEN = {code: " " for code in range(128) if not chr(code).isalnum()}
ALONE = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])")  # no spaces there


def normalized(text: str) -> str:
    """The words of a text in lower case, one space between them: what two texts share whatever their layout.

    In scripts that put no spaces between words each character is one.
    """
    text = text.lower()
    if text.isascii():  # the same, ten times as fast
        return " ".join(text.translate(ASCII_BETWEEN).split())
    return BETWEEN.sub(" ", ALONE.sub(r" \1 ", text)).strip()


def digest(text: str) -> bytes:
    """16 bytes that are the same for texts with the same words; a text without any is taken as it is."""
    return hashlib.blake2b((normalized(text) or f"\0{text}").encode("utf-8"), digest_size=16).digest()


def shingles(text: str, words: int = SHINGLE) -> np.ndarray:
    """The hashes of all `words` successive words of a text, each once, in order: (S,) uint64.

    A shorter text is one shingle, one without words has none. Every hash is a polynomial in the bytes of the normalized
    words, taken modulo 2^64 from sums that run over the whole text (Karp and Rabin 1987), and mixed.
    """
    return np.unique(word_hashes(text, words))


def word_hashes(text: str, words: int) -> np.ndarray:
    """The hashes of all `words` successive words as they stand in the text: (W - words + 1,) uint64, at least one."""
    codes = np.frombuffer(normalized(text).encode("utf-8"), np.uint8)  # (N,)
    if not len(codes):
        return np.zeros(0, np.uint64)
    spaces = np.flatnonzero(codes == ord(" "))
    starts, ends = np.append(0, spaces + 1), np.append(spaces, len(codes))  # (W,)
    count = max(1, len(starts) - words + 1)
    starts, ends = starts[:count], ends[min(words, len(ends)) - 1 :]
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(mixed(codes + np.uint64(1)) * _powers(BASE, len(codes)), out=sums[1:])
    return mixed((sums[ends] - sums[starts]) * _powers(INVERSE, len(codes))[starts])


def mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of the value: the end of SplitMix64 (Steele et al. 2014)."""
    values = values.astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """The share that two sets have in common, of all that is in either; 0 of two empty ones."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


def _powers(base: np.uint64, count: int) -> np.ndarray:
    """1, base, base^2 ... modulo 2^64: (count,)."""
    powers = np.full(count, base)
    powers[0] = 1
    return np.cumprod(powers)
