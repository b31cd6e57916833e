"""Asks a student's `sharded_loss`: runs in the sandbox, with that in `PIECES`.

The shards that it hands out belong to ranks that do not show each other their scores. A `Shard` computes as an array
does, but is none, and nothing makes one of it: what still has several numbers of a row stays a `Shard`, and what has
at most one of each row comes out as a plain array.
"""

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

PIECES: dict = {}

SHOWN = 3  # different scores of a row that a rank gives away
APART = (
    "the shards may not be put together again: a rank gives three numbers for a row, its largest score, "
    "its sum of exponentials, and the target's score if it is there"
)
REMEDY = "ask each shard for them as it is: methods, NumPy's functions and an index for each row work on it"
KINDS = {  # of NumPy's functions and of an array's methods; a shard answers no others
    name: kind
    for kind, names in {
        "told": "shape ndim size result_type",
        "alike": "where clip round around nan_to_num isclose copy astype real conj conjugate sort argsort partition "
        "argpartition cumsum cumprod zeros_like ones_like empty_like",
        "moved": "take take_along_axis compress extract delete reshape ravel flatten transpose permute_dims swapaxes "
        "matrix_transpose moveaxis rollaxis squeeze expand_dims broadcast_to atleast_1d atleast_2d atleast_3d flip "
        "fliplr flipud rot90 roll repeat tile diagonal diag split array_split hsplit vsplit unstack",
        "reduced": "max amax min amin sum mean prod any all argmax argmin std var median average ptp count_nonzero "
        "nanmax nanmin nansum nanmean",
        "multiplied": "matmul dot inner vdot vecdot tensordot einsum",
    }.items()
    for name in names.split()
}


class Rank:
    """Whose scores they are, and which of them it has shown.

    The place of a number is row * (width + 1) + column of the score that it was made of. What was made of several has
    the column `width`, or the row `rows`, where these differ.
    """

    def __init__(self, scores):
        self.rows, self.width = scores.shape
        self.shown = np.zeros(scores.shape, bool)

    def places(self):
        """Of all its scores, (N, V_r)."""
        return np.add.outer(np.arange(self.rows) * (self.width + 1), np.arange(self.width))

    def merged(self, places, total):
        """The places of what is made of many numbers. total: adds up, of an array like `places`, what goes together."""
        count, found = total(np.ones_like(places)), []
        for part, many in zip(np.divmod(places, self.width + 1), (self.rows, self.width), strict=True):
            same = total(part) ** 2 == total(part * part) * count  # their variance is 0
            common = np.clip(total(part) // np.maximum(count, 1), 0, many)
            found.append(np.where(same, common, many).astype(int))
        return found[0] * (self.width + 1) + found[1]

    def give(self, numbers, places):
        """Numbers as they leave an operation."""
        row, column = np.divmod(np.asarray(places), self.width + 1)
        if np.unique(row).size < row.size:
            return Shard(self, numbers, places)
        single = (row < self.rows) & (column < self.width)
        self.shown[row[single], column[single]] = True
        if (self.shown.sum(axis=1) > SHOWN).any():
            raise ValueError(APART)
        return np.array(numbers)[()]  # a copy: the base of a view is the whole


class Shard(NDArrayOperatorsMixin):
    """Numbers that a rank has made of its scores, and the place of each."""

    __slots__ = ("_numbers", "_places", "_rank")

    def __init__(self, rank, numbers, places):
        self._rank, self._numbers, self._places = rank, numbers, places

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        kind = {"__call__": "multiplied" if ufunc.signature else "alike", "reduce": "reduced", "accumulate": "alike"}
        if method == "reduce":
            options.setdefault("axis", 0)
        return _asked(getattr(ufunc, method), kind.get(method), f"np.{ufunc.__name__}.{method}", inputs, options)

    def __array_function__(self, function, types, inputs, options):
        name = function.__name__
        return _asked(function, KINDS.get(name), f"np.{name}", inputs, options)

    def __getattr__(self, name):
        if name in ("shape", "ndim", "size", "dtype", "itemsize", "nbytes"):
            return getattr(self._numbers, name)
        if name in ("T", "mT"):
            return self._rank.give(getattr(self._numbers, name), getattr(self._places, name))
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a shard has no attribute {name!r}")
        if name not in KINDS:
            raise _refusal(f".{name}")

        def method(*inputs, **options):
            return _asked(_method(name), KINDS[name], f".{name}", (self, *inputs), options)

        return method

    def __getitem__(self, key):
        key = _bare(key, self._rank)
        return self._rank.give(self._numbers[key], self._places[key])

    def __setitem__(self, key, value):
        self._numbers[_bare(key, self._rank)] = _bare(value, self._rank)

    def __len__(self):
        return len(self._numbers)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self._numbers)  # NumPy's error: it has several

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __repr__(self):
        return f"<numbers of a shard, of shape {self.shape}>"

    def _refused(self, *inputs, **options):
        raise _refusal("a plain array of one")

    __array__ = __reduce_ex__ = _refused


def _refusal(what):
    """The error, with what it is about."""
    return ValueError(f"{APART}; {what} is refused, so {REMEDY}")


def _method(name):
    """An array's method, as a function of the array."""
    return lambda array, *inputs, **options: getattr(array, name)(*inputs, **options)


def _bare(value, rank):
    """A value with the numbers of a rank's shards in their place; other ranks' are refused."""
    if isinstance(value, tuple):
        return tuple(_bare(one, rank) for one in value)
    if not isinstance(value, Shard):
        return value
    if value._rank is not rank:
        raise ValueError(APART)
    return value._numbers


def _asked(function, kind, name, inputs, options):
    """What a function says of the shards among its inputs, all of one rank. kind: see `KINDS`."""
    found = [value for value in (*inputs, *options.values()) if isinstance(value, Shard)]
    if kind is None or not found:
        raise _refusal(name)
    rank, out = found[0]._rank, options.pop("out", None)
    outs = out if isinstance(out, tuple) else (out,)
    copies = tuple(None if one is None else np.array(_bare(one, rank)) for one in outs)
    written = {} if out is None else {"out": copies if isinstance(out, tuple) else copies[0]}

    def call(swap, **more):
        return function(*map(swap, inputs), **{key: swap(value) for key, value in options.items()}, **more)

    answer = call(lambda value: _bare(value, rank), **written)
    if kind == "told":
        return answer
    several = isinstance(answer, (tuple, list))
    numbers = answer if several else [answer]
    places = _places(kind, found, inputs, options, call, numbers)
    if list(map(np.shape, places)) != list(map(np.shape, numbers)):
        raise _refusal(name)
    given = list(map(rank.give, numbers, places))
    among = [next((value for value in inputs if value is one), None) for one in numbers]  # `out` without its name
    given = [_written(*both, name) for both in zip(given, among if out is None else outs, strict=True)]
    return type(answer)(given) if several else given[0]


def _written(given, out, name):
    """What was given; in `out`, if there is one, which has to be a shard if that is what was given."""
    if out is None:
        return given
    if isinstance(given, Shard) and not isinstance(out, Shard):
        raise _refusal(f"{name} into a plain array")
    out[...] = given
    return out


def _places(kind, found, inputs, options, call, numbers):
    """Of the numbers that a function made of the shards in `found`. call(swap): asks it with other inputs."""
    rank, most = found[0]._rank, max(shard.ndim for shard in found)
    if kind == "moved":
        moved = next((shard for shard in found if shard.dtype != bool), found[0])
        places = call(lambda value: moved._places if value is moved else _bare(value, rank))
        return places if isinstance(places, (tuple, list)) else [places]
    if kind == "alike":
        spread = [[np.broadcast_to(shard._places, one.shape) for shard in found] for one in numbers if one.ndim >= most]
        return [_together(rank, places) for places in spread]
    if kind == "reduced":
        axis = options.get("axis", inputs[1] if len(inputs) > 1 else None)
        kept = np.ndim(numbers[0]) == found[0].ndim
        return [rank.merged(found[0]._places, lambda part: np.sum(part, axis=axis, keepdims=kept))]
    return [_together(rank, [_summed(shard, call) for shard in found])]


def _summed(shard, call):
    """The places of a product with other arrays, each number of which is a sum over what the shard has."""

    def total(part):
        def swap(value):
            if value is shard:
                return part
            return np.ones(value.shape, int) if isinstance(value, (np.ndarray, Shard)) else value

        return call(swap)

    return shard._rank.merged(shard._places, total)


def _together(rank, places):
    """The places of what is made of numbers with these places, an array for each."""
    return places[0] if len(places) == 1 else rank.merged(np.stack(places), lambda part: part.sum(axis=0))


def sharded_loss(shards, targets):
    """What the student's function says. shards: (N, V_r) each; targets: (N,)."""
    ranks = [Rank(shard) for shard in shards]
    return PIECES["sharded_loss"]([Shard(r, s, r.places()) for r, s in zip(ranks, shards, strict=True)], targets)
