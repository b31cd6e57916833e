"""A compressed model opens like any other, says what its rounded weights say, and is refused where it is damaged."""

import json
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from runs import BOTH, ENCODER, MODERN, TEXT, a_run

from minigpt import Batch, Call, Compression, Params, UserError, compress_model, open_model
from minigpt.cli import main
from minigpt.cli.options import quoted
from minigpt.compress import calibrate, compress_params
from minigpt.compress.calibrate import batches_of, walk
from minigpt.infer import GREEDY, generate
from minigpt.pretrained import quantized_matrix
from minigpt.pretrained.compressed import FILE, open_compressed
from minigpt.pretrained.quantized_matrix import QuantizedMatrix, StoredWeights

SIZES = {"width": 32, "feed_forward_width": 48, "heads": 4}
KINDS = {
    "gpt2": SIZES,
    "llama": {**MODERN, **SIZES},
    "with a head": {**MODERN, **SIZES, "tied": False},
    "experts": {**MODERN, **SIZES, "experts": 3},
    "encoder": {**ENCODER, **SIZES},
    "encoder-decoder": {**BOTH, **SIZES},
}
METHODS = ("nearest", "activation-aware", "second-order")


@pytest.fixture(autouse=True)
def little_text(monkeypatch):
    monkeypatch.setattr(calibrate, "LEAST", 60)


def opened_run(tmp_path, kind="llama"):
    return open_model(a_run(tmp_path / "run", **KINDS[kind]))


def text_of(opened, times=6):
    return opened.tokenizer.encode(TEXT * times)


def batch_of(opened, length=9):
    tokens = np.random.default_rng(0).integers(0, 256, (2, length))
    return Batch(tokens, source=tokens[:, :5] if opened.model.two_stacks else None)


def answers(opened, params, batch):
    found = opened.model.forward(params, batch)[0]
    return found if isinstance(found, np.ndarray) else found[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_it_says_what_its_rounded_weights_say(kind, method, tmp_path):
    opened = opened_run(tmp_path, kind)
    settings = Compression(bits=6, method=method, group=16)
    report = compress_model(opened, tmp_path / "small", settings, text=text_of(opened))
    small = open_model(tmp_path / "small")
    plain = Params(opened.model.arrays())
    for name, weight in small.params.items():
        plain[name] = np.asarray(weight)
    rounded = [name for name, weight in small.params.items() if isinstance(weight, QuantizedMatrix)]
    assert len(rounded) == len(report["matrices"]) > 8
    batch = batch_of(opened)
    wanted, found = (answers(opened, params, batch) for params in (plain, small.params))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
    before = answers(opened, opened.params, batch)
    # On average: where a score of the router is close, rounding may send a token to another expert.
    assert 1e-4 < np.abs(found - before).mean() / np.abs(before).mean() < 0.35
    for name, values in opened.params.items():
        if name not in rounded:
            assert np.array_equal(small.params[name], values)
    for text in (TEXT, "<|endoftext|>"):
        assert np.array_equal(small.tokenizer.encode(text), opened.tokenizer.encode(text))


@pytest.mark.parametrize("bits", [8, 6, 4, 3])
@pytest.mark.parametrize("group", [16, None])
def test_fewer_bits_take_less_room_and_say_less(bits, group, tmp_path):
    opened = opened_run(tmp_path)
    settings = Compression(bits=bits, group=group)
    report = compress_model(opened, tmp_path / "small", settings, text=text_of(opened))
    rows = [row for row in report["matrices"] if row["name"].startswith("blocks")]
    assert {row["bits"] for row in rows} == {bits} and {row["group"] for row in rows} == ({16} if group else {32, 48})
    each = [row["bits_per_weight"] for row in rows if row["group"] == 16]
    assert all(value == bits + 2 for value in each)  # two numbers of 16 bits for 16
    assert all(0.2 / 2**bits < row["output_error"] < 3 / 2**bits for row in rows)
    stored = sum(weight.nbytes for _, weight in open_model(tmp_path / "small").params.items())
    assert report["bits_per_weight"] == pytest.approx(8 * stored / report["parameters"], abs=0.01)
    assert json.loads((tmp_path / "small/compression.json").read_text(encoding="utf-8")) == report


@pytest.mark.parametrize("kind", ["llama", "encoder", "encoder-decoder", "experts"])
def test_what_is_watched_is_what_the_matrices_are_multiplied_with(kind, tmp_path, monkeypatch):
    """X^T X, against the hook of the layer's input where there is one, and every matrix of every block is seen once."""
    monkeypatch.setattr(calibrate, "AT_ONCE", 50)
    opened = opened_run(tmp_path, kind)
    batches = batches_of(opened.model, opened.tokenizer, text_of(opened, 2))
    assert len(batches) > 1
    weights, seen = StoredWeights(opened.params.items()), {}
    for block, inputs in walk(opened.model, weights, batches):
        seen |= inputs
        assert all(name.startswith(f"{block}.") for name in inputs)
    matrices = {name for name, one in opened.model.arrays().items() if one.kind == "matrix" and one.block}
    assert set(seen) == matrices
    if kind == "experts":
        counts = [seen[f"blocks.0.feed_forward.experts.{expert}.up.weight"].count for expert in range(3)]
        assert sum(counts) == 2 * seen["blocks.0.attention.query.weight"].count  # each token goes to two
        return
    hidden = {}

    def hook(name, x):
        hidden.setdefault(name, []).append(x)
        return x

    for batch in batches:
        opened.model.forward(opened.params, batch, Call(hook=hook))
    for block in {name.rpartition(".feed_forward")[0] for name in seen if ".feed_forward" in name}:
        x = np.concatenate([one.reshape(-1, one.shape[-1]) for one in hidden[f"{block}.feed_forward.hidden"]])
        found = seen[f"{block}.feed_forward.down.weight"]
        assert found.count == len(x)
        np.testing.assert_allclose(found.products, x.T @ x, rtol=1e-3, atol=1e-3 * np.abs(x.T @ x).max())
        np.testing.assert_allclose(found.sizes, np.abs(x).mean(axis=0), rtol=1e-3)


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
def test_the_values_are_watched_as_the_heads_mix_them(architecture, tmp_path):
    """Where all heads share one head of values, what they take is (A X) W, so (A W X)^T (A X W) = W^T H W."""
    sizes = {**(BOTH if architecture == "encoder-decoder" else MODERN), **SIZES, "key_value_heads": 1, "bias": False}
    opened = open_model(a_run(tmp_path / "run", **sizes))
    batches = batches_of(opened.model, opened.tokenizer, text_of(opened))
    taken = {}

    def hook(name, x):
        if name.endswith("attention.heads"):
            rows = x.reshape(-1, x.shape[-1])
            taken[name] = taken.get(name, 0) + rows.T @ rows
        return x

    for batch in batches:
        opened.model.forward(opened.params, batch, Call(hook=hook))
    weights, seen = StoredWeights(opened.params.items()), {}
    for _, inputs in walk(opened.model, weights, batches):
        seen |= {name: one for name, one in inputs.items() if name.endswith("attention.value.weight")}
    assert {name.replace("value.weight", "heads") for name in seen} == set(taken)
    assert ("blocks.0.cross_attention.value.weight" in seen) == (architecture == "encoder-decoder")
    for name, inputs in seen.items():
        matrix, wanted = opened.params[name], taken[name.replace("value.weight", "heads")]
        np.testing.assert_allclose(matrix.T @ inputs.products @ matrix, wanted, atol=1e-3 * np.abs(wanted).max())


def test_a_block_is_calibrated_on_what_the_rounded_blocks_before_it_make(tmp_path):
    opened = opened_run(tmp_path)
    batches = batches_of(opened.model, opened.tokenizer, text_of(opened))
    name, plain = "blocks.1.attention.query.weight", StoredWeights(opened.params.items())
    before = {block: inputs for block, inputs in walk(opened.model, plain, batches)}["blocks.1"][name].products
    weights, _, _ = compress_params(opened.model, opened.params, Compression(bits=3, group=16), batches)
    after = {block: inputs for block, inputs in walk(opened.model, weights, batches)}["blocks.1"][name].products
    seen = {}
    changed = StoredWeights(opened.params.items())
    for block, inputs in walk(opened.model, changed, batches):
        seen[block] = inputs
        changed |= {key: value for key, value in weights.items() if key.startswith(f"{block}.")}
    assert np.abs(seen["blocks.1"][name].products - before).max() > 0.01 * np.abs(before).max()
    assert np.abs(seen["blocks.1"][name].products - after).max() < np.abs(after - before).max()


def test_calibrated_few_bits_stay_nearer_to_the_answers(tmp_path):
    opened = opened_run(tmp_path)
    batches = batches_of(opened.model, opened.tokenizer, text_of(opened))
    errors = {}
    for method in METHODS:
        weights, _, rows = compress_params(opened.model, opened.params, Compression(3, method, 16), batches)
        hidden = [opened.model.hidden_states(params, batches[0])[0] for params in (weights, opened.params)]
        errors[method] = np.square(hidden[0] - hidden[1]).sum(), np.mean([row.get("output_error", 0) for row in rows])
    for place in (0, 1):
        assert errors["second-order"][place] < 0.85 * errors["nearest"][place]
        assert errors["activation-aware"][place] < errors["nearest"][place]


def test_little_memory_is_taken_and_the_file_is_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(quantized_matrix, "PIECE", 1 << 12)
    sizes = {**MODERN, "width": 128, "feed_forward_width": 512, "heads": 4}
    opened = open_model(a_run(tmp_path / "run", **sizes))
    compress_model(opened, tmp_path / "small", Compression(bits=4, group=32))
    tracemalloc.start()
    small = open_compressed(tmp_path / "small")
    small.model.forward(small.params, np.array([[5, 6, 7]]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.35 * 4 * opened.params.flat.size


def test_what_makes_no_sense_is_refused(tmp_path):
    for choices, message in (
        ({"bits": 5}, "bits is 5, but it must be one of 8, 6, 4, 3"),
        ({"method": "best"}, "method is 'best', but it must be one of nearest"),
        ({"group": 3}, "group is 3, but it must be a whole number of at least 8"),
        ({"activation_order": True}, "activation order is for second-order; nearest has no order"),
        ({"bits": 8, "table_bits": 4}, "tables would have 4 bits and the blocks 8"),
    ):
        with pytest.raises(UserError, match=message):
            Compression(**choices)
    opened = opened_run(tmp_path)
    for settings, text, message in (
        (Compression(method="second-order"), None, "second-order needs a text to calibrate with"),
        (Compression(method="activation-aware"), text_of(opened)[:59], "has 59 tokens, but at least 60 are needed"),
    ):
        with pytest.raises(UserError, match=message):
            compress_model(opened, tmp_path / "small", settings, text=text)
    with pytest.raises(UserError, match="is there already; choose a new folder"):
        compress_model(opened, tmp_path / "run")
    odd = open_model(a_run(tmp_path / "odd", **{**MODERN, "feed_forward_width": 100, "heads": 4}))
    with pytest.raises(
        UserError, match=r"down.weight has rows of 100 numbers, which neither groups of 64 .*--group none"
    ):
        compress_model(odd, tmp_path / "small")
    assert not (tmp_path / "small").exists() and not list(tmp_path.glob(".*"))
    report = compress_model(odd, tmp_path / "small", Compression(group=None))
    assert {row["group"] for row in report["matrices"]} == {16, 100}
    with pytest.raises(UserError, match="is in few bits already"):
        compress_model(open_model(tmp_path / "small"), tmp_path / "smaller")
    with pytest.raises(UserError, match="decoded to float32; leave the dtype out"):
        open_model(tmp_path / "small", dtype=np.float64)


@pytest.mark.parametrize("method", ["nearest", "activation-aware", "second-order"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, of what is not finite
def test_a_damaged_model_is_refused_by_the_name_of_the_matrix(method, tmp_path):
    opened = opened_run(tmp_path)
    text, settings = text_of(opened), Compression(method=method)
    for name, value, message in (
        ("blocks.1.feed_forward.down.weight", np.nan, "down.weight: a matrix has numbers .* not finite"),
        ("blocks.1.attention_norm.gain", 1e30, "blocks.1.attention.query.weight are no finite numbers"),
    ):
        params = opened.params.copy()
        params[name][...] = value
        with pytest.raises(UserError, match=message):
            compress_model(replace(opened, params=params), tmp_path / "small", settings, text=text)


def test_what_stops_leaves_nothing(tmp_path, monkeypatch):
    opened = opened_run(tmp_path)

    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigpt.compress.rounded_model.nearest", stop)
    with pytest.raises(KeyboardInterrupt):
        compress_model(opened, tmp_path / "small")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_damage_is_refused(tmp_path):
    opened = opened_run(tmp_path)
    compress_model(
        opened, tmp_path / "small", Compression(bits=3, group=16, method="activation-aware"), text=text_of(opened)
    )
    data = (tmp_path / "small" / FILE).read_bytes()
    rng = np.random.default_rng(0)
    for number in range(60):
        bad = bytearray(data)
        place = int(rng.integers(len(bad)))
        if number % 4:
            bad[place] ^= 1 << int(rng.integers(8))
        else:
            bad = bad[:place]
        (tmp_path / "small" / FILE).write_bytes(bad)
        with pytest.raises(UserError):
            open_model(tmp_path / "small")
    (tmp_path / "small" / FILE).write_bytes(data)
    other = open_model(a_run(tmp_path / "other", None, **{**KINDS["llama"], "layers": 3}))
    compress_model(other, tmp_path / "more", Compression(bits=3, group=16))
    shutil.copy(tmp_path / "more/tokenizer.json", tmp_path / "small/tokenizer.json")
    assert open_model(tmp_path / "small").tokenizer.vocabulary_size == 300
    (tmp_path / "small/tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is no tokenizer of minigpt"):
        open_model(tmp_path / "small")


def test_commands_accept_it(tmp_path, capsys):
    run, small = a_run(tmp_path / "run", **KINDS["llama"]), tmp_path / "small"
    assert main(["compress", str(run), str(small), "--bits", "6", "--group", "32"]) == 0
    said = capsys.readouterr().out
    assert "blocks.1" in said and "bits each" in said and "token_embedding.weight" in said
    assert said.endswith(f"Next:  minigpt evaluate {quoted(small)} FILE\n")
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "short.txt").write_text(TEXT[:40], encoding="utf-8")
    for words in (
        ["evaluate", str(small), str(tmp_path / "text.txt")],
        ["generate", str(small), "--prompt", "The", "--max-new-tokens", "5"],
        ["export", str(small), str(tmp_path / "folder")],
        ["export", str(small), str(tmp_path / "file.gguf"), "--type", "F32"],
    ):
        assert main(words) == 0, capsys.readouterr().err
    opened = open_model(small)
    for path in ("folder", "file.gguf"):
        again = open_model(tmp_path / path)
        assert all(np.array_equal(again.params[name], np.asarray(weight)) for name, weight in opened.params.items())
    ids = [list(generate(m.model, m.params, np.array([5, 6]), 6, sampling=GREEDY)) for m in (opened, again)]
    assert ids[0] == ids[1]
    capsys.readouterr()
    assert main(["export", str(small), str(tmp_path / "again.gguf"), "--type", "Q8_0"]) == 2
    assert "in few bits already, and Q8_0 would round them again; choose F32" in capsys.readouterr().err
    for words, message in (
        ([str(small)], "is there already; choose a new folder"),
        ([str(tmp_path / "x"), "--bits", "7"], "bits is 7"),
        ([str(tmp_path / "x"), "--tokens", "9"], "at least 60 are needed|--tokens is 9"),
        (
            [str(tmp_path / "x"), "--calibrate", str(tmp_path / "short.txt"), "--method", "second-order"],
            "tokens, but at",
        ),
    ):
        assert main(["compress", str(run), *words]) == 2
        said = capsys.readouterr().err
        assert any(part in said for part in message.split("|")), said


def test_adapters_are_trained_on_top_of_it_and_a_tuned_model_is_compressed(tmp_path, capsys):
    run, small = a_run(tmp_path / "run", **KINDS["llama"]), tmp_path / "small"
    assert main(["compress", str(run), str(small), "--bits", "8", "--group", "32"]) == 0
    rng = np.random.default_rng(0)
    rows = [{"text": "".join(rng.choice(list("abcd"), 2)) + "xy"[n % 2], "label": "xy"[n % 2]} for n in range(80)]
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    tuned = ["finetune", str(small), str(data), "--task", "classify", "--epochs", "1", "--out", str(tmp_path / "tuned")]
    assert main(tuned) == 2
    assert "cannot learn; train low-rank adapters" in capsys.readouterr().err
    assert main([*tuned, "--learns", "low-rank", "--rank", "2"]) == 0
    again = str(tmp_path / "again")
    for words in (["predict", tuned[-1], str(data)], ["compress", tuned[-1], again], ["predict", again, str(data)]):
        assert main(words) == 0, capsys.readouterr().err
    assert len(capsys.readouterr().out.splitlines()) > 160
