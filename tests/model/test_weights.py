"""Array records, matrices side by side, and parameters of which only some are trained."""

import ast
from pathlib import Path

import numpy as np
import pytest

from minigpt import Batch, Params, Transformer, TransformerConfig, UserError
from minigpt.check.model import CONFIGS
from minigpt.model import Overlay, parts
from minigpt.model.arrays import BIAS, EMBEDDING, GAIN, MATRIX, ArrayRecord
from minigpt.objectives import causal_lm, loss_and_gradient
from minigpt.ops import linear
from minigpt.train import TrainSettings, fit

SIZES = {"vocabulary_size": 13, "context": 9, "width": 24, "layers": 3, "heads": 4, "feed_forward_width": 20}
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False, "key_value_heads": 2}
BATCH = causal_lm(np.random.default_rng(5).integers(0, 13, (3, 9)))
CONSUMERS = [
    "model/arrays.py",
    "model/params.py",
    "model/transformer.py",
    "model/stack.py",
    "optim/optimizers.py",
    "parallel/tensor.py",
    "parallel/zero.py",
    "parallel/pipeline.py",
    "parallel/grid.py",
    "parallel/ranks.py",
    "train/checkpoint.py",
    "train/shards.py",
    "train/settings.py",
    "train/engine.py",
    "infer/past.py",
    "check/model.py",
    "check/table.py",
    "measure/ledger.py",
]


def start(dtype=np.float64, **choices):
    model = Transformer(TransformerConfig(**{**SIZES, **choices}))
    params = model.init(np.random.default_rng(0), dtype=dtype)
    params.flat += 0.05 * np.random.default_rng(1).standard_normal(params.flat.size)
    return model, params


def test_no_consumer_takes_a_name_apart():
    """What an array is stands in its record. Names are made, looked up and written; nobody parses them."""
    taken_apart = {
        "endswith",
        "startswith",
        "partition",
        "rpartition",
        "split",
        "rsplit",
        "removeprefix",
        "removesuffix",
    }
    package = Path(parts.__file__).parent.parent
    for file in CONSUMERS:
        for node in ast.walk(ast.parse((package / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in taken_apart:
                assert ast.unparse(node.value) in ("np", "params", "self.params", "whole"), (file, ast.unparse(node))


@pytest.mark.parametrize("name", CONFIGS)
def test_records_say_what_arrays_are(name):
    model = Transformer(CONFIGS[name])
    params, config = model.init(np.random.default_rng(0)), CONFIGS[name]
    for array, record in params.arrays.items():
        last = array.rsplit(".", 1)[-1]
        table = "embedding" in array.split(".")[-2] if "." in array else True
        kind = (
            GAIN if last == "gain" else BIAS if last == "bias" else EMBEDDING if table and last == "weight" else MATRIX
        )
        if "patch_embedding" not in array and "class_token" not in array:
            assert record.kind == kind, array
        assert record.block == (array[: array.index("blocks.") + 8] if "blocks." in array else "")
        assert record.decays == (record.kind in (MATRIX, EMBEDDING))
        values = params[array]
        if record.kind in (GAIN, BIAS):
            assert np.all(values == (record.kind == GAIN))
    stacks = [config] if config.encoder is None else [config, config.encoder]
    # Query, key, value and output, gate, up and down, in every expert; cross-attention beside an encoder; the router.
    per_block = [
        4 * (1 + (stack is config and config.encoder is not None and not config.encoder_ahead))
        + (2 + stack.gated) * (stack.experts or 1)
        + (stack.experts is not None)
        for stack in stacks
    ]
    wanted = sum(count * stack.layers for count, stack in zip(per_block, stacks, strict=True))
    assert len(params.block_matrices()) == wanted  # an encoder-decoder's too, which muon once left out


@pytest.mark.parametrize("choices", [{}, MODERN, {"architecture": "encoder-decoder", "encoder": {"layers": 1}}])
def test_muon_moves_every_block_matrix_along_orthogonal_directions(choices):
    _, params = start(**choices)
    optimizer = TrainSettings(optimizer="muon", weight_decay=0.0).make_optimizer(params)
    before, gradient = params.copy(), np.random.default_rng(2).standard_normal(params.flat.size)
    optimizer.update(params.flat, gradient, optimizer.init(params.flat), learning_rate=0.1)
    orthogonal = 0
    for name, record in params.arrays.items():
        if record.kind == MATRIX and record.block:
            step = (before[name] - params[name]) / (0.1 * 0.2 * np.sqrt(max(record.shape)))
            singular = np.linalg.svd(step, compute_uv=False)
            orthogonal += bool(np.median(singular) > 0.6 and singular.max() < 1.3)  # AdamW's would reach 5
    assert orthogonal == len(params.block_matrices()) > 10


def test_arrays_beside_each_other_are_views_of_one_matrix():
    _, params = start()
    names = tuple(f"blocks.1.attention.{part}.weight" for part in ("query", "key", "value"))
    together, columns = params.together("blocks.1.attention.query_key_value.weight")
    assert columns == [slice(0, 24), slice(24, 48), slice(48, 72)]
    assert together.shape == (24, 72)
    assert np.array_equal(together, np.concatenate([params[name] for name in names], axis=1))
    together[3, 30] = 7.0
    assert params[names[1]][3, 6] == 7.0 and np.count_nonzero(params.flat == 7.0) == 1
    assert params.only(list(names)).together("blocks.1.attention.query_key_value.weight") is not None
    assert params.only(list(names[:2])).together("blocks.1.attention.query_key_value.weight") is None
    assert sum(array.size for _, array in params.items()) == params.flat.size


def test_what_cannot_lie_side_by_side_is_named():
    arrays = {"a": ArrayRecord((2, 3), MATRIX, beside="x"), "b": ArrayRecord((3, 3), MATRIX, beside="x")}
    with pytest.raises(UserError, match=r"b \(3, 3\) cannot lie beside a \(2, 3\)"):
        Params(arrays)


@pytest.mark.parametrize("choices", [{}, MODERN, {"norm_place": "post", "gated": True}])
def test_side_by_side_and_apart_are_the_same_model(choices):
    model, params = start(**choices)
    apart = Params({name: record._replace(beside="") for name, record in params.arrays.items()}, dtype=np.float64)
    for name, array in params.items():
        apart[name] = array
    assert apart.together("blocks.0.attention.query_key_value.weight") is None
    assert params.together("blocks.0.attention.query_key_value.weight") is not None
    (loss, grads), (other, others) = (loss_and_gradient(model, one, BATCH) for one in (params, apart))
    assert loss == pytest.approx(other, abs=1e-13)
    for name in grads:
        np.testing.assert_allclose(grads[name], others[name], rtol=0, atol=1e-13, err_msg=name)


def trained_names(params, which):
    blocks = sorted(params.blocks - {""})
    return {
        "head alone": lambda name: name in ("head.weight", "final_norm.gain"),
        "last block": lambda name: params.arrays[name].block == blocks[-1],
        "query and value": lambda name: ".query." in name or ".value." in name,
        "biases": lambda name: params.arrays[name].kind in (BIAS, GAIN),
        "embeddings": lambda name: params.arrays[name].kind == EMBEDDING,
        "gate of one block": lambda name: name == "blocks.1.feed_forward.gate.weight",
        "keys of all": lambda name: ".key.weight" in name,
    }[which]


@pytest.mark.parametrize("choices", [{"tied": False, "gated": True}, {**MODERN, "tied": False}, {"gated": True}])
@pytest.mark.parametrize(
    "which",
    ["head alone", "last block", "query and value", "biases", "embeddings", "gate of one block", "keys of all"],
)
def test_gradients_of_a_part_are_those_of_the_whole(choices, which):
    model, params = start(**choices)
    whole = loss_and_gradient(model, params, BATCH)
    base, trained = params.split(trained_names(params, which))
    loss, grads = loss_and_gradient(model, Overlay(base, trained), BATCH)
    assert loss == pytest.approx(whole[0], abs=1e-13)
    assert set(grads) == set(trained) and len(grads) > 0
    for name in grads:
        np.testing.assert_allclose(grads[name], whole[1][name], rtol=0, atol=1e-13, err_msg=name)


class Counted:
    """A weight that is no array, and counts the products made with it."""

    __array_ufunc__ = None

    def __init__(self, array, made):
        self.array, self.made, self.shape, self.dtype, self.ndim = array, made, array.shape, array.dtype, array.ndim

    def __rmatmul__(self, x):
        self.made.append("forward")
        return x @ self.array

    def __getitem__(self, ids):
        return self.array[ids]

    def __len__(self):
        return len(self.array)

    @property
    def T(self):
        made, array = self.made, self.array

        class Transposed:
            __array_ufunc__, shape = None, array.T.shape

            def __rmatmul__(self, dy):
                made.append("backward")
                return dy @ array.T

        return Transposed()


class CountedWeights(dict):
    """A base of such weights."""

    def together(self, beside):
        return None


@pytest.mark.parametrize(("which", "reached", "weights"), [
    ("head alone", 0, 1), ("last block", 1, 5), ("gate of one block", 2, 1), ("keys of all", 3, 3),
])  # fmt: skip
def test_what_is_frozen_costs_no_product(monkeypatch, which, reached, weights):
    """Products on the way back: one for each matrix that the gradient has to pass, one for each that learns."""
    model, params = start(**MODERN, tied=False)
    base, trained = params.split(trained_names(params, which))
    made, learnt = [], []
    original = linear.weight_gradient

    def counted(x, dy, *, out=None):
        learnt.append(x.shape)
        return original(x, dy, out=out)

    monkeypatch.setattr(linear, "weight_gradient", counted)
    monkeypatch.setattr(parts, "weight_gradient", counted)
    counting = CountedWeights(
        {name: Counted(array, made) if params.arrays[name].kind == MATRIX else array for name, array in base.items()}
    )
    loss_and_gradient(model, Overlay(counting, trained), BATCH)
    frozen = sum(record.kind == MATRIX for name, record in params.arrays.items() if name not in trained)
    assert made.count("forward") == frozen
    assert len(learnt) == weights
    inside = [name for name in base if params.arrays[name].kind == MATRIX and params.arrays[name].block]
    passed = [name for name in inside if int(name.split(".")[1]) >= SIZES["layers"] - reached]
    assert made.count("backward") == len(passed) + ("head.weight" in base)


def test_what_is_frozen_is_neither_moved_nor_decayed():
    model, params = start(tied=False)
    base, trained = params.split(lambda name: name.startswith("blocks.2."))
    before, began = base.copy(), trained.copy()
    losses = fit(model, Overlay(base, trained), [BATCH] * 30, lambda step: 0.01, weight_decay=0.5)
    assert np.array_equal(base.flat, before.flat)
    assert losses[-1] < losses[0] - 0.3
    assert all(np.abs(trained[name] - began[name]).max() > 1e-3 for name in trained if not name.endswith("key.bias"))


def test_an_overlay_hides_what_lies_under_it():
    _, params = start()
    names = tuple(f"blocks.0.attention.{part}.weight" for part in ("query", "key", "value"))
    word = "blocks.0.attention.query_key_value.weight"
    one = params.only([names[0]])
    one[names[0]] = np.zeros((24, 24))
    over = Overlay(params, one)
    assert not over[names[0]].any() and over[names[1]] is params[names[1]]
    assert over.together(word) is None and over.get("nothing") is None and "nothing" not in over
    every = Overlay(params, params.only(list(names)))
    assert every.together(word) is every.trained.together(word)
    assert Overlay(params, params.only(["final_norm.gain"])).together(word) is params.together(word)
    assert dict(over.items()).keys() == dict(params.items()).keys()
    with pytest.raises(UserError, match="take its record from the base"):
        Overlay(params, Params({names[0]: (24, 24)}))


def test_memory_of_an_encoder_still_gets_its_gradient_when_the_decoder_is_frozen():
    model, params = start(architecture="encoder-decoder", encoder={"layers": 2})
    batch = Batch(BATCH.tokens, BATCH.targets, source=BATCH.tokens[:, ::-1])
    whole = loss_and_gradient(model, params, batch)[1]
    base, trained = params.split(lambda name: name.startswith("encoder.blocks.0."))
    grads = loss_and_gradient(model, Overlay(base, trained), batch)[1]
    for name in grads:
        np.testing.assert_allclose(grads[name], whole[name], rtol=0, atol=1e-13)
        assert grads[name].any() or name.endswith("key.bias")


def test_parameters_are_a_function_of_the_seed_and_their_names():
    model, _ = start()
    again = Transformer(TransformerConfig(**{**SIZES, "layers": 5})).init(np.random.default_rng(0), dtype=np.float64)
    fresh = model.init(np.random.default_rng(0), dtype=np.float64)
    assert np.array_equal(fresh["blocks.2.attention.key.weight"], again["blocks.2.attention.key.weight"])
    assert not np.array_equal(fresh["blocks.2.attention.key.weight"], fresh["blocks.1.attention.key.weight"])
    other = model.init(np.random.default_rng(1), dtype=np.float64)
    assert not np.array_equal(fresh["token_embedding.weight"], other["token_embedding.weight"])
    down = np.concatenate([fresh[f"blocks.{layer}.feed_forward.down.weight"].ravel() for layer in range(3)])
    assert down.std() == pytest.approx(0.02 / np.sqrt(6), rel=0.05)
    assert fresh["token_embedding.weight"].std() == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize("trained", ["position_embedding.weight", "token_embedding.weight"])
def test_one_array_of_the_beginning_alone_may_learn(trained):
    """Then the backward has to reach it through all blocks, though they and the others are frozen."""
    model, params = start()
    _, expected = loss_and_gradient(model, params, BATCH)
    frozen, top = params.split(lambda name: name == trained)
    _, found = loss_and_gradient(model, Overlay(frozen, top), BATCH)
    np.testing.assert_allclose(found[trained], expected[trained], rtol=1e-12, atol=1e-15)
