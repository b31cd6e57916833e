"""The log-mel spectrogram: against transformers, and what must be so without it."""

import numpy as np
import pytest
from conftest import optional

from minigpt.sound import HOP, RATE, Spectrogram, log_mel, reader_of
from minigpt.sound.spectrogram import hertz_of, mel_bands, mel_of

SECONDS = 3


def noisy(seed, seconds=SECONDS):
    """Tones, noise and a pause."""
    rng = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    samples = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(2 * np.pi * 3_123 * time * time)
    samples += 0.01 * rng.standard_normal(len(time))
    samples[RATE // 2 : RATE] = 0
    return samples.astype(np.float32)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_equals_transformers(bands, library):
    extractor = optional("transformers").WhisperFeatureExtractor(feature_size=bands)
    if library == "torch":
        optional("torch")
    for seed in range(2):
        samples = np.pad(noisy(seed), (0, 27 * RATE))  # as they pad: with silence, to 30 s
        extract = getattr(
            extractor, "_np_extract_fbank_features" if library == "numpy" else "_torch_extract_fbank_features"
        )
        theirs = extract(samples[None], "cpu")[0].T
        np.testing.assert_allclose(log_mel(samples, bands=bands), theirs, atol=1e-5 if library == "numpy" else 1e-4)


def test_the_bands_are_theirs():
    audio = optional("transformers.audio_utils")
    theirs = audio.mel_filter_bank(201, 80, 0.0, 8_000.0, RATE, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_bands(80), theirs, atol=1e-12)


def test_the_mel_scale_goes_back():
    hertz = np.array([0.0, 123, 999, 1_000, 1_001, 7_999])
    np.testing.assert_allclose(hertz_of(mel_of(hertz)), hertz, atol=1e-9)
    assert mel_of(np.array(1_000.0)) == pytest.approx(15) and mel_of(np.array(6_400.0)) == pytest.approx(42)


def test_a_tone_is_in_the_band_that_holds_it():
    for hertz in (300, 1_000, 4_000):
        found = log_mel(np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).mean(axis=0)
        middles = hertz_of(np.linspace(0, mel_of(np.array(8_000.0)), 82))[1:-1]
        assert abs(int(found.argmax()) - int(np.abs(middles - hertz).argmin())) <= 1


def test_pieces_of_a_file_are_parts_of_the_whole():
    samples = noisy(3)
    spectrogram = Spectrogram(reader_of(samples), len(samples), bands=20)
    whole = log_mel(np.pad(samples, (0, RATE)), bands=20)
    assert spectrogram.frames == SECONDS * RATE // HOP
    for first, count in ((0, 7), (113, 50), (290, 40)):
        np.testing.assert_allclose(spectrogram.part(first, count), whole[first : first + count], atol=1e-6)


def test_silence_is_one_level():
    assert np.unique(log_mel(np.zeros(RATE, np.float32))).tolist() == [-1.5]
