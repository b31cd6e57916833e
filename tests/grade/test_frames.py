"""What a student's process sends is believed in nothing: every reply is a value, or a sentence."""

import json
import os
import random
import time
import tracemalloc

import numpy as np
import pytest
from conftest import thorough
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minigpt.grade import EXERCISES
from minigpt.grade.exercise import Wrong
from minigpt.grade.plain import difference, judge_plain
from minigpt.grade.sandbox import Unknown
from minigpt.grade.sandbox.frames import DEPTH, DTYPES, FRAME_BYTES, TREE_BYTES, Kept, Malformed, pack, unpack

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "150"))
PLAIN = [exercise for exercise in EXERCISES.values() if exercise.right]


def frame(tree, rest=b""):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return len(text).to_bytes(4, "big") + text + rest


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and repr(a) == repr(b)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
leaves |= arrays.arrays(
    st.sampled_from([np.dtype(name) for name in DTYPES]), arrays.array_shapes(min_dims=0, min_side=0)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers(), st.integers()), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(values)
def test_what_is_packed_comes_out(value):
    assert same(value, unpack(pack(value)[8:]))


@pytest.mark.parametrize("data", [
    b"", b"\0\0\0", frame(b""), b"\xff\xff\xff\xff{}", frame(b"\xff\xfe"), frame(b"[" * 900), frame(b'{"list":[' * 900),
    frame([]), frame({}), frame({"plain": [1]}), frame({"plain": 1, "list": []}), frame({"nonsense": 1}),
    frame({"list": {}}), frame({"dict": [[{"plain": 1}]]}), frame({"kept": -1}), frame({"kept": True}),
    frame({"dict": [[{"list": []}, {"plain": 1}]]}), frame({"set": [{"dict": []}]}),
    frame({"array": ["float64", [10**15]]}), frame({"array": ["float64", [2] * 60]}),
    frame({"array": ["O", [1]]}, b"1234"),
    frame({"array": ["float64", [-1]]}), frame({"array": ["float64", [True]]}, b"12345678"), frame({"array": ["int8"]}),
    frame({"array": ["float64", [0, 10**18]]}), frame({"array": ["float64", [2]]}, b"1234567"),
    frame({"plain": 1}, b"x"),
    frame({"array": [["float64"], [1]]}), frame({"named": ["a", ["b"], [{"plain": 1}]]}), frame({"slice": [1, 2]}),
    frame(b'{"plain": ' + b"9" * 5000 + b"}"), frame(b" " * (TREE_BYTES + 1)), frame({"unknown": 1}),
    b"PK\x03\x04" + b"\0" * 100,
])  # fmt: skip
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(Malformed):
        unpack(data)


def test_what_is_too_large_or_too_deep_is_not_sent():
    deep = []
    for _ in range(DEPTH + 1):
        deep = [deep]
    for value in (deep, np.zeros(FRAME_BYTES), "x" * TREE_BYTES, [np.zeros(FRAME_BYTES // 16)] * 3):
        with pytest.raises(Malformed):
            pack(value)
    with pytest.raises(ValueError):
        pack(10**5000)


def random_tree(rng, depth=0):
    kinds = ["plain", "array", "kept", "unknown", "named", "slice", "odd", "list", "tuple", "dict", "set"]
    kind = rng.choice(kinds if depth < 5 else kinds[:4])
    some = [random_tree(rng, depth + 1) for _ in range(rng.randrange(4))] if depth < 5 else []
    contents = {
        "plain": rng.choice([None, True, -1, 10**400, 0.5, float("nan"), float("inf"), "text", "\x1b[2J", [], {}]),
        "array": [rng.choice([*DTYPES, "O", "complex128"]), rng.choices([0, 1, 2, 3, 10**15], k=rng.randrange(4))],
        "dict": [[a, b] for a, b in zip(some, some[::-1], strict=True)],
        "kept": rng.randrange(-1, 3),
        "unknown": "thing",
    }
    return {kind: contents.get(kind, some)}


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(4)):
        if data and rng.random() < 0.8:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif data:
            del data[rng.randrange(len(data)) :]
    return bytes(data)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_replies_never_harm_the_grader():
    """Random and damaged frames, and what judging makes of the values in them: nothing but the sentences for it."""
    rng = random.Random(0)
    good = [pack(value)[8:] for value in ([1, (2.0, "x")], {"a": np.eye(3)}, {"value": {3, 4}}, np.arange(7) > 3)]
    questions = [(exercise, *exercise.draw(np.random.default_rng(0))) for exercise in PLAIN]
    rights = [exercise.right(*arguments, **options) for exercise, arguments, options in questions]
    values = wrong = most = 0
    for number in range(FUZZ):
        data = rng.choice(good) if rng.random() < 0.3 else frame(random_tree(rng), rng.randbytes(20))
        start = time.process_time()
        measured = number % 20 == 0  # measuring takes more time than all the rest
        if measured:
            tracemalloc.start()
        try:
            value = unpack(mutated(rng, data) if rng.random() < 0.5 else data)
            values += 1
        except Malformed:
            value = random_value(rng)
        with np.errstate(all="ignore"):
            wrong += bool(difference(value, rights[number % len(rights)]))  # an empty array may be an empty list
        if measured:
            most = max(most, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert time.process_time() - start < 10
    assert 0 < values < FUZZ and wrong > 0.9 * FUZZ
    assert most < 200e6


def random_value(rng, depth=0):
    """What unpacks well and is no answer to anything."""
    odd = [np.nan, 10**400, -(10**400), "x" * 1000, Unknown("thing"), Kept(0), None, np.full((2, 3), np.nan)]
    odd += [np.zeros((0, 3)), {"a": np.eye(2)}, [np.eye(2), np.eye(3)], {(1, 2): np.eye(2)}, (np.nan,) * 3, {np.nan}]
    value = rng.choice(odd)
    if depth < 6 and rng.random() < 0.5:
        inner = random_value(rng, depth + 1)
        return rng.choice([[inner, value], (inner, value), {0: inner, (1, 2): value}, [inner] * 3])
    return value


@thorough
@pytest.mark.parametrize("value", [
    {(1, 1): np.eye(2)}, [np.eye(2)] * 3, (np.eye(2), [np.eye(3)]), 10**400, {"a": {"b": [np.nan]}}, np.array(["x"]),
    [[[[[[[1]]]]]]], np.array(True), np.zeros((0,)), float("nan"), 1 << 4000, {10**400}, {0: 10**400}, [10**400] * 14,
], ids=range(14))  # fmt: skip
def test_odd_answers_are_wrong_answers(value):
    functions = {name: {} for exercise in PLAIN for name in exercise.functions}
    does = {"functions": functions, "call": lambda *_, **__: value, "load": lambda *_, **__: None}
    answering = type("Answering", (), does)()
    for exercise in PLAIN:
        with pytest.raises(Wrong):
            judge_plain(exercise, answering)
