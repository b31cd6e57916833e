"""A matrix that stays quantized multiplies as the decoded one does, and takes little memory."""

import tracemalloc

import numpy as np
import pytest
from runs import a_run
from test_block_formats import HALVES
from test_gguf import little_llama, save

from minigpt import Params, UserError
from minigpt.infer import GREEDY, generate
from minigpt.model import Overlay
from minigpt.objectives import causal_lm, loss_and_gradient
from minigpt.pretrained import open_model
from minigpt.pretrained import quantized_matrix as module
from minigpt.pretrained.quantized import KINDS, decode_blocks
from minigpt.pretrained.quantized_matrix import QuantizedMatrix

ROWS, COLUMNS = 37, 64


def raw_rows(kind, rng, rows=ROWS, columns=None, largest=2.0):
    """Random bytes whose scales are ordinary numbers, at most `largest`."""
    columns = 2 * max(32, kind.block) if columns is None else columns
    raw = rng.integers(0, 256, (rows, columns // kind.block, kind.size), dtype=np.uint8)
    if kind.name == "F32":
        raw = (largest / 2 * rng.standard_normal((rows, columns, 1))).astype("<f4").view(np.uint8)
    for place in HALVES.get(kind.name, ()):
        scale = rng.uniform(-largest, largest, raw.shape[:2]).astype("<f2")[..., None].view(np.uint8)
        raw[..., place : place + 2] = scale
    return raw.reshape(rows, -1)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("piece", [1, 5 * COLUMNS, 1 << 18])
def test_products_are_those_of_the_decoded_matrix(kind, piece, monkeypatch):
    monkeypatch.setattr(module, "PIECE", piece)
    rng = np.random.default_rng(0)
    raw, columns = raw_rows(kind, rng), 2 * max(32, kind.block)
    plain = decode_blocks(kind, raw.reshape(-1, kind.size)).reshape(ROWS, columns)
    matrix = QuantizedMatrix(kind, raw, columns)
    for ours, wanted in ((matrix, plain), (matrix.T, plain.T), (matrix.T.T, plain)):
        assert ours.shape == wanted.shape and len(ours) == len(wanted) and ours.ndim == 2 and ours.size == wanted.size
        assert np.array_equal(np.asarray(ours), wanted)
        for shape in ((wanted.shape[0],), (3, wanted.shape[0]), (2, 3, wanted.shape[0])):
            for dtype in (np.float32, np.float64):
                x = rng.standard_normal(shape).astype(dtype)
                assert (x @ ours).dtype == dtype
                np.testing.assert_allclose(x @ ours, x @ wanted, rtol=0, atol=1e-3 * np.abs(wanted).max())
    ids = rng.integers(0, ROWS, (4, 5))
    assert np.array_equal(matrix[ids], plain[ids])


def test_what_does_not_fit_is_refused():
    kind = KINDS[8]
    raw = raw_rows(kind, np.random.default_rng(0))
    with pytest.raises(UserError, match="rows of 96 numbers in Q8_0 do not have the shape"):
        QuantizedMatrix(kind, raw, 96)
    with pytest.raises(UserError, match="x has width 5 but the matrix has 37 rows"):
        np.ones((2, 5)) @ QuantizedMatrix(kind, raw, COLUMNS)
    with pytest.raises(UserError, match="no rows to look up"):
        QuantizedMatrix(kind, raw, COLUMNS).T[np.array([1])]


def test_little_memory_is_taken():
    kind, rows, columns = KINDS[2], 2000, 2048
    matrix = QuantizedMatrix(kind, raw_rows(kind, np.random.default_rng(0), rows, columns), columns, transposed=True)
    x = np.ones((2, columns), np.float32)
    tracemalloc.start()
    _ = x @ matrix
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6 < matrix.size * 4 / 2


def quantized_llama(tmp_path, largest=2.0):
    """A llama whose widths are whole blocks, its matrices in Q8_0, Q4_1, F16 and F32, its head the token table."""
    rng, width = np.random.default_rng(4), 32
    shapes = {"token_embd": (257, width), "blk.0.attn_q": (width, width), "blk.0.attn_k": (16, width)}
    shapes |= {"blk.0.attn_v": (16, width), "blk.0.attn_output": (width, width), "blk.0.ffn_gate": (64, width)}
    shapes |= {"blk.0.ffn_up": (64, width), "blk.0.ffn_down": (width, 64)}
    tensors = {}
    for number, (name, shape) in enumerate(shapes.items()):
        kind = (8, 3, 1, 0)[number % 4]  # the last is float32, as it is
        raw = raw_rows(KINDS[kind], rng, *shape, largest)
        tensors[f"{name}.weight"] = (shape, kind, raw.tobytes())
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        gain = rng.standard_normal(width).astype("<f4")
        tensors[f"{name}.weight"] = ((width,), 0, gain.tobytes())
    return save(tmp_path, little_llama({}, tensors=tensors, width=width, feed_forward=64))


def test_a_model_that_stays_quantized_writes_the_same(tmp_path):
    path = quantized_llama(tmp_path)
    plain, stored = open_model(path), open_model(path, quantized=True)
    quantized = [name for name, weight in stored.params.items() if isinstance(weight, QuantizedMatrix)]
    assert len(quantized) == 6, "two of eight are stored as they are"
    ids = np.random.default_rng(0).integers(0, 257, (2, 7))
    wanted = plain.model.forward(plain.params, ids)[0]
    found = stored.model.forward(stored.params, ids)[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
    texts = [list(generate(m.model, m.params, ids[0, :3], 6, sampling=GREEDY)) for m in (plain, stored)]
    assert texts[0] == texts[1]


def test_adapters_are_trained_on_top_of_a_model_that_stays_quantized(tmp_path):
    path, rng = quantized_llama(tmp_path), np.random.default_rng(0)
    plain, stored = open_model(path), open_model(path, quantized=True)
    name = "blocks.0.attention.query"
    gain = "blocks.0.feed_forward_norm.gain"
    shapes = {f"{name}.adapter.down": (32, 3), f"{name}.adapter.up": (3, 32), gain: plain.params.arrays[gain]}
    trained = Params(shapes)
    trained.flat[...] = rng.standard_normal(trained.flat.size) / 9
    batch = causal_lm(rng.integers(0, 257, (2, 7)))
    found, wanted = (
        loss_and_gradient(opened.model, Overlay(opened.params, trained), batch) for opened in (stored, plain)
    )
    assert found[0] == pytest.approx(wanted[0], rel=1e-5)
    assert set(found[1]) == set(shapes)
    np.testing.assert_allclose(found[1].flat, wanted[1].flat, rtol=0, atol=1e-4 * np.abs(wanted[1].flat).max())


def test_only_files_with_quantized_weights_stay_quantized(tmp_path):
    with pytest.raises(UserError, match="holds no quantized weights"):
        open_model(a_run(tmp_path / "run"), quantized=True)
    with pytest.raises(UserError, match="decoded to float32"):
        open_model(quantized_llama(tmp_path), dtype=np.float64, quantized=True)
