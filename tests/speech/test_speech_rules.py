"""What may follow what in a transcript, where windows are cut, and the form of subtitles: without any weights."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import optional

from minigpt.speech import Segment, srt, timed, vtt
from minigpt.speech.rules import Rules
from minigpt.speech.segments import pieces_of
from minigpt.speech.special import Special
from minigpt.speech.write import Written, compression_of

ZERO, END, VOCABULARY = 40, 30, 100
SPECIAL = Special(31, END, 39, 38, ZERO, np.array([3, 7, 31, 38]), np.array([5, END]))


def texts(rng, count=60):
    """Rows of tokens in which times stand in every way: also in ways that no rule would have let through."""
    yield []
    for _ in range(count):
        length = int(rng.integers(1, 7))
        is_time = rng.random(length) < 0.5
        yield np.where(is_time, rng.integers(ZERO, 90, length), rng.integers(0, END, length)).tolist()


@pytest.mark.parametrize("times", [False, True])
def test_the_rules_are_those_of_transformers(times):
    torch, process = optional("torch"), optional("transformers.generation.logits_process")
    asked = [SPECIAL.start]
    generation = SimpleNamespace(
        no_timestamps_token_id=SPECIAL.no_times, eos_token_id=END, bos_token_id=END,
        max_initial_timestamp_index=SPECIAL.latest_first,
    )  # fmt: skip
    theirs = [
        process.SuppressTokensAtBeginLogitsProcessor(SPECIAL.suppressed_first.tolist(), len(asked)),
        process.SuppressTokensLogitsProcessor(SPECIAL.suppressed.tolist()),
    ]
    if times:
        theirs.append(process.WhisperTimeStampLogitsProcessor(generation, begin_index=len(asked)))
    rng, rules = np.random.default_rng(0), Rules(SPECIAL, times=times)
    for written in texts(rng):
        for spread in (0.1, 5.0):
            scores = (rng.standard_normal(VOCABULARY) * spread).astype(np.float32)
            wanted = torch.tensor(scores)[None]
            for processor in theirs:
                wanted = processor(torch.tensor([[*asked, *written]]), wanted)
            rules.apply(scores, written)
            np.testing.assert_array_equal(scores, wanted[0].numpy(), err_msg=str(written))


def test_times_come_in_pairs_and_never_go_back():
    def allowed(written):
        scores = np.zeros(VOCABULARY, np.float32)
        scores[:ZERO] = 9  # words are likelier
        Rules(SPECIAL, times=True).apply(scores, written)
        return np.flatnonzero(np.isfinite(scores))

    assert allowed([]).tolist() == list(range(ZERO, ZERO + SPECIAL.latest_first + 1))
    assert allowed([ZERO]).max() < ZERO, "a word follows the first time"
    ended = allowed([ZERO, 8, ZERO + 20])
    assert ended.min() == END and set(ended[ended >= ZERO]) == set(range(ZERO + 20, VOCABULARY))
    assert allowed([ZERO, 8, ZERO + 20, ZERO + 20]).max() < ZERO
    assert set(allowed([ZERO, 8, 9])) & set(range(ZERO, VOCABULARY)) == set(range(ZERO + 1, VOCABULARY))


WINDOWS = {  # tokens of a window of 30 s -> pieces, and where the next window begins
    "whole": ([40, 8, 9, 60], [([8, 9], 0.0, 0.4)], 30.0),
    "two, whole": ([40, 8, 50, 55, 9, 60], [([8], 0.0, 0.2), ([9], 0.3, 0.4)], 30.0),
    "cut off": ([40, 8, 50, 50, 9, 60, 60, 7], [([8], 0.0, 0.2), ([9], 0.2, 0.4)], 0.4),
    "ended by a pair": ([40, 8, 50, 50], [([8], 0.0, 0.2)], 0.2),
    "no times": ([8, 9], [([8, 9], 0.0, 30.0)], 30.0),
    "never ended": ([40, 8, 9], [([8, 9], 0.0, 30.0)], 30.0),
    "nothing": ([], [([], 0.0, 30.0)], 30.0),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_pairs_of_times_cut_a_window(name):
    tokens, pieces, further = WINDOWS[name]
    found, seconds = pieces_of(tokens, SPECIAL, 30.0)
    assert [piece.tokens for piece in found] == [piece[0] for piece in pieces]
    assert [(piece.start, piece.end) for piece in found] == [pytest.approx(piece[1:]) for piece in pieces]
    assert seconds == pytest.approx(further)


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_cut_as_transformers_cuts_them(name):
    torch, theirs = optional("torch"), optional("transformers.models.whisper.generation_whisper")
    tokens = WINDOWS[name][0]
    if not tokens:
        return
    segments, offset = theirs.WhisperGenerationMixin._retrieve_segment(
        seek_sequence=torch.tensor(tokens), seek_outputs=[None], time_offset=torch.zeros(1, dtype=torch.float64),
        timestamp_begin=ZERO, seek_num_frames=torch.tensor([3_000]), time_precision=0.02, time_precision_features=0.01,
        input_stride=2, prev_idx=0, idx=0, return_token_timestamps=False, decoder_input_ids=torch.zeros(1, 1),
    )  # fmt: skip
    found, seconds = pieces_of(tokens, SPECIAL, 30.0)
    assert seconds * 100 == pytest.approx(int(offset))
    assert len(found) == len(segments)
    for piece, segment in zip(found, segments, strict=True):
        assert piece.tokens == [int(token) for token in segment["tokens"] if token < END]
        assert (piece.start, piece.end) == pytest.approx((float(segment["start"]), float(segment["end"])))


def segment(start, end, text):
    return Segment(start, end, text, [], [], -0.3, 1.0, 0.0, 0.0)


SAID = [segment(0.0, 1.5, " Yes."), segment(59.9996, 3_725.25, " <b> & --> no")]


def test_subtitles():
    assert list(srt(SAID)) == [
        "1\n00:00:00,000 --> 00:00:01,500\nYes.\n",
        "2\n00:01:00,000 --> 01:02:05,250\n<b> & -> no\n",
    ]
    assert list(vtt(SAID)) == [
        "WEBVTT\n",
        "00:00:00.000 --> 00:00:01.500\nYes.\n",
        "00:01:00.000 --> 01:02:05.250\n&lt;b> &amp; --&gt; no\n",
    ]
    assert list(timed(SAID)) == ["[00:00.000 --> 00:01.500] Yes.", "[01:00.000 --> 01:02:05.250] <b> & --> no"]


def test_when_a_text_is_believed():
    def written(log_probability, compression, no_speech, temperature=0.0):
        return Written([1], log_probability, compression, no_speech, temperature)

    assert not written(-0.9, 2.3, 0.7).is_doubtful and not written(-0.9, 2.3, 0.7).is_silence
    assert written(-0.1, 1.0, 0.8).is_silence, "sure of it"
    assert written(-1.1, 1.0, 0.1).is_doubtful and not written(-1.1, 1.0, 0.1).is_silence
    assert written(-0.1, 2.5, 0.0).is_doubtful
    assert written(-1.1, 1.0, 0.7).is_silence
    assert written(-0.1, 2.5, 0.65).is_silence, "of a tone: sure of each word, since it repeats the last"
    assert not written(-1.1, 1.0, 0.4).is_silence, "it is written again"
    assert written(-1.1, 1.0, 0.4, 1.0).is_silence, "no temperature gave a text that can be believed"
    assert not written(-1.1, 1.0, 0.1, 1.0).is_silence, "a recording of speech"


def test_a_text_that_repeats_itself_is_compressed_more():
    tokenizer = SimpleNamespace(decode_bytes=lambda ids: b"".join(b"%d " % token for token in ids))
    rng = np.random.default_rng(0)
    assert compression_of([7] * 60 + [ZERO], tokenizer, SPECIAL) > 2.4
    assert compression_of(rng.integers(0, END, 60).tolist(), tokenizer, SPECIAL) < 2.4
    assert compression_of([ZERO], tokenizer, SPECIAL) == 0
