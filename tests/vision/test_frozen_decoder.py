"""A prefix of vectors of a picture under a frozen language model: the gradient goes through it, and it stays."""

import numpy as np
import pytest

from minigpt import Batch, Overlay, Params, Transformer, TransformerConfig, loss_and_gradient
from minigpt.objectives import loss
from minigpt.ops import IGNORED
from minigpt.optim import warmup_cosine
from minigpt.train import fit

LLAMA = {"vocabulary_size": 13, "width": 12, "layers": 2, "heads": 6, "key_value_heads": 2, "context": 11}
LLAMA |= {"norm": "rms", "activation": "silu", "gated": True, "bias": False, "position": "rotary", "init_std": 0.3}
EYE = {"input": "patches", "input_width": 5, "width": 8, "heads": 2, "layers": 1, "context": 4, "position": "learned"}
RNG = np.random.default_rng(14)


def shown(dtype=np.float64):
    """A decoder of Llama's kind, frozen; what makes its prefix of four vectors, which learns."""
    reader = Transformer(TransformerConfig(**LLAMA))
    frozen = reader.init(np.random.default_rng(0), dtype=dtype)
    model = Transformer(
        TransformerConfig(**LLAMA, architecture="encoder-decoder", encoder_ahead=True, encoder={**EYE, "norm": "rms"})
    )
    fresh = model.init(np.random.default_rng(1), dtype=dtype)
    prefix = fresh.only([name for name in fresh if name not in frozen])
    prefix.flat[...] += (0.2 * np.random.default_rng(2).standard_normal(prefix.flat.shape)).astype(dtype)
    return model, frozen, prefix


def asked(count=3):
    """Questions of five tokens about features of pictures; the answer's two tokens are scored."""
    tokens, targets = RNG.integers(0, 13, (count, 7)), np.full((count, 7), IGNORED)
    targets[:, 5:] = RNG.integers(0, 13, (count, 2))
    return Batch(tokens, targets, source=RNG.standard_normal((count, 4, 5)))


def test_the_gradient_through_the_frozen_decoder_is_numerical():
    model, frozen, prefix = shown()
    batch = asked()
    _, grads = loss_and_gradient(model, Overlay(frozen, prefix), batch)
    assert {*grads} == {*prefix} and "projector.weight" in grads
    for name in prefix:
        direction = RNG.standard_normal(prefix[name].shape)
        direction /= np.linalg.norm(direction)
        sides = []
        for step in (1e-5, -1e-5):
            moved = prefix.copy()
            moved[name] = prefix[name] + step * direction
            sides.append(loss(model, Overlay(frozen, moved), batch))
        slope = (sides[0] - sides[1]) / 2e-5
        assert (grads[name] * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-9), name
        assert abs(slope) > 1e-7, name


def test_the_frozen_decoder_is_not_moved_and_its_prefix_learns():
    model, frozen, prefix = shown(np.float32)
    before, began = frozen.flat.copy(), prefix.copy()
    batch = asked()
    losses = fit(model, Overlay(frozen, prefix), [batch] * 60, warmup_cosine(1e-2, warmup=5, total=60))
    assert losses[-1] < 0.7 * losses[0]
    assert np.array_equal(frozen.flat, before)
    assert all(not np.array_equal(prefix[name], began[name]) for name in prefix)


def test_the_prefix_is_all_that_the_decoder_sees_of_the_picture():
    model, frozen, prefix = shown()
    batch = asked()
    blank = Params(prefix.layout, flat=prefix.flat.copy())
    blank["projector.weight"][...] = 0
    one, two = (model.forward(Overlay(frozen, blank), batch._replace(source=source))[0] for source in
                (batch.source, RNG.standard_normal(batch.source.shape)))  # fmt: skip
    assert np.array_equal(one, two)
    three, _ = model.forward(Overlay(frozen, prefix), batch)
    assert np.abs(three - one).max() > 1e-3
