"""How often a model is right, counted by hand."""

import tracemalloc

import numpy as np
import pytest

from minigpt import Batch, Call, Transformer, TransformerConfig, UserError
from minigpt.objectives import HeldOut, Judged, causal_lm, judge, loss, masked_lm, right_answers, scored
from minigpt.ops import IGNORED
from minigpt.parallel import launch
from minigpt.train import BatchGradient

RNG = np.random.default_rng(2)
LOGITS = RNG.standard_normal((3, 5, 7))
TARGETS = np.where(RNG.random((3, 5)) < 0.6, LOGITS.argmax(-1), RNG.integers(0, 7, (3, 5)))
TARGETS[:, 2] = IGNORED


def by_hand(counted):
    return sum(LOGITS[place].argmax() == TARGETS[place] for place in zip(*np.nonzero(counted), strict=True))


def test_scored_targets_are_counted_unless_it_is_said_which():
    batch = Batch(TARGETS, TARGETS)
    every = TARGETS != IGNORED
    assert right_answers("language", LOGITS, HeldOut(batch)) == (by_hand(every), 12)
    some = every & (np.arange(5) > 2)
    assert right_answers("language", LOGITS, HeldOut(batch, some)) == (by_hand(some), 6)
    assert Judged(1.0, 3, 4).accuracy == 0.75


def test_labels_and_ends_of_spans():
    labels = np.array([1, 0, 2])
    classes = RNG.standard_normal((3, 4))
    assert (
        right_answers("sequence", classes, HeldOut(Batch(TARGETS, labels=labels)))[0]
        == (classes.argmax(-1) == labels).sum()
    )
    ends, output = np.array([[0, 2], [1, 1], [3, 4]]), RNG.standard_normal((3, 5, 2))
    expected = sum(output[b, :, e].argmax() == ends[b, e] for b in range(3) for e in range(2))
    assert right_answers("span", output, HeldOut(Batch(TARGETS, labels=ends))) == (expected, 6)


def test_ranks_that_share_the_vocabulary_count_the_same():
    def rank(comm):
        mine = LOGITS[..., :3] if comm.rank == 0 else LOGITS[..., 3:]
        call = Call(comm=comm, vocabulary_offset=3 * comm.rank)
        return right_answers("language", mine, HeldOut(Batch(TARGETS, TARGETS)), call)

    def classes(comm):  # which are not shared out
        call = Call(comm=comm, vocabulary_offset=3 * comm.rank)
        return right_answers("token", LOGITS, HeldOut(Batch(TARGETS, TARGETS)), call)

    assert launch(classes, 2) == launch(rank, 2)
    assert launch(rank, 2) == [right_answers("language", LOGITS, HeldOut(Batch(TARGETS, TARGETS)))] * 2


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_judge_s_loss_is_the_loss_and_threads_share_the_rows(threads):
    model = Transformer(TransformerConfig(vocabulary_size=7, context=6, width=12, layers=1, heads=2, init_std=0.5))
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    batch = causal_lm(RNG.integers(0, 7, (5, 7)))
    counted = RNG.random((5, 6)) < 0.5
    alone = judge(model, params, HeldOut(batch, counted), counts=scored(batch))
    assert alone.loss == pytest.approx(loss(model, params, batch))
    gradient = BatchGradient(model, params, threads=threads)
    shared = gradient.judge(params, HeldOut(batch, counted))
    gradient.close()
    assert shared[1:] == alone[1:] and shared.loss == pytest.approx(alone.loss, rel=1e-12)


def test_an_objective_that_the_model_cannot_learn_is_not_judged():
    model = Transformer(TransformerConfig(vocabulary_size=9, context=8, width=8, layers=1, heads=2))
    batch = masked_lm(np.full((2, 6), 3), np.random.default_rng(0), mask=8, vocabulary_size=9)
    with pytest.raises(UserError, match="causal mask"):
        judge(model, model.init(np.random.default_rng(0)), HeldOut(batch), counts=scored(batch))


def test_judging_keeps_nothing_for_a_backward():
    """Most of what a forward caches grows with the depth; what is judged has no use for it."""

    def most(layers):
        model = Transformer(TransformerConfig(vocabulary_size=7, context=64, width=48, layers=layers, heads=4))
        params, rng = model.init(np.random.default_rng(0)), np.random.default_rng(1)
        batch = causal_lm(rng.integers(0, 7, (8, 65)))
        tracemalloc.start()
        try:
            judge(model, params, HeldOut(batch), counts=scored(batch))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    states = 8 * 64 * 48 * 4  # bytes of one (B, T, C)
    assert most(8) - most(2) < 6 * 2 * states  # the input of each block, not its twenty caches
