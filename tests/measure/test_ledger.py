"""What the ledger counts, against the arrays that are really kept. Whole ranks: `tests/parallel/test_memory.py`."""

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.measure.ledger import block_numbers, held, mean_seen, predict
from minigpt.measure.scale import Layout

SIZES = {"vocabulary_size": 41, "context": 100, "width": 24, "layers": 2, "heads": 4}
BLOCKS = {
    "relu": {"activation": "relu"},
    "gelu, post-norm": {"activation": "gelu", "norm_place": "post"},
    "gated relu": {"activation": "relu", "gated": True, "norm": "rms"},
    "two groups, rotary": {
        "gated": True,
        "activation": "silu",
        "key_value_heads": 2,
        "position": "rotary",
        "norm": "rms",
        "bias": False,
    },
}


@pytest.mark.parametrize("choices", BLOCKS.values(), ids=BLOCKS)
def test_what_a_block_keeps_is_counted(choices):
    """The arrays in the cache of one block, but for the few numbers that do not depend on the batch."""
    config = TransformerConfig(**SIZES, **choices)
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 41, (8, 100))
    _, cache = model.forward(params, tokens)
    (_, first), _ = cache.stack.blocks
    rotary = 2 * 100 * config.head_width // 2 * 4 if config.position == "rotary" else 0
    kept = held(first, params) - params.flat.nbytes - rotary
    assert kept == pytest.approx(4 * tokens.size * block_numbers(config, config), rel=0.005)


def test_keys_that_no_query_of_a_piece_sees_are_not_kept():
    assert mean_seen(64) == 64
    assert mean_seen(128) == (64 + 128) / 2
    assert mean_seen(100) == (64 * 64 + 36 * 100) / 100


def test_what_is_in_two_places_counts_once():
    a = np.zeros(10)
    assert held((a, [a[2:5]], {"b": a.reshape(2, 5).T}), np.zeros(3)) == 13 * 8


@pytest.mark.parametrize("choices", [{"dropout": 0.1}, {"experts": 4}], ids=str)
def test_what_is_not_counted_is_refused(choices):
    with pytest.raises(UserError, match="without dropout and experts"):
        predict(TransformerConfig(**SIZES, **choices), Layout(), 8)
