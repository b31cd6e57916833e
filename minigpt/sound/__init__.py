"""Sound: WAV files, other rates, spectrograms. Arrays in, arrays out; what is said in it is for `minigpt.speech`."""

from minigpt.sound.resample import Resampler, reader_of
from minigpt.sound.spectrogram import HOP, RATE, Spectrogram, log_mel
from minigpt.sound.wav import WavFile, open_wav, write_wav

__all__ = ["HOP", "RATE", "Resampler", "Spectrogram", "WavFile", "log_mel", "open_wav", "reader_of", "write_wav"]
