"""PEFT opens what we write with the same logits, and we open what it writes."""

import json

import numpy as np
import pytest
from conftest import optional

from minigpt import Overlay, Params, Transformer, low_rank_adapters, preset
from minigpt.errors import UserError
from minigpt.model.head import head_arrays
from minigpt.pretrained import load_pretrained
from minigpt.pretrained.peft import load_adapter, save_adapter

TOKENS = np.array([[5, 6, 7, 8, 9], [9, 3, 1, 4, 2]])
BODY = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4}
WORDS = {"vocab_size": 31, "max_position_embeddings": 16}
KINDS = {
    "LlamaForCausalLM": ("llama", {**BODY, **WORDS, "num_key_value_heads": 2}),
    "GPT2LMHeadModel": ("gpt2", {"n_embd": 24, "n_layer": 2, "n_head": 4, "vocab_size": 31, "n_positions": 16}),
    "BertForSequenceClassification": ("bert", {**BODY, **WORDS, "num_labels": 3}),
}
LAYERS = ("attention.query", "attention.value", "feed_forward.up")


def published(tmp_path, cls):
    """A model of transformers with random weights, its folder, and ours of it."""
    torch, transformers = optional("torch"), optional("transformers")
    family, fields = KINDS[cls]
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **fields)
    theirs = getattr(transformers, cls)(config).eval().double()
    theirs.save_pretrained(tmp_path / "below")
    return theirs, family, load_pretrained(tmp_path / "below", dtype=np.float64)


def drawn(model, rng):
    """Adapters with every value random, and the head too where it is a classifier's."""
    adapters = low_rank_adapters(model, rng, rank=3, layers=LAYERS, dtype=np.float64)
    heads = head_arrays(model.config) if model.config.head == "sequence" else {}
    trained = Params({**adapters.arrays, **{name: model.arrays()[name] for name in heads}}, dtype=np.float64)
    trained.flat[:] = 0.3 * rng.standard_normal(trained.flat.size)
    return trained


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, for what PEFT asks it
@pytest.mark.parametrize("cls", KINDS)
def test_peft_says_what_we_say(tmp_path, cls):
    torch, peft = optional("torch"), optional("peft")
    theirs, family, (model, params, _) = published(tmp_path, cls)
    trained = drawn(model, np.random.default_rng(1))
    ours, _ = model.forward(Overlay(params, trained), TOKENS)
    save_adapter(tmp_path / "adapter", model, trained, family, cls, below="below", dropout=0.125)
    opened = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").double().eval()
    assert opened.peft_config["default"].lora_dropout == 0.125
    with torch.no_grad():
        expected = opened(input_ids=torch.from_numpy(TOKENS)).logits.numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)  # their Llama computes its norms in float32


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, for what PEFT asks it
@pytest.mark.parametrize("cls", KINDS)
def test_we_say_what_peft_says(tmp_path, cls):
    torch, peft = optional("torch"), optional("peft")
    theirs, family, (model, params, _) = published(tmp_path, cls)
    names = {"llama": ["q_proj", "v_proj", "up_proj"], "gpt2": ["c_attn", "c_fc"], "bert": ["query", "value"]}[family]
    task = "SEQ_CLS" if "Sequence" in cls else "CAUSAL_LM"
    settings = peft.LoraConfig(
        r=4, lora_alpha=10, target_modules=names, task_type=task, fan_in_fan_out=family == "gpt2"
    )
    opened = peft.get_peft_model(theirs, settings).double().eval()
    with torch.no_grad():
        for value in opened.parameters():
            if value.requires_grad:
                value.copy_(0.3 * torch.randn_like(value))
        expected = opened(input_ids=torch.from_numpy(TOKENS)).logits.numpy()
    opened.save_pretrained(tmp_path / "adapter")
    trained = load_adapter(tmp_path / "adapter", model, family, cls, dtype=np.float64)
    ours, _ = model.forward(Overlay(params, trained), TOKENS)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def saved(tmp_path):
    model = Transformer(preset("gpt2", vocabulary_size=31, width=24, heads=4, layers=1, context=16))
    adapters = low_rank_adapters(model, np.random.default_rng(0), rank=2)
    adapters.flat[:] = np.random.default_rng(1).standard_normal(adapters.flat.size)
    save_adapter(tmp_path, model, adapters, "gpt2", "GPT2LMHeadModel", below="below")
    return model, adapters


def test_what_is_written_is_read_again(tmp_path):
    model, adapters = saved(tmp_path)
    again = load_adapter(tmp_path, model, "gpt2", "GPT2LMHeadModel")
    params = model.init(np.random.default_rng(2))
    one, two = (model.forward(Overlay(params, trained), TOKENS)[0] for trained in (adapters, again))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "use_dora = True, which is not supported"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"r": 9}, "has rank 4 in its arrays, but 9"),
        ({"layers_to_transform": [0]}, "layers_to_transform"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is 'pissa_niter_4'"),
        ({"alpha_pattern": {".*attn": 9.0}}, "a pattern '.*attn', which is more than a name"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(tmp_path, change, message):
    model, _ = saved(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_adapter(tmp_path, model, "gpt2", "GPT2LMHeadModel")


def test_an_array_that_would_not_be_applied_is_named(tmp_path):
    saved(tmp_path)
    smaller = Transformer(preset("gpt2", vocabulary_size=31, width=12, heads=2, layers=1, context=16))
    with pytest.raises(UserError, match=r"has the shape \(4, 24\)"):
        load_adapter(tmp_path, smaller, "gpt2", "GPT2LMHeadModel")
