"""Two towers: their gradient, what they learn of scenes, and how retrieval is counted."""

import math

import numpy as np
import pytest
from conftest import optional

from minigpt import CharacterTokenizer, UserError
from minigpt.optim import warmup_cosine
from minigpt.vision import Images
from minigpt.vision.scenes import PLACES, WORDS, Arrangement, arrangements, compose, named_digits, shared_out
from minigpt.vision.towers import (
    MOST_SCALE,
    fit_towers,
    found_first,
    image_vectors,
    loss_and_gradient,
    nearest_texts,
    text_batch,
    text_vectors,
    towers_for,
)

RNG = np.random.default_rng(6)
TEXTS = ["a cat", "the dog ran", "ox"]
TOKENIZER = CharacterTokenizer.train(TEXTS)


def small(dtype=np.float64):
    towers = towers_for((6, 4, 1), TOKENIZER.vocabulary_size, 11, patch=2, width=5)
    params = towers.init(np.random.default_rng(0), dtype=dtype)
    params.flat[...] += (0.1 * np.random.default_rng(1).standard_normal(params.flat.size)).astype(dtype)
    return towers, params


def test_the_gradient_of_both_towers_and_of_the_temperature_is_numerical():
    towers, params = small()
    images, texts = RNG.standard_normal((3, 1, 6, 4)), text_batch(TOKENIZER, TEXTS)
    _, grads = loss_and_gradient(towers, params, images, texts)
    edge = params.images.flat.size
    parts = {"images": slice(0, edge), "texts": slice(edge, -1), "log_scale": slice(-1, None)}
    for name, part in parts.items():
        for _ in range(3):
            direction = np.zeros_like(params.flat)
            direction[part] = RNG.standard_normal(direction[part].shape)
            direction /= np.linalg.norm(direction)
            sides = [
                loss_and_gradient(towers, towers.params(params.flat + step * direction), images, texts)[0]
                for step in (1e-5, -1e-5)
            ]
            slope = (sides[0] - sides[1]) / 2e-5
            assert grads.flat @ direction == pytest.approx(slope, rel=1e-6, abs=1e-9), name
            assert abs(slope) > 1e-6


def test_the_loss_is_clips_own():
    """As transformers' CLIP computes it of the same vectors."""
    torch = optional("torch")
    towers, params = small()
    images, texts = RNG.standard_normal((3, 1, 6, 4)), text_batch(TOKENIZER, TEXTS)
    loss, _ = loss_and_gradient(towers, params, images, texts)
    u = torch.tensor(image_vectors(towers, params, images))
    v = torch.tensor(text_vectors(towers, params, TOKENIZER, TEXTS))
    logits = math.exp(params.log_scale[0]) * v @ u.T
    right, cross_entropy = torch.arange(3), torch.nn.functional.cross_entropy
    theirs = (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2
    assert loss == pytest.approx(float(theirs), rel=1e-10)


def test_padding_of_a_text_changes_no_vector():
    towers, params = small()
    together = text_vectors(towers, params, TOKENIZER, TEXTS)
    for row, text in enumerate(TEXTS):
        alone = text_vectors(towers, params, TOKENIZER, [text])
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=1e-12)


def bars():
    """Three kinds of pictures that a small model tells apart at once, called 0, 1 and 2."""
    pixels = np.zeros((30, 4, 4, 1), np.uint8)
    for number, picture in enumerate(pixels):
        picture[...] = RNG.integers(0, 40, picture.shape)
        picture[[slice(0, 2), slice(2, 4), slice(0, 4)][number % 3], :] += 180
    return Images(pixels, tuple(str(n % 3) for n in range(30)), tuple(map(str, range(30))))


def test_a_scene_is_what_its_caption_says():
    digits = named_digits(bars())
    assert set(digits.labels) == {"zero", "one", "two"}
    every = arrangements(("zero", "two"))
    assert len(every) == len(set(every)) == 2 * len(PLACES) * 2
    scenes = compose(digits, every * 4, np.random.default_rng(0))
    known = {label: [p.tobytes() for p, one in zip(digits.pixels, digits.labels, strict=True) if one == label]
             for label in ("zero", "two")}  # fmt: skip
    rooms = set()
    for scene, caption, one in zip(scenes.pixels, scenes.captions, every * 4, strict=True):
        assert caption == f"a {one.first} {one.place} a {one.second}"
        quarters = {(r, c): scene[4 * r : 4 * r + 4, 4 * c : 4 * c + 4] for r in (0, 1) for c in (0, 1)}
        first, second = sorted(place for place, quarter in quarters.items() if quarter.any())
        assert (second[0] - first[0], second[1] - first[1]) == {"above": (1, 0), "left of": (0, 1)}[one.place]
        assert quarters[first].tobytes() in known[one.first] and quarters[second].tobytes() in known[one.second]
        rooms.add((one.place, first))
    assert len(rooms) == 4, "a pair stands in either half"
    again = compose(digits, every * 4, np.random.default_rng(0))
    assert np.array_equal(scenes.pixels, again.pixels)
    with pytest.raises(UserError, match="whose classes are 0 to 9"):
        named_digits(bars()._replace(labels=("cat",) * 30))


def test_captions_are_english_and_every_word_of_those_held_out_is_trained_on():
    assert Arrangement("eight", "left of", "one").caption == "an eight left of a one"
    trained, never = shared_out()
    assert (len(trained), len(never)) == (180, 20) and not {*trained} & {*never}
    for part in range(3):
        assert {one[part] for one in trained} == ({*WORDS} if part != 1 else {*PLACES})


def test_pictures_and_texts_that_belong_together_come_together():
    digits = named_digits(bars())
    names, towers = ("zero", "one", "two"), None
    tokenizer = CharacterTokenizer.train(names)
    towers = towers_for((4, 4, 1), tokenizer.vocabulary_size, 4, patch=2, width=8)
    params = towers.init(np.random.default_rng(0))
    before = float(params.log_scale[0])
    rows = {name: np.flatnonzero(np.array(digits.labels) == name) for name in names}
    scaled = (np.moveaxis(digits.pixels, -1, 1).astype(np.float32) - 100) / 90

    def batches(steps):
        for step in range(steps):
            rng = np.random.default_rng(step)
            yield scaled[[rng.choice(rows[name]) for name in names]], text_batch(tokenizer, names)

    losses = fit_towers(towers, params, batches(60), warmup_cosine(3e-3, warmup=5, total=60))
    assert losses[-1] < 0.3 < losses[0]
    assert float(params.log_scale[0]) != before and float(params.log_scale[0]) <= np.float32(MOST_SCALE)
    said = nearest_texts(image_vectors(towers, params, scaled), text_vectors(towers, params, tokenizer, names))
    assert np.mean([names[one] == label for one, label in zip(said, digits.labels, strict=True)]) > 0.9


def test_retrieval_counts_the_own_partner_among_so_many():
    vectors = np.eye(6)
    assert found_first(vectors, np.arange(6), vectors, 6, np.random.default_rng(0)).all()
    assert not found_first(vectors, np.array([1, 2, 3, 4, 5, 0]), vectors, 6, np.random.default_rng(0)).any()
    vague = np.random.default_rng(1).standard_normal((400, 3))
    other = np.random.default_rng(2).standard_normal((400, 3))
    assert found_first(vague, np.arange(400), other, 4, np.random.default_rng(0)).mean() == pytest.approx(
        0.25, abs=0.07
    )


def test_what_does_not_fit_is_named():
    towers, params = small()
    with pytest.raises(UserError, match="but these towers need"):
        towers.params(np.zeros(3))
    params.texts["classifier.weight"][...] = np.nan
    batch = (RNG.standard_normal((3, 1, 6, 4)), text_batch(TOKENIZER, TEXTS))
    with np.errstate(invalid="ignore"), pytest.raises(UserError, match="the loss of step 0 is nan"):
        fit_towers(towers, params, [batch], lambda step: 1e-3)
