"""Masked language modelling: what is hidden, what is asked for, and in which shares."""

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.objectives import masked_lm
from minigpt.ops import IGNORED

MASK, V = 50, 51


def rows(count=200, length=40, seed=0):
    return np.random.default_rng(seed).integers(3, 50, (count, length))


def mask(tokens, seed=1, **options):
    return masked_lm(tokens, np.random.default_rng(seed), mask=MASK, vocabulary_size=V, **options)


@pytest.mark.parametrize(("rate", "chosen"), [(0.15, 6), (0.4, 16), (0.001, 1), (1.0, 40)])
def test_every_row_is_asked_for_its_share(rate, chosen):
    batch = mask(rows(), rate=rate)
    assert ((batch.targets != IGNORED).sum(axis=1) == chosen).all()


def test_targets_are_the_tokens_and_the_rest_is_unchanged():
    tokens = rows()
    batch = mask(tokens)
    asked = batch.targets != IGNORED
    assert np.array_equal(batch.targets[asked], tokens[asked])
    assert np.array_equal(batch.tokens[~asked], tokens[~asked])


def test_eighty_ten_ten():
    tokens = rows(2000)
    batch = mask(tokens)
    asked = batch.targets != IGNORED
    masked = (batch.tokens == MASK)[asked].mean()
    kept = (batch.tokens == tokens)[asked].mean()
    assert masked == pytest.approx(0.8 + 0.1 / V, abs=0.01)  # a random token may be the mask
    assert kept == pytest.approx(0.1 + 0.1 / V, abs=0.01)


def test_special_tokens_and_padding_are_never_chosen():
    tokens = rows()
    tokens[:, 0], tokens[:, 20] = 1, 2
    present = np.arange(40) < np.random.default_rng(2).integers(5, 41, (200, 1))
    batch = mask(tokens, rate=1.0, special=(1, 2), present=present)
    asked = batch.targets != IGNORED
    assert np.array_equal(asked, present & ~np.isin(tokens, (1, 2)))
    assert batch.present is present


def test_whole_words_are_chosen_together():
    tokens = rows()
    starts = np.random.default_rng(3).random(tokens.shape) < 0.4
    starts[:, 0] = True
    asked = mask(tokens, word_starts=starts).targets != IGNORED
    for row, begins in zip(asked, starts, strict=True):
        for word in np.split(row, np.flatnonzero(begins)[1:]):
            assert word.all() or not word.any()
        assert 6 <= row.sum() < 6 + max(len(word) for word in np.split(row, np.flatnonzero(begins)[1:]))


def test_the_same_seed_hides_the_same():
    assert all(np.array_equal(a, b) for a, b in zip(mask(rows())[:2], mask(rows())[:2], strict=True))
    assert not np.array_equal(mask(rows()).tokens, mask(rows(), seed=2).tokens)


def test_bad_input_is_named():
    with pytest.raises(UserError, match="must be shares"):
        mask(rows(), rate=0)
    with pytest.raises(UserError, match="must be shares"):
        mask(rows(), masked=0.8, random=0.3)
    with pytest.raises(UserError, match="no token that could be masked"):
        mask(np.full((2, 3), 1), special=(1,))
