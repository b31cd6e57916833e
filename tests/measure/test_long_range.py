"""Loss by position, needles and induction: each finds what was put there."""

import numpy as np
import pytest
from infer.small_model import small_model

from minigpt import BytePairTokenizer, UserError
from minigpt.measure import mean_loss
from minigpt.measure.long_range import (
    induction_score,
    loss_by_position,
    needle_texts,
    needle_tokens,
    retrieval,
    stretched,
    token_losses,
)
from minigpt.ops import cross_entropy_forward


def test_token_losses_are_the_cross_entropy_of_each():
    model, params = small_model(context=300)
    tokens = np.random.default_rng(0).integers(0, 23, (2, 281))
    losses = token_losses(model, params, tokens)
    logits, _ = model.forward(params, tokens[:, :-1])
    wanted = [[cross_entropy_forward(logits[b, t], tokens[b, t + 1])[0] for t in (0, 7, 279)] for b in range(2)]
    np.testing.assert_allclose(losses[:, [0, 7, 279]], wanted, rtol=1e-10)


def test_loss_by_position_covers_all_windows_and_its_mean_is_the_loss():
    model, params = small_model()
    tokens = np.random.default_rng(0).integers(0, 23, 12 * 9 + 1)
    found = loss_by_position(model, params, tokens, bins=5)
    assert [(one.start, one.stop) for one in found] == [(0, 2), (2, 4), (4, 7), (7, 9), (9, 12)]
    mean = sum((one.stop - one.start) * one.nats.value for one in found) / 12
    assert mean == pytest.approx(mean_loss(model, params, tokens, stride=12), rel=1e-10)
    assert all(one.nats.low < one.nats.value < one.nats.high for one in found)
    with pytest.raises(UserError, match=r"20 tokens hold 1 windows of 12 .* take a longer text or shorter windows"):
        loss_by_position(model, params, tokens[:20])
    with pytest.raises(UserError, match="a window of 12 tokens has no 13 equal parts"):
        loss_by_position(model, params, tokens, bins=13)


def test_a_model_is_asked_about_longer_texts_if_its_positions_allow_it():
    rotary, params = small_model(position="rotary")
    tokens = np.random.default_rng(0).integers(0, 23, 200)
    longer = stretched(rotary, 40, rotary_scaling={"kind": "yarn", "factor": 4.0, "original_context": 12})
    assert loss_by_position(longer, params, tokens, bins=2)[1].stop == 40
    with pytest.raises(UserError, match="has learned 12 positions and has none for 40"):
        stretched(small_model()[0], 40)


def test_needles_stand_where_they_should_and_only_one_answers():
    asked = needle_tokens(np.random.default_rng(0), 50, 60, 30, vocabulary_size=40, needles=4)
    for row, (answer,) in zip(asked.tokens, asked.answers, strict=True):
        assert row[-2] == 0
        assert list(row[28:31]) == [0, row[-1], answer]
        keys = row[1:][row[:-1] == 0][:-1]
        assert len(set(keys)) == len(keys) == 4
    with pytest.raises(UserError, match="20 needles at a distance of 30 do not fit"):
        needle_tokens(np.random.default_rng(0), 1, 60, 30, vocabulary_size=400, needles=20)


def test_needle_texts_say_what_is_asked():
    tokenizer = BytePairTokenizer([])
    filler = "".join(f"Line {i} of a long text. " for i in range(200))
    rng = np.random.default_rng(0)
    asked = needle_texts(rng, tokenizer, filler, 5, 600, 300, needles=3)
    for row, answer in zip(asked.tokens, asked.answers, strict=True):
        text, said = tokenizer.decode(row), tokenizer.decode(answer)
        question = text[text.rindex(" The secret") :]
        name = question.split(" of ")[1].split(" ")[0]
        at = text.index(f" The secret number of {name} is{said}.")
        assert text.rindex(" The secret") - at == 300
        assert text.count("The secret number") == 4
        assert len(row) == 600 + len(answer) - 1


def test_retrieval_counts_the_likeliest_tokens():
    model, params = small_model(context=30)
    asked = needle_tokens(np.random.default_rng(0), 40, 30, 9, vocabulary_size=23)
    logits, _ = model.forward(params, asked.tokens)
    known = asked._replace(answers=logits[:, -1:].argmax(axis=-1))
    assert retrieval(model, params, known).value == 1
    known.answers[:10] += 1
    assert retrieval(model, params, known).value == 0.75


def test_induction_sees_the_head_that_looks_at_what_followed():
    """Positions say enough: queries meet the key of the position `length - 1` before, and values say the token."""
    length, width = 5, 24
    model, params = small_model(
        width=width, layers=1, heads=1, vocabulary_size=12, context=10, feed_forward_width=1, tied=False, bias=False
    )
    params.flat[:] = 0
    for name, array in params.items():
        if name.endswith("gain"):
            array[...] = 1
    params["token_embedding.weight"][:, :12] = np.eye(12)
    params["position_embedding.weight"][:, 12:22] = np.eye(10)
    params["blocks.0.attention.key.weight"][12:22, 12:22] = np.eye(10)
    for t in range(length - 1, 10):
        params["blocks.0.attention.query.weight"][12 + t, 12 + t - (length - 1)] = 30
    params["blocks.0.attention.value.weight"][:12, :12] = np.eye(12)
    params["blocks.0.attention.output.weight"][:12, :12] = 5 * np.eye(12)
    params["head.weight"][:12, :12] = 5 * np.eye(12)
    found = induction_score(model, params, np.random.default_rng(0), count=20, length=length)
    assert found.heads.shape == (1, 1) and found.heads[0, 0] > 0.99
    assert found.second.high < 0.1 < found.first.low and found.gain > 2
    plain, params = small_model()
    nothing = induction_score(plain, params, np.random.default_rng(0), length=6)
    assert abs(nothing.gain) < 2 and nothing.heads.max() < 0.9
    with pytest.raises(UserError, match="7 tokens twice do not fit the context of 12"):
        induction_score(plain, params, np.random.default_rng(0), length=7)
