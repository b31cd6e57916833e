"""GGUF files: what is in them is read, and what is damaged is refused without harm."""

import os
import struct
import tracemalloc

import numpy as np
import pytest

from minigpt import UserError
from minigpt.pretrained import load_pretrained
from minigpt.pretrained.gguf import open_gguf
from minigpt.pretrained.quantized import KINDS
from minigpt.text.printable import GPT2_BYTE_ORDER, spell

LENGTHS = (0, 1, 1 << 31, 1 << 62, (1 << 64) - 1)
FUZZ = int(os.environ.get("MINIGPT_FUZZ", "3000"))


def string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def written(tensors, metadata=b"", pairs=0, version=3):
    """A GGUF file. tensors: name -> (shape, kind, raw bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), pairs) + metadata
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        data += b"\0" * (-len(data) % 32)
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(data))
        data += raw
    return head + b"\0" * (-len(head) % 32) + data


def metadata():
    pairs = [
        string("general.architecture") + struct.pack("<I", 8) + string("llama"),
        string("llama.block_count") + struct.pack("<II", 4, 7),
        string("eps") + struct.pack("<If", 6, 0.5),
        string("words") + struct.pack("<IIQ", 9, 8, 2) + string("a") + string("ö"),
        string("numbers") + struct.pack("<IIQ3i", 9, 5, 3, 1, -2, 3),
    ]
    return b"".join(pairs), len(pairs)


def example():
    rng = np.random.default_rng(0)
    plain = rng.standard_normal((3, 32)).astype("<f4")
    halves = rng.standard_normal((2, 2)).astype("<f2")
    quantized = np.concatenate([np.array([0.5], "<f2").view(np.uint8), rng.integers(0, 256, 32, dtype=np.uint8)])
    tensors = {
        "plain": ((3, 32), 0, plain.tobytes()),
        "halves": ((2, 2), 1, halves.tobytes()),
        "eight": ((1, 32), 8, quantized.tobytes()),
    }
    return plain, halves, quantized, written(tensors, *metadata())


def save(tmp_path, data):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return path


def test_what_is_in_a_file(tmp_path):
    plain, halves, quantized, data = example()
    file = open_gguf(save(tmp_path, data))
    assert file.metadata == {
        "general.architecture": "llama",
        "llama.block_count": 7,
        "eps": 0.5,
        "words": ["a", "ö"],
        "numbers": [1, -2, 3],
    }
    assert np.array_equal(file.tensors["plain"].decode(), plain)
    assert np.array_equal(file.tensors["halves"].decode(), halves.astype(np.float32))
    assert np.array_equal(file.tensors["eight"].decode()[0], 0.5 * quantized[2:].view(np.int8))
    assert {name: tensor.kind for name, tensor in file.tensors.items()} == {
        "plain": "F32",
        "halves": "F16",
        "eight": "Q8_0",
    }


def test_four_bits():
    packed = np.arange(16, dtype=np.uint8) + 16 * np.arange(16, dtype=np.uint8)[::-1]
    scale, least = np.array([2.0], "<f2").view(np.uint8), np.array([-1.5], "<f2").view(np.uint8)
    q = np.concatenate([np.arange(16), np.arange(16)[::-1]])  # low halves, then high ones
    assert np.array_equal(KINDS[2].decode(np.concatenate([scale, packed])[None])[0], 2 * (q - 8.0))
    assert np.array_equal(KINDS[3].decode(np.concatenate([scale, least, packed])[None])[0], 2 * q - 1.5)


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: b"", "could not be opened"),
    (lambda d: b"GGML" + d[4:], "first four bytes"),
    (lambda d: d[:4] + struct.pack("<I", 9) + d[8:], "its version is 9"),
    (lambda d: d[:-40], "beyond its end"),
    (lambda d: d[:60], "in the middle of something"),
    (lambda d: d[:8] + struct.pack("<Q", 1 << 60) + d[16:], "in the middle of something"),
    (lambda d: d[:24] + struct.pack("<Q", 1 << 62) + d[32:], "in the middle of something"),
])  # fmt: skip
def test_damage_is_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        open_gguf(save(tmp_path, change(example()[-1])))


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(UserError, match="format number 12; F32, F16, Q4_0, Q4_1, Q8_0 can be read"):
        open_gguf(save(tmp_path, written({"w": ((1, 256), 12, b"\0" * 144)})))
    with pytest.raises(UserError, match="there is no file"):
        open_gguf(tmp_path / "gone.gguf")


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                data[place] = int(rng.integers(256))
            case 1:
                data = data[:place] or bytearray(b"G")
            case 2:
                data[place : place + 8] = struct.pack("<Q", LENGTHS[int(rng.integers(len(LENGTHS)))])
            case _:
                data = data[:place] + data[int(rng.integers(len(data))) :] or bytearray(b"G")
    return bytes(data)


def test_mutated_files_are_read_or_refused(tmp_path):
    data, rng = example()[-1], np.random.default_rng(0)
    tracemalloc.start()
    for _ in range(FUZZ):
        path = save(tmp_path, mutated(data, rng))
        try:
            for tensor in open_gguf(path).tensors.values():
                tensor.decode()
        except UserError:
            continue
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def little_llama():
    """A whole model of one layer in a GGUF file, with a tokenizer of the 256 bytes."""
    sizes = {"context_length": 8, "embedding_length": 8, "block_count": 1, "attention.head_count": 2}
    sizes |= {"attention.head_count_kv": 1, "feed_forward_length": 6}
    tokens = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER] + ["<|endoftext|>"]
    strings = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
    pairs = [string(name) + struct.pack("<I", 8) + string(value) for name, value in strings.items()]
    pairs += [string(f"llama.{name}") + struct.pack("<II", 4, value) for name, value in sizes.items()]
    pairs += [string("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5)]
    pairs += [string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 257) + b"".join(map(string, tokens))]
    pairs += [string("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 0)]
    pairs += [string("tokenizer.ggml.token_type") + struct.pack("<IIQ257i", 9, 5, 257, *[1] * 256, 3)]
    shapes = {"token_embd": (257, 8), "output_norm": (8,), "blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,)}
    shapes |= {"blk.0.attn_q": (8, 8), "blk.0.attn_k": (4, 8), "blk.0.attn_v": (4, 8), "blk.0.attn_output": (8, 8)}
    shapes |= {"blk.0.ffn_gate": (6, 8), "blk.0.ffn_up": (6, 8), "blk.0.ffn_down": (8, 6)}
    rng = np.random.default_rng(0)
    arrays = {f"{name}.weight": rng.standard_normal(shape).astype("<f4") for name, shape in shapes.items()}
    return written({name: (a.shape, 0, a.tobytes()) for name, a in arrays.items()}, b"".join(pairs), len(pairs))


def test_mutated_models_are_read_or_refused(tmp_path):
    data, rng, opened = little_llama(), np.random.default_rng(0), 0
    assert load_pretrained(save(tmp_path, data)).tokenizer.vocabulary_size == 257
    tracemalloc.start()
    for _ in range(FUZZ // 10):
        try:
            load_pretrained(save(tmp_path, mutated(data, rng)))
            opened += 1
        except UserError:
            continue
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert opened


@pytest.mark.parametrize(("what", "value", "message"), [
    (b"block_count", 1 << 31, "says 2147483648 layers, but there are 11 arrays; the file is damaged"),
    (b"embedding_length", 1 << 30, "has the shape"),
    (b"feed_forward_length", 1 << 30, "has the shape"),
])  # fmt: skip
def test_absurd_sizes_are_refused_before_anything_is_made(tmp_path, what, value, message):
    data = little_llama()
    place = data.index(what) + len(what) + 4
    path = save(tmp_path, data[:place] + struct.pack("<I", value) + data[place + 4 :])
    tracemalloc.start()
    with pytest.raises(UserError, match=message):
        load_pretrained(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
