"""A run on images: it learns, is resumed to the bit, is asked and measured, and refuses what is not its own."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minigpt import UserError, open_model
from minigpt.cli import main
from minigpt.doctor import examine_run
from minigpt.files import read_json, write_json
from minigpt.model.params import sha256_of
from minigpt.train import Interrupted, OneProcess, TrainSettings, steps_done, train
from minigpt.train.folder import newest
from minigpt.vision import Augmentation, Images, Seen, open_image_folder, prepare_images, train_images
from minigpt.vision.data import ImageData
from minigpt.vision.read import read_images
from minigpt.vision.seen import answers, images_sha256

SMALL = {"width": 16, "layers": 1, "heads": 2, "init_std": 0.1}
NAMES = ("left", "right")
SHIFTED = Augmentation(shift=1)


def pictures(count, seed=0, size=(6, 8, 1)):
    """A bright half on the left or on the right, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    pixels = rng.integers(0, 90, (count, *size), dtype=np.uint8)
    for picture, label in zip(pixels, labels, strict=True):
        half = picture.shape[1] // 2
        picture[:, half * label : half * (label + 1)] += 100
    return Images(pixels, tuple(NAMES[label] for label in labels), tuple(f"picture {n}" for n in range(count)))


def in_fractions(images):
    return images._replace(pixels=(images.pixels / 255).astype(np.float32))


def prepared(path, *, augment=SHIFTED, **settings):
    given = {"steps": 24, "batch": 8, "warmup": 4, "validate_every": 8, "log_every": 1, "learning_rate": 1e-2}
    settings = TrainSettings(**{**given, **settings})
    return prepare_images(path, pictures(60), patch=2, augment=augment, changes=SMALL, settings=settings)


def parameters(path):
    return newest(open_image_folder(path), "last")[0].flat.tobytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = prepared(tmp_path_factory.mktemp("seen") / "run")
    train_images(folder, show_progress=False)
    return folder.path


def test_what_made_it_is_recorded_before_it_trains_and_stands_in_its_card(finished, tmp_path, capsys):
    made = prepared(tmp_path / "new", steps=2)
    said = read_json(made.path / "images.json")["provenance"]
    assert said["numpy"] == np.__version__ and said["command"] is None and said["cores"] > 0
    assert main(["card", str(finished), "--facts"]) == 0
    found = json.loads(capsys.readouterr().out)
    training, file = found["training"], finished / "training.npy"
    assert training["tokens_file_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (training["task"], training["training_examples"], training["seed"]) == ("classify", 46, 0)
    assert training["minigpt"] and found["energy"]["kilowatt_hours"] > 0
    description = read_json(made.path / "images.json")
    del description["provenance"], description["checksum"]  # of former versions
    write_json(made.path / "images.json", description)
    assert open_image_folder(made.path).provenance is None


def test_it_learns_what_is_easy(finished):
    seen, asked = Seen(finished), pictures(50, seed=1)
    said = answers(seen.labels, asked, seen.probabilities(asked.pixels))
    assert np.mean([one["label"] == label for one, label in zip(said, asked.labels, strict=True)]) > 0.9
    assert said[0]["image"] == "picture 0" and sum(said[0]["probabilities"].values()) == pytest.approx(1)


def test_every_image_is_seen_once_an_epoch_changed_anew_and_the_same_again(tmp_path):
    folder = prepared(tmp_path, augment=Augmentation(shift=1, turn=5.0))
    data, again = ImageData(folder), ImageData(folder)
    plain = ImageData(prepared(tmp_path / "plain", augment=Augmentation()))
    steps = plain.steps_per_epoch
    rows = np.concatenate([batch.tokens for step in range(steps) for batch in plain.batches(step)])
    whole = folder.scaled(np.asarray(folder.pixels("training")))
    assert len(rows) == len(whole)
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in whole}
    for step in (0, 3, steps + 1):
        (one,), (two,) = data.batches(step), again.batches(step)
        assert np.array_equal(one.tokens, two.tokens) and np.array_equal(one.labels, two.labels)
        assert not {row.tobytes() for row in one.tokens} & {row.tobytes() for row in whole}
    assert np.array_equal(np.sort(np.concatenate([b.labels for s in range(steps) for b in data.batches(s)])),
                          np.sort(folder.targets("training")))  # fmt: skip


def test_an_image_is_changed_in_another_way_each_time(tmp_path):
    data = ImageData(prepared(tmp_path, augment=Augmentation(turn=5.0), batch=46))
    (first,), (second,) = data.batches(0), data.batches(1)
    assert np.array_equal(first.labels, second.labels), "the same images in the same order"
    assert all(not np.array_equal(one, two) for one, two in zip(first.tokens, second.tokens, strict=True))


def test_what_the_model_sees_has_mean_0_and_deviation_1(tmp_path):
    folder = prepared(tmp_path)
    scaled = folder.scaled(np.asarray(folder.pixels("training")))
    assert scaled.shape[1:] == (1, 6, 8) and scaled.dtype == np.float32
    assert scaled.mean() == pytest.approx(0, abs=1e-5) and scaled.std() == pytest.approx(1, abs=1e-5)


def test_the_parts_share_no_image_and_the_test_is_kept_out(tmp_path):
    folder = prepared(tmp_path)
    parts = [{image.tobytes() for image in folder.pixels(part)} for part in ("training", "validation", "test")]
    assert [len(part) for part in parts] == [46, 2, 12] and len(set.union(*parts)) == 60
    other = pictures(9, seed=4)
    apart = prepare_images(tmp_path / "apart", pictures(20), other, changes=SMALL)
    assert np.array_equal(apart.pixels("test"), other.pixels)
    assert apart.config.context == 48, "a quarter of 6 pixels is one, and there is no class token"


def test_stopped_and_resumed_it_ends_with_the_same_bits(tmp_path):
    train_images(prepared(tmp_path / "whole"), show_progress=False)
    folder = prepared(tmp_path / "parts")

    class Stops(OneProcess):
        def anyone(self, flag):
            return self.progress.step == 11

    with pytest.raises(Interrupted):
        train(folder, ImageData(folder), engine=Stops(folder), show_progress=False)
    assert steps_done(folder) == 11
    train_images(open_image_folder(tmp_path / "parts"), show_progress=False)
    assert parameters(tmp_path / "parts") == parameters(tmp_path / "whole")


def test_two_workers_share_the_rows_and_go_on_alike(tmp_path):
    plain = {"augment": Augmentation(), "warmup": 2, "schedule": "constant"}
    train_images(prepared(tmp_path / "alone", steps=6, **plain), show_progress=False)
    folder = prepared(tmp_path / "two", steps=3, workers=2, **plain)
    train_images(folder, show_progress=False)
    train_images(replace(folder, settings=replace(folder.settings, steps=6)), show_progress=False)
    alone, two = (np.frombuffer(parameters(tmp_path / name), np.float32) for name in ("alone", "two"))
    np.testing.assert_allclose(two, alone, rtol=0, atol=2e-3)  # a key bias has no gradient but rounding


def saved(tmp_path, count=60, **sizes):
    images = pictures(count, **sizes)
    np.savez(tmp_path / "pictures.npz", images=images.pixels, labels=np.array(images.labels))
    return str(tmp_path / "pictures.npz")


def test_the_command_trains_goes_on_measures_and_answers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, out = saved(tmp_path), str(tmp_path / "a run")
    words = ["train", source, "--task", "classify", "--patch", "2", "--batch", "8", "--workers", "1", "--out", out]
    assert main([*words, "--steps", "6", "--augment", "shift:1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"]["training"] == 46 and result["test"]["examples"] == 12
    assert set(result["rivals"]) == {"most frequent class", "linear model", "nearest neighbour"}
    assert open_image_folder(out).augment == Augmentation(shift=1)
    assert (tmp_path / "a run" / "loss.png").exists()

    assert main([*words, "--steps", "6"]) == 2 and "already holds a run" in capsys.readouterr().err
    assert main(["train", "--resume", "--out", out, "--steps", "9"]) == 0
    said = capsys.readouterr().out
    assert "step     9" in said and "nearest neighbour" in said and "minigpt predict" in said
    assert main(["train", "--resume", "--out", out, "--steps", "8"]) == 2
    assert "has done 9 steps; ask for more" in capsys.readouterr().err

    assert main(["predict", out, source, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 60 and set(found[0]) == {"image", "label", "probabilities"}
    assert main(["predict", out, source, "--out", "said.csv"]) == 0
    assert (tmp_path / "said.csv").read_text(encoding="utf-8").startswith("image,label,probability\n")
    assert main(["predict", out, source, "--measure", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["examples"] == 60
    assert main(["evaluate", out, source, "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["test"]["examples"] == 60
    seen, images = Seen(out), read_images(source)
    assert evaluated["hashes"] == measured["hashes"] == {
        "model": sha256_of(seen.params), "data": images_sha256(images.pixels, images.labels)
    }  # fmt: skip


def test_hashes_tell_images_and_their_classes_apart():
    pixels = np.zeros((2, 3, 3, 1), np.uint8)
    other = pixels.copy()
    other[1, 2, 2, 0] = 1
    said = [(pixels, "ab"), (other, "ab"), (pixels, "ba"), (pixels.astype(np.float32), "ab")]
    hashes = [images_sha256(some, list(labels)) for some, labels in said]
    assert len({*hashes}) == 4 and hashes[0] == images_sha256(pixels.copy(), ("a", "b"))


def test_vits_own_recipe_is_written_as_a_folder_of_transformers(tmp_path, capsys):
    source, out = saved(tmp_path), str(tmp_path / "run")
    words = ["--task", "classify", "--recipe", "vit", "--patch", "2", "--steps", "2", "--workers", "1"]
    assert main(["train", source, *words, "--out", out]) == 0
    assert main(["export", out, str(tmp_path / "vit")]) == 0
    assert "holds a ViTForImageClassification" in capsys.readouterr().out
    ours, again = open_model(out), open_model(tmp_path / "vit")
    pictures = np.random.default_rng(0).standard_normal((3, 1, 6, 8)).astype(np.float32)
    assert np.array_equal(ours.model.forward(ours.params, pictures)[0], again.model.forward(again.params, pictures)[0])
    said = []
    for model in (out, str(tmp_path / "vit")):
        assert main(["predict", model, source, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    for one, two in zip(*said, strict=True):
        assert one["label"] == two["label"]
        assert one["probabilities"] == pytest.approx(two["probabilities"], abs=1e-5)


@pytest.mark.parametrize(("words", "message"), [
    (["mnist"], "mnist is a set of images; add --task classify"),
    (["README.md", "--augment", "flip"], "--augment is about images; add --task classify"),
    (["x.npz", "--task", "classify", "--objective", "masked"], "--objective is about texts"),
    (["x.npz", "--task", "classify", "--data-parallel", "2"], "--data-parallel is about texts"),
    (["--task", "classify"], "needs images; name a folder, a file or one of mnist"),
    (["gone.npz", "--task", "classify"], "there is no file or folder gone.npz"),
    (["PICTURES", "--task", "classify", "--patch", "9"], "a patch of 9 pixels does not fit into 6 x 8"),
    (["PICTURES", "--task", "classify", "--augment", "blur:2"], "augmentation 'blur:2' is not understood"),
    (["PICTURES", "--task", "classify", "--position", "sinusoidal_2d", "--dropout", "1"], "dropout is 1.0"),
    (["PICTURES", "--task", "classify", "--label", "kind"], "has no array 'kind'"),
    (["PICTURES", "--task", "classify", "--batch", "100000000"], "choose a smaller --batch or a larger --patch"),
    (["--resume", "--task", "classify"], "name it with --out"),
    (["--resume", "--out", "RUN", "--task", "ask"], "has (classify), and cannot change"),
    (["PICTURES", "--task", "classify", "--zero", "1"], "--zero 1 is for several ranks, and one trains on images"),
    (["mnist", "--task", "classify", "--label", "kind"], "'kind' names no labels in it; leave --label out"),
    (["--resume", "--out", "RUN", "--batch", "5"], "--batch cannot change, for a run goes on as it began"),
    (["PICTURES", "--resume", "--out", "RUN"], "DATA cannot change"),
])  # fmt: skip
def test_words_that_do_not_fit_are_named_before_any_work(words, message, finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = saved(tmp_path)
    places = {"PICTURES": source, "RUN": str(finished)}
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", *(places.get(word, word) for word in words)]) == 2
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_pixels_in_another_unit_are_refused_and_not_taken_for_night(finished, tmp_path, capsys):
    np.save(tmp_path / "x.npy", pictures(2).pixels / 255)
    assert main(["predict", str(finished), str(tmp_path / "x.npy")]) == 2
    assert "are other numbers, such as fractions" in capsys.readouterr().err
    shutil.copytree(finished, tmp_path / "older")
    path = tmp_path / "older" / "images.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["data"].pop("bytes") is True and told.pop("checksum")
    path.write_text(json.dumps(told), encoding="utf-8")
    assert Seen(tmp_path / "older").probabilities(pictures(2).pixels / 255).shape == (2, 2), "not known, not refused"
    fractions = prepare_images(
        tmp_path / "run",
        in_fractions(pictures(30)),
        patch=2,
        recipe="vit",
        changes=SMALL,
        settings=TrainSettings(steps=1),
    )
    train_images(fractions, show_progress=False)
    assert main(["export", str(fractions.path), str(tmp_path / "vit")]) == 2
    assert "learnt from pixels that are no whole numbers" in capsys.readouterr().err
    assert not (tmp_path / "vit").exists()


def test_the_column_of_the_classes_of_a_table_can_be_named(tmp_path, capsys):
    rng = np.random.default_rng(0)
    lines = [f"{name},{','.join(map(str, rng.integers(0, 256, 36)))}" for name in NAMES * 8]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",".join(["side", *(f"p{n}" for n in range(36))]), *lines]), encoding="utf-8")
    words = ["train", str(path), "--task", "classify", "--workers", "1", "--steps", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 2 and "but none of them 'label'" in capsys.readouterr().err
    assert main([*words, "--label", "side"]) == 0
    assert f"minigpt predict {tmp_path / 'run'} DATA" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "run"), str(path)]) == 2
    assert main(["predict", str(tmp_path / "run"), str(path), "--label", "side"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 17


@pytest.mark.parametrize("name", ["training.npy", "test_targets.npy", "best.safetensors", "config.json"])
def test_a_file_of_somebody_elses_is_not_overwritten(name, tmp_path):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=f"holds {name} already, and nothing is overwritten"):
        prepared(tmp_path)
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    assert {one.name for one in tmp_path.iterdir()} <= {name, ".lock"}


def test_what_a_killed_preparation_left_is_made_anew(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigpt.vision.prepare.ImageData", killed)
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path)
    assert (tmp_path / "training.npy").exists() and not (tmp_path / "images.json").exists()
    monkeypatch.undo()
    prepared(tmp_path)
    assert (tmp_path / "images.json").exists() and not (tmp_path / ".preparing").exists()


def test_pixels_that_no_patch_reaches_are_said(tmp_path, capsys):
    words = ["train", saved(tmp_path), "--task", "classify", "--workers", "1", "--steps", "1", "--out"]
    assert main([*words, str(tmp_path / "a"), "--patch", "5"]) == 0
    shown = capsys.readouterr()
    assert "patches of 5 do not fill 6 x 8 pixels: 1 at the bottom and 3 on the right are not seen" in shown.err
    assert "1 of 1 steps, the best by validation" in shown.out
    assert main([*words, str(tmp_path / "b"), "--patch", "2"]) == 0 and "not seen" not in capsys.readouterr().err


def test_images_of_another_size_or_class_are_named(finished, tmp_path, capsys):
    other = saved(tmp_path, size=(6, 7, 1))
    assert main(["predict", str(finished), other]) == 2
    assert "the images are 6 x 7 with 1 channels, but this model was trained on 6 x 8" in capsys.readouterr().err
    np.savez(tmp_path / "x.npz", images=pictures(2).pixels, labels=np.array(["left", "up"]))
    assert main(["evaluate", str(finished), str(tmp_path / "x.npz")]) == 2
    assert "the class 'up' is none of those that were trained: left, right" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", pictures(2).pixels)
    assert main(["predict", str(finished), str(tmp_path / "x.npy"), "--measure"]) == 2
    assert "has no class" in capsys.readouterr().err


@pytest.mark.parametrize(("images", "test", "message"), [
    (pictures(3)._replace(labels=("left", "right", "left")), None, "3 images, too few"),
    (pictures(30), pictures(5, size=(6, 6, 1)), r"test are \(6, 6, 1\), those to learn from \(6, 8, 1\)"),
    (pictures(30)._replace(labels=("left",) * 30), None, "of 1 classes"),
    (pictures(30)._replace(labels=("left", "right") + (None,) * 28), None, "picture 2 has no class"),
    (pictures(1), pictures(3), "of 1 classes"),
    (pictures(30), in_fractions(pictures(5)), "the test, picture 0: its pixels are other numbers"),
    (in_fractions(pictures(30)), pictures(5), "the test, picture 0: its pixels are whole numbers of 0 to 255"),
])  # fmt: skip
def test_images_that_cannot_be_trained_on_are_named(images, test, message, tmp_path):
    with pytest.raises(UserError, match=message):
        prepare_images(tmp_path / "run", images, test, changes=SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("file", ["training.npy", "validation_targets.npy", "test.npy"])
def test_changed_files_are_refused(file, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    data = bytearray((tmp_path / "run" / file).read_bytes())
    data[-1] ^= 1
    (tmp_path / "run" / file).write_bytes(data)
    folder, part = open_image_folder(tmp_path / "run"), file.split(".")[0].split("_")[0]
    with pytest.raises(UserError, match="has changed since training began"):
        (folder.targets if "targets" in file else folder.pixels)(part)


def test_a_description_in_which_a_digit_or_a_name_is_another_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "images.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(dict(reversed(whole.items()))), encoding="utf-8")
    assert Seen(tmp_path / "run").labels == NAMES, "it says the same in another order"
    for name, value in (("labels", NAMES[::-1]), ("mean", [whole["mean"][0] + 1]), ("deviation", [1e-300])):
        path.write_text(json.dumps({**whole, name: value}), encoding="utf-8")
        with pytest.raises(UserError, match=r"images\.json: it has changed since it was written"):
            open_image_folder(tmp_path / "run")


def test_the_doctor_looks_at_it(finished, tmp_path, capsys):
    assert main(["doctor", str(finished), "--json"]) in (0, 1)
    shutil.copytree(finished, tmp_path / "run")
    findings = {one.what: one for one in examine_run(tmp_path / "run")}
    assert all(one.sound for one in findings.values()) and "46 images, 46 classes" in findings["training.npy"].said
    (tmp_path / "run" / "test_targets.npy").write_bytes(b"")
    assert [one.what for one in examine_run(tmp_path / "run") if not one.sound] == ["test.npy"]


BAD = [None, 7, "x", [], {}, [1], float("nan"), -1]


def test_a_description_of_any_kind_is_read_or_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "images.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    del whole["checksum"]  # former versions wrote none
    for name in [*whole, "more"]:
        for value in BAD:
            path.write_text(json.dumps({**whole, name: value}), encoding="utf-8")
            try:
                Seen(tmp_path / "run").probabilities(pictures(2).pixels)
            except UserError as error:
                assert "images.json" in str(error)
            else:
                assert name in ("augment", "mean", "deviation", "provenance") or (name, value) == ("settings", {}), (
                    "all else is asked"
                )
