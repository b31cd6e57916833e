"""WAV files of every width, broken ones, and files of other kinds."""

import io
import struct
import wave

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.sound import open_wav, write_wav

RNG = np.random.default_rng(0)
VALUES = RNG.uniform(-0.99, 0.99, (37, 2))  # two channels
GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(tag, channels, rate, bits, extension=b""):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extension)


def riff(*chunks):
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def stored(bits, values):
    """Samples as they lie in a file."""
    if bits == 8:
        return np.rint(values * 127 + 128).astype(np.uint8).tobytes()
    whole = np.rint(values * ((1 << (bits - 1)) - 1)).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


def write(tmp_path, content):
    path = tmp_path / "a file.wav"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("extended", [False, True])
def test_every_width_is_read(tmp_path, bits, extended):
    extension = struct.pack("<HHIH", 22, bits, 3, 1) + GUID if extended else b""
    head = form(0xFFFE if extended else 1, 2, 22_050, bits, extension)
    sound = open_wav(write(tmp_path, riff(chunk(b"LIST", b"odd"), head, chunk(b"data", stored(bits, VALUES)))))
    assert (sound.rate, sound.channels, sound.length, sound.missing) == (22_050, 2, 37, 0)
    np.testing.assert_allclose(sound.read(0, 37), VALUES.mean(axis=1), atol=1.1 / (1 << (bits - 1)) + 1e-6)


@pytest.mark.parametrize(("bits", "kind"), [(32, "<f4"), (64, "<f8")])
def test_floats_are_read(tmp_path, bits, kind):
    path = write(tmp_path, riff(form(3, 2, 48_000, bits), chunk(b"data", VALUES.astype(kind).tobytes())))
    np.testing.assert_allclose(open_wav(path).read(0, 37), VALUES.mean(axis=1), atol=1e-7)


def test_a_part_is_what_the_whole_has_there_and_zeros_around(tmp_path):
    path = write(tmp_path, riff(form(1, 2, 8_000, 16), chunk(b"data", stored(16, VALUES))))
    sound = open_wav(path)
    whole = sound.read(0, 37)
    np.testing.assert_array_equal(sound.read(-5, 50), np.pad(whole, (5, 8)))
    np.testing.assert_array_equal(sound.read(30, 4), whole[30:34])
    assert not sound.read(40, 3).any() and not sound.read(-9, 3).any()


def test_the_standard_library_agrees(tmp_path):
    path = tmp_path / "x.wav"
    write_wav(path, VALUES[:, 0], 11_025)
    with wave.open(str(path)) as theirs:
        assert (theirs.getframerate(), theirs.getsampwidth(), theirs.getnchannels()) == (11_025, 2, 1)
        frames = np.frombuffer(theirs.readframes(99), "<i2") / 32768
    np.testing.assert_array_equal(open_wav(path).read(0, 37), frames.astype(np.float32))
    np.testing.assert_allclose(frames, VALUES[:, 0], atol=2e-5)


def test_a_file_that_was_cut_off_says_how_much_is_missing(tmp_path):
    whole = riff(form(1, 1, 8_000, 16), chunk(b"data", bytes(2_000)))
    sound = open_wav(write(tmp_path, whole[:-501]))
    assert (sound.length, sound.missing) == (749, 251)
    assert len(sound.read(0, 749)) == 749


def test_a_program_that_did_not_know_the_length_is_believed_to_the_end(tmp_path):
    content = riff(form(1, 1, 8_000, 16), chunk(b"data", bytes(600)))
    for length in (b"\xff" * 4, bytes(4)):
        endless = content[:4] + length + content[8:40] + length + content[44:]
        sound = open_wav(write(tmp_path, endless))
        assert (sound.length, sound.missing) == (300, 0)


OTHERS = {
    "MP3": b"ID3\x04" + bytes(40),
    "FLAC": b"fLaC" + bytes(40),
    "Ogg": b"OggS" + bytes(40),
    "MP4": b"\0\0\0\x20ftypM4A " + bytes(40),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_refused_with_the_command_that_converts_them(tmp_path, kind):
    with pytest.raises(UserError, match=rf"is {kind}, .*`ffmpeg -i '.*/a file\.wav' '.*\.wav'`"):
        open_wav(write(tmp_path, OTHERS[kind]))


DATA = chunk(b"data", bytes(64))
BROKEN = {
    "nothing": (b"", "is no WAV file"),
    "text": (b"hello, this is a text and no sound", "is no WAV file"),
    "no samples": (riff(form(1, 1, 8_000, 16)), "ends before they begin"),
    "empty": (riff(form(1, 1, 8_000, 16), chunk(b"data", b"")), "not one sample"),
    "no form": (riff(DATA), "before it says what they are"),
    "short form": (riff(chunk(b"fmt ", bytes(6)), DATA), "middle of its header"),
    "mu-law": (riff(form(7, 1, 8_000, 8), DATA), "mu-law; .*ffmpeg"),
    "12 bits": (riff(form(1, 1, 8_000, 12), DATA), "12 bits; .*ffmpeg"),
    "half floats": (riff(form(3, 1, 8_000, 16), DATA), "floats of 16 bits"),
    "no channel": (riff(form(1, 0, 8_000, 16), DATA), "0 channels"),
    "no rate": (riff(form(1, 1, 0, 16), DATA), "0 samples a second"),
    "too fast": (riff(form(1, 1, 1_000_000, 16), DATA), "1,000,000 samples"),
    "wrong block": (riff(form(1, 2, 8_000, 16).replace(b"\x04\0\x10\0", b"\x05\0\x10\0"), DATA), "5 bytes for a"),
    "not said how": (riff(form(0xFFFE, 1, 8_000, 16), DATA), "does not say how"),
    "own coding": (riff(form(0xFFFE, 1, 8_000, 16, struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)), DATA), "its own"),
    "many chunks": (riff(*[chunk(b"junk", b"")] * 2_000, form(1, 1, 8_000, 16), DATA), "has no samples"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_makes_no_sense_is_refused_in_a_sentence(tmp_path, what):
    content, says = BROKEN[what]
    with pytest.raises(UserError, match=says):
        open_wav(write(tmp_path, content))


def test_every_beginning_and_every_changed_byte_is_opened_or_refused(tmp_path):
    whole = riff(form(1, 1, 8_000, 16), chunk(b"data", bytes(64)))
    changed = [whole[:end] for end in range(len(whole))]
    changed += [whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :] for i in range(44) for flip in (1, 128, 255)]
    for content in changed:
        try:
            sound = open_wav(write(tmp_path, content))
        except UserError:
            continue
        assert len(sound.read(0, min(sound.length, 99))) == min(sound.length, 99)


def test_a_sample_that_is_no_number_is_named(tmp_path):
    values = np.zeros(16_000, "<f4")
    values[8_000] = np.nan
    sound = open_wav(write(tmp_path, riff(form(3, 1, 16_000, 32), chunk(b"data", values.tobytes()))))
    with pytest.raises(UserError, match=r"sample at 0\.50 s that is no finite number"):
        sound.read(0, 16_000)


def test_whole_numbers_that_are_called_floats_are_refused(tmp_path):
    for loud, message in ((30_000.0, r"a sample of 30,000 at 0\.01 s, but floats of a sound go from -1 to 1"),
                          (1e300, "that is no finite number")):  # fmt: skip
        samples = np.zeros(4_000)
        samples[80] = loud
        path = write(tmp_path, riff(form(3, 1, 8_000, 64), chunk(b"data", samples.astype("<f8").tobytes())))
        with pytest.raises(UserError, match=message):
            open_wav(path).read(0, 4_000)
    path = write(tmp_path, riff(form(3, 1, 8_000, 32), chunk(b"data", np.full(9, 4.0, "<f4").tobytes())))
    assert open_wav(path).read(0, 9).tolist() == [4.0] * 9, "a little above full scale is room that some leave"


def test_channels_that_cancel_each_other_are_refused_and_not_heard_as_silence(tmp_path):
    one = RNG.uniform(-0.5, 0.5, 2_000)

    def opened(other):
        samples = stored(16, np.stack([one, other], axis=1))
        return open_wav(write(tmp_path, riff(form(1, 2, 1_000, 16), chunk(b"data", samples))))

    with pytest.raises(UserError, match=r"cancel each other .*`ffmpeg .*'pan=mono\|c0=c0'"):
        opened(-one).read(0, 2_000)
    np.testing.assert_allclose(opened(np.zeros(2_000)).read(0, 2_000), one / 2, atol=1e-4)
    opened(np.concatenate([-one[:500], one[500:]])).read(0, 2_000)  # for half a second
    opened(-one).read(0, 999)  # so short a part may be so by chance


@pytest.mark.parametrize(("after", "unread"), [
    (b"", 0), (chunk(b"LIST", b"odd"), 0), (chunk(b"id3 ", bytes(9)) + chunk(b"LIST", b"note"), 0), (b"xyz", 0),
    (chunk(b"data", bytes(6)), 14), (riff(form(1, 1, 8_000, 16), chunk(b"data", bytes(8))), 52),
    (bytes(40), 40), (chunk(b"LIST", b"note") + bytes(range(1, 41)), 40),
    (b"LIST" + struct.pack("<I", 99) + bytes(5), 13),
])  # fmt: skip
def test_what_follows_the_samples_and_is_no_note_is_counted(tmp_path, after, unread):
    whole = form(1, 1, 8_000, 16) + chunk(b"data", bytes(10))
    content = b"RIFF" + struct.pack("<I", 4 + len(whole)) + b"WAVE" + whole + after
    sound = open_wav(write(tmp_path, content))
    assert (sound.length, sound.missing, sound.unread) == (5, 0, unread)


def test_a_folder_and_nothing_are_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        open_wav(tmp_path)
    with pytest.raises(UserError, match="there is no file"):
        open_wav(tmp_path / "nothing.wav")


def test_what_is_louder_than_full_is_cut_off(tmp_path):
    write_wav(tmp_path / "x.wav", np.array([2.0, -2.0, 0.5]), 8_000)
    np.testing.assert_allclose(open_wav(tmp_path / "x.wav").read(0, 3), [1, -1, 0.5], atol=1e-4)
    assert io.BytesIO((tmp_path / "x.wav").read_bytes()).read(4) == b"RIFF"
