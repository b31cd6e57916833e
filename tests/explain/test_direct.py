"""Direct attribution: the parts sum to the number on every architecture whose head is linear."""

import pytest
from explained_models import question_of

from minigpt import UserError
from minigpt.check import CONFIGS
from minigpt.explain import direct_attribution

LINEAR = [
    name
    for name, config in CONFIGS.items()
    if config.head not in ("masked", "pretraining") and not (config.head == "sequence" and config.pooler)
]


@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize("name", LINEAR)
def test_the_parts_sum_to_the_number(name, heads):
    question = question_of(name)
    parts = direct_attribution(question, heads=heads)
    assert parts.scores.sum() == pytest.approx(question.value(), rel=1e-10, abs=1e-10)
    assert len(parts.names) == len(set(parts.names)) == len(parts.scores)
    config = question.model.config
    assert sum(".head." in part for part in parts.names) == heads * config.layers * config.heads * (
        1 + (config.encoder is not None and not config.encoder_ahead)
    )


def test_a_head_without_an_effect_has_no_part():
    question = question_of("modern, grouped heads")
    width = question.model.config.head_width
    question.params["blocks.1.attention.output.weight"][2 * width : 3 * width] = 0
    parts = dict(zip(*direct_attribution(question), strict=True))
    assert parts["blocks.1.attention.head.2"] == 0
    assert parts["blocks.1.attention.head.1"] != 0


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - set(LINEAR)))
def test_a_head_that_is_not_linear_is_refused(name):
    with pytest.raises(UserError, match="is not linear"):
        direct_attribution(question_of(name))
