"""WAV files: their header, and their samples a piece at a time, so that a file of hours costs no more than a short one.

Microsoft and IBM (1991), "Multimedia Programming Interface and Data Specifications 1.0": RIFF, the waveform chunk. What
the standard library's `wave` does not read is read here too: floating-point samples and the extensible format.
"""

import shlex
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file, replacing

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CODINGS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM 6.10", 85: "MP3"}  # not read here
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # after the coding, in a subformat that is one of these
UNKNOWN = (0, 0xFFFFFFFF)  # lengths that a program writes which does not know yet how long the sound will be
MOST_CHUNKS = 1_000  # before the samples
MOST_RATE, MOST_CHANNELS = 192_000, 64  # samples a second, the most that recorders make
LEAST_RATE = 1_000
LOUDEST = 16.0  # of floats, whose full scale is 1: some leave room above it, whole numbers in disguise are far above
SILENT, MIXED_AWAY = 0.01, 0.01  # of full scale; of the loudest channel
MAGICS = (  # where in the file, what stands there, what it is
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf3", "MP3"),
    (0, b"\xff\xf2", "MP3"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, b"FORM", "AIFF"),
    (0, b".snd", "AU"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"RF64", "64-bit WAV"),
)


class Coding(NamedTuple):
    """How a sample is stored."""

    bits: int  # that it takes: 8, 16, 24 or 32; of floats 32 or 64
    is_float: bool

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """Bytes, (N * bits / 8,) uint8, to numbers from -1 to 1: (N,) float32. Eight bits have no sign; 128 is zero."""
        if self.is_float:
            with np.errstate(over="ignore"):  # what no float32 holds is refused by who reads
                return raw.view(f"<f{self.bits // 8}").astype(np.float32)
        if self.bits == 8:
            return (raw.astype(np.float32) - 128) / 128
        if self.bits == 24:
            wide = np.zeros((len(raw) // 3, 4), np.uint8)
            wide[:, 1:] = raw.reshape(-1, 3)  # as the upper three bytes of 32 bits
            return wide.reshape(-1).view("<i4").astype(np.float32) / np.float32(1 << 31)
        return raw.view(f"<i{self.bits // 8}").astype(np.float32) / np.float32(1 << (self.bits - 1))


class WavFile(NamedTuple):
    """A WAV file that was looked into. `read` gives its samples."""

    path: Path
    rate: int  # samples a second
    channels: int
    coding: Coding
    begin: int  # byte of the first sample
    length: int  # samples of each channel that are there
    missing: int  # samples of each channel that the header speaks of and that are not there
    unread: int = 0  # bytes after the samples that are no part of the file by its header, such as another file

    def read(self, start: int, count: int) -> np.ndarray:
        """So many samples from `start` on, the mean of all channels: (count,) float32, zeros outside of the file.

        `UserError` if a sample is not a finite number or far above full scale, if the channels of a second or more
        cancel each other, or if the file has become shorter.
        """
        samples = np.zeros(count, np.float32)
        first, last = max(start, 0), min(start + count, self.length)
        if first >= last:
            return samples
        size = self.coding.bits // 8 * self.channels
        raw = np.fromfile(self.path, np.uint8, (last - first) * size, offset=self.begin + first * size)
        if len(raw) < (last - first) * size:
            raise UserError(f"{self.path} has become shorter while it was read; try again when it is whole")
        each = self.coding.decode(raw).reshape(-1, self.channels)
        found = each.mean(axis=1)
        loudest = float(np.abs(each).max())
        if not loudest <= LOUDEST:
            self._refuse(each, first)
        is_long = last - first >= self.rate
        if is_long and loudest > SILENT and float(np.abs(found).max()) < MIXED_AWAY * loudest:
            raise UserError(
                f"the {self.channels} channels of {self.path} cancel each other when they are mixed, and silence would "
                f"be heard; take one of them: {convert_with(self.path, '-af pan=mono|c0=c0')}"
            )
        samples[first - start : last - start] = found
        return samples

    def _refuse(self, each: np.ndarray, first: int) -> None:
        """`UserError` for samples (N, channels), of which `first` is the first, that are no sound."""
        at, channel = np.argwhere(~(np.abs(each) <= LOUDEST))[0]
        second, value = (first + int(at)) / self.rate, float(each[at, channel])
        if not np.isfinite(value):
            raise UserError(f"{self.path} has a sample at {second:.2f} s that is no finite number; it is damaged")
        raise UserError(
            f"{self.path} has a sample of {value:,.0f} at {second:.2f} s, but floats of a sound go from -1 to 1; "
            "divide it by its full scale, or save it as whole numbers"
        )

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return self.length / self.rate


def open_wav(path: str | Path) -> WavFile:
    """Look into a WAV file: whole numbers of 8, 16, 24 or 32 bits, floats of 32 or 64, any channels.

    A file that was cut off is opened as far as it goes; `missing` says how much is not there.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    WavFile
        Its `rate`, `length` and so on; its `read(start, count)` gives samples.

    Raises
    ------
    UserError
        For another kind of file, with the command that converts it, a coding that is not read, and a header that makes
        no sense.

    Examples
    --------
    >>> minigpt.write_wav("tone.wav", np.sin(np.arange(800) * 0.3), 8000)
    >>> sound = minigpt.open_wav("tone.wav")
    >>> sound.rate, sound.length, sound.read(0, 3).round(2)
    (8000, 800, array([0.  , 0.3 , 0.56], dtype=float32))
    """
    path = Path(path)
    check_is_file(path)
    try:
        with open(path, "rb") as file:
            return _look_into(path, file)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a WAV file in it") from None


def convert_with(path: Path, how: str = "") -> str:
    """The command that makes a WAV file of any sound. how: further words of it."""
    words = ["ffmpeg", "-i", str(path), *how.split(), str(path.with_suffix(".16k.wav"))]
    return f"`{shlex.join(words)}`"


def _look_into(path: Path, file: BinaryIO) -> WavFile:
    head = file.read(12)
    for place, mark, kind in MAGICS:
        if head[place:].startswith(mark):
            raise UserError(f"{path} is {kind}, which is not read; make a WAV file of it: {convert_with(path)}")
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise UserError(f"{path} is no WAV file; if it is a sound of another kind, convert it: {convert_with(path)}")
    form: tuple[int, int, Coding] | None = None
    endless = int.from_bytes(head[4:8], "little") in UNKNOWN
    end, place = file.seek(0, 2), 12
    for _ in range(MOST_CHUNKS):  # a chunk: name, length, content, and one byte more if the length is odd
        if place + 8 > end:
            break
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            form = _form(path, file.read(min(size, 40)))
        elif name == b"data":
            if form is None:
                raise UserError(f"{path} has samples before it says what they are; it is damaged")
            there = end - place - 8
            said = there if size in UNKNOWN and endless else size
            sound = _samples(path, form, place + 8, said, there)
            return sound._replace(unread=_unread(file, place + 8 + said + said % 2, end))
        place += 8 + size + size % 2
    raise UserError(f"{path} has no samples: it ends before they begin; record or convert it again")


def _unread(file: BinaryIO, place: int, end: int) -> int:
    """Bytes from where chunks, such as notes, end that may follow the samples; fewer than the head of one are none."""
    for _ in range(MOST_CHUNKS):
        if place + 8 > end:
            return 0
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        if name in (b"RIFF", b"data") or not (name.isascii() and name.decode().isprintable()) or place + 8 + size > end:
            return end - place
        place += 8 + size + size % 2
    return end - place


def _form(path: Path, chunk: bytes) -> tuple[int, int, Coding]:
    """Rate, channels and coding."""
    if len(chunk) < 16:
        raise UserError(f"{path} ends in the middle of its header; record or convert it again")
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE:
        if len(chunk) < 40:
            raise UserError(f"{path} says that its format is extended, and does not say how; convert it again")
        tag, tail = struct.unpack_from("<H", chunk, 24)[0], chunk[26:40]
        if tail != GUID_TAIL:
            raise UserError(f"{path} has samples in a coding of its own; convert it: {convert_with(path)}")
    known = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}
    if bits not in known.get(tag, ()):
        coding = CODINGS.get(tag, f"coding {tag}")
        coding = f"whole numbers of {bits} bits" if tag == PCM else f"floats of {bits} bits" if tag == FLOAT else coding
        raise UserError(
            f"{path} holds {coding}; whole numbers of 8, 16, 24 or 32 bits and floats of 32 or 64 are read; "
            f"convert it: {convert_with(path)}"
        )
    for what, value, least, most in (
        ("samples a second", rate, LEAST_RATE, MOST_RATE),
        ("channels", channels, 1, MOST_CHANNELS),
        ("bytes for a sample of all channels", block, channels * bits // 8, channels * bits // 8),
    ):
        if not least <= value <= most:
            wanted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            raise UserError(f"{path} says {value:,} {what}, but it must be {wanted}; it is damaged, or convert it")
    return rate, channels, Coding(bits, tag == FLOAT)


def _samples(path: Path, form: tuple[int, int, Coding], begin: int, said: int, there: int) -> WavFile:
    """said, there: bytes of samples, by the header and in truth."""
    rate, channels, coding = form
    block = channels * coding.bits // 8
    length = min(said, there) // block
    if length == 0:
        raise UserError(f"{path} holds no sound: not one sample; record or convert it again")
    return WavFile(path, rate, channels, coding, begin, length, said // block - length)


def write_wav(path: str | Path, samples: Any, rate: int) -> None:
    """Write a WAV file of 16 bits, mono.

    Parameters
    ----------
    path : str or Path
        Where to.
    samples : (N,) floats
        From -1 to 1; what is louder is cut off.
    rate : int
        Samples a second.

    Returns
    -------
    None
        The file is what it gives.

    Examples
    --------
    >>> minigpt.write_wav("tone.wav", np.sin(np.arange(800) * 0.3), 8000)
    """
    whole = np.rint(np.clip(np.asarray(samples), -1, 1 - 2**-15) * 32768).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(whole),
        b"WAVE",
        b"fmt ",
        16,
        PCM,
        1,
        rate,
        2 * rate,
        2,
        16,
        b"data",
        len(whole),
    )
    with replacing(path) as temporary:
        temporary.write_bytes(head + whole)
