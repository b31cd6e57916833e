"""Another rate: a sound's values between its samples, found with a windowed sinc.

A sound without frequencies above half its rate is the sum of a sinc at every sample (Shannon 1949, "Communication in
the Presence of Noise"). The sinc is cut off with a window (Blackman's), and its frequencies above half the lower of the
two rates are left out, so that nothing is folded down.

In every L new samples the same positions between old ones come again ("polyphase"): that is a matrix, and a block of
the sound times this matrix is a block of the new one.
"""

import math
from collections.abc import Callable

import numpy as np

HALF = 56  # samples of the lower rate on either side that a new one is made of
CUT = 0.95  # of half the lower rate: what is above fades out until half of it is reached
Read = Callable[[int, int], np.ndarray]  # (start, count) -> samples, zeros outside of the sound


class Resampler:
    """From one rate to another. With L / M the ratio in lowest terms, L new samples lie where M old ones are.

    The matrix is cut into pieces of some columns each, which need few old samples: where L is large (rates such as
    44,099 to 16,000) most of the whole would be zeros.

    Parameters
    ----------
    rate, target : int
        Samples a second, before and after.

    Examples
    --------
    >>> from minigpt.sound import Resampler
    >>> up = Resampler(8000, 16000)
    >>> tone = np.sin(np.arange(800) * 0.1).astype(np.float32)
    >>> bool(abs(up.all_of(tone)[400] - tone[200]) < 1e-3)  # where an old sample was
    True
    """

    def __init__(self, rate: int, target: int):
        divisor = math.gcd(rate, target)
        self.new, self.old = target // divisor, rate // divisor  # L, M
        scale = min(1.0, target / rate)  # of the lower rate to the old one
        self.reach = math.ceil(HALF / scale)  # old samples on either side
        step = max(1, 2 * self.reach * self.new // self.old)  # new samples whose old ones fill two reaches
        self.pieces = []
        for first in range(0, self.new, step) if rate != target else ():
            places = np.arange(first, min(first + step, self.new)) * self.old / self.new  # among the old samples
            begin = math.floor(places[0]) - self.reach
            old = np.arange(begin, math.floor(places[-1]) + self.reach + 1)
            kernel = _kernel(places - old[:, None], scale, self.reach)  # (old, new)
            self.pieces.append((begin, first, kernel.astype(np.float32)))

    def length(self, old: int) -> int:
        """How many new samples so many old ones become."""
        return -(-old * self.new // self.old)

    def read(self, read: Read, start: int, count: int) -> np.ndarray:
        """So many new samples from `start` on: (count,) float32. read: gives the old ones."""
        if not self.pieces:
            return read(start, count)
        first, last = start // self.new, -(-(start + count) // self.new)  # blocks of L
        old = read(first * self.old - self.reach, (last - first) * self.old + 2 * self.reach)
        blocks = np.empty((last - first, self.new), np.float32)
        for begin, column, kernel in self.pieces:
            windows = np.lib.stride_tricks.sliding_window_view(old, len(kernel))
            windows = windows[begin + self.reach :: self.old][: last - first]  # (blocks, old)
            blocks[:, column : column + kernel.shape[1]] = windows @ kernel
        return blocks.reshape(-1)[start - first * self.new :][:count]

    def all_of(self, samples: np.ndarray) -> np.ndarray:
        """The whole sound, (N,) float32, at the new rate."""
        return self.read(reader_of(samples), 0, self.length(len(samples)))


def reader_of(samples: np.ndarray) -> Read:
    """Samples that are there already, as something that is read."""

    def read(start: int, count: int) -> np.ndarray:
        found = np.zeros(count, np.float32)
        part = samples[max(start, 0) : max(start + count, 0)]
        found[max(-start, 0) : max(-start, 0) + len(part)] = part
        return found

    return read


def _kernel(distance: np.ndarray, scale: float, reach: int) -> np.ndarray:
    """What an old sample at this distance (in old samples) gives to a new one."""
    cut = CUT * scale
    turn = np.pi * np.clip(distance / reach, -1, 1)
    window = 0.42 + 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
    return cut * np.sinc(cut * distance) * window
