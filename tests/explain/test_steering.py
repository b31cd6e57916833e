"""Steering adds a direction where it says, and moves the answer that way."""

import numpy as np
import pytest
from explained_models import question_of

from minigpt import Call, UserError
from minigpt.explain import direction_between, steering


def test_a_direction_is_added_after_its_block_and_nowhere_else():
    question = question_of("GPT-2")
    before, after = {}, {}
    question.value(Call(hook=before.setdefault))
    direction = np.arange(30.0)
    question.value(steering(direction, 0, 2.0, positions=[-1], call=Call(hook=after.setdefault)))
    name = "blocks.0.residual_post"
    assert np.allclose(after[name][0, -1] - before[name][0, -1], 2 * direction)
    assert np.array_equal(after[name][0, :-1], before[name][0, :-1])
    assert np.array_equal(after["blocks.0.residual_mid"], before["blocks.0.residual_mid"])
    assert question.value(steering(direction, 0, 0.0)) == question.value()


def test_the_difference_of_two_texts_takes_the_last_layer_from_one_to_the_other():
    question = question_of("GPT-2")
    other = question.other(np.roll(question.batch.tokens, 2, axis=1))
    direction = direction_between([other], [question], 1)
    assert question.value(steering(direction, 1, positions=[-1])) == pytest.approx(other.value())


def test_what_does_not_fit_is_refused():
    question = question_of("GPT-2")
    with pytest.raises(UserError, match="the stream is 30 wide"):
        question.value(steering(np.zeros(29), 0))
    with pytest.raises(UserError, match="no block 5"):
        direction_between([question], [question], 5)
