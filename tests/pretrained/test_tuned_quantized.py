"""Fine-tuning on top of a model that stays in few bits: the same as on top of the decoded one, in less memory."""

import json

import numpy as np
import pytest
from test_quantized_matrix import quantized_llama

from minigpt.adapt import Learns, merge
from minigpt.cli import main
from minigpt.errors import UserError
from minigpt.finetune import Tuned, Wishes, go_on, prepare, prepare_domain, read_records, tune
from minigpt.model import Overlay
from minigpt.pretrained import open_model
from minigpt.pretrained.quantized_matrix import QuantizedMatrix
from minigpt.pretrained.tuned import checksum_of, open_tuned_folder, whole_params
from minigpt.text import Corpus

LAYERS = ("attention.query", "attention.value", "feed_forward.up", "feed_forward.down")


@pytest.fixture
def path(tmp_path):
    return quantized_llama(tmp_path, largest=0.02)


@pytest.fixture
def data(tmp_path):
    """Three letters each; the class is whether the last is an x."""
    rng = np.random.default_rng(0)
    rows = [
        {"text": "".join(rng.choice(list("abcd"), 2)) + "xy"[number % 2], "label": "xy"[number % 2]}
        for number in range(120)
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path / "data.jsonl"


def wishes(way="low-rank", **more):
    learns = Learns(way, rank=3, layers=LAYERS)
    return Wishes(task="classify", learns=learns, epochs=4, batch=16, learning_rate=0.02, **more)


@pytest.mark.parametrize("way", ["low-rank", "head"])
def test_what_is_learnt_is_what_is_learnt_on_the_decoded_model(tmp_path, path, data, way):
    found = {}
    for bits in ("few", "all"):
        below = open_model(path, quantized=bits == "few")
        folder = tune(prepare(tmp_path / bits, below, wishes(way), data), show_progress=False)
        found[bits] = Tuned(tmp_path / bits), folder
    (few, one), (many, two) = found["few"], found["all"]
    assert one.below["checksum"] == two.below["checksum"]
    assert isinstance(few.params.base["blocks.0.attention.query.weight"], QuantizedMatrix)
    assert set(few.params.trained) == set(many.params.trained)
    np.testing.assert_allclose(few.params.trained.flat, many.params.trained.flat, rtol=0, atol=1e-3)
    assert one.measured["validation"]["accuracy"]["value"] == 1.0
    records = read_records(data)
    assert [said["label"] for said in few.predict(records)] == [record.values["label"] for record in records]


def test_it_goes_on_with_workers_and_ends_with_the_same_bits(tmp_path, path, data):
    wish = wishes(workers=2, validations=1)
    tune(prepare(tmp_path / "once", open_model(path, quantized=True), wish, data), show_progress=False)
    tuning = prepare(tmp_path / "twice", open_model(path, quantized=True), wish, data)

    class Stop(Exception):
        pass

    def stop(row):
        raise Stop

    with pytest.raises(Stop):
        tune(tuning, on_validation=stop, show_progress=False)
    tune(go_on(open_tuned_folder(tmp_path / "twice")), show_progress=False)
    once, twice = (Tuned(tmp_path / name, "last").params.trained.flat for name in ("once", "twice"))
    assert np.array_equal(once, twice)


def test_merged_into_floats_it_says_the_same(tmp_path, path, data):
    tune(prepare(tmp_path / "m", open_model(path, quantized=True), wishes(), data), show_progress=False)
    tuned, opened = Tuned(tmp_path / "m"), open_model(tmp_path / "m")
    assert isinstance(tuned.params, Overlay)
    tokens = np.random.default_rng(1).integers(0, 256, (3, 6))
    unmerged, merged = (opened.model.forward(params, tokens)[0] for params in (tuned.params, opened.params))
    np.testing.assert_allclose(merged, unmerged, rtol=0, atol=2e-5 * np.abs(unmerged).max())
    plain = whole_params(
        tuned.folder.config, Overlay(tuned.params.base, tuned.params.trained.only(["classifier.weight"]))
    )
    assert np.abs(opened.model.forward(plain, tokens)[0] - unmerged).max() > 1e-2 * np.abs(unmerged).max()


def test_what_is_in_few_bits_is_not_merged_into_and_does_not_learn(tmp_path, path, data):
    below = open_model(path, quantized=True)
    assert checksum_of(below.params) == checksum_of(open_model(path).params)
    for way in ("all", "last"):
        with pytest.raises(UserError, match="left in few bits, so they cannot learn; train low-rank adapters"):
            prepare(tmp_path / "m", below, wishes(way), data)
    corpus = Corpus("letters", ("abcd" * 200,), ("abcd" * 50,))
    with pytest.raises(UserError, match="there is no head to be trained alone"):
        prepare_domain(tmp_path / "m", below, Wishes(task="domain", learns=Learns("head")), corpus, progress=False)
    assert not (tmp_path / "m" / "finetune.json").exists()
    with pytest.raises(UserError, match="not into StoredWeights; decode"):
        merge(below.params, open_model(path).params)


def test_from_the_command_line(tmp_path, path, data, capsys):
    base = ["finetune", str(path), str(data), "--task", "classify", "--out", str(tmp_path / "m"), "--epochs", "1"]
    assert main([*base, "--quantized"]) == 2
    assert "cannot learn; train low-rank adapters" in capsys.readouterr().err
    assert main([*base, "--quantized", "--learns", "low-rank", "--rank", "2", "--adapter-dropout", "0.1"]) == 0
    assert open_tuned_folder(tmp_path / "m").below["bits"] == "as stored"
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "m"), str(data)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 121
