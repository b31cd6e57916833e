"""generation_config.json beside a Whisper: followed, or refused by name."""

import json

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.speech.settings import GENERATION, following, settings_of
from minigpt.speech.special import Special

END, START, NO_TIMES, ZERO, CONTEXT = 30, 31, 39, 40, 24
SPECIAL = Special(START, END, NO_TIMES, 38, ZERO, np.array([3, 7]), np.array([5, END]))
PUBLISHED = {  # the keys of openai/whisper-tiny.en, with ids of a small vocabulary
    "alignment_heads": [[1, 0], [2, 0]],
    "begin_suppress_tokens": [6, END],
    "bos_token_id": END,
    "decoder_start_token_id": START,
    "eos_token_id": END,
    "forced_decoder_ids": [[1, NO_TIMES]],
    "is_multilingual": False,
    "max_initial_timestamp_index": 9,
    "max_length": CONTEXT,
    "no_timestamps_token_id": NO_TIMES,
    "pad_token_id": END,
    "prev_sot_token_id": 36,
    "return_timestamps": False,
    "suppress_tokens": [1, 2],
    "transformers_version": "4.31.0.dev0",
}


def read(folder, name, said):
    (folder / name).write_text(json.dumps(said), encoding="utf-8")
    return following(SPECIAL, settings_of(str(folder)), CONTEXT)


def test_what_a_published_file_says_is_followed(tmp_path):
    found = read(tmp_path, GENERATION, PUBLISHED)
    assert found.suppressed.tolist() == [1, 2] and found.suppressed_first.tolist() == [6, END]
    assert found.latest_first == 9
    assert (found.start, found.end, found.no_times, found.zero) == (START, END, NO_TIMES, ZERO)


def test_what_is_left_out_follows_from_the_vocabulary(tmp_path):
    for said in ({}, {"suppress_tokens": None, "num_beams": 1, "language": None, "do_sample": False}):
        found = read(tmp_path, GENERATION, said)
        assert found.suppressed.tolist() == [3, 7] and found.latest_first == 50
    assert read(tmp_path, GENERATION, {"suppress_tokens": []}).suppressed.tolist() == []
    assert settings_of("whisper") == (None, {}) and settings_of(str(tmp_path / "none")) == (None, {})


def test_a_configuration_says_it_where_no_other_file_does(tmp_path):
    found = read(tmp_path, "config.json", {"suppress_tokens": [4], "d_model": 384})
    assert found.suppressed.tolist() == [4] and found.suppressed_first.tolist() == [5, END]
    assert read(tmp_path, GENERATION, {}).suppressed.tolist() == [3, 7]


REFUSED = {
    "forced_decoder_ids": [[1, 50259], [2, 50359]],
    "is_multilingual": True,
    "language": "de",
    "task": "translate",
    "num_beams": 5,
    "do_sample": True,
    "repetition_penalty": 1.2,
    "decoder_start_token_id": START + 1,
    "eos_token_id": [END, START],
    "no_timestamps_token_id": NO_TIMES + 1,
    "max_length": 10,
    "max_new_tokens": 5,
    "bad_words_ids": [[4]],
    "suppress_tokens": [-1],
    "begin_suppress_tokens": 6,
    "max_initial_timestamp_index": 1.5,
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_differs_is_refused_by_name(key, tmp_path):
    with pytest.raises(UserError, match=key) as refused:
        read(tmp_path, GENERATION, {**PUBLISHED, key: REFUSED[key]})
    assert GENERATION in str(refused.value)
