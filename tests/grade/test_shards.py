"""The shards of `sharded_loss`: every way to the loss of each rank's own numbers is open, none to all scores."""

import copy
import itertools
import math
import pickle
import textwrap

import numpy as np
import pytest

from minigpt.grade import EXERCISES
from minigpt.grade.assembled import ask_shards
from minigpt.ops import cross_entropy_forward

GIVEN = {"np": np, "math": math, "copy": copy, "pickle": pickle, "itertools": itertools}
QUESTIONS = [EXERCISES["sharded_loss"].draw(np.random.default_rng(seed))[0] for seed in range(8)]


def answer(body, shards, targets):
    """What a function with this body says to the grader's question."""
    namespace = dict(GIVEN)
    exec("def sharded_loss(shards, targets):\n" + textwrap.indent(textwrap.dedent(body), "    "), namespace)
    before, ask_shards.PIECES = ask_shards.PIECES, namespace
    try:
        return ask_shards.sharded_loss(shards, targets)
    finally:
        ask_shards.PIECES = before


def first_shards():
    rng = np.random.default_rng(5)
    return [rng.standard_normal((6, width)) for width in (4, 5, 3)], rng.integers(0, 12, 6)


LARGEST = {
    "method": "np.max([s.max(axis=1) for s in shards], axis=0)",
    "negative axis": "np.stack([s.max(-1) for s in shards]).max(axis=0)",
    "function": "np.max(np.array([np.max(s, axis=1) for s in shards]), 0)",
    "amax": "np.maximum.reduce([np.amax(s, 1) for s in shards])",
    "kept": "np.concatenate([s.max(axis=1, keepdims=True) for s in shards], axis=1).max(axis=1)",
    "kept by name": "np.hstack([np.max(s, axis=-1, keepdims=True) for s in shards]).max(axis=1)",
    "ufunc": "np.maximum.reduce([np.maximum.reduce(s, axis=1) for s in shards])",
    "sorted": "np.max([np.sort(s, axis=1)[:, -1] for s in shards], axis=0)",
    "where it is": "np.max([s[np.arange(len(s)), s.argmax(axis=1)] for s in shards], axis=0)",
    "transposed": "np.max([s.T.max(axis=0) for s in shards], axis=0)",
    "rows": "np.array([max(s[i].max() for s in shards) for i in range(len(targets))])",
    "iterated": "np.max([[row.max() for row in s] for s in shards], axis=0)",
    "one of all": "np.full(len(targets), max(s.max() for s in shards))",
    "into": "np.max([s.max(axis=1, out=np.empty(len(targets))) for s in shards], axis=0)",
    "copied": "np.max([np.copy(s.astype(np.float64)).max(axis=1) for s in copy.deepcopy(shards)], axis=0)",
    "masked": "np.max([np.where(s > -np.inf, s, -1e300).max(axis=1) for s in shards], axis=0)",
}
SUM = {
    "method": "np.exp(s - m[:, None]).sum(axis=1)",
    "function": "np.sum(np.exp(s - m.reshape(-1, 1)), 1)",
    "kept": "np.exp(np.subtract(s, m[:, np.newaxis])).sum(axis=-1, keepdims=True)[:, 0]",
    "mean": "np.exp(s - m[:, None]).mean(axis=1) * s.shape[1]",
    "product": "np.exp(s - m[:, None]) @ np.ones(s.shape[1])",
    "product from the left": "np.ones(s.shape[1]) @ np.exp(s - m[:, None]).T",
    "column": "(np.exp(s - m[:, None]) @ np.ones((s.shape[1], 1)))[:, 0]",
    "dot": "np.exp(s - m[:, None]).dot(np.ones(s.shape[1]))",
    "einsum": "np.einsum('nv->n', np.exp(s - m[:, None]))",
    "einsum of two": "np.einsum('nv,nv->n', np.exp((s - m[:, None]) / 2), np.exp((s - m[:, None]) / 2))",
    "tensordot": "np.tensordot(np.exp(s - m[:, None]), np.ones(s.shape[1]), axes=([1], [0]))",
    "ufunc": "np.add.reduce(np.exp(s - m[:, None]), axis=1)",
    "logarithms": "np.exp(np.logaddexp.reduce(s - m[:, None], axis=1))",
    "own largest": "np.exp(s - s.max(axis=1)[:, None]).sum(axis=1) * np.exp(s.max(axis=1) - m)",
    "transposed": "np.exp(s.T - m).sum(axis=0)",
    "rows": "np.array([np.exp(s[i] - m[i]).sum() for i in range(len(targets))])",
    "rows added up": "[sum(np.exp(row - top)[None, :].sum(axis=1)) for row, top in zip(s, m)]",
    "cumulated": "np.cumsum(np.exp(s - m[:, None]), axis=1)[:, -1]",
    "powers": "(math.e ** (s - m[:, None])).sum(axis=1)",
    "in place": "[e := s - m[:, None], np.exp(e, out=e), e.sum(axis=1)][-1]",
    "into one like it": "np.exp(s - m[:, None], out=np.zeros_like(s), where=s <= m[:, None]).sum(axis=1)",
    "written": "[e := np.zeros_like(s), e.__setitem__(slice(None), np.exp(s - m[:, None])), e.sum(1)][-1]",
}
WANTED = {  # of `here`, the rows whose target is in the shard, and `local`, which it is there
    "rows": "w[here] = s[here, local[here]]",
    "numbers of rows": "w[np.flatnonzero(here)] = s[np.flatnonzero(here), local[np.flatnonzero(here)]]",
    "rows first": "w[here] = s[here][np.arange(here.sum()), local[here]]",
    "clipped": "w += np.where(here, s[np.arange(len(s)), np.clip(local, 0, s.shape[1] - 1)], 0)",
    "along": "w += np.where(here, np.take_along_axis(s, np.clip(local, 0, s.shape[1] - 1)[:, None], axis=1)[:, 0], 0)",
    "one-hot": "w += (s * (np.arange(s.shape[1]) == local[:, None])).sum(axis=1)",
    "where one-hot": "w += np.where(local[:, None] == np.arange(s.shape[1]), s, 0).sum(axis=1)",
    "einsum": "w += np.einsum('nv,nv->n', s, (local[:, None] == np.arange(s.shape[1])).astype(float))",
    "mask": "w[here] = s[local[:, None] == np.arange(s.shape[1])]",
    "extract": "w[here] = np.extract(local[:, None] == np.arange(s.shape[1]), s)",
    "flat": "w[here] = s.ravel()[np.flatnonzero(here) * s.shape[1] + local[here]]",
    "take": "w[here] = np.take(s, np.flatnonzero(here) * s.shape[1] + local[here])",
    "diagonal": "w[here] = s[here][:, local[here]].diagonal()",
    "loop": "for i in range(len(targets)):\n    if 0 <= local[i] < s.shape[1]:\n        w[i] = s[i, local[i]]",
    "loop of rows": "for i, row in enumerate(s):\n    if here[i]:\n        w[i] = float(row[local[i]])",
    "column": "for i in np.flatnonzero(here):\n    w[i] = s[i:i + 1, local[i]][0]",
}
WHOLE = """
m = {largest}
total = np.zeros(len(targets))
w = np.zeros(len(targets))
offsets = np.cumsum([0] + [s.shape[1] for s in shards])
rank = np.searchsorted(offsets, targets, side="right") - 1
for r, s in enumerate(shards):
    total += {sum}
    here = rank == r
    local = targets - offsets[r]
    {wanted}
return float(np.mean(np.log(total) + m - w))
"""
FIRST = {"largest": LARGEST["method"], "sum": SUM["method"], "wanted": WANTED["rows"]}
WAYS = [(part, way) for part, ways in (("largest", LARGEST), ("sum", SUM), ("wanted", WANTED)) for way in ways]


@pytest.mark.parametrize(("part", "way"), WAYS, ids=lambda word: word.replace(" ", "_"))
def test_whatever_finds_three_numbers_of_each_shard_is_right(part, way):
    line = {"largest": LARGEST, "sum": SUM, "wanted": WANTED}[part][way]
    body = WHOLE.format(**{**FIRST, part: line.replace("\n", "\n    ")})
    for shards, targets in QUESTIONS:
        if (part, way) == ("largest", "one of all"):  # a shift that all rows share will do where they are alike
            shards = [shard - shard.mean() for shard in shards]
        before = copy.deepcopy(shards)
        right = cross_entropy_forward(np.concatenate(shards, axis=1), targets)[0]
        assert answer(body, shards, targets) == pytest.approx(right, rel=1e-9)
        assert all(map(np.array_equal, shards, before))


JOINED = {  # how a student would put them together, s: one of them, for the columns a to b of z
    "asarray": "np.concatenate([np.asarray(s) for s in shards], axis=1)",
    "array": "np.concatenate([np.array(s) for s in shards], axis=1)",
    "asanyarray": "np.hstack([np.asanyarray(s) for s in shards])",
    "contiguous": "np.hstack([np.ascontiguousarray(s) for s in shards])",
    "objects": "np.array(shards, dtype=object)",
    "number": "[np.float64(s) for s in shards]",
    "columns set": "z[:, a:b] = s",
    "rows set": "z[0, a:b] = s[0]",
    "columns added": "z[:, a:b] += s",
    "columns computed": "np.exp(s, out=z[:, a:b])",
    "columns computed, by place": "np.exp(s, z[:, a:b])",
    "columns clipped": "np.clip(s, -9, 9, out=z[:, a:b])",
    "columns clipped, by place": "np.clip(s, -9, 9, z[:, a:b])",
    "columns multiplied": "np.matmul(s, np.eye(b - a), out=z[:, a:b])",
    "columns copied": "np.copyto(z[:, a:b], s)",
    "put": "np.put(z, range(s.size), s)",
    "put along": "np.put_along_axis(z, np.arange(a, b)[None], s, axis=1)",
    "put where": "np.putmask(z, z == 0, s)",
    "placed": "np.place(z, z == 0, s)",
    "inserted": "np.insert(z, 0, s.T, axis=1)",
    "added at": "np.add.at(z, (slice(None), slice(a, b)), s)",
    "full": "np.full(s.shape, s)",
    "full like": "np.full_like(s, s)",
    "tolist": "[sum((s[i].tolist() for s in shards), []) for i in range(len(targets))]",
    "tolist of all": "[s.tolist() for s in shards]",
    "bytes": "[s.tobytes() for s in shards]",
    "item": "s.item(0, 0)",
    "lists of rows": "np.array([list(s) for s in shards[:1]])",
    "lists of lists": "[list(row) for s in shards for row in s]",
    "rows unpacked": "[[*shards[0][i], *shards[1][i]] for i in range(6)]",
    "chained": "list(itertools.chain(*[s[0] for s in shards]))",
    "from iterated": "np.fromiter(s[0], float)",
    "entries": "[[s[i, j] for s in shards for j in range(s.shape[1])] for i in range(6)]",
    "entries of one": "[float(s[0][j]) for j in range(s.shape[1])]",
    "columns": "np.stack([s[:, j] for s in shards for j in range(s.shape[1])], axis=1)",
    "thin columns": "np.hstack([s[:, j:j + 1] for s in shards for j in range(s.shape[1])])",
    "columns of the transposed": "[column for s in shards for column in s.T]",
    "split": "np.split(shards[0], 4, axis=1)",
    "sorted columns": "[np.sort(s, axis=1)[:, j] for s in shards for j in range(s.shape[1])]",
    "taken": "[np.take(s, j, axis=1) for s in shards for j in range(s.shape[1])]",
    "concatenated": "np.concatenate(shards, axis=1)",
    "transposed": "np.concatenate([s.T for s in shards]).T",
    "flat ones": "np.concatenate([s.reshape(-1) for s in shards])",
    "stacked": "np.stack([s[:, :3] for s in shards])",
    "stacked rows": "np.vstack([s.T for s in shards])",
    "blocks": "np.block([shards])",
    "r_": "np.r_[shards[0][0], shards[1][0]]",
    "c_": "np.c_[shards[0], shards[1]]",
    "appended": "np.append(np.empty((6, 0)), s, axis=1)",
    "appended to another": "np.append(shards[0], shards[1], axis=1)",
    "added": "shards[0][:, :3] + shards[2]",
    "padded": "sum(np.pad(s, ((0, 0), (0, 9))) for s in shards)",
    "chosen": "np.where(z[:, :3] > 0, shards[0][:, :3], shards[2])",
    "placed by a product": "sum(np.einsum('nv,vw->nw', s, np.eye(s.shape[1], 12)) for s in shards)",
    "added products": "z + shards[0] @ np.eye(4, 12) + shards[1] @ np.eye(5, 12, 4)",
    "one written into another": "shards[0][:, :3] = shards[2]",
    "one copied into one like another": "np.multiply(shards[2], 1, out=np.empty_like(shards[0])[:, :3])",
    "a row by a product": "np.array(np.eye(6)[0] @ s)",
    "width kept": "np.array(np.einsum('nv->nv', s))",
    "columns' sums": "np.asarray(s.sum(axis=0))",
    "memory": "memoryview(s)",
    "buffer": "np.frombuffer(s)",
    "data": "s.data",
    "flat": "list(s.flat)",
    "base": "s.base",
    "view": "s.view(np.ndarray)",
    "interface": "np.asarray(s.__array_interface__)",
    "iterated by NumPy": "[float(x) for x in np.nditer(s)]",
    "enumerated": "[float(x) for _, x in np.ndenumerate(s)]",
    "vectorized": "np.vectorize(lambda x: x)(s)",
    "along an axis": "np.apply_along_axis(lambda row: row, 1, s)",
    "outer": "np.add.outer(s, np.zeros(1))",
    "masked array": "np.ma.array(s)",
    "printed": "np.array2string(s)",
    "pickled": "pickle.dumps(s)",
    "copied": "np.asarray(copy.deepcopy(s))",
    "copied by itself": "np.asarray(copy.copy(s))",
    "copied by NumPy": "np.asarray(s.copy())",
    "computed": "np.asarray(np.exp(s - 1))",
    "float": "[float(x) for x in s]",
}
APART = "the shards may not be put together again: a rank gives three numbers for a row, its largest score, its sum"
OTHER = {  # Python's own errors say as much
    "memory": (TypeError, "Shard"),
    "buffer": (TypeError, "Shard"),
    "interface": (AttributeError, "a shard has no attribute"),
    "float": (TypeError, "Shard"),
}


@pytest.mark.parametrize("way", JOINED, ids=lambda word: word.replace(" ", "_"))
def test_nothing_makes_one_array_of_them(way):
    shards, targets = first_shards()
    for r in (0, 1):
        body = f"z, s = np.zeros((6, 12)), shards[{r}]\na, b = {(0, 4) if r == 0 else (4, 9)}\n{JOINED[way]}"
        kind, said = OTHER.get(way, (ValueError, APART))
        with pytest.raises(kind, match=said):
            answer(body, [shard.copy() for shard in shards], targets)


def test_what_is_wide_stays_a_shard_and_what_is_narrow_is_plain():
    def look(shards, targets):
        s, rows = shards[1], np.arange(6)
        for wide in (s[0], s[:2], s[:, 1:3], s.T, s.reshape(-1), s.sum(axis=0), s > 0, -s, s[rows], s[None], abs(s)):
            assert isinstance(wide, ask_shards.Shard) and "shape" in repr(wide)
        for plain, shape in (
            (s.max(axis=1), (6,)),
            (s.sum(axis=1, keepdims=True), (6, 1)),
            (s[rows, [0, 1, 2, 0, 1, 2]], (6,)),
            (s[s == s.max(axis=1, keepdims=True)], (6,)),
            (s.max(), ()),
            (s[0].max(), ()),
        ):
            assert isinstance(plain, np.ndarray | np.float64) and plain.shape == shape
            assert getattr(plain, "base", None) is None or plain.base.size == plain.size
        assert np.shape(s) == s.shape == (6, 5) and len(s) == 6 and s.dtype == float and s.ndim == 2
        with pytest.raises(ValueError, match="ambiguous"):
            bool(s > 0)

    before, ask_shards.PIECES = ask_shards.PIECES, {"sharded_loss": look}
    try:
        ask_shards.sharded_loss(*first_shards())
    finally:
        ask_shards.PIECES = before
