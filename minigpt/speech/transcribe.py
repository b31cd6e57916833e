"""Sound of any length to text: window after window of 30 seconds, each begun where the text of the last one ended.

Radford et al. (2022), arXiv:2212.04356, section 4.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.sound import HOP, RATE, Resampler, Spectrogram, WavFile
from minigpt.speech.segments import pieces_of
from minigpt.speech.settings import following, settings_of
from minigpt.speech.special import Special, special_of
from minigpt.speech.write import write

SILENCE = 1e-3  # of full: what never becomes louder than this (-60 dB) is no speech
SECOND = RATE // HOP  # frames


@dataclass(frozen=True)
class Segment:
    """A piece of a transcript.

    Parameters
    ----------
    start, end : float
        When, in seconds from the beginning of the sound.
    text : str
        What is said, with the space before it.
    tokens : list of int
        Its tokens, without times.
    window_tokens : list of int
        All that was written of its window, with times.
    log_probability, compression, no_speech, temperature : float
        Of its window (see `minigpt.speech.write.Written`).

    Examples
    --------
    >>> minigpt.Segment(0.0, 1.5, " Yes.", [3363, 13], [3363, 13], -0.2, 0.5, 0.01, 0.0).text
    ' Yes.'
    """

    start: float
    end: float
    text: str
    tokens: list[int]
    window_tokens: list[int]
    log_probability: float
    compression: float
    no_speech: float
    temperature: float


def spectrogram_of(sound: WavFile, bands: int) -> Spectrogram:
    """The frames of a sound. bands: that the model listens to."""
    resampler = Resampler(sound.rate, RATE)
    return Spectrogram(lambda *part: resampler.read(sound.read, *part), resampler.length(sound.length), bands=bands)


def asked_of(opened: Any) -> Special:
    """The special tokens of an opened Whisper, as its files want them. `UserError` if it cannot be asked."""
    special = special_of(opened.model, opened.tokenizer)
    return following(special, settings_of(opened.name), opened.model.config.context)


def transcribe(
    opened: Any, sound: WavFile, *, timestamps: bool = False, seed: int = 0, progress: Any = None
) -> Iterator[Segment]:
    """What is said in a sound, in pieces, each as soon as it is known.

    Parameters
    ----------
    opened : OpenedModel
        A Whisper, such as `minigpt.open_model("whisper")`.
    sound : WavFile
        As `minigpt.open_wav` gives it; any rate, any length, stereo is mixed.
    timestamps : bool
        Ask for times in a sound that fits into one window, too; a longer one needs them to find its way.
    seed : int
        Of the chance with which a window is written again where the likeliest text repeats itself.
    progress : object, optional
        Its `update(seconds)` is called as the work goes on.

    Returns
    -------
    iterator of Segment
        Nothing where nobody speaks.

    Raises
    ------
    UserError
        For a model that does not listen, and a file that is damaged.

    Examples
    --------
    >>> minigpt.write_wav("silence.wav", np.zeros(8000), 8000)
    >>> sound = minigpt.open_wav("silence.wav")
    >>> sound.seconds
    1.0
    """
    special = asked_of(opened)
    if seed < 0:
        raise UserError(f"the seed is {seed}, but it must be 0 or more")
    return _windows(opened, special, sound, timestamps, np.random.default_rng(seed), progress)


def _windows(
    opened: Any, special: Special, sound: WavFile, timestamps: bool, rng: np.random.Generator, progress: Any
) -> Iterator[Segment]:
    model, encoder = opened.model, opened.model.config.encoder
    window = 2 * encoder.context  # frames
    spectrogram = spectrogram_of(sound, encoder.input_width)
    frames, here = spectrogram.frames, 0
    times = timestamps or frames > window
    while here < frames:
        count = further = min(window, frames - here)
        if spectrogram.peak(here, count) >= SILENCE:
            heard = spectrogram.part(here, window)[None]
            memory = model.encode(opened.params, Batch(np.array([[special.start]]), source=heard))[0]
            written = write(opened, special, memory, times=times, rng=rng)
            if not written.is_silence:
                pieces, seconds = pieces_of(written.tokens, special, count / SECOND)
                further = min(further, round(seconds * SECOND)) or count
                for piece in pieces:
                    text = opened.tokenizer.decode(piece.tokens)
                    if text.strip():
                        start, end = (here / SECOND + at for at in (piece.start, piece.end))
                        end = min(end, frames / SECOND)
                        yield Segment(start, max(start, end), text, piece.tokens, written.tokens, *written[1:])
        here += further
        if progress is not None:
            progress.update(further / SECOND)
