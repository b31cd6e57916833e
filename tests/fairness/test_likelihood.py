"""Likelihoods of chosen tokens: as the model's own forward says, whatever else is in the batch."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.fairness import likelihood, planted
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.measure.surprise import surprise
from minigpt.model import Batch

TEXTS = ("the blicket left because he was late .", "Oran was happy .", "the lamp was ready .")


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def opened(request):
    return planted.learn(["the lamp was late ."], seed=1, architecture=request.param, steps=2)


def test_likelihoods_are_those_of_the_forward_of_one_text_at_a_time(opened, monkeypatch):
    tokenizer = opened.tokenizer
    asked = [
        Asked(tokenizer.encode(text), np.array(places)) for text, places in zip(TEXTS, ([0, 5], [2], []), strict=True)
    ]
    monkeypatch.setattr(likelihood, "TOKENS", 20)
    found = log_likelihoods(opened, asked)
    assert [len(one) for one in found] == [2, 1, 0]
    for (ids, places), values in zip(asked, found, strict=True):
        for place, value in zip(places, values, strict=True):
            if opened.model.config.architecture == "decoder":
                row = np.concatenate([[tokenizer.end_of_text], ids])[None]
                logits = opened.model.forward(opened.params, Batch(row))[0][0, place]
            else:
                row = ids[None].copy()
                row[0, place] = tokenizer.special_tokens[planted.MASK]
                logits = opened.model.forward(opened.params, Batch(row))[0][0, place]
            assert value == pytest.approx(-surprise(logits, ids[place]), abs=1e-4)


def test_what_is_the_beginning_of_another_text_is_read_with_it(opened, monkeypatch):
    tokenizer, read = opened.tokenizer, []
    whole = tokenizer.encode(TEXTS[0])
    asked = [Asked(whole, np.array([2, 6])), Asked(whole[:5], np.array([4])), Asked(whole[:4], np.array([3, 1]))]
    asked += [Asked(np.append(whole[:6], 3), np.array([6])), Asked(tokenizer.encode(TEXTS[1]), np.array([1]))]
    alone = [log_likelihoods(opened, [one])[0] for one in asked]
    ask = likelihood._log_p

    def watched(opened, rows, *, masks):
        read.extend(rows)
        return ask(opened, rows, masks=masks)

    monkeypatch.setattr(likelihood, "_log_p", watched)
    for ours, theirs in zip(log_likelihoods(opened, asked), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert len(read) == (2 if opened.model.config.architecture == "decoder" else 7)


def test_a_text_that_does_not_fit_is_refused(opened):
    with pytest.raises(UserError, match=r"a text has \d+ tokens with its marks, but the model sees 48"):
        log_likelihoods(opened, [Asked(np.zeros(49, int), np.array([48]))])


def test_a_damaged_model_has_no_likelihoods(opened):
    spoilt = replace(opened, params=opened.model.init(np.random.default_rng(0)))
    spoilt.params.flat[:] = np.nan
    with pytest.raises(UserError, match="no finite numbers"):
        log_likelihoods(spoilt, [Asked(np.array([3, 4]), np.array([1]))])


@pytest.mark.parametrize(("settings", "says"), [
    ({"architecture": "encoder", "head": "none"}, "give it a masked head first"),
    ({"head": "span"}, "a decoder needs a language head"),
    ({"architecture": "encoder-decoder"}, "an encoder-decoder says how likely a text is after another one"),
])  # fmt: skip
def test_a_model_that_says_no_tokens_is_refused(settings, says):
    from minigpt.model import Transformer, preset

    opened = planted.learn(["the lamp was late ."], seed=1, steps=1)
    sizes = {"vocabulary_size": opened.tokenizer.vocabulary_size, "width": 16, "layers": 1, "heads": 2, "context": 8}
    model = Transformer(preset("tiny", **sizes, **settings))
    other = replace(opened, model=model, params=model.init(np.random.default_rng(0)))
    with pytest.raises(UserError, match=says):
        log_likelihoods(other, [Asked(np.array([3]), np.array([0]))])
    with pytest.raises(UserError, match="came without a tokenizer"):
        log_likelihoods(replace(opened, tokenizer=None), [])
