"""GGUF files: what is in them is read, and what is damaged is refused without harm."""

import os
import struct
import tracemalloc

import numpy as np
import pytest

from minigpt import Transformer, UserError
from minigpt.model.scaling import RotaryScaling
from minigpt.pretrained import load_pretrained
from minigpt.pretrained.gguf import open_gguf
from minigpt.pretrained.gguf_rotary import read_scaling
from minigpt.pretrained.quantized import KINDS
from minigpt.text.printable import GPT2_BYTE_ORDER, spell

LENGTHS = (0, 1, 1 << 31, 1 << 62, (1 << 64) - 1)
FUZZ = int(os.environ.get("MINIGPT_FUZZ", "1500"))


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
    with pytest.raises(UserError, match=r"format number 16; F32, F16, Q4_0, Q4_1, Q5_0, .*Q6_K can be read"):
        open_gguf(save(tmp_path, written({"w": ((1, 256), 16, b"\0" * 66)})))
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


SIZES = {
    "context_length": 8,
    "embedding_length": 8,
    "block_count": 1,
    "attention.head_count": 2,
    "attention.head_count_kv": 1,
    "feed_forward_length": 6,
}
TOKENS = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER] + ["<|endoftext|>"]
CODES = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}


def pair(name, value):
    """One entry of the metadata."""
    if isinstance(value, str):
        return string(name) + struct.pack("<I", 8) + string(value)
    kind, code = CODES[type(value)]
    return string(name) + struct.pack(f"<I{code}", kind, value)


def little_arrays(rows=257):
    shapes = {"token_embd": (rows, 8), "output_norm": (8,), "blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,)}
    shapes |= {"blk.0.attn_q": (8, 8), "blk.0.attn_k": (4, 8), "blk.0.attn_v": (4, 8), "blk.0.attn_output": (8, 8)}
    shapes |= {"blk.0.ffn_gate": (6, 8), "blk.0.ffn_up": (6, 8), "blk.0.ffn_down": (8, 6)}
    rng = np.random.default_rng(0)
    return {f"{name}.weight": rng.standard_normal(shape).astype("<f4") for name, shape in shapes.items()}


def little_llama(settings=None, arrays=None, *, tensors=None, width=8, feed_forward=6):
    """A whole model of one layer in a GGUF file, with a tokenizer of the 256 bytes. tensors: for `written`."""
    sizes = {**SIZES, "embedding_length": width, "feed_forward_length": feed_forward}
    strings = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
    pairs = [pair(name, value) for name, value in strings.items()]
    pairs += [pair(f"llama.{name}", value) for name, value in sizes.items()]
    pairs += [pair("llama.attention.layer_norm_rms_epsilon", 1e-5)]
    pairs += [string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 257) + b"".join(map(string, TOKENS))]
    pairs += [string("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 0)]
    pairs += [string("tokenizer.ggml.token_type") + struct.pack("<IIQ257i", 9, 5, 257, *[1] * 256, 3)]
    pairs += [pair(name, value) for name, value in (settings or {}).items()]
    arrays = {**little_arrays(), **(arrays or {})}
    plain = {name: (a.shape, 0, a.tobytes()) for name, a in arrays.items()}
    return written(tensors or plain, b"".join(pairs), len(pairs))


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


def in_pairs(rows, heads):
    """`permute` of llama.cpp's convert_hf_to_gguf.py: what turns in halves, stored so that neighbours turn."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def test_rows_of_queries_and_keys_are_put_back(tmp_path):
    rng = np.random.default_rng(1)
    query, key = rng.standard_normal((8, 8)).astype("<f4"), rng.standard_normal((4, 8)).astype("<f4")
    bias = {part: rng.standard_normal(size).astype("<f4") for part, size in (("q", 8), ("k", 4), ("v", 4))}
    arrays = {"blk.0.attn_q.weight": in_pairs(query, 2), "blk.0.attn_k.weight": in_pairs(key, 1)}
    arrays |= {"blk.0.attn_q.bias": in_pairs(bias["q"], 2), "blk.0.attn_k.bias": in_pairs(bias["k"], 1)}
    arrays |= {"blk.0.attn_v.bias": bias["v"]}
    model, params, _ = load_pretrained(save(tmp_path, little_llama(arrays=arrays)))
    part = {name: params[f"blocks.0.attention.{name}.weight"] for name in ("query", "key", "value")}
    assert np.array_equal(part["query"], query.T) and np.array_equal(part["key"], key.T)
    assert np.array_equal(part["value"], little_arrays()["blk.0.attn_v.weight"].T)
    for name, letter in (("query", "q"), ("key", "k"), ("value", "v")):
        assert np.array_equal(params[f"blocks.0.attention.{name}.bias"], bias[letter])
    assert not params["blocks.0.attention.output.bias"].any(), "a bias that is left out is zero"
    assert model.config.attention_bias and not model.config.feed_forward_bias


@pytest.mark.parametrize("settings", [
    {"llama.rope.scaling.type": "none", "llama.rope.scaling.factor": 4.0},
    {"llama.rope.dimension_count": 4},
    {"llama.attention.key_length": 4, "llama.attention.value_length": 4},
    {"llama.attention.scale": 0.5},
    {"llama.attention.sliding_window": 8},
    {"llama.logit_scale": 1.0},
    {"llama.expert_count": 0, "llama.vocab_size": 257},
    {"general.name": "little", "quantize.imatrix.file": "x", "general.type": "model"},
    {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_space_prefix": False},
    {"tokenizer.chat_template": "x", "tokenizer.ggml.unknown_token_id": 0},
])  # fmt: skip
def test_settings_that_change_nothing_are_accepted(settings, tmp_path):
    plain = load_pretrained(save(tmp_path, little_llama()))
    again = load_pretrained(save(tmp_path, little_llama(settings)))
    assert again.model.config == plain.model.config and np.array_equal(again.params.flat, plain.params.flat)


@pytest.mark.parametrize(("settings", "message"), [
    ({"llama.rope.scaling.type": "yarn"}, "llama.rope.scaling.type = 'yarn' are not supported"),
    ({"llama.rope.scaling.type": "longrope", "llama.rope.scaling.factor": 4.0}, "llama.rope.scaling.type = 'longrope'"),
    ({"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0, "llama.rope.scaling.yarn_beta_fast": 3.0},
     "llama.rope.scaling.yarn_beta_fast = 3.0"),
    ({"llama.rope.scaling.factor": "four"}, "llama.rope.scaling.factor is 'four'"),
    ({"llama.rope.scaling.factor": 0.5}, "rotary_scaling.factor is 0.5"),
    ({"llama.rope.dimension_count": 2}, "llama.rope.dimension_count = 2"),
    ({"llama.attention.value_length": 2}, "llama.attention.value_length = 2"),
    ({"llama.attention.scale": 0.25}, "llama.attention.scale = 0.25"),
    ({"llama.attention.sliding_window": 4}, "llama.attention.sliding_window = 4"),
    ({"llama.logit_scale": 0.5}, "llama.logit_scale = 0.5"),
    ({"llama.expert_count": 8}, "llama.expert_count = 8"),
    ({"llama.attention.clamp_kqv": 8.0}, "llama.attention.clamp_kqv = 8.0"),
    ({"llama.rope.freq_base": "high"}, "llama.rope.freq_base is 'high', but it must be one number above 0"),
    ({"general.type": "adapter"}, "holds no model but 'adapter'"),
    ({"tokenizer.ggml.remove_extra_whitespaces": True}, "tokenizer.ggml.remove_extra_whitespaces = True"),
    ({"tokenizer.ggml.normalizer.lowercase": True}, "tokenizer.ggml.normalizer.lowercase = True"),
    ({"tokenizer.ggml.add_space_prefix": True}, "tokenizer.ggml.add_space_prefix = True"),
    ({"llama.vocab_size": 256}, "llama.vocab_size = 256"),
    ({"general.architecture": "llama"}, "it says 'general.architecture' twice"),
    ({"general.alignment": 48}, "its alignment is 48"),
    ({"general.alignment": True}, "its alignment is True"),
    ({"general.alignment": 256}, "which is no multiple of the alignment, 256"),
    ({"split.count": 3, "split.no": 1}, "one of 3 that belong together; join them with gguf-split"),
])  # fmt: skip
def test_settings_that_we_cannot_do_are_named(settings, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load_pretrained(save(tmp_path, little_llama(settings)))


@pytest.mark.parametrize(("name", "array", "message"), [
    ("rope_freqs.weight", np.array([1, 0], "<f4"), "rope_freqs.weight, rotary angles that are stretched"),
    ("blk.0.attn_q_norm.weight", np.ones(4, "<f4"), "an array 'blk.0.attn_q_norm.weight'"),
    ("blk.0.attn_sub_norm.weight", np.ones(8, "<f4"), "an array 'blk.0.attn_sub_norm.weight'"),
    ("blk.0.attn_q.bias", np.ones(5, "<f4"), "blk.0.attn_q.bias has the shape"),
])  # fmt: skip
def test_arrays_that_we_cannot_use_are_named(name, array, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load_pretrained(save(tmp_path, little_llama(arrays={name: array})))


def test_scaled_rotary_positions_are_read_in_each_of_their_words(tmp_path):
    def scaling(settings=None, arrays=None):
        return load_pretrained(save(tmp_path, little_llama(settings, arrays=arrays))).model.config.rotary_scaling

    names = {
        name: f"llama.rope.scaling.{name}" for name in ("type", "factor", "original_context_length", "attn_factor")
    }
    linear = RotaryScaling(kind="linear", factor=4.0)
    assert scaling({names["factor"]: 4.0}) == scaling({names["type"]: "linear", names["factor"]: 4.0}) == linear
    assert scaling({"llama.rope.scale_linear": 4.0}) == linear
    yarn = {names["type"]: "yarn", names["factor"]: 4.0, names["original_context_length"]: 5}
    assert scaling(yarn) == RotaryScaling(kind="yarn", factor=4.0, original_context=5)
    sharper = scaling({**yarn, names["attn_factor"]: 0.5}).attention_factor
    assert sharper == pytest.approx(0.5 * (0.1 * np.log(4) + 1))
    divided = scaling(arrays={"rope_freqs.weight": np.array([1, 2.5], "<f4")})
    assert divided == RotaryScaling(kind="divided", factor=2.5, divisors=(1.0, 2.5))
    with pytest.raises(UserError, match="scale rotary angles twice"):
        scaling({names["factor"]: 4.0}, {"rope_freqs.weight": np.array([1, 2.5], "<f4")})


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_the_divisors_of_llama_3_are_recognized(factor):
    """As llama.cpp's converter writes them, in float32."""
    frequencies = 500000.0 ** (-np.arange(0, 64, 2) / 64)
    wavelengths, divisors = 2 * np.pi / frequencies, []
    for wavelength in wavelengths:
        smooth = np.clip((8192 / wavelength - 1) / 3, 0, 1)
        divisors.append(1 / ((1 - smooth) / factor + smooth))
    fields = {"context": 131072, "head_width": 64, "rotary_theta": 500000.0}
    found = read_scaling({}, np.array(divisors, np.float32), fields)
    assert found == RotaryScaling(kind="llama3", factor=factor, original_context=8192)


def test_frequencies_that_are_one_change_nothing(tmp_path):
    plain = load_pretrained(save(tmp_path, little_llama()))
    again = load_pretrained(save(tmp_path, little_llama(arrays={"rope_freqs.weight": np.ones(2, "<f4")})))
    assert np.array_equal(again.params.flat, plain.params.flat)


def test_the_true_cause_is_named(tmp_path):
    data = little_llama()
    other_machine = data[:4] + data[4:8][::-1] + data[8:]
    with pytest.raises(UserError, match="big-endian"):
        load_pretrained(save(tmp_path, other_machine))
    for name in ("MODEL.GGUF", "model"):
        (tmp_path / name).write_bytes(data)
        assert load_pretrained(tmp_path / name).tokenizer.vocabulary_size == 257
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.gguf")
        with pytest.raises(UserError, match="is no file"):
            load_pretrained(tmp_path / "pipe.gguf")


def test_tensors_that_lie_on_one_another_are_refused(tmp_path):
    raw = np.ones((64, 32), "<f4").tobytes()
    data = written({"one": ((64, 32), 0, raw), "two": ((64, 32), 0, raw)})
    place = data.index(string("two")) + len(string("two")) + 4 + 16 + 4
    assert struct.unpack("<Q", data[place : place + 8])[0] == len(raw)
    for offset in (0, len(raw) - 32):
        moved = data[:place] + struct.pack("<Q", offset) + data[place + 8 :]
        with pytest.raises(UserError, match=r"'one' and 'two' overlap|'two' and 'one' overlap"):
            open_gguf(save(tmp_path, moved))


def test_a_vocabulary_may_be_padded_past_the_tokenizer(tmp_path):
    path = save(tmp_path, little_llama(arrays={"token_embd.weight": little_arrays(300)["token_embd.weight"]}))
    model, _, tokenizer = load_pretrained(path)
    assert (model.config.vocabulary_size, tokenizer.vocabulary_size) == (300, 257)
    path = save(tmp_path, little_llama(arrays={"token_embd.weight": little_arrays(200)["token_embd.weight"]}))
    with pytest.raises(UserError, match="has 200 rows, but there are 257 tokens"):
        load_pretrained(path)


def test_a_setting_of_any_kind_is_read_or_refused(tmp_path):
    values = ["x", True, 0, 1, 7, 1 << 30, 0.0, 1.5, -1.0, float("nan"), float("inf")]
    ids, plain = np.array([[1]]), load_pretrained(save(tmp_path, little_llama()))
    for name in (*SIZES, "attention.layer_norm_rms_epsilon", "rope.freq_base", "attention.sliding_window", "new"):
        for value in values:
            settings = {f"llama.{name}": value}
            try:
                model, params, _ = load_pretrained(save(tmp_path, little_llama(settings)))
            except UserError:
                continue
            assert np.isfinite(model.forward(params, ids)[0]).all(), settings
            assert name != "new" and Transformer(model.config).shapes() == plain.model.shapes()
