"""The smallest training loop: for experiments in memory, without a folder, checkpoints or threads."""

from collections.abc import Callable, Iterable

from minigpt import objectives
from minigpt.errors import UserError
from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.optim import Schedule, adamw, clip_by_global_norm

Score = Callable[[Transformer, Params | Overlay, Batch, Call], tuple[float, Params]]


def fit(
    model: Transformer,
    params: Params | Overlay,
    batches: Iterable[Batch],
    learning_rate: Schedule,
    *,
    clip: float = 1.0,
    weight_decay: float = 0.01,
    call: Call = Call(),
    score: Score = objectives.loss_and_gradient,
) -> list[float]:
    """Train `params` in place with AdamW, one step for each batch.

    Parameters
    ----------
    model : Transformer
        What is trained.
    params : Params or Overlay
        All of them, or an `Overlay`, of which only what is on top learns: the base is neither moved nor decayed.
    batches : iterable of Batch
        As an objective makes them.
    learning_rate : Schedule
        The rate at each step, as `warmup_cosine` makes it.
    clip : float
        The longest gradient.
    weight_decay : float
        Of matrices and embeddings, as in `adamw`.
    call : Call
        A generator for dropout, hooks.
    score : callable
        score(model, params, batch, call): the loss and its gradient.

    Returns
    -------
    list of float
        The loss of every step, before it, in nats.

    Raises
    ------
    UserError
        As soon as the loss is not a number.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=9, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> batch = minigpt.causal_lm(np.arange(9)[None])
    >>> losses = minigpt.fit(model, params, [batch] * 10, minigpt.warmup_cosine(0.01, warmup=2, total=10))
    >>> losses[-1] < 0.5 < losses[0]
    True
    """
    trained = params.trained if isinstance(params, Overlay) else params
    optimizer = adamw(weight_decay=weight_decay, decayed=trained.matrix_size)
    state = optimizer.init(trained.flat)
    losses = []
    for step, batch in enumerate(batches):
        loss, grads = score(model, params, batch, call)
        losses.append(loss)
        if not loss < float("inf"):
            raise UserError(f"the loss of step {step} is {loss}; lower the learning rate")
        clip_by_global_norm(grads.flat, clip)
        optimizer.update(trained.flat, grads.flat, state, learning_rate=learning_rate(step))
    return losses
