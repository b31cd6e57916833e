"""Optimizers: step for step the textbook's and PyTorch's; schedules; clipping."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import optional
from hypothesis import given
from hypothesis import strategies as st

from minigpt import Transformer, UserError, preset
from minigpt.check.optimizer_check import check_clip, check_optimizer
from minigpt.model import Place
from minigpt.optim import (
    adam,
    adamw,
    clip_by_global_norm,
    constant,
    muon,
    orthogonal,
    sgd,
    warmup_cosine,
    warmup_linear,
)
from minigpt.optim.optimizers import BLOCK

SETTINGS = [
    ("sgd", sgd, {}),
    ("sgd", sgd, {"weight_decay": 0.1}),
    ("sgd", sgd, {"momentum": 0.9}),
    ("sgd", sgd, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.02}),
    ("adam", adam, {}),
    ("adam", adam, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weight_decay": 0.1}),
    ("adamw", adamw, {}),
    ("adamw", adamw, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weight_decay": 0.3}),
]
NAMES = [f"{name}-{'-'.join(f'{k}={v}' for k, v in settings.items())}" for name, _, settings in SETTINGS]
TORCH = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


@pytest.mark.parametrize(("name", "make", "settings"), SETTINGS, ids=NAMES)
def test_every_step_is_the_textbooks(name, make, settings):
    check_optimizer(make, name, **settings)


@pytest.mark.parametrize(("name", "make", "settings"), SETTINGS, ids=NAMES)
def test_a_hundred_steps_equal_pytorch(name, make, settings):
    torch = optional("torch")
    rng = np.random.default_rng(1)
    ours = rng.standard_normal(2000)
    theirs = torch.nn.Parameter(torch.tensor(ours))
    words = {"beta1", "beta2", "epsilon"} & set(settings)
    given = {key: value for key, value in settings.items() if key not in words}
    if name != "sgd":
        given |= {
            "betas": (settings.get("beta1", 0.9), settings.get("beta2", 0.999)),
            "eps": settings.get("epsilon", 1e-8),
        }
    reference = getattr(torch.optim, TORCH[name])([theirs], lr=1.0, **given)
    optimizer = make(**settings)
    state = optimizer.init(ours)
    for step in range(100):
        gradient, rate = rng.standard_normal(ours.size), 0.02 * (1 + step % 7) / 7
        optimizer.update(ours, gradient, state, learning_rate=rate)
        theirs.grad = torch.tensor(gradient)
        reference.param_groups[0]["lr"] = rate
        reference.step()
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "make", "settings"), SETTINGS, ids=NAMES)
def test_a_pool_and_a_pause_change_no_bit(name, make, settings):
    rng = np.random.default_rng(2)
    gradients = rng.standard_normal((6, 3 * BLOCK + 5)).astype(np.float32)
    start = rng.standard_normal(gradients.shape[1]).astype(np.float32)
    optimizer = make(**settings, decayed=BLOCK + 9)

    def run(pool, pause):
        parameters = start.copy()
        state = optimizer.init(parameters)
        for step, gradient in enumerate(gradients):
            if step == pause:  # as a checkpoint does
                state = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in state.items()}
            optimizer.update(parameters, gradient, state, learning_rate=0.01, pool=pool)
        assert state["step"] == len(gradients)
        assert parameters.dtype == np.float32
        return parameters

    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(run(None, 3), run(pool, None))


@pytest.mark.parametrize(("name", "make", "settings"), SETTINGS, ids=NAMES)
def test_a_worker_without_a_slice_has_nothing_to_do(name, make, settings):
    optimizer = make(**settings)
    nothing = np.zeros(0, np.float32)
    state = optimizer.init(nothing)
    optimizer.update(nothing, nothing, state, learning_rate=0.01)
    assert state["step"] == 1 and not nothing.size


def test_optimizers_keep_nothing_of_their_own():
    optimizer = adamw()
    gradient = np.random.default_rng(0).standard_normal(1000)
    results = {}

    def run(name):
        parameters = np.ones(1000)
        state = optimizer.init(parameters)
        for _ in range(50):
            optimizer.update(parameters, gradient, state, learning_rate=0.01)
        results[name] = parameters

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(results[0], results[name]) for name in range(4))


def test_the_first_adam_step_moves_by_the_learning_rate():
    parameters = np.zeros(2)
    optimizer = adam(epsilon=0.0)
    optimizer.update(parameters, np.array([1e-3, -50.0]), optimizer.init(parameters), learning_rate=0.1)
    np.testing.assert_allclose(parameters, [-0.1, 0.1], rtol=1e-12)


@pytest.mark.parametrize("make", [sgd, adam, adamw])
def test_only_the_leading_entries_decay(make):
    parameters = np.ones(10)
    optimizer = make(weight_decay=0.5, decayed=4)
    optimizer.update(parameters, np.zeros(10), optimizer.init(parameters), learning_rate=0.1)
    assert (parameters[:4] < 1).all()
    assert np.array_equal(parameters[4:], np.ones(6))


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [
        (sgd(momentum=0.9, nesterov=True), 1e-3),
        (adam(), 0.02),
        (adamw(weight_decay=0), 0.02),
        (muon([Place(0, (1, 2))]), 0.02),
    ],
    ids=["nesterov", "adam", "adamw", "muon"],
)
def test_the_bottom_of_a_valley_is_found(optimizer, rate):
    """Rosenbrock's function, whose minimum (1, 1) lies in a long curved valley."""
    xy = np.array([-1.2, 1.0])
    state, schedule = optimizer.init(xy), warmup_linear(rate, warmup=10, total=6000)
    for step in range(6000):
        x, y = xy
        gradient = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
        optimizer.update(xy, gradient, state, learning_rate=schedule(step))
    value = (1 - xy[0]) ** 2 + 100 * (xy[1] - xy[0] ** 2) ** 2
    assert value < 0.02


def test_muon_orthogonalizes_hidden_matrices_and_leaves_the_rest_to_adamw():
    params = Transformer(preset("tiny-gpt2", vocabulary_size=9, layers=1, width=8, heads=2)).init(
        np.random.default_rng(0)
    )
    matrices = params.block_matrices()
    assert [place.view(params.flat).shape for place in matrices] == [(8, 8)] * 4 + [(8, 32), (32, 8)]
    gradient = np.random.default_rng(1).standard_normal(params.flat.size).astype(np.float32)
    ours, reference = params.copy(), params.copy()
    optimizer, plain = muon(matrices, weight_decay=0.0), adamw(beta2=0.95, weight_decay=0.0)
    optimizer.update(ours.flat, gradient, optimizer.init(ours.flat), learning_rate=0.1)
    plain.update(reference.flat, gradient, plain.init(reference.flat), learning_rate=0.1)
    for name, array in ours.items():
        if name.startswith("blocks.") and array.ndim == 2:
            singular = np.linalg.svd((params[name] - array) / (0.1 * 0.2 * math.sqrt(max(array.shape))))[1]
            assert singular.min() > 0.4
            assert singular.max() < 1.3
        else:
            assert np.array_equal(array, reference[name])


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_newton_schulz_keeps_directions_and_evens_out_lengths(shape):
    matrix = np.random.default_rng(3).standard_normal(shape)
    u, _, v = np.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonal(matrix, 5) @ v.T  # diagonal if the directions are the same
    np.testing.assert_allclose(inner - np.diag(np.diag(inner)), 0, atol=1e-8)
    assert 0.4 < np.diag(inner).min() <= np.diag(inner).max() < 1.3


def test_muon_equals_pytorchs_within_bfloat16():
    torch = optional("torch")
    rng = np.random.default_rng(4)
    ours = rng.standard_normal((6, 10))  # (in, out); PyTorch keeps (out, in)
    theirs = torch.nn.Parameter(torch.tensor(ours.T.copy()))
    optimizer = muon([Place(0, (6, 10))], weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    flat = ours.reshape(-1)
    state = optimizer.init(flat)
    for _ in range(10):
        gradient = rng.standard_normal((6, 10))
        optimizer.update(flat, gradient.reshape(-1), state, learning_rate=0.02)
        theirs.grad = torch.tensor(gradient.T.copy())
        reference.step()
    np.testing.assert_allclose(ours, theirs.detach().numpy().T, atol=0.02)  # ten updates of about 0.013 an entry


def test_clipping_shortens_the_whole_vector():
    check_clip(clip_by_global_norm)


def test_clipping_equals_pytorch():
    torch = optional("torch")
    gradient = np.random.default_rng(5).standard_normal(3 * BLOCK)
    theirs = torch.nn.Parameter(torch.zeros(gradient.size, dtype=torch.float64))
    theirs.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_([theirs], 2.0)
    assert clip_by_global_norm(gradient, 2.0) == pytest.approx(norm.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-12)


def test_the_norm_of_many_small_numbers_keeps_its_digits():
    gradient = np.full(5_000_000, 1e-3, np.float32)
    assert clip_by_global_norm(gradient, 100.0) == pytest.approx(math.sqrt(5.0), rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_norm_that_is_no_number_is_returned(value):
    gradient = np.array([1.0, value])
    assert not math.isfinite(clip_by_global_norm(gradient, 1.0))
    assert gradient[0] == 1.0


@given(st.integers(0, 50), st.integers(1, 200), st.floats(1e-6, 10), st.floats(0, 1))
def test_schedules_rise_then_fall_between_their_ends(warmup, more, peak, final):
    total = warmup + more
    for make in (warmup_cosine, warmup_linear):
        rates = [make(peak, warmup=warmup, total=total, final=final)(step) for step in range(total + 20)]
        assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
        assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
        assert max(rates) == pytest.approx(peak)
        assert rates[total:] == pytest.approx([final * peak] * 20)
        assert rates[0] > 0
    flat = constant(peak, warmup=warmup)
    assert flat(warmup) == flat(total + 1000) == peak
    if warmup:
        assert flat(0) == pytest.approx(peak / warmup)


def test_cosine_is_half_way_at_half_time():
    assert warmup_cosine(2.0, warmup=10, total=110, final=0.1)(60) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: warmup_cosine(1.0, warmup=5, total=4), "0 <= warmup <= total, not 1.0, 5, 4"),
        (lambda: constant(-1.0), "at least 0"),
        (lambda: sgd(nesterov=True), "needs momentum"),
    ],
)
def test_nonsense_is_refused(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_muon_decays_as_little_as_adamw_unless_told():
    places, p = [Place(0, (3, 4))], np.random.default_rng(0).standard_normal(20)
    found = []
    for options in ({}, {"weight_decay": 0.01}):
        optimizer, parameters = muon(places, **options), p.copy()
        optimizer.update(parameters, p[::-1].copy(), optimizer.init(parameters), learning_rate=0.5)
        found.append(parameters)
    assert np.array_equal(*found)


@pytest.mark.parametrize("length", [1e-7, 1e-9, 0.0])
def test_orthogonal_shrinks_what_is_not_longer_than_a_ten_millionth(length):
    """Of rank one, the matrix has one singular value, and the iteration is one of numbers."""
    left, right = np.array([0.6, 0.0, 0.8]), np.array([0.8, -0.6])
    value = length / (length + 1e-7)
    for _ in range(5):
        value = 3.4445 * value - 4.775 * value**3 + 2.0315 * value**5
    np.testing.assert_allclose(orthogonal(length * np.outer(left, right)), value * np.outer(left, right), atol=1e-9)
