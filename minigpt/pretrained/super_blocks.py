"""llama.cpp's K-quants: super-blocks of 256 numbers, whose 8 or 16 blocks have scales that are quantized themselves.

The formats: github.com/ggml-org/ggml, src/ggml-common.h and `dequantize_row_*_K` in src/ggml-quants.c. A decoder takes
the raw bytes of whole super-blocks, (n, bytes), and gives (n, 256) float32.
"""

import numpy as np

from minigpt.pretrained.small_blocks import half

SUPER_BLOCK = 256  # numbers


def decode_q2_k(raw: np.ndarray) -> np.ndarray:
    """x = (d * s) q - (dmin * m): 16 bytes of s and m, four bits each; q in two bits; d and dmin."""
    scales, least = half(raw, 80) * (raw[:, :16] & 15), half(raw, 82) * (raw[:, :16] >> 4)
    return _scaled(_spread(raw[:, 16:80], 2), scales, least)


def decode_q3_k(raw: np.ndarray) -> np.ndarray:
    """x = (d * (s - 32)) (q - 4): q's highest bits, its two lower ones; 16 scales s of six bits; d."""
    low, high = raw[:, 96:104], raw[:, 104:108]  # of the scales: 16 times four bits, 16 times two
    scales = _spread(low, 4, 8) | _spread(high, 2, 4) << 4
    codes = _spread(raw[:, 32:96], 2) | _spread(raw[:, :32], 1) << 2
    return _scaled(codes.astype(np.float32) - 4, half(raw, 108) * (scales.astype(np.float32) - 32))


def decode_q4_k(raw: np.ndarray) -> np.ndarray:
    """x = (d * s) q - (dmin * m): d, dmin, eight pairs s and m of six bits, then q in four bits."""
    scales, least = _scales_and_least(raw)
    return _scaled(_spread(raw[:, 16:], 4), scales, least)


def decode_q5_k(raw: np.ndarray) -> np.ndarray:
    """As Q4_K, with q's highest bits before its four lower ones."""
    scales, least = _scales_and_least(raw)
    return _scaled(_spread(raw[:, 48:], 4) | _spread(raw[:, 16:48], 1) << 4, scales, least)


def decode_q6_k(raw: np.ndarray) -> np.ndarray:
    """x = (d * s) (q - 32): q's four lower bits, its two higher ones, 16 signed bytes s, d."""
    codes = _spread(raw[:, :128], 4, 64) | _spread(raw[:, 128:192], 2) << 4
    scales = np.ascontiguousarray(raw[:, 192:208]).view(np.int8)
    return _scaled(codes.astype(np.float32) - 32, half(raw, 208) * scales)


def _spread(packed: np.ndarray, width: int, run: int = 32) -> np.ndarray:
    """Numbers of `width` bits: from each `run` bytes their lowest bits, then the next ones, and so on up.

    packed: (n, bytes). Returns (n, 8 / width * bytes).
    """
    shifts = np.arange(0, 8, width, dtype=np.uint8)[:, None]
    runs = packed.reshape(len(packed), -1, 1, run)
    return (runs >> shifts & (1 << width) - 1).reshape(len(packed), -1)


def _scales_and_least(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d * s and dmin * m of Q4_K and Q5_K: (n, 8) each.

    Of the twelve bytes, four hold the first four s and four the first four m, in their six lower bits. The upper two
    are the highest bits of the last four s and m, whose lower bits are in the last four bytes, m above s.
    """
    first, second, last = raw[:, 4:8], raw[:, 8:12], raw[:, 12:16]
    scales = np.concatenate([first & 63, last & 15 | first >> 2 & 48], axis=1)
    least = np.concatenate([second & 63, last >> 4 | second >> 2 & 48], axis=1)
    return half(raw, 0) * scales, half(raw, 2) * least


def _scaled(codes: np.ndarray, scales: np.ndarray, least: np.ndarray | None = None) -> np.ndarray:
    """scale * code, less `least`, in every block. codes: (n, 256); scales, least: (n, 8) or (n, 16)."""
    numbers = codes.reshape(*scales.shape, -1) * scales[..., None]
    if least is not None:
        numbers -= least[..., None]
    return numbers.reshape(len(codes), SUPER_BLOCK)
