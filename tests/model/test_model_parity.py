"""The whole model against PyTorch: an independent forward, and autograd's gradient of every parameter."""

import math

import numpy as np
import pytest
from conftest import optional

from minigpt import Call, Transformer, TransformerConfig, objectives
from minigpt.ops import sinusoidal_positions

VARIANTS = {
    "gpt2": {},
    "untied": {"tied": False, "bias": False},
    "vaswani": {"norm_place": "post", "activation": "relu", "position": "sinusoidal", "scale_embedding": True},
    "llama": {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False},
    "grouped": {"norm": "rms", "key_value_heads": 2, "position": "rotary", "rotary_theta": 500.0, "tied": False},
    "geglu-post": {"norm": "rms", "norm_place": "post", "activation": "gelu", "gated": True, "key_value_heads": 1},
}


def torch_logits(torch, config, p, tokens):
    """The same architecture in PyTorch's own words: unfused, from torch.nn.functional."""
    functional = torch.nn.functional
    activations = {
        "relu": functional.relu,
        "gelu": functional.gelu,
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        "silu": functional.silu,
    }
    act = activations[config.activation]

    def linear(name, x):
        return functional.linear(x, p[f"{name}.weight"].T, p.get(f"{name}.bias"))

    def norm(name, x):
        if config.norm == "rms":
            return functional.rms_norm(x, (config.width,), p[f"{name}.gain"], config.norm_epsilon)
        return functional.layer_norm(x, (config.width,), p[f"{name}.gain"], p.get(f"{name}.bias"), config.norm_epsilon)

    def rotate(x):
        half = config.head_width // 2
        frequency = config.rotary_theta ** (-torch.arange(half, dtype=x.dtype) / half)
        turn = torch.polar(torch.ones(()).to(x.dtype), torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * frequency)
        turned = torch.complex(x[..., :half], x[..., half:]) * turn
        return torch.cat([turned.real, turned.imag], dim=-1)

    def attention(name, x):
        q, k, v = (
            linear(f"{name}.{part}", x).unflatten(-1, (-1, config.head_width)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        if config.position == "rotary":
            q, k = rotate(q), rotate(k)
        k, v = (a.repeat_interleave(config.heads // config.key_value_heads, dim=1) for a in (k, v))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return linear(f"{name}.output", y.transpose(1, 2).flatten(2))

    def feed_forward(name, x):
        up = linear(f"{name}.up", x)
        return linear(f"{name}.down", act(linear(f"{name}.gate", x)) * up if config.gated else act(up))

    x = p["token_embedding.weight"][tokens]
    if config.scale_embedding:
        x = x * math.sqrt(config.width)
    if config.position == "learned":
        x = x + p["position_embedding.weight"][: tokens.shape[1]]
    if config.position == "sinusoidal":
        table = sinusoidal_positions(np.arange(tokens.shape[1]), config.width, dtype=np.float64)
        x = x + torch.tensor(table, dtype=x.dtype)
    for layer in range(config.layers):
        for part, inner in (("attention", attention), ("feed_forward", feed_forward)):
            name = f"blocks.{layer}.{part}"
            if config.norm_place == "pre":
                x = x + inner(name, norm(f"{name}_norm", x))
            else:
                x = norm(f"{name}_norm", x + inner(name, x))
    if config.norm_place == "pre":
        x = norm("final_norm", x)
    return x @ p["token_embedding.weight"].T if config.tied else x @ p["head.weight"]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_logits_loss_and_every_gradient_equal_pytorch(name, dtype, tolerance):
    torch = optional("torch")
    sizes = {"vocabulary_size": 29, "context": 80, "width": 24, "layers": 3, "heads": 4, "feed_forward_width": 44}
    config = TransformerConfig(**{**sizes, **VARIANTS[name]})
    model, rng = Transformer(config), np.random.default_rng(5)
    params = model.init(rng, dtype=np.float64)
    params.flat += 0.1 * rng.standard_normal(params.flat.size)
    params = params.astype(dtype)
    windows = rng.integers(0, 29, (3, 71))
    batch = objectives.causal_lm(windows)

    logits, _ = model.forward(params, batch)
    loss, grads = objectives.loss_and_gradient(model, params, batch, Call())
    leaves = {key: torch.tensor(array, requires_grad=True) for key, array in params.items()}
    theirs = torch_logits(torch, config, leaves, torch.tensor(batch.tokens))
    their_loss = torch.nn.functional.cross_entropy(theirs.flatten(0, 1), torch.tensor(batch.targets).flatten())
    their_loss.backward()

    assert logits.dtype == grads.flat.dtype == dtype
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert loss == pytest.approx(their_loss.item(), rel=tolerance)
    for key, leaf in leaves.items():
        np.testing.assert_allclose(grads[key], leaf.grad.numpy(), rtol=tolerance, atol=tolerance, err_msg=key)
