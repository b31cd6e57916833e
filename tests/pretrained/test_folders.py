"""Folders: what is written is read again, transformers opens it too, and what is wrong is named."""

import json
import os
import tracemalloc

import numpy as np
import pytest
from conftest import optional

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.pretrained import load_pretrained, save_pretrained
from minigpt.pretrained.families import FAMILIES

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "600"))
SIZES = {
    "vocabulary_size": 29,
    "context": 11,
    "width": 24,
    "layers": 2,
    "heads": 4,
    "feed_forward_width": 31,
    "init_std": 0.2,
}
ENCODER = {"architecture": "encoder", "norm_place": "post", "segments": 2, "embedding_norm": True, "padding": 0}
BOTH = {"architecture": "encoder-decoder", "norm_place": "post", "embedding_norm": True, "padding": 1}
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False, "key_value_heads": 2}
CASES = [
    ("gpt2", "GPT2LMHeadModel", {}),
    ("gpt2", "GPT2ForSequenceClassification", {"labels": 3}),
    ("bert", "BertForPreTraining", {**ENCODER, "activation": "gelu", "norm_epsilon": 1e-12}),
    ("bert", "BertModel", {**ENCODER, "activation": "gelu", "norm_epsilon": 1e-12}),
    ("bart", "BartForConditionalGeneration", {**BOTH, "activation": "gelu", "encoder": {"layers": 1}}),
    ("llama", "LlamaForCausalLM", {**MODERN, "tied": False, "norm_epsilon": 1e-6}),
]
cases = pytest.mark.parametrize(("family", "cls", "choices"), CASES)


def made(family, cls, choices):
    config = TransformerConfig(**{**SIZES, **choices, **FAMILIES[family].classes[cls]})
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    params.flat += 0.05 * np.random.default_rng(1).standard_normal(params.flat.size).astype(np.float32)
    return model, params


def batch_for(model):
    tokens = np.random.default_rng(2).integers(3, 29, (2, 7))
    source = tokens[:, ::-1] if model.two_stacks else None
    return Batch(tokens, source=source)


@cases
def test_written_and_read_again(family, cls, choices, tmp_path):
    model, params = made(family, cls, choices)
    save_pretrained(tmp_path, model, params, family, cls)
    again = load_pretrained(tmp_path)
    assert np.array_equal(again.params.flat, params.flat)
    assert Transformer(again.model.config).shapes() == model.shapes()
    ours, theirs = (m.forward(p, batch_for(model))[0] for m, p in ((model, params), again[:2]))
    for a, b in zip(
        ours if isinstance(ours, tuple) else (ours,), theirs if isinstance(theirs, tuple) else (theirs,), strict=True
    ):
        assert np.array_equal(a, b)


@pytest.mark.filterwarnings("ignore")
@cases
def test_transformers_opens_it(family, cls, choices, tmp_path):
    torch, transformers = optional("torch"), optional("transformers")
    model, params = made(family, cls, choices)
    save_pretrained(tmp_path, model, params, family, cls)
    theirs = getattr(transformers, cls).from_pretrained(tmp_path).eval()
    batch = batch_for(model)
    tokens = torch.tensor(batch.tokens)
    if model.two_stacks:
        out = theirs(input_ids=torch.tensor(batch.source.copy()), decoder_input_ids=tokens)
    elif cls == "GPT2ForSequenceClassification":
        theirs.config.pad_token_id = 0
        out = theirs(input_ids=tokens)
    else:
        out = theirs(input_ids=tokens)
    ours = model.forward(params, batch)[0]
    ours = ours[0] if isinstance(ours, tuple) else ours
    np.testing.assert_allclose(ours, out[0].detach().numpy(), rtol=0, atol=1e-5)


def folder(tmp_path):
    model, params = made("gpt2", "GPT2LMHeadModel", {})
    save_pretrained(tmp_path, model, params, "gpt2", "GPT2LMHeadModel")
    return tmp_path


def change(path, **values):
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps({**config, **values}), encoding="utf-8")


@pytest.mark.parametrize(("values", "message"), [
    ({"model_type": "mamba"}, "family 'mamba' are not supported; gpt2, bert, bart, llama are"),
    ({"architectures": ["GPT2DoubleHeadsModel"]}, "GPT2DoubleHeadsModel is not supported"),
    ({"n_embd": 28}, "has the shape"),
    ({"n_layer": 3}, "no array 'transformer.h.2"),
    ({"n_layer": 10**9}, "says 1000000000 layers, but there are"),
    ({"n_head": 5}, "5 heads do not divide"),
    ({"n_embd": "wide"}, "width is 'wide'"),
    ({"activation_function": "mish"}, "activation 'mish' is not supported"),
    ({"scale_attn_weights": False}, "scale_attn_weights = False are not supported"),
])  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, values, message):
    change(folder(tmp_path), **values)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


def test_damaged_files_are_named(tmp_path):
    weights = folder(tmp_path) / "model.safetensors"
    whole = weights.read_bytes()
    for data in (whole[:-100], whole[:20], b"", (1 << 62).to_bytes(8, "little") + whole[8:]):
        weights.write_bytes(data)
        with pytest.raises(UserError, match="damaged or not a safetensors file"):
            load_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        load_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UserError, match="pickled weights only"):
        load_pretrained(tmp_path)
    with pytest.raises(UserError, match="neither a folder"):
        load_pretrained(tmp_path / "gone")


def test_an_index_may_not_lead_outside(tmp_path):
    (folder(tmp_path) / "model.safetensors").unlink()
    for name in ("../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors"):
        index = {"weight_map": {"transformer.wte.weight": name}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
        with pytest.raises(UserError, match="which is not in the folder"):
            load_pretrained(tmp_path)


def test_bfloat16_is_read(tmp_path):
    from safetensors.numpy import load_file

    path = folder(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    header, data = {}, b""
    for name, array in tensors.items():
        halves = (np.ascontiguousarray(array).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {
            "dtype": "BF16",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(halves)],
        }
        data += halves
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    found = load_pretrained(tmp_path).params["token_embedding.weight"]
    expected = (tensors["transformer.wte.weight"].view(np.uint32) >> 16 << 16).view(np.float32)
    assert np.array_equal(found, expected)


def mutated(data, rng):
    """Up to three of: a byte changed, eight bytes made a huge number, a piece lost, the end lost."""
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data))) if rng.random() < 0.5 else int(rng.integers(min(len(data), 300)))
        match rng.integers(4):
            case 0:
                data = data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]
            case 1:
                data = data[:place] + (1 << int(rng.integers(64))).to_bytes(8, "little") + data[place + 8 :]
            case 2:
                data = data[:place] + data[place + int(rng.integers(1, 9)) :]
            case _:
                data = data[:place]
        data = data or b"{"
    return data


def test_mutated_folders_are_read_or_refused(tmp_path):
    sizes = {**SIZES, "layers": 1, "width": 4, "heads": 1, "feed_forward_width": 5}
    model = Transformer(TransformerConfig(**sizes))
    save_pretrained(tmp_path, model, model.init(np.random.default_rng(0)), "gpt2", "GPT2LMHeadModel")
    files = [tmp_path / "config.json", tmp_path / "model.safetensors"]
    whole = [path.read_bytes() for path in files]
    rng, opened = np.random.default_rng(0), 0
    tracemalloc.start()
    for number in range(FUZZ):
        which = number % 2
        files[which].write_bytes(mutated(whole[which], rng))
        try:
            load_pretrained(tmp_path)
            opened += 1
        except UserError:
            pass
        files[which].write_bytes(whole[which])
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert 0 < opened < FUZZ
