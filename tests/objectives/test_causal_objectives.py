"""Objectives of a decoder: next token, prefix, filling in the middle."""

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.objectives import causal_lm, fill_in_the_middle, prefix_lm
from minigpt.ops import IGNORED

PREFIX, SUFFIX, MIDDLE = 97, 98, 99


def windows(count=300, length=21):
    return np.arange(count)[:, None] * 0 + np.arange(length)  # each is 0, 1, 2, ...


def fim(rate=1.0, suffix_first=0.5, seed=0, **options):
    marks = {"prefix": PREFIX, "suffix": SUFFIX, "middle": MIDDLE}
    rng = np.random.default_rng(seed)
    return fill_in_the_middle(windows(**options), rng, rate=rate, suffix_first=suffix_first, **marks)


def texts(batch):
    return [np.append(seen, last) for seen, last in zip(batch.tokens, batch.targets[:, -1], strict=True)]


def between(text, start, end):
    return text[list(text).index(start) + 1 : list(text).index(end)]


def test_prefix_suffix_middle():
    for text in texts(fim(suffix_first=0.0)):
        before, after = between(text, PREFIX, SUFFIX), between(text, SUFFIX, MIDDLE)
        inside = text[list(text).index(MIDDLE) + 1 :]
        assert text[0] == PREFIX
        assert np.array_equal(np.concatenate([before, inside, after]), np.arange(18))


def test_suffix_prefix_middle():
    for text in texts(fim(suffix_first=1.0)):
        after, rest = between(text, SUFFIX, MIDDLE), text[list(text).index(MIDDLE) + 1 :]
        assert list(text[:2]) == [PREFIX, SUFFIX]
        assert np.array_equal(np.concatenate([rest, after]), np.arange(18))


def test_shares():
    cut = fim(rate=0.3, count=4000).tokens[:, 0] == PREFIX
    assert cut.mean() == pytest.approx(0.3, abs=0.03)
    first = fim(rate=1.0, suffix_first=0.25, count=4000).tokens[:, 1] == SUFFIX  # PSM with an empty prefix is rare
    assert first.mean() == pytest.approx(0.25 + 0.75 * 2 / 19, abs=0.04)
    assert np.array_equal(fim(rate=0.0).tokens, windows()[:, :-1])


def test_every_cut_is_possible_and_the_input_is_kept():
    given = windows(3000)
    before = given.copy()
    marks = {"prefix": PREFIX, "suffix": SUFFIX, "middle": MIDDLE}
    made = fill_in_the_middle(given, np.random.default_rng(0), rate=1.0, suffix_first=0.0, **marks)
    assert np.array_equal(given, before)
    lengths = {len(between(text, PREFIX, SUFFIX)) for text in texts(made)}
    assert lengths == set(range(19))


def test_a_prefix_is_not_scored_but_its_last_token_is():
    batch = prefix_lm(windows(3, 8), np.array([1, 4, 7]))
    scored = batch.targets != IGNORED
    assert np.array_equal(scored.sum(axis=1), [7, 4, 1])
    assert np.array_equal(batch.targets[1, 3:], [4, 5, 6, 7])


def test_a_prefix_sees_all_of_itself_and_nothing_after():
    model = Transformer(TransformerConfig(vocabulary_size=11, context=7, width=20, layers=2, heads=4, init_std=0.3))
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    tokens = np.random.default_rng(1).integers(0, 11, (1, 8))
    batch = prefix_lm(tokens, np.array([4]))

    def moved(place):
        changed = batch.tokens.copy()
        changed[0, place] = (changed[0, place] + 1) % 11
        difference = model.forward(params, batch._replace(tokens=changed))[0] - model.forward(params, batch)[0]
        return (np.abs(difference).max(axis=(0, 2)) > 0).tolist()

    assert moved(3) == [True] * 7
    assert moved(5) == [False] * 5 + [True] * 2


def test_windows_too_short_for_the_marks_are_named():
    with pytest.raises(UserError, match="windows of 2 tokens have no room for three marks"):
        fill_in_the_middle(np.zeros((2, 2), int), np.random.default_rng(0), prefix=5, suffix=6, middle=7)


def test_bad_prefix_is_named():
    with pytest.raises(UserError, match="do not fit windows of 7"):
        prefix_lm(windows(2, 8), np.array([0, 3]))
    with pytest.raises(UserError, match="do not fit windows of 7"):
        prefix_lm(windows(2, 8), np.array([8, 3]))


def test_causal_targets_are_the_next_tokens():
    batch = causal_lm(windows(2, 5))
    assert batch.tokens.tolist() == [[0, 1, 2, 3]] * 2
    assert batch.targets.tolist() == [[1, 2, 3, 4]] * 2
