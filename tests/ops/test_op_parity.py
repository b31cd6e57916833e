"""Every operation against PyTorch: values, and autograd's gradients, on shapes that hypothesis draws."""

import math

import numpy as np
import pytest
from conftest import optional
from drawn import BUILDERS, RULES, array_of_rule, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.check import CASES, OPERATIONS
from minigpt.check.contract import as_dtype, as_list, floating, upstream
from minigpt.ops import ACTIVATIONS, IGNORED, causal_mask, rotary_angles
from minigpt.ops.blockwise import COLUMNS, ROWS


@pytest.fixture(scope="module")
def theirs():
    """Each operation as PyTorch has it, or as its documentation spells it out."""
    torch = optional("torch")
    torch.set_num_threads(1)
    f = torch.nn.functional
    activations = {
        "relu": f.relu,
        "gelu": f.gelu,
        "gelu_tanh": lambda x: f.gelu(x, approximate="tanh"),
        "silu": f.silu,
        "identity": lambda x: x,
    }

    def attention(query, key, value, *, mask=None, bias=0.0, scale=None, dropout_mask=None, rate=0.0):
        shared = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        scores = scores + bias
        if mask is not None:
            attends = mask.any(-1, keepdim=True)
            weights = scores.masked_fill(~mask & attends, -math.inf).softmax(-1) * attends  # -inf in a whole row: nan
        else:
            weights = scores.softmax(-1)
        return (weights if dropout_mask is None else weights * dropout_mask / (1 - rate)) @ value

    def blockwise_attention(query, key, value, *, rows=ROWS, columns=COLUMNS, **options):
        shape, shared = (*query.shape[:3], key.shape[2]), query.shape[1] // key.shape[1]
        for name in RULES & options.keys():
            if isinstance(options[name], tuple):
                tiles = shared, max(1, rows // shared), columns
                options[name] = torch.tensor(array_of_rule(options[name], shape, tiles))
        return attention(query, key, value, **options)

    def router(x, *, top):
        values, places = x.topk(top, dim=-1)
        return torch.zeros_like(x).scatter(-1, places, values.softmax(-1))

    def load_balancing(x, *, top):  # as transformers' load_balancing_loss_func, which does not divide by top
        experts = x.shape[-1]
        chosen = f.one_hot(x.topk(top, dim=-1).indices, experts).to(x.dtype).reshape(-1, top, experts)
        p = x.softmax(-1).reshape(-1, experts)
        return experts * (chosen.mean(0) * p.mean(0)).sum() / top

    def rotary(x, *, cos, sin):  # as transformers' Llama: x cos + rotate_half(x) sin
        cos, sin = torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat([-b, a], -1) * sin

    def cross_entropy(logits, targets, *, smoothing=0.0, count=None, importance=None):
        logits, targets = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
        each = f.cross_entropy(logits, targets, ignore_index=IGNORED, label_smoothing=smoothing, reduction="none")
        if importance is None:
            return each.sum() / (count or max(1, int((targets != IGNORED).sum())))
        weights = torch.as_tensor(importance).reshape(-1) * (targets != IGNORED)
        return (each * weights).sum() / (count or float(weights.sum()) or 1)

    def mean(rows, counted, count):
        rows = rows if counted is None else rows * counted
        return rows.sum() / (count or max(1, rows.numel() if counted is None else int(counted.sum())))

    def soft_targets(logits, *, teacher, temperature, counted=None, count=None):
        p, q = (logits / temperature).log_softmax(-1), (teacher / temperature).log_softmax(-1)
        return temperature**2 * mean(f.kl_div(p, q, reduction="none", log_target=True).sum(-1), counted, count)

    def squared_error(x, *, wanted, counted=None, count=None):
        return mean(f.mse_loss(x, wanted, reduction="none").mean(-1), counted, count)

    def contrastive(first, second, log_scale):
        logits = log_scale.exp() * f.normalize(first, dim=1) @ f.normalize(second, dim=1).T
        right = torch.arange(len(first))
        return (f.cross_entropy(logits, right) + f.cross_entropy(logits.T, right)) / 2

    return {
        **activations,
        "linear": lambda x, weight, bias=None: f.linear(x, weight.T, bias),
        "low_rank": lambda x, down, up, *, scale: x @ (scale * down @ up),
        "convolution_1d": f.conv1d,
        "convolution_2d": f.conv2d,
        "embedding": f.embedding,
        "layer_norm": lambda x, gain, bias=None, *, epsilon: f.layer_norm(x, gain.shape, gain, bias, epsilon),
        "rms_norm": lambda x, gain, *, epsilon: f.rms_norm(x, gain.shape, gain, epsilon),
        "gated": lambda gate, up, *, name: activations[name](gate) * up,
        "tanh": torch.tanh,
        "softmax": lambda x: x.softmax(-1),
        "router": router,
        "load_balancing": load_balancing,
        "attention": attention,
        "blockwise_attention": blockwise_attention,
        "rotary": rotary,
        "dropout": lambda x, *, mask, rate: x if mask is None else x * mask / (1 - rate),
        "cross_entropy": cross_entropy,
        "soft_targets": soft_targets,
        "squared_error": squared_error,
        "contrastive": contrastive,
    }


def compare(theirs, operation, arrays, options, dtype, tolerance):
    """Value and gradients in `dtype` equal PyTorch's in float64 within tolerance * (1 + their largest entry)."""
    forward, backward = OPERATIONS[operation]
    ours = [as_dtype(array, dtype) for array in arrays]
    y, cache = forward(*ours, **{name: as_dtype(value, dtype) for name, value in options.items()})
    dy = upstream(np.random.default_rng(0), np.shape(y))
    gradients = as_list(backward(dy.astype(dtype), cache))

    torch = optional("torch")
    tensors = [torch.tensor(array, requires_grad=floating(array)) for array in arrays]
    settings = {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
    their_y = theirs[operation](*tensors, **settings)
    differentiable = [tensor for tensor in tensors if tensor.requires_grad]
    their_gradients = torch.autograd.grad(their_y, differentiable, torch.tensor(dy), materialize_grads=True)
    for our, tensor in [(y, their_y), *zip(gradients, their_gradients, strict=True)]:
        their = tensor.detach().numpy()
        assert our.dtype == dtype
        assert our.shape == their.shape
        np.testing.assert_allclose(our, their, rtol=0, atol=tolerance * (1 + np.abs(their).max(initial=0)))


DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])


def test_every_operation_and_activation_has_a_reference(theirs):
    assert set(theirs) == {*OPERATIONS, *ACTIVATIONS}


@DTYPES
@pytest.mark.parametrize("operation", BUILDERS)
@settings(max_examples=40)
@given(data=st.data())
def test_equals_pytorch_at_any_shape(theirs, operation, dtype, tolerance, data):
    compare(theirs, operation, *data.draw(inputs(operation)), dtype, tolerance)


@DTYPES
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_pytorch_on_the_cases_of_the_table(theirs, case, dtype, tolerance):
    compare(theirs, case.operation, *case.inputs(), dtype, tolerance)


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (3, 8), (70, 70), (65, 130)])
def test_attention_equals_the_fused_one(queries, keys):
    torch = optional("torch")
    rng = np.random.default_rng(0)
    query = rng.standard_normal((2, 6, queries, 8))
    key, value = rng.standard_normal((2, 2, 3, keys, 8))
    mask = causal_mask(queries, keys)
    y, _ = OPERATIONS["attention"].forward(query, key, value, mask=mask)
    fused = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (query, key, value)), attn_mask=torch.tensor(mask), enable_gqa=True
    )
    np.testing.assert_allclose(y, fused.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("theta", [10000.0, 500000.0])
def test_rotary_angles_equal_those_of_transformers(theta):
    torch = optional("torch")
    llama = optional("transformers.models.llama.modeling_llama")
    config = optional("transformers").LlamaConfig(
        hidden_size=64, num_attention_heads=4, rope_parameters={"rope_type": "default", "rope_theta": theta}
    )
    positions = np.array([0, 1, 7, 1000])
    cos, sin = llama.LlamaRotaryEmbedding(config)(torch.zeros(1, 1), torch.tensor(positions)[None])
    our_cos, our_sin = rotary_angles(positions, 16, theta=theta)
    np.testing.assert_allclose(np.concatenate([our_cos, our_cos], -1), cos[0].numpy(), atol=2e-4)  # theirs is float32
    np.testing.assert_allclose(np.concatenate([our_sin, our_sin], -1), sin[0].numpy(), atol=2e-4)
