"""Blocks of 32 numbers with a scale of their own, as llama.cpp stores them: to numbers and back.

The formats: github.com/ggml-org/ggml, src/ggml-common.h (the blocks) and src/ggml-quants.c (what they mean). A decoder
takes the raw bytes of whole blocks, (blocks, bytes of a block), and gives (blocks, 32) float32; an encoder takes
(blocks, 32) float32 and gives the bytes.
"""

import numpy as np

BLOCK = 32  # numbers


def decode_f32(raw: np.ndarray) -> np.ndarray:
    """Four bytes each."""
    return raw.view("<f4")


def decode_f16(raw: np.ndarray) -> np.ndarray:
    """Two bytes each."""
    return raw.view("<f2").astype(np.float32)


def decode_q8_0(raw: np.ndarray) -> np.ndarray:
    """x = d * q: a 16-bit scale d, then 32 signed bytes q."""
    return half(raw, 0) * raw[:, 2:].view(np.int8)


def decode_q4_0(raw: np.ndarray) -> np.ndarray:
    """x = d * (q - 8): a 16-bit scale d, then 32 numbers of four bits."""
    return half(raw, 0) * (nibbles(raw[:, 2:]).astype(np.float32) - 8)


def decode_q4_1(raw: np.ndarray) -> np.ndarray:
    """x = d * q + m: a 16-bit scale d and minimum m, then 32 numbers of four bits."""
    return half(raw, 0) * nibbles(raw[:, 4:]) + half(raw, 2)


def decode_q5_0(raw: np.ndarray) -> np.ndarray:
    """x = d * (q - 16): a 16-bit scale d, the 32 highest bits, then 32 numbers of the four lower bits."""
    return half(raw, 0) * ((nibbles(raw[:, 6:]) | bits(raw[:, 2:6]) << 4).astype(np.float32) - 16)


def decode_q5_1(raw: np.ndarray) -> np.ndarray:
    """x = d * q + m: a 16-bit scale d and minimum m, the 32 highest bits, then 32 numbers of the four lower bits."""
    return half(raw, 0) * (nibbles(raw[:, 8:]) | bits(raw[:, 4:8]) << 4) + half(raw, 2)


def encode_f32(numbers: np.ndarray) -> np.ndarray:
    """Four bytes each."""
    return np.ascontiguousarray(numbers, "<f4").view(np.uint8)


def encode_f16(numbers: np.ndarray) -> np.ndarray:
    """Two bytes each, rounded to the nearest."""
    return numbers.astype("<f2").view(np.uint8)


def encode_q8_0(numbers: np.ndarray) -> np.ndarray:
    """The largest number becomes 127 or -127; half-way cases go away from zero, as llama.cpp's do."""
    scale = np.abs(numbers).max(axis=1, keepdims=True) / np.float32(127)
    steps = numbers * _inverse(scale)
    codes = np.trunc(steps + np.copysign(np.float32(0.5), steps))  # exact here: at most 127
    return np.concatenate([_two_bytes(scale), codes.astype(np.int8).view(np.uint8)], axis=1)


def encode_q4_0(numbers: np.ndarray) -> np.ndarray:
    """The number that is largest in size becomes -8."""
    largest = np.take_along_axis(numbers, np.abs(numbers).argmax(axis=1, keepdims=True), axis=1)
    scale = largest / np.float32(-8)
    codes = (numbers * _inverse(scale) + np.float32(8.5)).astype(np.uint8)
    return np.concatenate([_two_bytes(scale), _join_nibbles(np.minimum(codes, 15))], axis=1)


def encode_q4_1(numbers: np.ndarray) -> np.ndarray:
    """The smallest number becomes 0 and the largest 15."""
    least = numbers.min(axis=1, keepdims=True)
    scale = (numbers.max(axis=1, keepdims=True) - least) / np.float32(15)
    codes = ((numbers - least) * _inverse(scale) + np.float32(0.5)).astype(np.uint8)
    halves = [_two_bytes(scale), _two_bytes(least)]
    return np.concatenate([*halves, _join_nibbles(np.minimum(codes, 15))], axis=1)


def half(raw: np.ndarray, start: int) -> np.ndarray:
    """The 16-bit number at byte `start` of every block: (blocks, 1) float32."""
    return np.ascontiguousarray(raw[:, start : start + 2]).view("<f2").astype(np.float32)


def nibbles(packed: np.ndarray) -> np.ndarray:
    """(blocks, n) bytes to (blocks, 2 n): the low halves of all bytes, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def bits(packed: np.ndarray) -> np.ndarray:
    """(blocks, n) bytes to (blocks, 8 n) zeros and ones, the lowest bit of each byte first."""
    return np.unpackbits(packed, axis=1, bitorder="little")


def _two_bytes(numbers: np.ndarray) -> np.ndarray:
    """(blocks, 1) to (blocks, 2)."""
    return numbers.astype("<f2").view(np.uint8)


def _inverse(scale: np.ndarray) -> np.ndarray:
    """1 / scale, and 0 where that is 0."""
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)


def _join_nibbles(codes: np.ndarray) -> np.ndarray:
    """The inverse of `nibbles`."""
    low, high = np.split(codes, 2, axis=1)
    return low | high << 4
