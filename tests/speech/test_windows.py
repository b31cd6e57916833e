"""What a Whisper is given to hear: window after window, and silence after the end of the sound. Without any weights."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from minigpt.model import Transformer, TransformerConfig
from minigpt.sound import HOP, RATE, log_mel, open_wav, write_wav
from minigpt.speech import transcribe
from minigpt.speech.special import Special
from minigpt.speech.write import Written

BANDS, WINDOW = 20, 100  # frames: a second
ZERO = 40
SPECIAL = Special(31, 30, 39, 38, ZERO, np.array([3]), np.array([5]))


@pytest.fixture
def listened(monkeypatch):
    """Transcribe a file with a model that only notes what it is given; `texts`: what it writes of each window."""
    module = sys.modules["minigpt.speech.transcribe"]
    model = Transformer(
        TransformerConfig(
            vocabulary_size=100, context=12, width=8, layers=1, heads=2, architecture="encoder-decoder",
            encoder=TransformerConfig(
                vocabulary_size=1, context=WINDOW // 2, width=8, layers=1, heads=2, architecture="encoder",
                input="frames", input_width=BANDS, head="none", tied=False,
            ),
        )
    )  # fmt: skip
    heard: list[np.ndarray] = []

    def run(path, texts):
        def write(_opened, _special, _memory, *, times, rng):
            return Written(texts[len(heard) - 1], -0.1, 1.0, 0.0, 0.0)

        encode = Transformer.encode
        monkeypatch.setattr(module, "asked_of", lambda opened: SPECIAL)
        monkeypatch.setattr(module, "write", write)
        monkeypatch.setattr(Transformer, "encode", lambda *given: (heard.append(given[2].source[0]), encode(*given))[1])
        tokenizer = SimpleNamespace(decode=lambda ids: "".join(f" {token}" for token in ids))
        params = model.init(np.random.default_rng(0))
        opened = SimpleNamespace(model=model, params=params, tokenizer=tokenizer, name="none")
        return list(transcribe(opened, open_wav(path))), heard

    return run


def sound(seconds):
    """Noise that is loudest at its very end, as 16 bits keep it."""
    samples = 0.01 * np.random.default_rng(1).standard_normal(int(seconds * RATE))
    samples[-60:] *= 60
    return np.rint(np.clip(samples, -0.99, 0.99) * 32767) / 32767


def as_read(path):
    found = open_wav(path)
    return found.read(0, found.length)


@pytest.mark.parametrize("seconds", [0.4, 0.403, 0.999])
def test_after_the_end_of_a_sound_there_is_silence(listened, tmp_path, seconds):
    write_wav(tmp_path / "x.wav", sound(seconds), RATE)
    (segment,), (heard,) = listened(tmp_path / "x.wav", [[8, 9]])
    whole = log_mel(np.pad(as_read(tmp_path / "x.wav"), (0, RATE)), bands=BANDS)
    np.testing.assert_allclose(heard, whole[:WINDOW], atol=1e-6)
    frames = -(-int(seconds * RATE) // HOP)
    silence = heard[frames + 3 :]
    assert np.unique(silence).size <= 1 and (silence.size == 0 or silence[0, 0] == heard.min())
    assert (segment.start, segment.end) == (0, pytest.approx(frames / 100))


def test_a_window_begins_where_the_times_of_the_last_one_say_and_the_last_is_filled_up(listened, tmp_path):
    write_wav(tmp_path / "x.wav", sound(1.5), RATE)
    texts = [[ZERO, 8, ZERO + 35, ZERO + 35], [ZERO, 9, ZERO + 20]]  # the first ends after 0.7 s
    segments, heard = listened(tmp_path / "x.wav", texts)
    whole = log_mel(np.pad(as_read(tmp_path / "x.wav"), (0, RATE)), bands=BANDS)
    assert len(heard) == 2
    for begin, frames in zip((0, 70), heard, strict=True):
        np.testing.assert_allclose(frames, whole[begin : begin + WINDOW], atol=1e-6)
    assert [(s.start, s.end, s.text) for s in segments] == [
        (0, pytest.approx(0.7), " 8"),
        (pytest.approx(0.7), pytest.approx(1.1), " 9"),
    ]


def test_a_window_without_a_sound_is_not_listened_to(listened, tmp_path):
    samples = np.concatenate([np.zeros(RATE), sound(0.5)])
    write_wav(tmp_path / "x.wav", samples, RATE)
    segments, heard = listened(tmp_path / "x.wav", [[ZERO, 8, ZERO + 10]])
    assert len(heard) == 1 and [s.start for s in segments] == [pytest.approx(1.0)]
