"""Scaled rotary positions: the published formulas, as transformers computes them; folders both ways."""

import json

import numpy as np
import pytest
from conftest import optional

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.model.scaling import RotaryScaling, scaled_frequencies
from minigpt.pretrained import load_pretrained, save_pretrained

LENGTH = 40  # of the context; a text of 90 is longer
THEIRS = {
    "linear": {"factor": 2.5},
    "dynamic": {"factor": 2.5},
    "yarn": {"factor": 2.5, "original_max_position_embeddings": 40, "beta_fast": 8.0, "beta_slow": 2.0},
    "yarn, mscale": {"factor": 2.5, "original_max_position_embeddings": 40, "mscale": 0.8, "mscale_all_dim": 0.5},
    "yarn, attention_factor": {
        "factor": 2.5, "original_max_position_embeddings": 40, "attention_factor": 1.7, "truncate": False,
    },
    "llama3": {
        "factor": 2.5, "original_max_position_embeddings": 40, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    },
}  # fmt: skip
each = pytest.mark.parametrize("name", THEIRS)


def their_config(name, **more):
    rope = {"rope_type": name.split(",")[0], "rope_theta": 90.0, **THEIRS[name]}
    return optional("transformers").LlamaConfig(
        vocab_size=37,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=29,
        max_position_embeddings=LENGTH if name == "dynamic" else 100,
        initializer_range=0.3,
        rope_parameters=rope,
        **more,
    )


@pytest.fixture
def torch(monkeypatch):
    """With float64 also where transformers asks for float32."""
    torch = optional("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    rope = optional("transformers.modeling_rope_utils")
    llama = optional("transformers.models.llama.modeling_llama")
    for module in (rope, llama):
        monkeypatch.setattr(module, "torch", Double(torch))
    yield torch
    torch.set_default_dtype(before)


class Double:
    """torch, whose float is 64 bits wide."""

    def __init__(self, torch):
        self._torch = torch
        self.float = self.float32 = torch.float64

    def __getattr__(self, name):
        return getattr(self._torch, name)


def ours_of(theirs, tmp_path, torch):
    """Their fresh model, written by them and opened by us."""
    torch.manual_seed(0)
    model = optional("transformers").LlamaForCausalLM(theirs).double().eval()
    model.save_pretrained(tmp_path)
    return model, load_pretrained(tmp_path, dtype=np.float64)


@each
@pytest.mark.parametrize("length", [9, 90])
def test_frequencies_and_factor_are_theirs(torch, name, length):
    rope = optional("transformers.modeling_rope_utils")
    config = their_config(name)
    frequencies, factor = rope.ROPE_INIT_FUNCTIONS[name.split(",")[0]](config, seq_len=length)
    words = {"low_freq_factor": "low_frequency_factor", "high_freq_factor": "high_frequency_factor"}
    words["original_max_position_embeddings"] = "original_context"
    fields = {words.get(key, key): value for key, value in THEIRS[name].items()}
    scaling = RotaryScaling(kind=name.split(",")[0], **fields)
    ours, our_factor = scaled_frequencies(scaling, 16, 90.0, LENGTH, length)
    np.testing.assert_allclose(ours, frequencies.numpy().astype(float), rtol=1e-12)
    assert our_factor == pytest.approx(factor, rel=1e-12)


@each
@pytest.mark.parametrize("length", [9, 90])
def test_logits_and_gradients_are_theirs(torch, name, length, tmp_path, monkeypatch):
    llama = optional("transformers.models.llama.modeling_llama")
    monkeypatch.setattr(
        llama.LlamaRMSNorm,
        "forward",
        lambda self, x: self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)),
    )
    theirs, ours = ours_of(their_config(name), tmp_path, torch)
    tokens = np.random.default_rng(0).integers(0, 37, (2, length))
    logits = theirs(torch.tensor(tokens)).logits
    our_logits, cache = ours.model.forward(ours.params, tokens)
    tolerance = 2e-5 if name == "dynamic" and length > LENGTH else 1e-5
    np.testing.assert_allclose(our_logits, logits.detach().numpy(), rtol=0, atol=tolerance)
    dlogits = np.random.default_rng(1).standard_normal(logits.shape)
    logits.backward(torch.tensor(dlogits))
    grads = ours.model.backward(ours.params, cache, dlogits)
    their_gradient = theirs.model.layers[0].self_attn.q_proj.weight.grad.numpy().T
    scale = np.abs(their_gradient).max()
    np.testing.assert_allclose(grads["blocks.0.attention.query.weight"], their_gradient, rtol=0, atol=1e-4 * scale)


@each
def test_a_folder_is_written_again_as_it_was_read(torch, name, tmp_path):
    theirs, ours = ours_of(their_config(name), tmp_path / "theirs", torch)
    save_pretrained(tmp_path / "ours", ours.model, ours.params, "llama", "LlamaForCausalLM")
    again = optional("transformers").LlamaForCausalLM.from_pretrained(tmp_path / "ours", dtype=torch.float64).eval()
    assert load_pretrained(tmp_path / "ours").model.config == ours.model.config
    tokens = torch.tensor(np.random.default_rng(0).integers(0, 37, (2, 90)))
    np.testing.assert_array_equal(again(tokens).logits.detach().numpy(), theirs(tokens).logits.detach().numpy())


def written(tmp_path, **changes):
    model = Transformer(
        TransformerConfig(
            vocabulary_size=23, context=12, width=24, layers=1, heads=4, norm="rms", activation="silu", gated=True,
            position="rotary", bias=False, tied=False,
        )
    )  # fmt: skip
    params = model.init(np.random.default_rng(0))
    save_pretrained(tmp_path, model, params, "llama", "LlamaForCausalLM")
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    for name in ("rope_parameters", "rope_theta"):
        config.pop(name)
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return load_pretrained(tmp_path).model.config


def test_the_words_of_before_are_understood(tmp_path):
    config = written(tmp_path, rope_theta=500.0, rope_scaling={"type": "linear", "factor": 2})
    assert (config.rotary_theta, config.rotary_scaling) == (500.0, RotaryScaling(kind="linear", factor=2.0))
    config = written(tmp_path, rope_scaling={"type": "yarn", "original_max_position_embeddings": 4})
    assert config.rotary_scaling == RotaryScaling(kind="yarn", factor=3.0, original_context=4)
    config = written(tmp_path, rope_scaling={"rope_type": "dynamic", "factor": 3.0})
    assert (config.context, config.rotary_scaling.original_context) == (36, 12)


@pytest.mark.parametrize(
    ("rope", "says"),
    [
        ({"rope_type": "longrope", "factor": 2.0}, "rope_type = 'longrope' .* are not supported; 'default', linear"),
        ({"type": "linear", "factor": 2.0, "beta_fast": 3.0}, "beta_fast = 3.0 .* linear has no such setting"),
        ({"type": "linear"}, "rotary_scaling has no factor"),
        ({"type": "linear", "factor": "two"}, "rotary_scaling.factor is 'two', but it must be"),
        ({"type": "linear", "rope_type": "yarn", "factor": 2.0}, "rope_type = 'linear'"),
        ({"type": "yarn", "factor": 2.0, "original_max_position_embeddings": "x"}, "original_context is 'x'"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, rope, says):
    with pytest.raises(UserError, match=says):
        written(tmp_path, rope_scaling=rope)


def test_a_kind_that_transformers_has_not_is_not_written(tmp_path):
    config = written(tmp_path)
    scaling = {"kind": "ntk", "factor": 2.0}
    model = Transformer(TransformerConfig.from_dict({**config.to_dict(), "rotary_scaling": scaling}))
    with pytest.raises(UserError, match="no rotary scaling called ntk"):
        save_pretrained(tmp_path, model, model.init(np.random.default_rng(0)), "llama", "LlamaForCausalLM")
