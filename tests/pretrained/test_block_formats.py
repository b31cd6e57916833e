"""The formats of GGUF files, byte for byte those of the gguf package."""

import numpy as np
import pytest
from conftest import optional

from minigpt.pretrained.quantized import KINDS, WRITTEN, decode_blocks

HALVES = {  # where a block has 16-bit numbers
    "F16": (0,), "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,), "Q2_K": (80, 82),
    "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
}  # fmt: skip


def random_blocks(kind, rng, count=50):
    """Random bytes; 16-bit scales are ordinary numbers."""
    raw = rng.integers(0, 256, (count, kind.size), dtype=np.uint8)
    for place in HALVES.get(kind.name, ()):
        raw[:, place : place + 2] = rng.standard_normal((count, 1)).astype("<f2").view(np.uint8)
    return raw if kind.name != "F32" else rng.standard_normal((count, 1)).astype("<f4").view(np.uint8)


@pytest.mark.parametrize(("number", "kind"), KINDS.items(), ids=lambda one: getattr(one, "name", ""))
def test_decoders_are_those_of_gguf_to_the_bit(number, kind):
    gguf = optional("gguf")
    theirs = gguf.GGMLQuantizationType(number)
    assert theirs.name == kind.name and gguf.GGML_QUANT_SIZES[theirs] == (kind.block, kind.size)
    raw = random_blocks(kind, np.random.default_rng(number))
    wanted = gguf.quants.dequantize(raw.reshape(-1), theirs).reshape(-1, kind.block)
    found = decode_blocks(kind, raw)
    assert found.dtype == np.float32 and np.array_equal(found, wanted)


@pytest.mark.parametrize("name", WRITTEN)
def test_encoders_are_those_of_gguf_to_the_bit(name):
    gguf = optional("gguf")
    kind = next(kind for kind in KINDS.values() if kind.name == name)
    rng = np.random.default_rng(5)
    numbers = (rng.standard_normal((60, 64)) * rng.uniform(0.001, 9, (60, 1))).astype(np.float32)
    numbers[3], numbers[4, ::2] = 0, 0
    numbers[5] = np.arange(-32, 32) * 0.5  # half-way cases
    wanted = gguf.quants.quantize(numbers, gguf.GGMLQuantizationType[name]).view(np.uint8).reshape(-1, kind.size)
    found = kind.encode(numbers.reshape(-1, kind.block))
    assert found.dtype == np.uint8 and np.array_equal(found, wanted)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_encoded_comes_back_within_a_step(name):
    kind = next(kind for kind in KINDS.values() if kind.name == name)
    numbers = np.random.default_rng(6).standard_normal((40, kind.block)).astype(np.float32)
    again = decode_blocks(kind, kind.encode(numbers))
    most = np.abs(numbers).max(axis=1, keepdims=True)
    width = {"F32": 0, "F16": most / 2048, "Q8_0": most / 220, "Q4_0": most / 7.5, "Q4_1": most / 13}[name]
    assert (np.abs(again - numbers) <= width).all()
