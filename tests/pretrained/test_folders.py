"""Folders: what is written is read again, transformers opens it too, and what is wrong is named."""

import json
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from conftest import optional
from drawn_config import drawn_config

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.model.config import CHOICES
from minigpt.pretrained import fitting_class, load_pretrained, save_pretrained
from minigpt.pretrained.families import FAMILIES

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "300"))
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
IMAGES = {"image": [2, 9, 11], "patch": [3, 2], "context": 16, "activation": "gelu", "norm_epsilon": 1e-12}
CASES = [
    ("gpt2", "GPT2LMHeadModel", {}),
    ("gpt2", "GPT2ForSequenceClassification", {"labels": 3}),
    ("bert", "BertForPreTraining", {**ENCODER, "activation": "gelu", "norm_epsilon": 1e-12}),
    ("bert", "BertModel", {**ENCODER, "activation": "gelu", "norm_epsilon": 1e-12}),
    ("bart", "BartForConditionalGeneration", {**BOTH, "activation": "gelu", "encoder": {"layers": 1}}),
    ("llama", "LlamaForCausalLM", {**MODERN, "tied": False, "norm_epsilon": 1e-6}),
    ("llama", "LlamaForSequenceClassification", {**MODERN, "tied": False, "norm_epsilon": 1e-6, "padding": 7}),
    ("mistral", "MistralForCausalLM", {**MODERN, "tied": False, "norm_epsilon": 1e-6, "window": 3}),
    ("mistral", "MistralForSequenceClassification", {**MODERN, "window": 4, "norm_epsilon": 1e-6, "padding": 7}),
    ("roberta", "RobertaForMaskedLM", {**ENCODER, "activation": "gelu", "norm_epsilon": 1e-12}),
    ("vit", "ViTForImageClassification", {**IMAGES, "labels": 3}),
    ("vit", "ViTModel", IMAGES),
]
cases = pytest.mark.parametrize(("family", "cls", "choices"), CASES)


def made(family, cls, choices):
    config = TransformerConfig(**{**SIZES, **choices, **FAMILIES[family].fixed, **FAMILIES[family].classes[cls].fields})
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    params.flat += 0.05 * np.random.default_rng(1).standard_normal(params.flat.size).astype(np.float32)
    return model, params


def batch_for(model):
    if model.config.input == "images":
        return Batch(np.random.default_rng(2).standard_normal((2, *model.config.image)))
    tokens = np.random.default_rng(2).integers(3, 29, (2, 7))
    source = tokens[:, ::-1] if model.two_stacks else None
    if model.two_stacks and model.config.encoder.input == "frames":
        encoder = model.config.encoder
        source = np.random.default_rng(3).standard_normal((2, 2 * encoder.context - 1, encoder.input_width))
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
    if model.config.input == "images":
        out = theirs(pixel_values=tokens.float())
    elif model.two_stacks:
        out = theirs(input_ids=torch.tensor(batch.source.copy()), decoder_input_ids=tokens)
    elif cls == "GPT2ForSequenceClassification":
        theirs.config.pad_token_id = 0
        out = theirs(input_ids=tokens)
    else:
        out = theirs(input_ids=tokens)
    ours = model.forward(params, batch)[0]
    ours = ours[0] if isinstance(ours, tuple) else ours
    np.testing.assert_allclose(ours, out[0].detach().numpy(), rtol=0, atol=1e-5)


def noisy(config, rng):
    model = Transformer(config)
    params = model.init(rng)
    params.flat[...] += 0.1 * rng.standard_normal(params.flat.size)
    return model, params


@pytest.mark.parametrize("family", FAMILIES)
def test_every_class_reads_what_it_writes_whatever_the_settings(family, tmp_path):
    rng = np.random.default_rng(5)
    for cls in FAMILIES[family].classes:
        for draw in range(3):
            theirs = {**drawn_config(FAMILIES[family], rng), "num_labels": int(rng.integers(2, 7))}
            config = TransformerConfig(**FAMILIES[family].read_config(theirs, FAMILIES[family].classes[cls]))
            model, params = noisy(config, rng)
            path = tmp_path / f"{cls}-{draw}"
            save_pretrained(path, model, params, family, cls)
            again = load_pretrained(path)
            assert again.model.config.to_dict() | {"head_bias": None} == config.to_dict() | {"head_bias": None}
            assert again.model.config.has_head_bias == config.has_head_bias or family == "bart"
            assert np.array_equal(again.params.flat, params.flat) and list(again.params) == list(params)


def any_config(rng):
    """Every field drawn; None if they do not fit together."""
    fields = {name: str(rng.choice(choices)) for name, choices in CHOICES.items()}
    flags = ("pooler", "gated", "embedding_norm", "bias", "tied", "scale_embedding", "key_bias")
    fields |= {name: bool(rng.integers(2)) for name in flags}
    three = {"head_bias", "attention_bias", "feed_forward_bias"}
    fields |= {name: [None, True, False][rng.integers(3)] for name in three}
    fields |= {"vocabulary_size": 31, "context": 13, "width": 24, "layers": 2, "heads": 4, "labels": 3}
    fields |= {"segments": int(rng.integers(3)), "padding": [None, 1][rng.integers(2)]}
    fields |= {"key_value_heads": int(rng.choice([1, 2, 4])), "experts": [None, None, 3][rng.integers(3)]}
    fields |= {"feed_forward_width": 28, "rotary_theta": 77.0, "norm_epsilon": 1e-3}
    fields |= {"input": "tokens"} if rng.random() < 0.9 else {"input_width": 5}
    try:
        return TransformerConfig(**fields)
    except UserError:
        return None


def near(family, cls, rng):
    """A configuration of the class with one field drawn anew: half of them cannot be written."""
    fields = FAMILIES[family].read_config(drawn_config(FAMILIES[family], rng), FAMILIES[family].classes[cls])
    other = any_config(rng)
    if other is None:
        return None
    name = str(rng.choice([n for n in other.to_dict() if n not in ("vocabulary_size", "head_width")]))
    changes = {field: getattr(other, field) for field in ((name, "input_width") if name == "input" else (name,))}
    try:
        return TransformerConfig(**{**fields, **changes})
    except (UserError, TypeError):
        return None


def test_what_is_written_is_the_same_model_or_nothing_is_written(tmp_path):
    rng, written, refused = np.random.default_rng(6), 0, 0
    for number in range(150):
        family = str(rng.choice(list(FAMILIES)))
        cls = str(rng.choice(list(FAMILIES[family].classes)))
        config = near(family, cls, rng) if number % 5 else any_config(rng)
        if config is None:
            continue
        model, params = noisy(config, rng)
        path = tmp_path / str(number)
        try:
            save_pretrained(path, model, params, family, cls)
        except UserError as error:
            assert not path.exists() and cls in str(error)
            refused += 1
            continue
        again = load_pretrained(path)
        assert {n: a.shape for n, a in again.params.items()} == {n: a.shape for n, a in params.items()}, config
        assert all(np.array_equal(again.params[name], array) for name, array in params.items())
        batch = batch_for(model)
        ours, theirs = model.forward(params, batch)[0], again.model.forward(again.params, batch)[0]
        for a, b in zip(
            ours if isinstance(ours, tuple) else (ours,),
            theirs if isinstance(theirs, tuple) else (theirs,),
            strict=True,
        ):
            assert np.array_equal(a, b), config
        written += 1
    assert written > 20 and refused > 20


@pytest.mark.parametrize(("family", "cls", "choices", "message"), [
    ("llama", "LlamaForCausalLM", {}, "LlamaForCausalLM cannot describe this model: its norm is 'layer', not 'rms'"),
    ("gpt2", "GPT2LMHeadModel", {"norm": "rms"}, "its norm is 'rms', not 'layer'"),
    ("gpt2", "GPT2LMHeadModel", {"bias": False}, "bias is False, not True"),
    ("gpt2", "GPT2LMHeadModel", {"position": "sinusoidal"}, "its position is 'sinusoidal', not 'learned'"),
    ("gpt2", "GPT2LMHeadModel", {"head": "sequence"}, "its head is 'sequence', not 'language'"),
    ("gpt2", "GPT3", {}, "GPT3 is not supported, no class of gpt2"),
    ("gpt3", "GPT2LMHeadModel", {}, "family 'gpt3' are not supported"),
])  # fmt: skip
def test_a_model_that_a_class_cannot_describe_is_refused(tmp_path, family, cls, choices, message):
    model, params = noisy(TransformerConfig(**{**SIZES, **choices}), np.random.default_rng(0))
    with pytest.raises(UserError, match=message):
        save_pretrained(tmp_path / "out", model, params, family, cls)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("choices", "expected"), [
    ({}, ("gpt2", "GPT2LMHeadModel")),
    (MODERN, ("llama", "LlamaForCausalLM")),
    ({**MODERN, "attention_bias": True, "head": "token"}, ("llama", "LlamaForTokenClassification")),
    ({**ENCODER, "head": "masked"}, ("bert", "BertForMaskedLM")),
    ({**ENCODER, "head": "sequence", "labels": 2}, ("bert", "BertForSequenceClassification")),
    (BOTH, ("bart", "BartForConditionalGeneration")),
    ({**IMAGES, **FAMILIES["vit"].fixed, "head": "none"}, ("vit", "ViTModel")),
])  # fmt: skip
def test_the_class_that_fits_is_found(choices, expected):
    assert fitting_class(TransformerConfig(**{**SIZES, **choices})) == expected


def test_where_no_class_fits_the_field_is_named():
    with pytest.raises(
        UserError, match="the nearest is GPT2LMHeadModel, but its position is 'sinusoidal', not 'learned'"
    ):
        fitting_class(TransformerConfig(**{**SIZES, "position": "sinusoidal"}))


def edit(path, change):
    """Rewrite the arrays of the folder at `path` as `change` (tensors -> tensors) has them."""
    from safetensors.numpy import load_file, save_file

    save_file(change(load_file(path / "model.safetensors")), path / "model.safetensors", metadata={"format": "pt"})


def named(tensors, old, new):
    return {name.replace(old, new): array for name, array in tensors.items()}


def saved(tmp_path, number):
    model, params = made(*CASES[number])
    save_pretrained(tmp_path, model, params, *CASES[number][:2])
    return params


@pytest.mark.parametrize(("number", "change"), [
    (2, lambda t: named(named(t, "LayerNorm.weight", "LayerNorm.gamma"), "LayerNorm.bias", "LayerNorm.beta")),
    (2, lambda t: named(t, "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight")),
    (2, lambda t: named(t, "cls.predictions.decoder.bias", "cls.predictions.bias")),
    (0, lambda t: named(t, "transformer.wte.weight", "lm_head.weight")),
    (0, lambda t: {**t, "lm_head.weight": t["transformer.wte.weight"].copy()}),
    (0, lambda t: named(t, "transformer.", "")),
    (0, lambda t: {**t, "transformer.h.0.attn.bias": np.ones((1, 1, 11, 11), np.float32)}),
    (0, lambda t: {**t, "transformer.h.1.attn.bias": np.ones((1, 1, 11, 11), bool)}),
    (3, lambda t: {**t, "embeddings.position_ids": np.arange(11)[None]}),
    (3, lambda t: {**t, "pooler.dense.weight": np.ones((24, 24), np.float32)}),
    (4, lambda t: named(t, "model.shared.weight", "model.decoder.embed_tokens.weight")),
    (4, lambda t: {**t, "final_logits_bias": np.zeros((1, 29), np.float32)}),
    (4, lambda t: {**t, "model.encoder.version": np.array([3], np.float32)}),
    (6, lambda t: named(named(t, "LayerNorm.weight", "LayerNorm.gamma"), "LayerNorm.bias", "LayerNorm.beta")),
    (5, lambda t: {**t, "model.layers.1.self_attn.rotary_emb.inv_freq": np.ones(3, np.float32)}),
])  # fmt: skip
def test_the_same_model_under_other_names_is_the_same_model(number, change, tmp_path):
    params = saved(tmp_path, number)
    edit(tmp_path, change)
    again = load_pretrained(tmp_path).params
    assert list(again) == list(params) and np.array_equal(again.flat, params.flat)


@pytest.mark.parametrize(("number", "change", "message"), [
    (0, lambda t: {**t, "transformer.h.0.mlp.gate": np.ones((3, 3), np.float32)}, "array 'transformer.h.0.mlp.gate'"),
    (0, lambda t: {**t, "lm_head.weight": t["transformer.wte.weight"] + 1}, "are one array by the configuration, but"),
    (5, lambda t: {**t, "model.layers.0.self_attn.q_proj.bias": np.ones(24, np.float32)}, "q_proj.bias', which this"),
    (1, lambda t: {**t, "score.bias": np.ones(3, np.float32)}, "an array 'score.bias', which this model would not use"),
    (3, lambda t: {**t, "encoder.layer.0.crossattention.self.query.weight": np.ones(3, np.float32)}, "crossattention"),
    (4, lambda t: {**t, "model.decoder.layer_norm.weight": np.ones(24, np.float32)}, "decoder.layer_norm.weight"),
    (4, lambda t: {**t, "final_logits_bias": np.ones((1, 29), np.int64)}, "'final_logits_bias' is stored as I64"),
    (2, lambda t: {**t, "bert.embeddings.LayerNorm.gamma": np.ones(24, np.float32)}, "Norm.weight' is there twice"),
    (0, lambda t: {f"_orig_mod.{n}": a for n, a in t.items()}, "from torch.compile"),
    (0, lambda t: {f"module.{n}": a for n, a in t.items()}, "from torch's DataParallel"),
    (0, lambda t: {**t, "transformer.wte.weight": t["transformer.wte.weight"].astype(np.int8)}, "is stored as I8; F64"),
])  # fmt: skip
def test_an_array_that_would_not_be_read_is_named(number, change, message, tmp_path):
    saved(tmp_path, number)
    edit(tmp_path, change)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


def test_eight_bit_floats_are_named(tmp_path):
    saved(tmp_path, 0)
    path = tmp_path / "model.safetensors"
    header = json.dumps({"transformer.wte.weight": {"dtype": "F8_E4M3", "shape": [29, 24], "data_offsets": [0, 696]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(696))
    with pytest.raises(UserError, match=r"'transformer\.wte\.weight' is stored as F8_E4M3; F64, F32, F16 and BF16"):
        load_pretrained(tmp_path)


def test_a_bias_of_the_logits_is_read_where_it_is_not_zero(tmp_path):
    params = saved(tmp_path, 4)
    bias = np.arange(29, dtype=np.float32)[None]
    edit(tmp_path, lambda t: {**t, "final_logits_bias": bias})
    again = load_pretrained(tmp_path)
    assert np.array_equal(again.params["head.bias"], bias[0])
    tokens = np.array([[4, 5, 6]])
    without = Transformer(TransformerConfig(**{**again.model.config.to_dict(), "head_bias": False}))
    plain = without.forward(params, Batch(tokens, source=tokens))[0]
    biased = again.model.forward(again.params, Batch(tokens, source=tokens))[0]
    np.testing.assert_allclose(biased - plain, np.broadcast_to(bias, biased.shape), atol=1e-4)


def test_only_dtypes_that_can_compute(tmp_path):
    saved(tmp_path, 0)
    model = load_pretrained(tmp_path).model
    for dtype in (np.float16, np.int32, bool, "half a float"):
        with pytest.raises(UserError, match="choose float32 or float64"):
            load_pretrained(tmp_path, dtype=dtype)
        with pytest.raises(UserError, match="choose float32 or float64"):
            model.init(np.random.default_rng(0), dtype=dtype)
    assert load_pretrained(tmp_path, dtype=np.float64).params.flat.dtype == np.float64


def folder(tmp_path):
    model, params = made("gpt2", "GPT2LMHeadModel", {})
    save_pretrained(tmp_path, model, params, "gpt2", "GPT2LMHeadModel")
    return tmp_path


def change(path, **values):
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps({**config, **values}), encoding="utf-8")


@pytest.mark.parametrize(("values", "message"), [
    ({"model_type": "mamba"}, "family 'mamba' are not supported; gpt2, bert, bart, llama, vit, whisper are"),
    ({"architectures": ["GPT2DoubleHeadsModel"]}, "GPT2DoubleHeadsModel is not supported"),
    ({"n_embd": 28}, "has the shape"),
    ({"n_layer": 3}, "no array 'transformer.h.2"),
    ({"n_layer": 10**9}, "says 1000000000 layers, but there are"),
    ({"n_head": 5}, "5 heads do not divide"),
    ({"num_attention_heads": 3}, "num_attention_heads is 3 and n_head 4, but they are one setting"),
    ({"sliding_window": 3}, "sliding_window = 3 are not supported"),
    ({"logit_scale": 0.5}, "logit_scale = 0.5 are not supported"),
    ({"pruned_heads": {"0": [1]}}, "pruned_heads = {'0': "),
    ({"is_decoder": True}, "is_decoder = True are not supported; it must be False"),
    ({"architectures": [7]}, r"architectures\[0\] is 7, but it must be a string"),
    ({"n_embd": "wide"}, "width is 'wide'"),
    ({"activation_function": "mish"}, "activation 'mish' is not supported"),
    ({"scale_attn_weights": False}, "scale_attn_weights = False are not supported"),
])  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, values, message):
    change(folder(tmp_path), **values)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


@pytest.mark.parametrize(("values", "message"), [
    ({"qkv_bias": False}, "qkv_bias = False are not supported; it must be True"),
    ({"image_size": [9, 11, 3]}, "image_size is .*, but it must be a whole number of at least 1, or two of them"),
    ({"image_size": 2}, r"patches \(3, 2\) do not fit into an image \(2, 2\)"),
    ({"patch_size": [2, 3]}, r"position_embeddings has the shape \(1, 16, 24\), but .* asks for \(1, 13, 24\)"),
    ({"num_channels": 1}, r"projection.weight has the shape \(24, 2, 3, 2\), but .* asks for \(24, 1, 3, 2\)"),
    ({"num_channels": 0}, "num_channels is 0"),
    ({"layer_scale": 0.1}, "layer_scale = 0.1 are not supported"),
])  # fmt: skip
def test_what_does_not_fit_a_model_of_images_is_named(tmp_path, values, message):
    model, params = made("vit", "ViTForImageClassification", {**IMAGES, "labels": 3})
    save_pretrained(tmp_path, model, params, "vit", "ViTForImageClassification")
    change(tmp_path, **values)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


def test_a_setting_may_go_by_its_other_name(tmp_path):
    path = folder(tmp_path)
    plain = load_pretrained(path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    for alias, name in FAMILIES["gpt2"].aliases.items():
        config[alias] = config.pop(name)
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_pretrained(path).model.config == plain.model.config


WINDOWED = {**MODERN, "tied": False, "norm_epsilon": 1e-6, "window": 3}


@pytest.mark.parametrize(("values", "message"), [
    ({"attention_bias": True}, "attention_bias = True are not supported"),
    ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types = .* are not supported"),
    ({"sliding_window": 0}, "window is 0"),
    ({"sliding_window": "long"}, "window is 'long' .sliding_window in the file"),
    ({"use_sliding_window": True}, "use_sliding_window = True are not supported"),
    ({"rope_scaling": {"rope_type": "longrope"}}, "rope_type = 'longrope'"),
    ({"head_dim": 4}, "has the shape"),
    ({"num_local_experts": 8}, "num_local_experts = 8 are not supported"),
])  # fmt: skip
def test_of_a_mistral_what_is_not_understood_is_refused_by_name(tmp_path, values, message):
    save_pretrained(tmp_path, *made("mistral", "MistralForCausalLM", WINDOWED), "mistral", "MistralForCausalLM")
    change(tmp_path, **values)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


def test_the_window_of_a_mistral_may_be_none_or_left_out(tmp_path):
    model, params = made("mistral", "MistralForCausalLM", WINDOWED)
    save_pretrained(tmp_path, model, params, "mistral", "MistralForCausalLM")
    assert fitting_class(model.config) == ("mistral", "MistralForCausalLM")
    change(tmp_path, sliding_window=None)
    assert load_pretrained(tmp_path).model.config.window is None
    assert fitting_class(load_pretrained(tmp_path).model.config) == ("llama", "LlamaForCausalLM")
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    del config["sliding_window"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_pretrained(tmp_path).model.config.window == 4096
    with pytest.raises(UserError, match="cannot describe this model: its sinks is 2, not 0"):
        with_sinks = Transformer(replace(model.config, sinks=2))
        save_pretrained(tmp_path / "x", with_sinks, params, "mistral", "MistralForCausalLM")


def test_settings_that_change_no_answer_are_accepted(tmp_path):
    path = folder(tmp_path)
    plain = load_pretrained(path)
    change(
        path,
        _name_or_path="x",
        torch_dtype="float16",
        summary_type="cls_index",
        task_specific_params={"text-generation": {"max_length": 50}},
        resid_pdrop=0.1,
        attention_dropout=0.5,
        bos_token_id=1,
        use_cache=False,
        sliding_window=None,
        pruned_heads={},
        is_decoder=False,
        transformers_version="5.0",
    )
    assert load_pretrained(path).model.config == plain.model.config


def test_positions_must_be_plain_in_both_places(tmp_path):
    model, params = made("llama", "LlamaForCausalLM", {**MODERN, "tied": False, "norm_epsilon": 1e-6})
    save_pretrained(tmp_path, model, params, "llama", "LlamaForCausalLM")
    for values, says in [
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type = 'linear' .rope_scaling in the file."),
        ({"rope_scaling": {"rope_theta": 5.0}}, "rope_theta is .* in one file; make them equal"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5 are not supported"),
    ]:
        (tmp_path / "x").mkdir(exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            (tmp_path / "x" / name).write_bytes((tmp_path / name).read_bytes())
        change(tmp_path / "x", **values)
        with pytest.raises(UserError, match=says):
            load_pretrained(tmp_path / "x")


BAD = [[1], {}, "1", None, -1, 0, 10**9, 1.5, float("nan")]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_setting_of_any_kind_is_read_or_refused(family, tmp_path):
    rng, record = np.random.default_rng(7), FAMILIES[family]
    cls = next(iter(record.classes))
    theirs = {**drawn_config(record, rng), "num_labels": 3}
    model, params = noisy(TransformerConfig(**record.read_config(theirs, record.classes[cls])), rng)
    save_pretrained(tmp_path, model, params, family, cls)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    further = {"rope_scaling", "rope_parameters", "rope_theta", "quantization_config", "id2label", "num_labels"}
    batch = batch_for(model)
    for name in sorted({*config, *record.refused, *further}):
        for value in BAD:
            (tmp_path / "config.json").write_text(json.dumps({**config, name: value}), encoding="utf-8")
            try:
                again = load_pretrained(tmp_path)
            except UserError:
                continue
            answer = again.model.forward(again.params, batch)[0]
            assert all(np.isfinite(part).all() for part in (answer if isinstance(answer, tuple) else (answer,)))


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


def test_an_adapter_beside_the_model_is_refused(tmp_path):
    (folder(tmp_path) / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds an adapter .adapter_config.json., which would not be applied"):
        load_pretrained(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["pipe", "pipe.npz", "pipe.bin"])
def test_a_pipe_is_refused_before_it_is_opened(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="is no file but a device or a pipe"):
        load_pretrained(tmp_path / name)


@pytest.mark.parametrize("place", ["file", "file/under"])
def test_a_folder_that_cannot_be_made_is_named(place, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    model, params = made(*CASES[0])
    with pytest.raises(UserError, match=r"could not write .*file"):
        save_pretrained(tmp_path / place, model, params, *CASES[0][:2])


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("minigpt.pretrained.folder.save_file", full)
    with pytest.raises(UserError, match=r"No space left on device .*; free some space"):
        folder(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_size_that_is_too_large_for_an_empty_array_is_named(tmp_path):
    entry = {"dtype": "BF16", "shape": [0, 1 << 62], "data_offsets": [0, 0]}
    header = json.dumps({"transformer.wte.weight": entry}).encode()
    (folder(tmp_path) / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UserError, match="is damaged or not a safetensors file"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("cls", "labels"), [("BartForSequenceClassification", 3), ("BertForSequenceClassification", 2)]
)
def test_labels_are_counted_as_the_family_counts_them(cls, labels):
    family = FAMILIES[cls[:4].lower()]
    assert family.read_config({}, family.classes[cls])["labels"] == labels


def test_an_index_may_not_lead_outside(tmp_path):
    (folder(tmp_path) / "model.safetensors").unlink()
    for name in ("../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors"):
        index = {"weight_map": {"transformer.wte.weight": name}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
        with pytest.raises(UserError, match="which is not in the folder"):
            load_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_an_array_that_is_in_two_files_is_refused(dtype, tmp_path):
    """Whether or not both are of numbers that could be read."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder(tmp_path) / "model.safetensors")
    name = "transformer.wte.weight"
    save_file(tensors, tmp_path / "a.safetensors")
    save_file({name: tensors[name].astype(dtype)}, tmp_path / "b.safetensors")
    (tmp_path / "model.safetensors").unlink()
    index = {"weight_map": dict.fromkeys(tensors, "a.safetensors") | {name: "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(UserError, match=f"the array '{name}' is in two files"):
        load_pretrained(tmp_path)


def test_of_many_arrays_too_many_the_first_in_the_alphabet_is_named(tmp_path):
    saved(tmp_path, 0)
    others = {f"other.{letter}": np.ones(2, np.float32) for letter in "qwertyuiopasdfghjklzxcvbnm"}
    edit(tmp_path, lambda tensors: {**tensors, **others})
    with pytest.raises(UserError, match=r"other\.a'"):
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
