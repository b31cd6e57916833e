"""Scaled dot-product attention: every query takes a weighted average of the values.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2.1, eq. 1.
Fewer key-value heads than query heads: Ainslie et al. (2023), "GQA", arXiv:2305.13245.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.dropout import DropoutCache, dropout_backward, dropout_forward
from minigpt.ops.softmax import SoftmaxCache, softmax_backward, softmax_forward

MASKED = -1e30  # far below any score, yet finite: exp gives exactly 0, and no row can become 0/0
QUERIES = 64  # taken at a time, so that their scores stay in the processor's cache
KEPT = 1 << 22  # weights of a sequence; where there are more, the backward computes them again, piece by piece


class RowsCache(NamedTuple):
    """One piece of the queries, t of them, over the first s keys: the later ones are masked for all of the piece."""

    softmax: SoftmaxCache  # (B, G, H/G, t, s)  the weights before hook and dropout
    dropped: np.ndarray  # (B, G, H/G, t, s)  the weights after both; s is S where a hook lets masked keys be seen
    dropout: DropoutCache


class Later(NamedTuple):
    """What it takes to make the `RowsCache` of a piece again."""

    mask: np.ndarray | None  # broadcasts to (B, G, H/G, t, S)
    bias: np.ndarray | None  # broadcasts to (B, G, H/G, t, S)
    dropout_mask: np.ndarray | None  # (B, G, H/G, t, S)
    rate: float


class AttentionCache(NamedTuple):
    query: np.ndarray  # (B, G, H/G, T, D)  scaled
    key: np.ndarray  # (B, G, 1, S, D)
    value: np.ndarray  # (B, G, 1, S, D)
    pieces: list[tuple[slice, RowsCache | Later]]  # which queries, and their weights
    scale: float


Hook = Callable[[str, np.ndarray], np.ndarray]
Pieces = Iterable[tuple[slice, np.ndarray]]  # which queries, t of them, and something of theirs, (B, G, H/G, t, s)


def attention_forward(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    scale: float | None = None,
    dropout_mask: np.ndarray | None = None,
    rate: float = 0.0,
    hook: Hook | None = None,
) -> tuple[np.ndarray, AttentionCache]:
    """y = dropout(softmax(scale * query @ key^T + bias, where mask)) @ value, for every head.

    query: (B, H, T, D); key, value: (B, G, S, D), where G divides H: each group of H/G query heads shares one of the
    G key-value heads. mask: booleans that broadcast to (B, H, T, S), True = may attend; a query that may attend to
    nothing gives zeros. bias: numbers that broadcast to (B, H, T, S), constants. scale: default
    1/sqrt(D), which keeps the scores' variance near one whatever D is.
    dropout_mask, rate: dropout of the weights, with booleans (B, H, T, S) from `draw_dropout_mask`.
    hook: called as hook("scores", s), masked ones far below all others, and as hook("weights", w), both (B, H, T, S);
    what it returns is used in their place, and the backward treats the difference as a constant. Only looking changes
    no bit. Returns y: (B, H, T, D) and the cache for `attention_backward`. `UserError` if the shapes do not fit.
    """
    check_attention_shapes(query, key, value)
    batch, heads, length, width = query.shape
    groups, keys = key.shape[1:3]
    grouped = (batch, groups, heads // groups)
    scale = 1 / math.sqrt(width) if scale is None else scale
    # Scaling the query is cheaper than scaling the scores.
    query = np.multiply(query, scale, order="C").reshape(*grouped, length, width)
    key, value = _in_one_piece(key)[:, :, None], _in_one_piece(value)[:, :, None]  # (B, G, 1, S, D)
    mask, bias = (_by_group(array, length, keys, groups) for array in (mask, bias))
    if dropout_mask is not None:
        dropout_mask = dropout_mask.reshape(*grouped, length, keys)

    y = np.empty_like(query)
    cache = AttentionCache(query, key, value, [], scale)
    kept = hook is not None or heads * length * keys <= KEPT
    for rows, own, used in _weights(query, key, mask, bias, hook):
        later = Later(_of(rows, mask), _of(rows, bias), _of(rows, dropout_mask), rate)
        one = _rows_cache(own, used, later)
        np.matmul(one.dropped, value[..., : one.dropped.shape[-1], :], out=y[..., rows, :])
        cache.pieces.append((rows, one if kept else later))
    return y.reshape(batch, heads, length, width), cache


def attention_backward(
    dy: np.ndarray, cache: AttentionCache, *, hook: Hook | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of query, key and value: (B, H, T, D), (B, G, S, D), (B, G, S, D).

    The forward lines in reverse order. For each head, with s the scores and w the weights:
    dw = dy @ value^T,  ds = softmax_backward(dw),  dquery = scale * ds @ key,  dkey = scale * ds^T @ query,
    dvalue = w^T @ dy. A shared key or value collects the gradients of all the query heads in its group.
    hook: called as hook("dweights", dw) and as hook("dscores", ds), both (B, H, T, S).
    """
    query, key, value, scale = cache.query, cache.key, cache.value, cache.scale
    dy = np.ascontiguousarray(dy).reshape(query.shape)  # (B, G, H/G, T, D)
    dquery, dkey, dvalue = np.empty_like(query), np.zeros_like(key[:, :, 0]), np.zeros_like(value[:, :, 0])
    for rows, dropped, ds in _score_gradients(dy, cache, hook):
        dy_rows = dy[..., rows, :]  # (B, G, H/G, t, D)
        dvalue[:, :, : dropped.shape[-1]] += (dropped.swapaxes(-1, -2) @ dy_rows).sum(axis=2)  # y = dropped @ value
        seen = slice(ds.shape[-1])
        dquery[..., rows, :] = ds @ key[..., seen, :]  # scores = query @ key^T, of the scaled query
        dkey[:, :, seen] += (ds.swapaxes(-1, -2) @ query[..., rows, :]).sum(axis=2)  # has the scale in it already
    dquery *= scale
    batch, _, _, length, width = query.shape
    return dquery.reshape(batch, -1, length, width), dkey, dvalue


def _pieces(length: int) -> Iterator[slice]:
    return (slice(start, start + QUERIES) for start in range(0, length, QUERIES))


def _of(rows: slice, array: np.ndarray | None) -> np.ndarray | None:
    """What an array (..., T, S) holds of these queries."""
    return None if array is None else array[..., rows, :]


def _by_group(array: np.ndarray | None, length: int, keys: int, groups: int) -> np.ndarray | None:
    """A mask or bias (..., H, T, S), (..., 1, T, S) or (T, S) as one that broadcasts to (B, G, H/G, T, S)."""
    if array is None:
        return None
    array = np.broadcast_to(array, (*array.shape[:-2], length, keys))
    if array.ndim == 2:
        return array
    *batch, heads, length, keys = array.shape
    return array.reshape(*batch, *((1, 1) if heads == 1 else (groups, heads // groups)), length, keys)


def _rows_cache(own: np.ndarray, used: np.ndarray, later: Later) -> RowsCache:
    """own, used: a piece's weights before and after the hook, (B, G, H/G, t, s) each."""
    mask = later.dropout_mask
    mask = None if mask is None else mask[..., : used.shape[-1]]
    dropped, dropout_cache = dropout_forward(used, mask=mask, rate=later.rate)
    return RowsCache(SoftmaxCache(own), dropped, dropout_cache)


def _made(cache: AttentionCache, rows: slice, one: RowsCache | Later) -> RowsCache:
    """What the forward made of a piece, kept or made again.

    A long context has too many weights to keep: memory would grow with its square. Dao et al. (2022), "FlashAttention",
    arXiv:2205.14135, section 3.1.
    """
    if isinstance(one, RowsCache):
        return one
    own = _softmax(_scores(cache.query[..., rows, :], cache.key, one.mask, one.bias), one.mask)
    return _rows_cache(own, own, one)


def _weights(
    query: np.ndarray, key: np.ndarray, mask: np.ndarray | None, bias: np.ndarray | None, hook: Hook | None
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """For every piece of the queries: which they are, their weights (B, G, H/G, t, s), and these after the hook."""
    if hook is None:  # one piece goes all the way before the next begins, so its scores stay in the processor's cache
        for rows in _pieces(query.shape[-2]):
            seen = _of(rows, mask)
            own = _softmax(_scores(query[..., rows, :], key, seen, _of(rows, bias)), seen)
            yield rows, own, own
        return
    pieces = [(rows, _of(rows, mask)) for rows in _pieces(query.shape[-2])]
    scores: Pieces = [(rows, _scores(query[..., rows, :], key, seen, _of(rows, bias))) for rows, seen in pieces]
    shown = _show(hook, "scores", scores, key.shape[-2], MASKED)
    weights = [(rows, _softmax(piece, seen)) for (rows, piece), (_, seen) in zip(shown, pieces, strict=True)]
    used = _show(hook, "weights", weights, key.shape[-2], 0.0)
    yield from ((rows, own, piece) for (rows, own), (_, piece) in zip(weights, used, strict=True))


def _scores(query: np.ndarray, key: np.ndarray, mask: np.ndarray | None, bias: np.ndarray | None) -> np.ndarray:
    """(B, G, H/G, t, s) of a piece of the queries, (B, G, H/G, t, D), scaled: the keys that some of them see."""
    seen = key.shape[-2] if mask is None else _last_seen(mask)
    scores = query @ key[..., :seen, :].swapaxes(-1, -2)
    if bias is not None:
        scores += bias[..., :seen]
    if mask is not None:
        scores += np.where(mask[..., :seen], scores.dtype.type(0), scores.dtype.type(MASKED))
    return scores


def _softmax(scores: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The weights, (B, G, H/G, t, s), of masked scores; zeros where a query may attend to nothing."""
    weights, _ = softmax_forward(scores)
    if mask is not None:
        attends = mask.any(axis=-1, keepdims=True)
        if not attends.all():
            weights *= attends  # where every key is masked, softmax is uniform, but the answer is "nothing"
    return weights


def _score_gradients(
    dy: np.ndarray, cache: AttentionCache, hook: Hook | None
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """For every piece: which queries, the weights that met the values, the scores' gradient, (B, G, H/G, t, s)."""
    key, value = cache.key, cache.value
    if hook is None:
        for rows, kept in cache.pieces:
            one = _made(cache, rows, kept)
            yield rows, one.dropped, _dscores(_dweights(dy[..., rows, :], value, one), one)
        return
    pieces = [(rows, _made(cache, rows, one)) for rows, one in cache.pieces]
    dweights: Pieces = [(rows, _dweights(dy[..., rows, :], value, one)) for rows, one in pieces]
    shown = _show(hook, "dweights", dweights, key.shape[-2], 0.0)
    dscores = [(rows, _dscores(piece, one)) for (rows, piece), (_, one) in zip(shown, pieces, strict=True)]
    used = _show(hook, "dscores", dscores, key.shape[-2], 0.0)
    yield from ((rows, one.dropped, piece) for (rows, one), (_, piece) in zip(pieces, used, strict=True))


def _dweights(dy: np.ndarray, value: np.ndarray, cache: RowsCache) -> np.ndarray:
    """Gradient of a piece's weights before dropout: (B, G, H/G, t, s). dy: (B, G, H/G, t, D)."""
    return dropout_backward(dy @ value[..., : cache.dropped.shape[-1], :].swapaxes(-1, -2), cache.dropout)


def _dscores(dweights: np.ndarray, cache: RowsCache) -> np.ndarray:
    """Gradient of a piece's scores: (B, G, H/G, t, s); 0 where masked, since the weight is 0 there."""
    return softmax_backward(dweights[..., : cache.softmax.y.shape[-1]], cache.softmax)


def _show(hook: Hook, name: str, pieces: Pieces, keys: int, unseen: float) -> Iterator[tuple[slice, np.ndarray]]:
    """The pieces of what the hook returns for all of them together, (B, H, T, S); `unseen` stands where none is."""
    pieces = list(pieces)
    grouped, dtype = pieces[0][1].shape[:3], pieces[0][1].dtype
    whole = np.full((*grouped, sum(piece.shape[-2] for _, piece in pieces), keys), unseen, dtype)
    for rows, piece in pieces:
        whole[..., rows, : piece.shape[-1]] = piece
    whole = hook(name, whole.reshape(grouped[0], -1, *whole.shape[3:])).reshape(whole.shape)
    for rows, piece in pieces:
        later = whole[..., rows, piece.shape[-1] :]
        seen = piece.shape[-1] if np.all(later == later.dtype.type(unseen)) else keys
        yield rows, np.ascontiguousarray(whole[..., rows, :seen])


def _in_one_piece(x: np.ndarray) -> np.ndarray:
    """x: (..., S, D), copied unless each head's rows lie one after another: BLAS is then twice as fast."""
    return x if x.strides[-2:] == (x.shape[-1] * x.itemsize, x.itemsize) else np.ascontiguousarray(x)


def _last_seen(mask: np.ndarray) -> int:
    """How many keys, from the first, some query of the piece may attend to; at least one."""
    seen = np.flatnonzero(mask.any(axis=tuple(range(mask.ndim - 1))))
    return int(seen[-1]) + 1 if seen.size else 1


def check_attention_shapes(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> None:
    """`UserError` unless queries (B, H, T, D) and keys and values (B, G, S, D) fit."""
    if key.shape != value.shape:
        raise UserError(f"key has shape {key.shape} but value {value.shape}; they must be equal")
    if query.shape[0] != key.shape[0] or query.shape[-1] != key.shape[-1]:
        raise UserError(f"query {query.shape} and key {key.shape} must have the same batch (first) and width (last)")
    if query.shape[1] % key.shape[1]:
        raise UserError(f"{key.shape[1]} key-value heads must divide the {query.shape[1]} query heads")
