"""Tasks named by a prefix: their answers, their shares, and a model that learns them."""

import dataclasses

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.infer import GREEDY, generate
from minigpt.multitask import (
    MAPS,
    ORDERS,
    Joint,
    Sequences,
    exact_match,
    mixing_shares,
    rows_of_tasks,
    train_tasks,
    transfer_matrix,
)
from minigpt.ops import IGNORED

ROWS = Sequences(letters=5, length=3)
CONFIG = TransformerConfig(
    vocabulary_size=ROWS.vocabulary_size, context=ROWS.context(2), width=16, layers=1, heads=2, init_std=0.2
)
JOINT = Joint({"": Transformer(CONFIG)})
TASKS = [ROWS.task(order) for order in ORDERS]


def test_answers():
    letters = np.array([[4, 0, 4, 1]])
    wanted = {
        ("copy",): [4, 0, 4, 1], ("reverse",): [1, 4, 0, 4], ("sort",): [0, 1, 4, 4],
        ("copy", "next"): [0, 1, 0, 2], ("reverse", "next"): [2, 0, 1, 0], ("sort", "same"): [0, 1, 4, 4],
        ("copy", "previous"): [3, 4, 3, 0], ("reverse", "opposite"): [3, 0, 4, 0],
    }  # fmt: skip
    for prefix, answer in wanted.items():
        assert ROWS.answer(prefix, letters).tolist() == [answer], prefix


@pytest.mark.parametrize("prefix", [("copy",), ("sort", "next"), ("reverse", "same")])
def test_a_row_asks_for_its_whole_answer_and_for_nothing_else(prefix):
    batch = ROWS.task(*prefix).make(np.random.default_rng(0), 40)
    assert batch.tokens.shape == (40, ROWS.context(len(prefix))) == batch.targets.shape
    given = batch.tokens[:, len(prefix) : len(prefix) + 3]
    assert (batch.targets[:, :-3] == IGNORED).all() and (batch.targets[:, -3:] == ROWS.answer(prefix, given)).all()
    assert (batch.tokens[:, len(prefix) + 3 :] == batch.targets[:, -3:-1]).all()
    assert set(given.ravel()) == set(range(5))  # every letter is drawn
    assert (batch.tokens[:, : len(prefix)] >= 5).all()


def test_every_word_has_a_token_of_its_own():
    first = {order: ROWS.task(order).make(np.random.default_rng(0), 1).tokens[0, 0] for order in ORDERS}
    second = {name: ROWS.task("copy", name).make(np.random.default_rng(0), 1).tokens[0, 1] for name in MAPS}
    assert len({*first.values(), *second.values()}) == len(ORDERS) + len(MAPS)
    assert max(second.values()) == ROWS.vocabulary_size - 1


@pytest.mark.parametrize("prefix", [(), ("next",), ("copy", "sort"), ("copy", "next", "next"), ("Copy",)])
def test_an_unknown_prefix_is_refused(prefix):
    with pytest.raises(UserError, match="must be one of copy, reverse, sort"):
        ROWS.task(*prefix)


def test_shares_by_examples():
    np.testing.assert_allclose(mixing_shares([100, 300]), [0.25, 0.75])
    np.testing.assert_allclose(mixing_shares([100, 400], temperature=2), [1 / 3, 2 / 3])
    np.testing.assert_allclose(mixing_shares([100, 10**9], limit=300), [0.25, 0.75])
    np.testing.assert_allclose(mixing_shares([1, 10**9], temperature=1e9), [0.5, 0.5])
    for wrong in ([], [0, 1], [-1], [np.nan], [np.inf]):
        with pytest.raises(UserError, match="positive number"):
            mixing_shares(wrong)
    with pytest.raises(UserError, match="temperature is 0"):
        mixing_shares([1], temperature=0)


@pytest.mark.parametrize("shares", [[1, 1, 1], [0.5, 0, 3], [1], [1e-9, 1], [2, 3, 5, 0, 0.1]])
def test_rows_are_right_on_the_average_and_every_time_nearly(shares):
    rng = np.random.default_rng(0)
    found = np.array([rows_of_tasks(shares, 7, rng) for _ in range(4000)])
    due = 7 * np.array(shares) / sum(shares)
    assert (found.sum(axis=1) == 7).all() and (np.abs(found - due) < 1 + 1e-6).all()
    np.testing.assert_allclose(found.mean(axis=0), due, atol=0.03)
    assert not found[:, np.array(shares) == 0].any()


@pytest.mark.parametrize("shares", [[], [0, 0], [-1, 2], [np.nan], [np.inf, 1]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(UserError, match="at least 0, and one of them above 0"):
        rows_of_tasks(shares, 4, np.random.default_rng(0))


@pytest.mark.parametrize(("tasks", "given", "message"), [
    (["copy", "copy"], {}, "two tasks are called 'copy', and would see the same rows"),
    (["copy", "sort"], {"shares": [1.0]}, "there are 1 shares for 2 tasks"),
    (["copy", "sort"], {"shares": [1.0, np.nan]}, "must be at least 0"),
    (["copy", "sort"], {"shares": [0, 0]}, "one of them above 0"),
    ([], {}, "one of them above 0"),
    (["copy"], {"rows": 0}, "rows is 0, but both must be at least 1"),
    (["copy"], {"steps": 0}, "steps is 0 and rows is 64"),
    (["copy", "other"], {"shares": [1, 0]}, "other is for the reader 'eye'"),
])  # fmt: skip
def test_tasks_that_cannot_be_mixed_are_refused_before_any_step(tasks, given, message):
    seen = []
    made = [
        ROWS.task(name) if name != "other" else ROWS.task("sort", reader="eye")._replace(name=name) for name in tasks
    ]
    with pytest.raises(UserError, match=message):
        train_tasks(JOINT, made, given.pop("steps", 2), **given, watch=lambda *step: seen.append(step))
    assert not seen


def test_training_is_a_function_of_the_seed_and_of_one_task_the_same_rows_in_any_mixture():
    made = []

    def noting(task):
        def make(rng, rows):
            batch = task.make(rng, rows)
            made.append((task.name, batch.tokens))
            return batch

        return task._replace(make=make)

    first = train_tasks(JOINT, [noting(task) for task in TASKS], 4, rows=9, seed=3)
    together = [tokens for name, tokens in made if name == "sort"]
    made.clear()
    alone = train_tasks(JOINT, [noting(TASKS[2])], 4, rows=3, seed=3)
    assert first.rows.tolist() == [12, 12, 12] and alone.rows.tolist() == [12]
    for one, other in zip(together, [tokens for _, tokens in made], strict=True):
        assert (one == other).all()
    again = train_tasks(JOINT, TASKS, 4, rows=9, seed=3)
    assert (again.params.flat == first.params.flat).all()
    assert (train_tasks(JOINT, TASKS, 4, rows=9, seed=4).params.flat != first.params.flat).any()


def test_who_watches_sees_the_parameters_before_every_step_and_changes_nothing():
    steps, seen = [], []
    watched = train_tasks(
        JOINT, TASKS, 3, rows=6, watch=lambda step, at: (steps.append(step), seen.append(at.flat.copy()))
    )
    assert steps == [0, 1, 2]
    assert (seen[0] == JOINT.init(np.random.default_rng([0, 0])).flat).all() and (seen[1] != seen[2]).any()
    assert (watched.params.flat == train_tasks(JOINT, TASKS, 3, rows=6).params.flat).all()


def test_a_share_of_nothing_is_never_seen():
    trained = train_tasks(JOINT, TASKS, 3, shares=[1, 0, 2], rows=6)
    assert trained.rows.tolist() == [6, 0, 12]
    assert np.isnan(trained.of_tasks[:, 1]).all()
    np.testing.assert_allclose(trained.of_tasks[:, [0, 2]] @ [1 / 3, 2 / 3], trained.losses)


def test_one_model_learns_three_tasks_and_one_task_alone_is_no_other():
    joint = Joint({"": Transformer(dataclasses.replace(CONFIG, width=32, heads=4))})
    alone = train_tasks(joint, TASKS[:1], 100, rows=32, learning_rate=0.01)
    together = train_tasks(joint, TASKS, 300, rows=32, learning_rate=0.01)
    found = transfer_matrix(joint, TASKS, [alone.params, together.params], rng=np.random.default_rng(9))
    assert found[0, 0] > 0.95 and found[0, 1] < 0.3 and found[1].min() > 0.8


def test_exact_match_is_what_greedy_decoding_writes():
    model, params = JOINT.models[""], train_tasks(JOINT, TASKS, 60, rows=32, learning_rate=0.02).params
    batch = TASKS[1].make(np.random.default_rng(1), 60)
    right = [
        list(generate(model, params, tokens[:4], 3, sampling=GREEDY)) == targets[-3:].tolist()
        for tokens, targets in zip(batch.tokens, batch.targets, strict=True)
    ]
    assert 0.05 < np.mean(right) < 0.95
    assert exact_match(model, params, batch) == pytest.approx(np.mean(right))
