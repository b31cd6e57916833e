"""Mistakes in softmax, cross-entropy and dropout."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import cross_entropy_backward, softmax_forward


def diagonal_jacobian(dy, cache):
    """This is the gradient you get from p * (1 - p): that is the diagonal of softmax's Jacobian, but every x of a row
    moves every p of it."""
    return dy * cache.y * (1 - cache.y)


def row_sum_missing(dy, cache):
    """This is the gradient you get from y * dy: the sum of dy * y over the row must be subtracted from dy first."""
    return dy * cache.y


def plain_sum(dy, cache):
    """This is the gradient you get when the sum of dy is subtracted: it is the sum of dy * y."""
    return cache.y * (dy - dy.sum(axis=-1, keepdims=True))


def mean_for_sum(dy, cache):
    """This is the gradient you get when the mean of dy * y is subtracted: it is their sum, since y sums to one."""
    return cache.y * (dy - (dy * cache.y).mean(axis=-1, keepdims=True))


def sum_over_the_wrong_axis(dy, cache):
    """This is the gradient you get when the sum runs over the rows: softmax mixes the entries of one row, so it runs
    over the last axis."""
    return cache.y * (dy - (dy * cache.y).sum(axis=-2, keepdims=True))


def forward_softmax_over_all(x):
    """Your exponentials are divided by the sum over the whole array; each row has its own sum."""
    y = np.exp(x - x.max())
    return y / y.sum(), None


def forward_softmax_over_the_wrong_axis(x):
    """Your softmax runs over the second last axis; it runs over the last."""
    return softmax_forward(x.swapaxes(-1, -2))[0].swapaxes(-1, -2), None


def _rows(cache):
    """Targets as rows of one-hot vectors (N, V), and which of them count (N, 1)."""
    onehot = np.eye(cache.shape[-1], dtype=cache.probabilities.dtype)
    return onehot[cache.targets], cache.weights > 0


def _mean_gradient(dloss, difference, counts, cache):
    return (dloss * difference * counts / int(counts.sum())).reshape(cache.shape)


def not_divided_by_the_count(dloss, cache):
    """This is the gradient you get when the loss is summed over the targets: it is their mean, so divide by their
    number."""
    onehot, counts = _rows(cache)
    return (dloss * (cache.probabilities - onehot) * counts).reshape(cache.shape)


def ignored_targets_counted(dloss, cache):
    """This is the gradient you get when the sum is divided by the number of all targets: those ignored do not
    count."""
    onehot, counts = _rows(cache)
    return (dloss * (cache.probabilities - onehot) * counts / len(counts)).reshape(cache.shape)


def ignored_rows_not_zeroed(dloss, cache):
    """This is the gradient you get when ignored targets still push their probabilities: their rows must be zero."""
    onehot, counts = _rows(cache)
    return (dloss * (cache.probabilities - onehot * counts) / int(counts.sum())).reshape(cache.shape)


def target_not_subtracted(dloss, cache):
    """This is the gradient you get from the probabilities alone: 1 must be subtracted at the target, otherwise
    nothing pulls it up."""
    _, counts = _rows(cache)
    return _mean_gradient(dloss, cache.probabilities, counts, cache)


def sign_flipped(dloss, cache):
    """This is the gradient you get from target minus probability: it climbs the loss instead of going down."""
    return -cross_entropy_backward(dloss, cache)


def targets_shifted(dloss, cache):
    """This is the gradient you get when the targets are off by one position: row t must be compared with target t."""
    onehot, counts = _rows(cache)
    return _mean_gradient(dloss, cache.probabilities - np.roll(onehot, 1, axis=0), counts, cache)


def upstream_ignored(dloss, cache):
    """This is the gradient you get when the upstream gradient is taken to be 1: multiply by dloss."""
    return cross_entropy_backward(1.0, cache)


def jacobian_applied_twice(dloss, cache):
    """This is the gradient you get when softmax's backward follows: p - q is already the gradient of the logits."""
    dlogits = cross_entropy_backward(dloss, cache)
    p = cache.probabilities.reshape(cache.shape)
    return p * (dlogits - (dlogits * p).sum(axis=-1, keepdims=True))


def smoothing_forgotten(dloss, cache):
    """This is the gradient you get when label smoothing is forgotten on the way back: the target has 1 - smoothing,
    and every class a share of the rest."""
    return cross_entropy_backward(dloss, cache._replace(smoothing=0.0))


def smoothing_without_the_share(dloss, cache):
    """This is the gradient you get when the target is lowered to 1 - smoothing but no class receives its share of the
    smoothing."""
    onehot, counts = _rows(cache)
    return _mean_gradient(dloss, cache.probabilities - (1 - cache.smoothing) * onehot, counts, cache)


def forward_mean_over_all(logits, targets, *, ignored=-1):
    """Your loss is the mean over all targets; those ignored do not count, neither in the sum nor in the number."""
    logp = np.log(softmax_forward(logits)[0])
    picked = np.take_along_axis(logp, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    return -(picked * (targets != ignored)).mean(), None


def forward_in_bits(logits, targets):
    """Your loss is in bits, log2; it should be in nats, the natural logarithm."""
    return -np.log2(np.take_along_axis(softmax_forward(logits)[0], targets[..., None], axis=-1)).mean(), None


def mask_not_applied(dy, cache):
    """This is the gradient you get when the mask is forgotten on the way back: what was zeroed passes no gradient."""
    return dy / (1 - cache.rate)


def scale_forgotten(dy, cache):
    """This is the gradient you get when 1 / (1 - rate) is forgotten on the way back: the forward multiplied by it."""
    return dy * cache.mask


def mask_inverted(dy, cache):
    """This is the gradient you get when the mask is inverted: True means keep."""
    return dy * ~cache.mask / (1 - cache.rate)


def scaled_by_the_rate(dy, cache):
    """This is the gradient you get when what stays is divided by the rate: it is divided by 1 - rate."""
    return dy * cache.mask / cache.rate


def forward_not_scaled(x, *, mask, rate):
    """Your dropout does not scale what stays: divide by 1 - rate, so that the mean over masks is x."""
    return x * mask, None


def forward_mask_inverted(x, *, mask, rate):
    """Your dropout zeroes what it should keep: True in the mask means keep."""
    return x * ~mask / (1 - rate), None


IGNORED, SMOOTH = "cross_entropy, ignored targets", "cross_entropy, smoothing"
BUGS = (
    *planted("backward", "softmax", "softmax", diagonal_jacobian, row_sum_missing, plain_sum, mean_for_sum),
    *planted("backward", "softmax", "softmax", sum_over_the_wrong_axis),
    *planted("backward", "cross_entropy", IGNORED, not_divided_by_the_count, ignored_targets_counted),
    *planted("backward", "cross_entropy", IGNORED, ignored_rows_not_zeroed, target_not_subtracted, sign_flipped),
    *planted("backward", "cross_entropy", IGNORED, targets_shifted, upstream_ignored, jacobian_applied_twice),
    *planted("backward", "cross_entropy", SMOOTH, smoothing_forgotten, smoothing_without_the_share),
    *planted("backward", "dropout", "dropout", mask_not_applied, scale_forgotten, mask_inverted, scaled_by_the_rate),
    *planted("forward", "softmax", "softmax", forward_softmax_over_all, forward_softmax_over_the_wrong_axis),
    *planted("forward", "cross_entropy", IGNORED, forward_mean_over_all),
    *planted("forward", "cross_entropy", "cross_entropy", forward_in_bits),
    *planted("forward", "dropout", "dropout", forward_not_scaled, forward_mask_inverted),
)
