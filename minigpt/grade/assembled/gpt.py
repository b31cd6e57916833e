"""A GPT in plain NumPy, put together from pieces that somebody hands in: a student, or `pieces.py`.

`minigpt grade --assemble` runs this file in the sandbox, where minigpt is not to be found, with the student's functions
in `PIECES`. It needs nothing but NumPy, and its arrays have the names and the shapes of `minigpt.Transformer`'s.

A layer is a pair of functions: `y, cache = layer.forward(x)` and `dx = layer.backward(dy, cache)`. Its weights come
from `w`, a dict by name; the gradients of its weights go into `g`.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

PIECES: dict[str, Callable[..., Any]] = {}  # name -> function; in the sandbox, whoever runs this file fills it


class Layer(NamedTuple):
    forward: Callable[..., Any]
    backward: Callable[..., Any]


def linear(w, g, name, ops):
    """y = x @ weight + bias."""

    def forward(x):
        return ops.linear_forward(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def backward(dy, cache):
        dx, g[f"{name}.weight"], g[f"{name}.bias"] = ops.linear_backward(dy, cache)
        return dx

    return Layer(forward, backward)


def norm(w, g, name, ops):
    """Layer norm with a gain and a bias."""

    def forward(x):
        return ops.layer_norm_forward(x, w[f"{name}.gain"], w[f"{name}.bias"])

    def backward(dy, cache):
        dx, g[f"{name}.gain"], g[f"{name}.bias"] = ops.layer_norm_backward(dy, cache)
        return dx

    return Layer(forward, backward)


def self_attention(w, g, name, heads, ops):
    """Three projections, cut into heads; causal attention in each; a fourth projection of all heads side by side."""
    query, key, value, output = (linear(w, g, f"{name}.{part}", ops) for part in ("query", "key", "value", "output"))

    def forward(x):
        q, k, v = query.forward(x), key.forward(x), value.forward(x)
        mask = ops.causal_mask(x.shape[1])
        y, cache = ops.attention_forward(*(ops.split_heads(part, heads) for part, _ in (q, k, v)), mask=mask)
        y, output_cache = output.forward(merge_heads(y))
        return y, (q[1], k[1], v[1], cache, output_cache)

    def backward(dy, caches):
        q, k, v, cache, output_cache = caches
        dy = ops.split_heads(output.backward(dy, output_cache), heads)
        dq, dk, dv = map(merge_heads, ops.attention_backward(dy, cache))
        return query.backward(dq, q) + key.backward(dk, k) + value.backward(dv, v)

    return Layer(forward, backward)


def merge_heads(x):
    """(B, H, T, D) -> (B, T, H * D)."""
    batch, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * width)


def feed_forward(w, g, name, ops):
    """Up to F hidden units, GELU, and down again."""
    up, down = linear(w, g, f"{name}.up", ops), linear(w, g, f"{name}.down", ops)

    def forward(x):
        x, up_cache = up.forward(x)
        x, cache = ops.gelu_tanh_forward(x)
        y, down_cache = down.forward(x)
        return y, (up_cache, cache, down_cache)

    def backward(dy, caches):
        up_cache, cache, down_cache = caches
        return up.backward(ops.gelu_tanh_backward(down.backward(dy, down_cache), cache), up_cache)

    return Layer(forward, backward)


def block(w, g, name, heads, ops):
    """Attention and feed-forward, each behind its norm and added to the residual stream."""
    layers = (
        norm(w, g, f"{name}.attention_norm", ops),
        self_attention(w, g, f"{name}.attention", heads, ops),
        norm(w, g, f"{name}.feed_forward_norm", ops),
        feed_forward(w, g, f"{name}.feed_forward", ops),
    )
    return Layer(
        lambda x: ops.block_forward(x, *layers),
        lambda dy, cache: ops.block_backward(dy, cache, *layers),
    )


def gpt(w, g, heads, ops):
    """Tokens (B, T) to logits (B, T, V). The head is the table of the token embedding, so that has two gradients."""
    tokens_table, positions_table = "token_embedding.weight", "position_embedding.weight"
    names = sorted({".".join(name.split(".")[:2]) for name in w if name.startswith("blocks.")})
    layers = [*(block(w, g, name, heads, ops) for name in names), norm(w, g, "final_norm", ops)]

    def forward(tokens):
        y, token_cache = ops.embedding_forward(tokens, w[tokens_table])
        positions, position_cache = ops.embedding_forward(np.arange(tokens.shape[1]), w[positions_table])
        x, caches = y + positions, []
        for layer in layers:
            x, cache = layer.forward(x)
            caches.append(cache)
        return x @ w[tokens_table].T, (token_cache, position_cache, caches, x)

    def backward(dlogits, cache):
        token_cache, position_cache, caches, x = cache
        rows = dlogits.reshape(-1, dlogits.shape[-1])
        dx = dlogits @ w[tokens_table]
        for layer, one in zip(reversed(layers), reversed(caches), strict=True):
            dx = layer.backward(dx, one)
        g[tokens_table] = ops.embedding_backward(dx, token_cache) + rows.T @ x.reshape(len(rows), -1)
        g[positions_table] = ops.embedding_backward(dx.sum(axis=0), position_cache)

    return Layer(forward, backward)


def loss_and_gradient(w, tokens, targets, heads, ops=None):
    """The loss, nats per token, and the gradient of every array, a dict as `w`. tokens, targets: (B, T) integers."""
    ops = ops or SimpleNamespace(**PIECES)
    g: dict[str, np.ndarray] = {}
    model = gpt(w, g, heads, ops)
    logits, cache = model.forward(tokens)
    loss, loss_cache = ops.cross_entropy_forward(logits, targets)
    model.backward(ops.cross_entropy_backward(1.0, loss_cache), cache)
    return float(loss), g


class Training(NamedTuple):
    """What changes while a model is trained: flat vectors, what decays first; `w` has views of `parameters`."""

    parameters: np.ndarray
    first: np.ndarray
    second: np.ndarray
    w: dict[str, np.ndarray]
    decayed: int
    text: np.ndarray


def begin(w, decayed, text):
    """None and the start of a training from the arrays of `w`, on `text`, (N,) tokens.

    decayed: the names of the arrays that weight decay shrinks.
    """
    names = [*decayed, *(name for name in w if name not in decayed)]
    flat = np.concatenate([w[name].ravel() for name in names])
    views, at = {}, 0
    for name in names:
        views[name] = flat[at : at + w[name].size].reshape(w[name].shape)
        at += w[name].size
    size = sum(w[name].size for name in decayed)
    return None, Training(flat, np.zeros_like(flat), np.zeros_like(flat), views, size, text)


def train(state, starts, first_step, heads, settings, ops=None):
    """One step for each row of `starts`, (steps, B): where in the text its windows begin. Returns the losses.

    settings: context, peak, warmup, total, maximum (of the gradient's norm), beta1, beta2, weight_decay.
    """
    ops, s, losses = ops or SimpleNamespace(**PIECES), settings, []
    betas = {"beta1": s["beta1"], "beta2": s["beta2"]}
    for step, row in enumerate(starts, first_step):
        tokens, targets = ops.next_token_batch(state.text, row, s["context"])
        loss, g = loss_and_gradient(state.w, tokens, targets, heads, ops)
        gradient = ops.clip_by_global_norm(np.concatenate([g[name].ravel() for name in state.w]), s["maximum"])
        rate = ops.warmup_cosine(step, peak=s["peak"], warmup=s["warmup"], total=s["total"])
        for part, decay in ((slice(state.decayed), s["weight_decay"]), (slice(state.decayed, None), 0.0)):
            now = (state.parameters[part], gradient[part], state.first[part], state.second[part])
            then = ops.adamw_step(*now, step + 1, learning_rate=rate, weight_decay=decay, **betas)
            for array, value in zip((now[0], *now[2:]), then, strict=True):
                array[...] = value
        losses.append(loss)
    return losses


def write(state, tokens, uniforms, k, context, heads, ops=None):
    """The tokens, a list, with one more for each of `uniforms`, each chosen among the k likeliest."""
    ops = ops or SimpleNamespace(**PIECES)
    model, tokens = gpt(state.w, {}, heads, ops), list(tokens)
    for uniform in uniforms:
        logits, _ = model.forward(np.array([tokens[-context:]]))
        tokens.append(int(ops.sample_top_k(logits[0, -1], k, uniform)))
    return tokens
