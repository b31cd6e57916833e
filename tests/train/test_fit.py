"""The short way to train: a loop over batches."""

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, causal_lm, fit

CONFIG = TransformerConfig(vocabulary_size=9, context=8, width=12, layers=1, heads=2)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_embeddings_decay_as_much_as_was_asked_for(weight_decay):
    """Where there is no gradient, decay is all that changes a parameter."""
    model = Transformer(CONFIG)
    params = model.init(np.random.default_rng(0))
    before = params["position_embedding.weight"][4:].copy()
    batch = causal_lm(np.array([[1, 2, 3]]))  # later positions are never seen
    fit(model, params, [batch] * 2, lambda step: 0.1, weight_decay=weight_decay)
    wanted = before * (1 - 0.1 * weight_decay) ** 2
    np.testing.assert_allclose(params["position_embedding.weight"][4:], wanted, rtol=1e-6)
