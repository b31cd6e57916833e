"""A published vision transformer: pictures become what transformers makes of them, or are refused."""

import json

import numpy as np
import pytest
from conftest import optional
from drawn_png import png, write

from minigpt import Transformer, UserError, save_pretrained
from minigpt.cli import main
from minigpt.pretrained.vit_folder import PREPROCESSOR, PublishedImages, is_published, read_preprocessor
from minigpt.vision.prepare import config_of
from minigpt.vision.resample import FILTERS, NEAREST, resized

RNG = np.random.default_rng(20)
USUAL = {"size": {"height": 6, "width": 8}, "resample": 3, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.5]}


def written(folder, **changes):
    """A small ViT of three classes for colour pictures of 6 x 8."""
    config = config_of((6, 8, 3), 3, 2, "vit", {"width": 8, "layers": 1, "heads": 2})
    model = Transformer(config)
    save_pretrained(folder, model, model.init(np.random.default_rng(0)), "vit", "ViTForImageClassification")
    theirs = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    theirs["id2label"] = {"0": "cat", "1": "dog", "2": "ox"}
    (folder / "config.json").write_text(json.dumps(theirs), encoding="utf-8")
    said = {name: value for name, value in (USUAL | changes).items() if value != "gone"}
    (folder / PREPROCESSOR).write_text(json.dumps(said), encoding="utf-8")
    return folder


@pytest.mark.parametrize("how", [NEAREST, *FILTERS])
@pytest.mark.parametrize("size", [(5, 9), (14, 22), (3, 11), (7, 30), (1, 1), (19, 4)])
@pytest.mark.parametrize("old", [(7, 11), (61, 47)])
def test_resampled_bytes_are_pillows(how, size, old):
    image = optional("PIL.Image")
    pixels = RNG.integers(0, 256, (2, *old, 3), dtype=np.uint8)
    pixels[1] = 255 * (pixels[1] > 128)  # edges, where cubic filters overshoot
    kind = getattr(image.Resampling, how.upper())
    # One axis after the other, for which of them Pillow takes first depends on its version.
    theirs = [
        np.asarray(image.fromarray(one).resize((size[1], old[0]), kind).resize(size[::-1], kind)) for one in pixels
    ]
    np.testing.assert_array_equal(resized(pixels, size, how), np.stack(theirs))


@pytest.mark.parametrize("resample", [0, 1, 2, 3])
@pytest.mark.parametrize(("size", "levels"), [((4, 5), 0), ((61, 83), 0), ((5, 40), 0), ((200, 9), 2)])
def test_what_the_model_sees_is_what_transformers_gives_it(tmp_path, resample, size, levels):
    transformers, torch = optional("transformers"), optional("torch")
    optional("PIL.Image")
    folder = written(tmp_path / "vit", resample=resample)
    pixels = RNG.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    kind = getattr(transformers, "ViTImageProcessorPil", transformers.ViTImageProcessor)  # as older ones call it
    processor = kind.from_pretrained(folder)
    theirs = processor(list(pixels), return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    ours = PublishedImages(folder)
    seen = ours.preprocessor.scaled(pixels, (3, 6, 8))
    # The same bytes, but where Pillow takes columns first, and rounds them: that moves some by a level or two.
    np.testing.assert_allclose(seen, theirs.numpy(), rtol=0, atol=levels * 1.01 / 255 / 0.2 + 1e-5)
    model = transformers.ViTForImageClassification.from_pretrained(folder)
    with torch.no_grad():
        shares = model(torch.tensor(seen)).logits.softmax(-1).numpy()
    np.testing.assert_allclose(ours.probabilities(pixels), shares, rtol=0, atol=1e-5)


def test_predict_names_a_picture_of_any_size(tmp_path, capsys):
    folder = written(tmp_path / "vit", do_convert_rgb=True)
    picture = str(write(tmp_path / "a.png", png(RNG.integers(0, 256, (12, 10, 1), dtype=np.uint8))))
    assert is_published(folder) and not is_published(tmp_path)
    assert main(["predict", str(folder), picture, "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["label"] in said["probabilities"] and {*said["probabilities"]} == {"cat", "dog", "ox"}
    np.savez(tmp_path / "some.npz", images=RNG.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8), labels=["cat", "ox"] * 2)
    assert main(["predict", str(folder), str(tmp_path / "some.npz"), "--measure", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 4


def test_settings_that_are_left_out_or_turned_off(tmp_path):
    pixels = RNG.integers(0, 256, (1, 6, 8, 3), dtype=np.uint8)
    moved = np.moveaxis(pixels, -1, 1).astype(np.float32)

    def seen(**changes):
        return read_preprocessor(written(tmp_path / str(len(list(tmp_path.iterdir()))), **changes)).scaled(
            pixels, (3, 6, 8)
        )

    np.testing.assert_allclose(seen(do_normalize=False), moved / 255, rtol=1e-5)
    np.testing.assert_allclose(seen(do_normalize=False, do_rescale=False), moved, rtol=0)
    np.testing.assert_allclose(seen(image_mean="gone", image_std="gone"), moved / 255 * 2 - 1, rtol=0, atol=1e-5)
    np.testing.assert_allclose(seen(do_normalize=False, rescale_factor=0.5), moved / 2, rtol=0)
    usual = read_preprocessor(written(tmp_path / "usual", size="gone", resample="gone"))
    assert (usual.size, usual.resample) == ((224, 224), "bilinear")
    assert read_preprocessor(written(tmp_path / "square", size=9)).size == (9, 9)


@pytest.mark.parametrize(("changes", "message"), [
    ({"size": {"shortest_edge": 256}}, "size is .*an object of height and width"),
    ({"resample": 5}, "resample"),
    ({"do_center_crop": True}, "do_center_crop is True, which is not understood"),
    ({"data_format": "channels_last"}, "data_format is 'channels_last'"),
    ({"image_processor_type": "CLIPImageProcessor"}, "image_processor_type"),
    ({"image_std": [0.2, 0.0, 0.5]}, "no deviation 0"),
    ({"image_mean": [0.2]}, "must be of one length"),
    ({"rescale_factor": "1/255"}, "rescale_factor"),
    ({"do_resize": False}, "the pictures are 5 x 8 with 3 channels, but this model sees 6 x 8"),
])  # fmt: skip
def test_what_is_not_understood_is_named(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        folder = written(tmp_path, **changes)
        PublishedImages(folder).probabilities(np.zeros((1, 5, 8, 3), np.uint8))


def test_pixels_that_were_divided_already_are_refused(tmp_path):
    model = PublishedImages(written(tmp_path))
    with pytest.raises(UserError, match=r"multiplies by a rescale_factor of 0\.003922 first; give pictures of bytes"):
        model.probabilities(RNG.random((1, 6, 8, 3)).astype(np.float32))


def test_grey_pictures_and_folders_without_a_preprocessor_are_refused(tmp_path):
    folder = written(tmp_path)
    with pytest.raises(UserError, match="with 1 channels, but this model sees 6 x 8 with 3"):
        PublishedImages(folder).probabilities(np.zeros((1, 6, 8, 1), np.uint8))
    (folder / PREPROCESSOR).unlink()
    with pytest.raises(UserError, match=r"has no preprocessor_config\.json, which says how pictures become numbers"):
        PublishedImages(folder)
