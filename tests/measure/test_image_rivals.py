"""The rivals of a model that names images: the linear one is as strong as its training images make it."""

import numpy as np

from minigpt.measure.image_rivals import Dense, image_rivals, nearest
from minigpt.measure.rivals import STRENGTHS, LogisticRegression, chosen_strength

RNG = np.random.default_rng(11)


def faint(count):
    """Images of 3 x 4 in two classes, which a faint pixel tells apart under a bright one that says nothing."""
    targets = RNG.integers(0, 2, count)
    images = RNG.standard_normal((count, 3, 4))
    images[:, 0, 0] *= 40
    images[:, 2, 3] = (2 * targets - 1) * 0.8 + 0.5 * RNG.standard_normal(count)
    return images, targets


def test_the_linear_models_strength_is_chosen():
    (learnt, targets), (asked, right) = faint(120), faint(400)
    said = image_rivals(learnt, targets, asked, 2)["linear model"]
    middle, scale = learnt.reshape(120, -1).mean(axis=0), np.abs(learnt).max()
    x, questions = (Dense((some.reshape(len(some), -1) - middle) / scale) for some in (learnt, asked))
    strength = chosen_strength(x, targets, 2)
    assert strength > STRENGTHS[0]
    by_strength = {
        one: LogisticRegression(x, targets, 2, strength=one).probabilities(questions).argmax(axis=1)
        for one in (STRENGTHS[0], strength)
    }
    assert np.array_equal(said, by_strength[strength])
    assert (said == right).mean() > (by_strength[STRENGTHS[0]] == right).mean(), "a fixed strength is easy to beat"


def test_rows_that_are_taken_multiply_as_they_did():
    x, weight = Dense(RNG.standard_normal((7, 5))), RNG.standard_normal((5, 3))
    rows = np.array([4, 0, 4])
    assert np.array_equal(x.take(rows).times(weight), x.times(weight)[rows]) and x.take(rows).width == 5


def test_the_nearest_image_names_the_class():
    learnt, targets = RNG.standard_normal((30, 6)), RNG.integers(0, 4, 30)
    asked = RNG.standard_normal((9, 6))
    distances = ((asked[:, None] - learnt) ** 2).sum(axis=2)
    assert np.array_equal(nearest(learnt, targets, asked), targets[distances.argmin(axis=1)])
