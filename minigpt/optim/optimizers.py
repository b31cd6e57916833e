"""Optimizers as pure (init, update) pairs over one flat vector.

An optimizer holds its settings and nothing else. What it remembers is in `state`, which `init` makes; `update` changes
state and parameters in place, since a model of 124 million parameters would otherwise allocate 1.5 GB a step.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.params import Place

Array = np.ndarray
State = dict[str, Any]
Pool = ThreadPoolExecutor | None

BLOCK = 32768  # entries worked on at a time: a dozen arithmetic steps then stay in the processor's cache
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan (2024); they make small singular values grow fast


class Optimizer(NamedTuple):
    """A pair of functions.

    init(parameters) -> state: arrays like parameters, (P,) floats, and the number of steps taken.
    update(parameters, gradient, state, *, learning_rate, pool=None): one step down the gradient, (P,), in place; the
    gradient stays as it is. pool: a thread pool to share the work; the result is the same to the bit.
    """

    init: Callable[[Array], State]
    update: Callable[..., None]


def sgd(
    *, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0, decayed: int | None = None
) -> Optimizer:
    """Stochastic gradient descent (Robbins & Monro 1951), with momentum: p -= rate * v, v = momentum * v + g.

    Parameters
    ----------
    momentum : float
        How much of the last step's v stays.
    nesterov : bool
        Look ahead, p -= rate * (g + momentum * v) (Sutskever et al. 2013, section 2, as PyTorch writes it).
    weight_decay : float
        Adds weight_decay * p to g.
    decayed : int, optional
        Only the first so many entries decay; None: all.

    Returns
    -------
    Optimizer
        The pair (init, update).

    Raises
    ------
    UserError
        nesterov without momentum.

    Examples
    --------
    >>> optimizer = minigpt.sgd(momentum=0.9)
    >>> p, g = np.array([1.0, 2.0]), np.array([0.5, -1.0])
    >>> optimizer.update(p, g, optimizer.init(p), learning_rate=0.1)
    >>> p
    array([0.95, 2.1 ])
    """
    if nesterov and not momentum:
        raise UserError("Nesterov's look-ahead needs momentum; set it to 0.9, say")

    def init(parameters: Array) -> State:
        return {"step": 0, "momentum": np.zeros_like(parameters)} if momentum else {"step": 0}

    def rule(p: Array, g: Array, s: Array, velocity: Array | None = None, *, rate: float, decay: float) -> None:
        np.multiply(p, decay, out=s)
        s += g
        if velocity is not None:
            velocity *= momentum
            velocity += s
            if nesterov:
                s += momentum * velocity
            else:
                s[...] = velocity
        s *= rate
        p -= s

    def update(parameters: Array, gradient: Array, state: State, *, learning_rate: float, pool: Pool = None) -> None:
        state["step"] += 1
        moments = [state["momentum"]] if momentum else []
        _in_blocks(rule, parameters, gradient, moments, decayed, weight_decay, pool, rate=learning_rate)

    return Optimizer(init, update)


def adam(
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    decayed: int | None = None,
    decoupled: bool = False,
) -> Optimizer:
    """Adam: each entry moves by its mean gradient over the root of its mean squared gradient.

    m = mean of g (decaying by beta1), v = mean of g*g (by beta2), both divided by 1 - beta^step because they start at
    0; p -= rate * m / (sqrt(v) + epsilon). Kingma & Ba (2015), arXiv:1412.6980, algorithm 1.

    Parameters
    ----------
    beta1, beta2, epsilon : float
        As in the formulas.
    weight_decay : float
        Adds weight_decay * p to g.
    decayed : int, optional
        Only the first so many entries decay; None: all.
    decoupled : bool
        Decay multiplies p by 1 - rate * weight_decay instead: AdamW.

    Returns
    -------
    Optimizer
        The pair (init, update).

    Examples
    --------
    The first step is as long as the learning rate, whatever the gradient:

    >>> optimizer = minigpt.adam()
    >>> p, g = np.array([1.0, 2.0]), np.array([0.5, -100.0])
    >>> optimizer.update(p, g, optimizer.init(p), learning_rate=0.1)
    >>> p.round(6)
    array([0.9, 2.1])
    """

    def init(parameters: Array) -> State:
        return {"step": 0, "first_moment": np.zeros_like(parameters), "second_moment": np.zeros_like(parameters)}

    def update(parameters: Array, gradient: Array, state: State, *, learning_rate: float, pool: Pool = None) -> None:
        state["step"] += 1
        moments = [state["first_moment"], state["second_moment"]]
        numbers = {"rate": learning_rate, "step": state["step"], "beta1": beta1, "beta2": beta2, "epsilon": epsilon}
        _in_blocks(
            adam_rule, parameters, gradient, moments, decayed, weight_decay, pool, decoupled=decoupled, **numbers
        )

    return Optimizer(init, update)


def adam_rule(
    p: Array,
    g: Array,
    scratch: Array,
    m: Array,
    v: Array,
    *,
    rate: float,
    decay: float,
    step: int,
    beta1: float,
    beta2: float,
    epsilon: float,
    decoupled: bool,
) -> None:
    """One step of Adam on some entries: p, m and v change in place; g stays; scratch is overwritten. All: (n,).

    In formulas, with decoupled decay: p -= rate * decay * p;  m = beta1 m + (1 - beta1) g;
    v = beta2 v + (1 - beta2) g^2;  p -= rate * m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + epsilon).
    step: the number of this one, from 1. The lines go through `scratch` so that nothing is allocated.
    """
    if decoupled:
        p *= 1 - rate * decay
    elif decay:
        g = g + decay * p
    np.multiply(g, 1 - beta1, out=scratch)
    m *= beta1
    m += scratch
    np.multiply(g, g, out=scratch)
    scratch *= 1 - beta2
    v *= beta2
    v += scratch
    np.sqrt(v, out=scratch)
    scratch *= 1 / math.sqrt(1 - beta2**step)
    scratch += epsilon
    np.divide(m, scratch, out=scratch)
    scratch *= rate / (1 - beta1**step)
    p -= scratch


def adamw(
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
    decayed: int | None = None,
) -> Optimizer:
    """Adam with decoupled weight decay: every step first shrinks p by 1 - rate * weight_decay.

    Loshchilov & Hutter (2019), arXiv:1711.05101, algorithm 2.

    Parameters
    ----------
    beta1, beta2, epsilon : float
        As in `adam`.
    weight_decay : float
        As in the first line.
    decayed : int, optional
        Only the first so many entries decay; None: all. Pass `params.matrix_size`, since gains and biases have no
        reason to be near zero.

    Returns
    -------
    Optimizer
        The pair (init, update).

    Examples
    --------
    >>> optimizer = minigpt.adamw(weight_decay=0.5, decayed=1)
    >>> p, g = np.array([4.0, 4.0]), np.array([1.0, 1.0])
    >>> optimizer.update(p, g, optimizer.init(p), learning_rate=0.1)
    >>> p.round(6)
    array([3.7, 3.9])
    """
    return adam(beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay, decayed=decayed, decoupled=True)


def muon(
    matrices: Sequence[Place],
    *,
    momentum: float = 0.95,
    weight_decay: float = 0.01,
    decayed: int | None = None,
    iterations: int = 5,
) -> Optimizer:
    """Muon: the momentum of each hidden matrix is made orthogonal before it is applied; all else takes AdamW.

    Jordan et al. (2024), https://kellerjordan.github.io/posts/muon. With 0.2 * sqrt(larger side) as its factor, an
    update has the size of AdamW's, so one learning rate serves both (Liu et al. 2025, arXiv:2502.16982, eq. 4).

    Parameters
    ----------
    matrices : sequence of Place
        Where in the vector they lie; see `Params.block_matrices`.
    momentum : float
        The share of the running mean of gradients that stays.
    weight_decay, decayed
        As in `adamw`.
    iterations : int
        Of Newton and Schulz, see `orthogonal`.

    Returns
    -------
    Optimizer
        The pair (init, update).

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> optimizer = minigpt.muon(params.block_matrices(), decayed=params.matrix_size)
    >>> sorted(optimizer.init(params.flat))
    ['first_moment', 'momentum', 'second_moment', 'step']
    """
    rest = adamw(beta2=0.95, weight_decay=weight_decay, decayed=decayed)

    def init(parameters: Array) -> State:
        return {**rest.init(parameters), "momentum": np.zeros_like(parameters)}

    def update(parameters: Array, gradient: Array, state: State, *, learning_rate: float, pool: Pool = None) -> None:
        before = [place.view(parameters).copy() for place in matrices]
        rest.update(parameters, gradient, state, learning_rate=learning_rate, pool=pool)
        for place, old in zip(matrices, before, strict=True):
            velocity, g = place.view(state["momentum"]), place.view(gradient)
            velocity += (1 - momentum) * (g - velocity)
            direction = orthogonal(g + momentum * (velocity - g), iterations)
            step = learning_rate * 0.2 * math.sqrt(max(old.shape))
            place.view(parameters)[...] = old * (1 - learning_rate * weight_decay) - step * direction

    return Optimizer(init, update)


def orthogonal(matrix: Array, iterations: int = 5) -> Array:
    """About U V^T where matrix = U S V^T: all directions, equally long. matrix: (R, C). Returns (R, C).

    The Newton-Schulz iteration X <- a X + b (X X^T) X + c (X X^T)^2 X pulls every singular value towards 1. With
    Jordan's coefficients they end between about 0.7 and 1.2, which is near enough and fast.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (float(np.linalg.norm(x)) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T  # (R, R), the smaller side
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


def _in_blocks(
    rule: Callable[..., None],
    parameters: Array,
    gradient: Array,
    moments: Sequence[Array],
    decayed: int | None,
    weight_decay: float,
    pool: Pool,
    **numbers: Any,
) -> None:
    """rule(p, g, scratch, *moments, decay=..., **numbers) on matching pieces; the first `decayed` entries decay."""
    edge = parameters.size if decayed is None else decayed
    starts = [*range(0, edge, BLOCK), *range(edge, parameters.size, BLOCK), parameters.size]
    pieces = [slice(*edges) for edges in itertools.pairwise(starts)]

    def work(pieces: list[slice]) -> None:
        scratch = np.empty(min(BLOCK, parameters.size), parameters.dtype)
        for piece in pieces:
            decay = weight_decay if piece.start < edge else 0.0
            state = (moment[piece] for moment in moments)
            rule(
                parameters[piece], gradient[piece], scratch[: piece.stop - piece.start], *state, decay=decay, **numbers
            )

    share = max(1, -(-len(pieces) // 8))  # a few portions, whichever thread is free takes the next
    portions = [pieces[i : i + share] for i in range(0, len(pieces), share)]
    list(map(work, portions) if pool is None else pool.map(work, portions))
