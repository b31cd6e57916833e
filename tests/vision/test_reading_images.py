"""Images are read whole from every kind of file, and what is damaged, too large or of another kind is named."""

import gzip
import io
import os
import struct
import zipfile

import numpy as np
import pytest
from conftest import published
from drawn_png import chunk, png, write

from minigpt import UserError
from minigpt.vision import images as images_module
from minigpt.vision import read_images
from minigpt.vision.images import classes_of
from minigpt.vision.named import NAMED_IMAGES, NAMES, named_images, split
from minigpt.vision.seen import images_of

RNG = np.random.default_rng(3)


def some(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_is_its_pixels(channels, tmp_path):
    pixels = some(5, 7, channels)
    found = read_images(write(tmp_path / "a.png", png(pixels)))
    assert np.array_equal(found.pixels, pixels[None]) and found.labels == (None,)
    assert found.size == (5, 7, channels) and found.places == (str(tmp_path / "a.png"),)


@pytest.mark.parametrize(("channels", "visible"), [(2, 1), (4, 3)])
def test_an_opaque_picture_is_read_and_one_that_is_seen_through_refused(channels, visible, tmp_path):
    pixels = some(4, 3, channels)
    pixels[..., -1] = 255
    assert np.array_equal(read_images(write(tmp_path / "a.png", png(pixels))).pixels[0], pixels[..., :visible])
    pixels[2, 1, -1] = 254
    with pytest.raises(UserError, match=r"a\.png is partly transparent"):
        read_images(write(tmp_path / "a.png", png(pixels)))


def test_a_palette_is_looked_up(tmp_path):
    palette, pixels = some(5, 3), RNG.integers(0, 5, (3, 4, 1), dtype=np.uint8)
    data = png(pixels, colour=3, more=chunk(b"PLTE", palette.tobytes()))
    assert np.array_equal(read_images(write(tmp_path / "a.png", data)).pixels[0], palette[pixels[..., 0]])


@pytest.mark.parametrize(("data", "message"), [
    (png(some(3, 3, 1), size=(1 << 30, 1 << 30)), "1,073,741,824 x 1,073,741,824 pixels, but a side has at most 8,192"),
    (png(some(3, 3, 1), size=(3, 0)), "its header is of no picture"),
    (png(some(3, 3, 1), colour=5), "its header is of no picture"),
    (png(some(3, 6, 1), bits=16, size=(3, 3)), "16 bits for each number, but 8 at most"),
    (png(some(3, 3, 1))[:-30], "is a damaged PNG file"),
    (png(some(3, 3, 1))[:20], "is no PNG file, whatever its name"),
    (b"GIF89a" + bytes(50), "is no PNG file, whatever its name"),
    (b"", "is no PNG file"),
])  # fmt: skip
def test_a_png_that_cannot_be_read_is_named_before_it_is_decoded(data, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read_images(write(tmp_path / "a.png", data))


def test_damaged_pngs_are_read_or_refused(tmp_path):
    whole, rng = png(some(6, 5, 3)), np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        try:
            read_images(write(tmp_path / "a.png", bytes(data)))
        except UserError as error:
            assert "a.png" in str(error)


def test_a_folder_has_a_class_for_each_sub_folder(tmp_path):
    pixels = some(4, 5, 6, 3)
    for number, (folder, name) in enumerate((("cat", "a"), ("cat", "b"), ("dog", "a"), ("dog", "z"))):
        write(tmp_path / folder / f"{name}.png", png(pixels[number]))
    write(tmp_path / "cat" / ".DS_Store", b"hidden")
    found = read_images(tmp_path)
    assert np.array_equal(found.pixels, pixels) and found.labels == ("cat", "cat", "dog", "dog")
    assert found.targets(("dog", "cat")).tolist() == [1, 1, 0, 0]
    alone = read_images(tmp_path / "dog")
    assert np.array_equal(alone.pixels, pixels[2:]) and alone.labels == (None, None)


@pytest.mark.parametrize(("files", "message"), [
    ({"a/1.png": png(some(4, 4, 1)), "a/2.png": png(some(4, 5, 1))}, r"2\.png is 4 x 5 in grey, but 1\.png is 4 x 4"),
    ({"a/1.png": png(some(4, 4, 1)), "b/2.png": png(some(4, 4, 3))}, r"2\.png is 4 x 4 in colour, but 1\.png .* grey"),
    ({"a/1.png": png(some(4, 4, 1)), "b/.hidden": b"x"}, r"b is a class without a picture; put some into it"),
    ({"a/1.png": png(some(4, 4, 1)), "a/notes.txt": b"x"}, r"notes\.txt is no PNG file; convert it, or move it away"),
    ({"a/1.png": png(some(4, 4, 1)), "2.png": b""}, r"sub-folders and also 2\.png"),
    ({"a/b/1.png": png(some(4, 4, 1))}, "is a folder inside a class"),
    ({".hidden": b""}, "holds no pictures"),
])  # fmt: skip
def test_a_folder_that_does_not_hold_together_is_named(files, message, tmp_path):
    for name, data in files.items():
        write(tmp_path / name, data)
    with pytest.raises(UserError, match=message):
        read_images(tmp_path)


def test_a_csv_has_the_class_last_or_in_a_named_column(tmp_path):
    pixels = some(3, 2, 2, 1)
    rows = pixels.reshape(3, 4)
    last = "".join(",".join(map(str, [*row, label])) + "\n" for row, label in zip(rows, (7, 10, 7), strict=True))
    first = "kind,a,b,c,d\n" + "".join(
        f"{name},{','.join(map(str, row))}\n" for name, row in zip("xyx", rows, strict=True)
    )
    found = read_images(write(tmp_path / "a.csv", last.encode()))
    assert np.array_equal(found.pixels, pixels) and found.labels == ("7", "10", "7")
    assert classes_of(found) == ("7", "10"), "numbers stand in their order"
    packed = read_images(write(tmp_path / "a.csv.gz", gzip.compress(last.encode())))
    assert np.array_equal(packed.pixels, pixels) and packed.pixels.dtype == np.uint8
    named = read_images(write(tmp_path / "b.csv", first.encode()), label="kind")
    assert np.array_equal(named.pixels, pixels) and named.labels == ("x", "y", "x")
    bare = read_images(write(tmp_path / "c.csv", "".join(",".join(map(str, row)) + "\n" for row in rows).encode()))
    assert np.array_equal(bare.pixels, pixels) and bare.labels == (None, None, None)
    shares = read_images(write(tmp_path / "d.csv", b"0.5,0.25,-1,2,a\n"))
    assert shares.pixels.dtype == np.float32 and shares.pixels.reshape(-1).tolist() == [0.5, 0.25, -1, 2]


def test_a_first_line_of_names_is_no_image(tmp_path):
    pixels = some(3, 3, 3, 1)
    rows = [",".join(map(str, row)) for row in pixels.reshape(3, 9)]
    counted = "0,1,2,3,4,5,6,7,8"
    for head, label, columns in (
        (f"{counted},label", None, "{row},{name}"),  # as pandas names columns without names
        (f"{counted},kind", "kind", "{row},{name}"),
        (f"label,{counted}", None, "{name},{row}"),
        (f"{counted},9", "9", "{row},{name}"),
        (counted, None, "{row}"),
    ):
        lines = [columns.format(row=row, name=name) for row, name in zip(rows, "xyx", strict=True)]
        found = read_images(write(tmp_path / "a.csv", "\r\n".join([head, *lines]).encode()), label=label)
        assert np.array_equal(found.pixels, pixels) and found.places[0] == "a.csv, line 2"
        assert found.labels == ((None,) * 3 if head == counted else ("x", "y", "x"))
    counting = read_images(write(tmp_path / "a.csv", b"0,1,2,3,4,5,6,7,8,3\n"))
    assert counting.labels == ("3",), "a class after pixels that happen to count is an image"


def test_lines_are_counted_as_an_editor_does(tmp_path):
    text = '\ufeff1,2,3,4,a\n\n  \n5,6,7,8,"a class,\nof two lines"\n1,x,3,4,b\n'
    with pytest.raises(UserError, match=r"line 6: 'x' is no finite number"):
        read_images(write(tmp_path / "a.csv", text.encode()))
    found = read_images(write(tmp_path / "a.csv", text.replace("x", "2").encode()))
    assert found.labels == ("a", "a class,\nof two lines", "b")
    assert found.places == ("a.csv, line 1", "a.csv, line 4", "a.csv, line 6")


@pytest.mark.parametrize(("text", "label", "message"), [
    ("1,2,3,4,a\n1,2,3,b\n", None, r"line 2: there are 4 values, but 5"),
    ("1,2,3,4,a\n1,x,3,4,b\n", None, r"line 2: 'x' is no finite number"),
    ("1,2,3,4,a\n1,2,3,4,\n", None, "line 2: the class is empty"),
    ("1,2,a\n", None, "2 values beside its class, which is no square"),
    ("1,2,3,nan,a\n", None, "line 1: 'nan' is no finite number"),
    ("1,2,3,4,a\ninf,2,3,4,a\n", None, "line 2: 'inf' is no finite number"),
    ("1,2,3,4,a\n1,2,1e39,4,a\n", None, "line 2: '1e39' is no finite number"),
    ('1,2,3,4,a\n1,2,3,4,"b\n1,2,3,4,a\n', None, "line 2: this is no row of values"),
    (f"1,2,3,4,a\n1,2,3,4,{'b' * 200_000}\n", None, "line 2: this is no row of values"),
    ("1,2,3,4,a\x0cb\n1,2,3,4\n", None, "line 2: there are 4 values"),
    ("kind,a,b,c,d\nx,1,2,3,4\n", None, "names columns, from 'kind' to 'd', but none of them 'label'"),
    ("cat,1,2,3,4\ndog,1,2,3,4\n", None, "in a file without names they come last"),
    ("", None, "is empty"),
    ("1,2,3,4,a\n", "kind", "the first line of .* names no columns"),
    ("a,b,c,d,e\n1,2,3,4,5\n", "kind", "has no column 'kind'"),
])  # fmt: skip
def test_a_csv_that_is_no_images_is_named(text, label, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read_images(write(tmp_path / "a.csv", text.encode()), label=label)


def test_numbers_that_no_byte_holds_stay_numbers(tmp_path):
    found = read_images(write(tmp_path / "a.csv", b"1,2,3,1e30,a\n"))
    assert found.pixels.reshape(-1).tolist() == [1, 2, 3, float(np.float32(1e30))]


def test_arrays_are_read_and_nothing_is_unpickled(tmp_path):
    pixels = some(3, 4, 5)
    np.save(tmp_path / "a.npy", pixels)
    assert np.array_equal(read_images(tmp_path / "a.npy").pixels, pixels[..., None])
    np.savez(tmp_path / "a.npz", images=pixels.astype(np.int64), labels=np.array(["x", "y", "x"]))
    found = read_images(tmp_path / "a.npz")
    assert np.array_equal(found.pixels, pixels[..., None]) and found.labels == ("x", "y", "x")
    assert found.pixels.dtype == np.uint8, "a byte holds them"
    np.savez(tmp_path / "b.npz", images=pixels / 255, kinds=np.array([3, 4, 3]))
    found = read_images(tmp_path / "b.npz", label="kinds")
    assert found.labels == ("3", "4", "3") and found.pixels.dtype == np.float32


class Bomb:
    def __reduce__(self):
        return os.system, ("touch pickled",)


@pytest.mark.parametrize(("arrays", "message"), [
    ({"images": np.array([Bomb()])}, "no array of plain numbers"),
    ({"pictures": some(2, 3, 3)}, "has no array `images`, but pictures"),
    ({"images": some(2, 3, 3), "labels": np.arange(3)}, "one for each of 2 images"),
    ({"images": some(2, 3, 3), "labels": np.array([0.5, 1])}, "must be whole numbers or words"),
    ({"images": some(9)}, r"images are numbers of shape \(count, height, width\)"),
    ({"images": some(2, 3, 3, 2)}, "with 2 channels"),
    ({"images": np.zeros((0, 3, 3))}, "0 images of 3 x 3"),
    ({"images": np.array([["a"]])}, "images are numbers of shape"),
    ({"images": np.full((1, 2, 2), np.inf)}, "no finite number"),
    ({"images": some(2, 3, 3), "labels": np.array(["a", ""])}, "image 1 has an empty class"),
])  # fmt: skip
def test_an_archive_that_is_no_images_is_named(arrays, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message) as refused:
        read_images(tmp_path / "a.npz")
    assert "damaged" not in str(refused.value), "what is wrong is said alone"
    assert not (tmp_path / "pickled").exists()


def test_a_header_that_asks_for_more_than_there_is_is_refused_before_it_is_given(tmp_path):
    np.save(tmp_path / "a.npy", some(2, 3, 3))
    whole = (tmp_path / "a.npy").read_bytes()
    huge = whole.replace(b"(2, 3, 3), }      ", b"(2, 3, 3999999), }")
    assert huge != whole
    (tmp_path / "a.npy").write_bytes(huge)
    with pytest.raises(UserError, match="is damaged or no array"):
        read_images(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", huge)
    with pytest.raises(UserError, match="or is cut off"):
        read_images(tmp_path / "a.npz")


@pytest.mark.parametrize(("places", "value"), [((6, 8), 1), ((8, 10), 97)])  # encrypted; packed in an unknown way
def test_an_archive_that_cannot_be_unpacked_is_named(places, value, tmp_path):
    np.savez(tmp_path / "a.npz", images=some(2, 3, 3))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    for place in (places[0], data.index(b"PK\1\2") + places[1]):
        data[place] = value
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(UserError, match="is damaged, locked or no archive of arrays"):
        read_images(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "data", [b"hello", npy(np.array([None])), npy(some(1, 2, 2)).replace(b"(1, 2, 2)", b"(-1,2, 2)")]
)
def test_a_file_that_is_no_array_is_named_without_advice_to_trust_it(data, tmp_path):
    with pytest.raises(UserError, match="is damaged or no array of numbers") as refused:
        read_images(write(tmp_path / "a.npy", data))
    assert "pickle" not in str(refused.value)


def test_a_picture_that_is_to_be_turned_is_refused(tmp_path):
    def exif(orientation):
        entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
        return chunk(b"eXIf", b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4))

    pixels = some(3, 5, 1)
    upright = read_images(write(tmp_path / "a.png", png(pixels, more=exif(1))))
    assert np.array_equal(upright.pixels, pixels[None])
    with pytest.raises(UserError, match=r"a\.png is to be turned .* \(orientation 6"):
        read_images(write(tmp_path / "a.png", png(pixels, more=exif(6))))


def test_a_name_of_labels_is_refused_where_nothing_has_names(tmp_path):
    write(tmp_path / "x" / "a.png", png(some(3, 3, 1)))
    for source in (tmp_path, tmp_path / "x" / "a.png", "mnist"):
        with pytest.raises(UserError, match="'kind' names no labels in it; leave --label out"):
            images_of(str(source), "kind")


def test_images_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / "x" / f"{name}.png", png(some(30, 30, 1)))
    np.save(tmp_path / "a.npy", some(2, 30, 30))
    monkeypatch.setattr(images_module, "available_memory", lambda: 3000)
    for source in (tmp_path / "x", tmp_path / "a.npy"):
        with pytest.raises(UserError, match="more than half of the"):
            read_images(source)


@pytest.mark.parametrize(("name", "message"), [
    ("gone.npy", "there is no file or folder"),
    ("a.jpg", r"images are read from \.npy, \.npz"),
    ("b.npz", "is damaged"),
    ("c.csv.gz", "is damaged or no UTF-8 text"),
])  # fmt: skip
def test_other_files_are_named(name, message, tmp_path):
    for other in ("a.jpg", "b.npz", "c.csv.gz"):
        write(tmp_path / other, b"\xff\xd8 something else")
    with pytest.raises(UserError, match=message):
        read_images(tmp_path / name)


def test_a_name_of_very_many_digits_is_a_name(tmp_path):
    long = "7" * 5000
    assert classes_of(read_images(write(tmp_path / "a.csv", f"1,2,3,4,{long}\n4,3,2,1,12\n".encode()))) == ("12", long)


def test_classes_are_two_at_least_and_all_are_known(tmp_path):
    found = read_images(write(tmp_path / "a.csv", b"1,2,3,4,a\n4,3,2,1,a\n"))
    with pytest.raises(UserError, match="of 1 classes; there must be two"):
        classes_of(found)
    with pytest.raises(UserError, match=r"a\.csv, line 1: the class 'a' is none of those that were trained: b, c"):
        found.targets(("b", "c"))


@pytest.mark.parametrize("name", NAMED_IMAGES)
def test_a_named_set_is_what_it_says_and_its_test_is_apart(name):
    entry = NAMED_IMAGES[name]
    published(entry.package)
    images, test = named_images(name, progress=False), named_images(f"{name}-test", progress=False)
    everything = {"mnist": (5000, 28), "digits": (1797, 8)}[name]
    assert len(test.pixels) == entry.test and len(images.pixels) + entry.test == everything[0]
    assert images.size == test.size == (everything[1], everything[1], 1)
    assert classes_of(images) == classes_of(test) == tuple("0123456789")
    assert not {*images.places} & {*test.places}


def test_a_split_is_always_the_same_and_in_two_parts():
    held_out, rest = split(50, 7)
    assert len(held_out) == 7 and sorted([*held_out, *rest]) == list(range(50))
    assert np.array_equal(held_out, split(50, 7)[0])


def test_an_unknown_set_is_answered_with_all():
    with pytest.raises(UserError) as refused:
        named_images("nothing")
    assert all(name in str(refused.value) for name in NAMES)
