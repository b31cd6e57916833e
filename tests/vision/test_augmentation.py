"""Images changed at random: each change is what it says, and all of it follows from the generator."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.vision import Augmentation
from minigpt.vision.augment import augmented, sampled

RNG = np.random.default_rng(8)
IMAGES = RNG.standard_normal((40, 2, 7, 6))


def changed(seed=0, images=IMAGES, **how):
    return augmented(images, Augmentation(**how), np.random.default_rng(seed))


def moved(image, down, right):
    """The image so many pixels lower and further right; the edges fill what comes in."""
    _, height, width = image.shape
    rows, columns = np.clip(np.arange(height) - down, 0, height - 1), np.clip(np.arange(width) - right, 0, width - 1)
    return image[:, rows][:, :, columns]


def test_nothing_asked_for_changes_nothing():
    assert changed() is IMAGES


def test_a_shift_moves_by_whole_pixels_and_every_step_occurs():
    found = changed(shift=1)
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    which = [[np.array_equal(new, moved(old, *step)) for step in steps] for old, new in zip(IMAGES, found, strict=True)]
    assert all(sum(row) == 1 for row in which) and np.array(which).any(axis=0).all()


def test_a_flip_turns_about_half_of_them_round():
    found = changed(flip=True)
    same, turned = (
        [np.array_equal(new, old[..., ::step]) for old, new in zip(IMAGES, found, strict=True)] for step in (1, -1)
    )
    assert all(a != b for a, b in zip(same, turned, strict=True)) and 10 < sum(turned) < 30


def test_a_crop_shows_a_part_larger():
    """A slope stays one, less steep, and never leaves what the image had."""
    slope = np.broadcast_to(np.arange(9.0), (30, 1, 9, 9)).copy()
    found = changed(images=slope, crop=0.5)
    step = np.diff(found, axis=-1)
    np.testing.assert_allclose(step, np.broadcast_to(step[:, :, :1, :1], step.shape), atol=1e-12)
    assert step.min() > 0.5 and step.max() <= 1 and step[:, 0, 0, 0].std() > 0.05
    assert found.min() >= 0 and found.max() <= 8
    np.testing.assert_allclose(np.diff(found, axis=2), 0, atol=1e-12)


def test_a_turn_by_a_right_angle_is_numpys():
    image = RNG.standard_normal((1, 3, 5, 5))
    y, x = np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="ij")
    np.testing.assert_allclose(sampled(image, x[None], 4 - y[None]), np.rot90(image, -1, axes=(3, 2)), atol=1e-12)
    disc = np.hypot(*np.meshgrid(np.arange(-4, 5), np.arange(-4, 5)))[None, None].repeat(20, 0)
    inside = disc[0, 0] < 3.5
    found = changed(images=disc, turn=180.0)
    assert np.abs(found - disc)[:, 0, inside].max() < 0.45, "a disc is a disc however it is turned"
    lines = changed(images=np.eye(9)[None, None].repeat(20, 0), turn=90.0)
    assert not any(np.allclose(one, np.eye(9)) for one in lines)


def test_between_pixels_it_is_bilinear():
    image = np.array([[1.0, 3.0], [5.0, 11.0]])[None, None]
    found = sampled(image, np.array([[[0.25]]]), np.array([[[0.5]]]))
    assert found.shape == (1, 1, 1, 1) and found.item() == pytest.approx(0.75 * 2 + 0.25 * 8)


def test_the_same_generator_gives_the_same_images_and_another_others():
    how = {"shift": 2, "crop": 0.3, "turn": 20.0, "flip": True}
    assert np.array_equal(changed(5, **how), changed(5, **how))
    assert not np.array_equal(changed(5, **how), changed(6, **how))
    assert changed(5, images=IMAGES.astype(np.float32), **how).dtype == np.float32


@pytest.mark.parametrize(("text", "how"), [
    ("none", Augmentation()),
    ("shift:2", Augmentation(shift=2)),
    ("shift:1, crop:0.25,turn:10,flip", Augmentation(shift=1, crop=0.25, turn=10.0, flip=True)),
])  # fmt: skip
def test_words_of_the_command_line(text, how):
    assert Augmentation.from_text(text) == how


@pytest.mark.parametrize(("text", "message"), [
    ("shear:2", "augmentation 'shear:2' is not understood"),
    ("flip:1", "augmentation 'flip:1' is not understood"),
    ("shift", "augmentation 'shift' is not understood"),
    ("shift:1,shift:2", "'shift:2' is not understood; write .* once"),
    ("shift:1,none", "'none' is not understood"),
    ("", "augmentation '' is not understood"),
    ("shift:1.5", "shift is '1.5', but it must be a whole number"),
    ("shift:-1", "shift is -1"),
    ("crop:1", "crop is 1.0, but it must be a number of at least 0 and less than 1"),
    ("turn:nan", "turn is nan"),
])  # fmt: skip
def test_words_that_are_not_understood(text, message):
    with pytest.raises(UserError, match=message):
        Augmentation.from_text(text)
