"""What a sound becomes before a network hears it: how loud it is, a hundred times a second, in bands of pitch.

Radford et al. (2022), arXiv:2212.04356, section 2.2: 80 bands, windows of 25 ms, every 10 ms, logarithms. The bands
follow the mel scale, on which equal steps are heard as equal (Stevens, Volkmann & Newman 1937), in the form of Slaney's
Auditory Toolbox: straight up to 1,000 Hz, logarithmic above.
"""

import math

import numpy as np

from minigpt.errors import UserError, described
from minigpt.sound.resample import Read

RATE = 16_000  # samples a second
WINDOW, HOP = 400, 160  # samples: 25 ms, 10 ms
FLOOR = 1e-10  # of power, so that silence has a logarithm
RANGE = 8.0  # powers of ten below the loudest: what is quieter is raised to that
PIECE = 3_000  # frames that are transformed at once
STRAIGHT, KNEE, FACTOR = 200 / 3, 1_000.0, math.log(6.4) / 27  # Hz for a mel; Hz; of the logarithm, for a mel


def mel_of(hertz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale."""
    above = KNEE / STRAIGHT + np.log(np.maximum(hertz, KNEE) / KNEE) / FACTOR
    return np.where(hertz < KNEE, hertz / STRAIGHT, above)


def hertz_of(mel: np.ndarray) -> np.ndarray:
    """The inverse of `mel_of`."""
    above = KNEE * np.exp(FACTOR * (np.maximum(mel, KNEE / STRAIGHT) - KNEE / STRAIGHT))
    return np.where(mel < KNEE / STRAIGHT, mel * STRAIGHT, above)


def mel_bands(bands: int) -> np.ndarray:
    """Triangles over the frequencies of a window, each with the same area: (WINDOW / 2 + 1, bands)."""
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)[:, None]
    corners = hertz_of(np.linspace(0, mel_of(np.array(RATE / 2)), bands + 2))
    rise = (frequencies - corners[:-2]) / np.diff(corners)[:-1]
    fall = (corners[2:] - frequencies) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(rise, fall)) * 2 / (corners[2:] - corners[:-2])


def log_power(samples: np.ndarray, bands: int) -> np.ndarray:
    """Logarithm (to base ten) of the power in each band: (F, bands) float64, of (WINDOW + (F - 1) HOP,) samples."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * hann)) ** 2  # (F, WINDOW / 2 + 1)
    return np.log10(np.maximum(power @ mel_bands(bands), FLOOR))


def scaled(power: np.ndarray, loudest: float) -> np.ndarray:
    """What the network takes: float32, of `log_power`, with what is far below the loudest of the whole sound raised."""
    return ((np.maximum(power, loudest - RANGE) + 4) / 4).astype(np.float32)


def log_mel(samples: np.ndarray, *, bands: int = 80) -> np.ndarray:
    """The log-mel spectrogram of a whole sound, as Whisper hears it.

    Parameters
    ----------
    samples : (N,) floats
        At 16,000 a second.
    bands : int
        M, of pitch.

    Returns
    -------
    (F, M) float32
        F = N // 160. The middle of frame t is sample 160 t; at both ends the sound is mirrored.

    Raises
    ------
    UserError
        If there are too few samples for a frame.

    Examples
    --------
    >>> minigpt.log_mel(np.sin(np.arange(16000) * 0.3)).shape  # a second
    (100, 80)
    """
    if np.ndim(samples) != 1 or len(samples) <= WINDOW // 2:
        raise UserError(f"samples are {described(samples)}, but a spectrogram takes a row of more than {WINDOW // 2}")
    mirrored = np.pad(np.asarray(samples, np.float64), WINDOW // 2, mode="reflect")
    power = log_power(mirrored, bands)[: len(samples) // HOP]
    return scaled(power, float(power.max()))


class Spectrogram:
    """The same of a sound of any length that is read piece by piece. After its end there is silence.

    Parameters
    ----------
    read : callable
        (start, count) -> samples at 16,000 a second.
    length : int
        How many there are.
    bands : int
        M.
    """

    def __init__(self, read: Read, length: int, *, bands: int = 80):
        self.read, self.bands = read, bands
        self.frames = -(-length // HOP)
        whole = self.frames + WINDOW // HOP  # the last of these have the sound's end in their windows
        self.peaks = np.empty(whole, np.float32)  # the largest of the HOP samples from a frame's middle on, no sign
        self.loudest = math.log10(FLOOR)
        for first in range(0, whole, PIECE):
            count = min(PIECE, whole - first)
            samples = self._samples(first, count)
            own = samples[WINDOW // 2 :][: count * HOP].reshape(count, HOP)
            self.peaks[first : first + count] = np.abs(own).max(axis=1)
            self.loudest = max(self.loudest, float(log_power(samples, bands).max()))

    def part(self, first: int, count: int) -> np.ndarray:
        """So many frames from `first` on: (count, bands) float32."""
        heard = min(count, max(0, len(self.peaks) - first))  # what is after these is silence
        power = np.full((count, self.bands), math.log10(FLOOR))
        if heard:
            power[:heard] = log_power(self._samples(first, heard), self.bands)
        return scaled(power, self.loudest)

    def peak(self, first: int, count: int) -> float:
        """The largest sample of so many frames from `first` on, without its sign; 0 after the end."""
        return float(self.peaks[first : first + count].max(initial=0))

    def _samples(self, first: int, count: int) -> np.ndarray:
        """What the windows of so many frames lie over: (WINDOW + (count - 1) HOP,)."""
        start = first * HOP - WINDOW // 2
        samples = self.read(start, (count - 1) * HOP + WINDOW)
        if start < 0:
            samples = np.concatenate([self.read(1, -start)[::-1], samples[-start:]])  # mirrored at the beginning
        return samples
