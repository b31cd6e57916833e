"""The lens: its last row is the model; a translator learns; refusals."""

import numpy as np
import pytest
from explained_models import HEADLESS, WITH_HEAD, start

from minigpt import UserError
from minigpt.explain import Translators, lens_logits, logit_lens, tuned_lens
from minigpt.explain.lens import _divergences, streams_of
from minigpt.optim import constant


@pytest.mark.parametrize("name", WITH_HEAD)
def test_the_last_row_is_the_models_answer_to_the_bit(name):
    model, params, batch = start(name, dtype=np.float32)
    output, _ = model.forward(params, batch)
    output = output[0] if isinstance(output, tuple) else output
    *_, last = streams_of(model, params, batch).values()
    assert np.array_equal(lens_logits(model, params, last, batch), output)


@pytest.mark.parametrize("name", ["GPT-2", "ViT", "BERT, masked", "Whisper"])
def test_answers_ranks_and_probabilities_are_those_of_the_logits(name):
    model, params, batch = start(name)
    lens = logit_lens(model, params, batch, top=2, target=3)
    assert lens.names == ("embedding", *(f"block {layer}" for layer in range(model.config.layers)))
    for row, x in enumerate(streams_of(model, params, batch).values()):
        logits = lens_logits(model, params, x, batch)[0]
        logits = logits.reshape(-1, logits.shape[-1])
        order = np.argsort(-logits, axis=-1)
        assert np.array_equal(lens.tokens[row], order[:, :2])
        assert np.array_equal(lens.ranks[row], np.argmax(order == 3, axis=-1))
        chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        assert np.allclose(lens.target_probabilities[row], chances[:, 3])
    assert logit_lens(model, params, batch).ranks is None


def test_a_translators_gradient_is_right():
    model, params, batch = start("2017, post-norm")
    lens = Translators(3, model.config.width, np.float64)
    rng = np.random.default_rng(0)
    lens.params.flat[...] = 0.1 * rng.standard_normal(lens.params.flat.size)
    _, grads = _divergences(lens, model, params, batch)
    way = rng.standard_normal(lens.params.flat.size)
    sides = []
    for sign in (1, -1):
        moved = Translators(3, model.config.width, np.float64)
        moved.params.flat[...] = lens.params.flat + sign * 1e-6 * way
        sides.append(sum(_divergences(moved, model, params, batch)[0]))
    assert grads.flat @ way == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6)


def test_a_tuned_lens_learns_and_leaves_the_last_row_alone():
    model, params, batch = start("GPT-2", dtype=np.float32)
    lens, losses = tuned_lens(model, params, [batch] * 60, constant(0.01))
    assert (losses[-1] < 0.3 * losses[0]).all()
    plain, tuned = (logit_lens(model, params, batch, translators=one) for one in (None, lens))
    assert np.array_equal(plain.probabilities[-1], tuned.probabilities[-1])
    assert not np.array_equal(plain.probabilities[0], tuned.probabilities[0])


@pytest.mark.parametrize("name", HEADLESS)
def test_a_model_without_a_head_is_refused(name):
    model, params, batch = start(name)
    with pytest.raises(UserError, match="without a head"):
        logit_lens(model, params, batch)


def test_a_target_that_is_no_answer_is_refused():
    model, params, batch = start("GPT-2")
    with pytest.raises(UserError, match="not among the 13"):
        logit_lens(model, params, batch, target=13)
