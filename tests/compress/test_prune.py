"""Pruning: what becomes zero, what goes, and that what stays computes what it computed before."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minigpt import (
    BytePairTokenizer,
    Call,
    CharacterTokenizer,
    OpenedModel,
    Params,
    Transformer,
    TransformerConfig,
    UserError,
    causal_lm,
    masked_lm,
    open_model,
    save_pretrained,
)
from minigpt.cli import main
from minigpt.compress import Compression, compress_model, pruned_model
from minigpt.compress.prune import importance, most_important, prunable, prune_magnitude, prune_structured
from minigpt.compress.pruned_model import kept_sizes
from minigpt.objectives import loss
from minigpt.pretrained.quantized_matrix import StoredWeights

VARIANTS = {
    "gpt2": {},
    "llama": {
        "norm": "rms",
        "activation": "silu",
        "gated": True,
        "position": "rotary",
        "bias": False,
        "key_value_heads": 2,
    },
    "post, biases": {"norm_place": "post", "key_value_heads": 4, "tied": False},
    "encoder": {"architecture": "encoder", "head": "masked"},
}


def a_model(**changes):
    sizes = {"vocabulary_size": 13, "context": 9, "width": 16, "layers": 2, "heads": 4, "feed_forward_width": 12}
    model = Transformer(TransformerConfig(**sizes | changes))
    rng = np.random.default_rng(2)
    params = model.init(rng, dtype=np.float64)
    params.flat += 0.3 * rng.standard_normal(params.flat.shape)
    return model, params


def batches_for(model, count=3):
    rng = np.random.default_rng(5)
    for number in range(count):
        windows = rng.integers(1, 13, (2, 8))
        if model.config.architecture == "encoder":
            yield masked_lm(windows, np.random.default_rng(number), mask=0, special=[], vocabulary_size=13)
        else:
            yield causal_lm(windows)


def test_magnitude_zeroes_the_smallest_of_every_matrix_and_nothing_else():
    _, params = a_model()
    before = params.flat.copy()
    pruned = prune_magnitude(params, 0.3)
    assert np.array_equal(params.flat, before)
    for name, record in params.arrays.items():
        if not prunable(record):
            assert np.array_equal(pruned[name], params[name])
            continue
        zero = pruned[name] == 0
        assert zero.sum() == round(0.3 * zero.size)
        assert np.abs(params[name][zero]).max() <= np.abs(params[name][~zero]).min()
        assert np.array_equal(pruned[name][~zero], params[name][~zero])
    assert not prunable(params.arrays["token_embedding.weight"])
    assert prunable(params.arrays["blocks.1.feed_forward.down.weight"])
    assert np.array_equal(prune_magnitude(params, 0.0).flat, params.flat)


def test_two_of_four_inputs_stay_for_every_output():
    _, params = a_model(feed_forward_width=8)
    pruned = prune_magnitude(params, two_of_four=True)["blocks.0.feed_forward.up.weight"]  # (16, 8)
    before = params["blocks.0.feed_forward.up.weight"]
    groups, sizes = pruned.reshape(4, 4, 8), np.abs(before.reshape(4, 4, 8))
    assert ((groups != 0).sum(axis=1) == 2).all()
    assert np.array_equal(groups != 0, sizes >= np.sort(sizes, axis=1)[:, 2:3])


def test_equal_numbers_go_in_order():
    params = Params(Transformer(a_model()[0].config).arrays(), dtype=np.float64)
    params.flat[...] = 1.0
    matrix = prune_magnitude(params, 0.25)["blocks.0.feed_forward.up.weight"]
    assert (matrix.ravel()[:48] == 0).all() and (matrix.ravel()[48:] == 1).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_left_computes_what_it_would_with_the_others_silent(variant):
    """Against the large model with the pruned heads and units held at zero by a hook."""
    model, params = a_model(**VARIANTS[variant])
    batches = list(batches_for(model))
    smaller, pruned = prune_structured(model, params, batches, heads=2, feed_forward=5)
    assert (smaller.config.heads, smaller.config.feed_forward_width, smaller.config.head_width) == (2, 5, 4)
    assert smaller.config.key_value_heads == model.config.key_value_heads // 2
    assert pruned.flat.size < params.flat.size
    measured = importance(model, params, batches)
    groups = measured.heads.reshape(2, model.config.key_value_heads, -1).sum(axis=-1)

    def silent(name, x):
        parts = name.split(".")
        if parts[-1] == "heads":
            kept = most_important(groups[int(parts[1])], smaller.config.key_value_heads)
            keep = np.isin(np.arange(4) // (4 // model.config.key_value_heads), kept)
            return x * keep[:, None, None]
        if parts[-1] == "hidden":
            return x * np.isin(np.arange(12), most_important(measured.feed_forward[int(parts[1])], 5))
        return x

    expected = model.forward(params, batches[0], Call(hook=silent))[0]
    found = smaller.forward(pruned, batches[0])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_importance_estimates_what_silence_costs():
    """To first order: scaling a head by 1 - h changes the loss by h times its sum of activation * gradient."""

    model, params = a_model()
    (batch,) = batches_for(model, 1)
    one = batch._replace(tokens=batch.tokens[:1], targets=batch.targets[:1])
    measured, step = importance(model, params, [one]), 1e-5
    for layer, head in ((0, 1), (1, 3)):

        def scaled(by, layer=layer, head=head):
            def hook(name, x):
                factor = np.where(np.arange(4) == head, 1 + by, 1)[:, None, None]
                return x * factor if name == f"blocks.{layer}.attention.heads" else x

            return loss(model, params, one, Call(hook=hook))

        slope = (scaled(step) - scaled(-step)) / (2 * step)
        assert measured.heads[layer, head] == pytest.approx(abs(slope), rel=1e-5)

    def unit(by):
        def hook(name, x):
            return x * np.where(np.arange(12) == 7, 1 + by, 1) if name == "blocks.1.feed_forward.hidden" else x

        return loss(model, params, one, Call(hook=hook))

    assert measured.feed_forward[1, 7] == pytest.approx(abs(unit(step) - unit(-step)) / (2 * step), rel=1e-5)


def test_a_head_that_says_nothing_goes_first():
    model, params = a_model()
    for layer, head in ((0, 2), (1, 0)):
        params[f"blocks.{layer}.attention.output.weight"][4 * head : 4 * head + 4] = 0
        params[f"blocks.{layer}.feed_forward.down.weight"][3] = 0
    batches = list(batches_for(model))
    smaller, pruned = prune_structured(model, params, batches, heads=3, feed_forward=11)
    np.testing.assert_allclose(smaller.forward(pruned, batches[0])[0], model.forward(params, batches[0])[0], atol=1e-10)
    same, everything = prune_structured(model, params, batches, heads=4, feed_forward=12)
    assert same.config == model.config and np.array_equal(everything.flat, params.flat)


def test_refusals():
    model, params = a_model()
    batches = list(batches_for(model))
    with pytest.raises(UserError, match="either which share"):
        prune_magnitude(params)
    with pytest.raises(UserError, match="either which share"):
        prune_magnitude(params, 0.5, two_of_four=True)
    with pytest.raises(UserError, match=r"share that becomes zero is 1\.5"):
        prune_magnitude(params, 1.5)
    with pytest.raises(UserError, match="has 10 inputs, which are no groups of 4"):
        prune_magnitude(a_model(feed_forward_width=10)[1], two_of_four=True)
    with pytest.raises(UserError, match="nothing is to be pruned"):
        prune_structured(model, params, batches)
    with pytest.raises(UserError, match="there are none; give at least one batch"):
        prune_structured(model, params, [], heads=2)
    with pytest.raises(UserError, match="5 heads cannot stay"):
        prune_structured(model, params, batches, heads=5)
    with pytest.raises(UserError, match="0 units cannot stay: choose 1 to 12"):
        prune_structured(model, params, batches, feed_forward=0)
    grouped = a_model(**VARIANTS["llama"])
    with pytest.raises(UserError, match="3 heads cannot stay: choose a multiple of 2"):
        prune_structured(*grouped, batches, heads=3)
    with pytest.raises(UserError, match="an encoder-decoder is not pruned"):
        prune_structured(*a_model(architecture="encoder-decoder"), batches, heads=2)
    with pytest.raises(UserError, match="slope of its own"):
        prune_structured(*a_model(position="alibi"), batches, heads=2)
    with pytest.raises(UserError, match="experts of a mixture"):
        prune_structured(*a_model(experts=2, experts_per_token=1), batches, feed_forward=2)


def test_a_pruned_model_is_compressed_and_opened(tmp_path):
    tokenizer = CharacterTokenizer("abcdefghijkl")
    model, params = a_model(width=32, heads=8, feed_forward_width=96, context=64, key_value_heads=4)
    opened = OpenedModel(model, params.astype(np.float32), tokenizer, "mine")
    text = np.random.default_rng(0).integers(0, 12, 1000)
    eight = Compression(bits=8, group=32, symmetric=True)
    small, said = pruned_model(opened, 0.5, eight, structured=True, text=text)
    assert said == {"share": 0.5, "kind": "structured", "heads": 4, "feed_forward": 64}
    report = compress_model(small, tmp_path / "small", eight, pruned=said)
    found = open_model(tmp_path / "small")
    assert report["pruned"] == said and found.model.config == small.model.config
    tokens = text[None, :20]
    wanted = small.model.forward(small.params, tokens)[0]
    assert np.abs(found.model.forward(found.params, tokens)[0] - wanted).max() < 0.1 * np.abs(wanted).max()
    zeros, said = pruned_model(opened, 0.4, eight)
    compress_model(zeros, tmp_path / "zeros", eight, pruned=said)
    matrix = np.asarray(open_model(tmp_path / "zeros").params["blocks.0.feed_forward.up.weight"])
    assert (matrix == 0).mean() >= 0.4


def test_the_command_prunes_two_of_four(tmp_path, capsys):
    model, params = a_model(width=32, feed_forward_width=96, context=64)
    tokenizer = BytePairTokenizer.train(["the cat sat on the mat"], 257)
    model = Transformer(replace(model.config, vocabulary_size=tokenizer.vocabulary_size))
    params = model.init(np.random.default_rng(1))
    save_pretrained(tmp_path / "whole", model, params, "gpt2", "GPT2LMHeadModel", tokenizer=tokenizer)
    words = ["compress", str(tmp_path / "whole"), str(tmp_path / "sparse"), "--bits", "8", "--group", "32", "--json"]
    assert main([*words, "--prune", "2:4", "--symmetric"]) == 0
    assert json.loads(capsys.readouterr().out)["pruned"] == {"share": 0.5, "kind": "2:4"}
    found = open_model(tmp_path / "sparse").params
    for name, record in params.arrays.items():
        if prunable(record):
            groups = np.asarray(found[name]).reshape(-1, 4, record.shape[1])
            largest = np.argsort(np.abs(params[name].reshape(groups.shape)), axis=1)[:, 2:]
            assert ((groups != 0).sum(axis=1) <= 2).all()  # what stays may be rounded to zero
            assert np.take_along_axis(groups, largest, axis=1).any(axis=1).all()
    words[2] = str(tmp_path / "out")
    for more, says in {
        ("--prune", "2:4"): "symmetric groups only",
        ("--prune", "2:4", "--structured"): "--prune 2:4 is a form for numbers",
    }.items():
        assert main([*words, *more]) == 2
        assert says in capsys.readouterr().err
    for wrong in ("2:3", "1.5", "nan", "0"):
        with pytest.raises(SystemExit):
            main([*words, "--prune", wrong, "--symmetric"])
        assert f"{wrong} is neither a share" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pruning_that_compression_would_undo_is_refused(tmp_path):
    model, params = a_model()
    opened = OpenedModel(model, params, CharacterTokenizer("abc"), "mine")
    with pytest.raises(UserError, match="zeros stay zeros with the method nearest and symmetric"):
        pruned_model(opened, 0.4, Compression(bits=8))
    with pytest.raises(UserError, match="the share to prune is 1"):
        kept_sizes(4, 4, 64, 1)
    with pytest.raises(UserError, match="at least 512 tokens"):
        pruned_model(opened, 0.4, Compression(), structured=True)
    with pytest.raises(UserError, match="two of four is a form for numbers"):
        pruned_model(opened, None, Compression(), structured=True, two_of_four=True)
    with pytest.raises(UserError, match="either which share"):
        pruned_model(opened, None, Compression(bits=8, symmetric=True))
    with pytest.raises(UserError, match="in few bits already"):
        pruned_model(replace(opened, params=StoredWeights()), 0.4, Compression())
    encoder = OpenedModel(*a_model(**VARIANTS["encoder"]), None, "mine")
    with pytest.raises(UserError, match="what a decoder loses"):
        pruned_model(encoder, 0.4, Compression(), structured=True)
    assert main(["compress", "gone", str(tmp_path / "out"), "--structured"]) == 2
