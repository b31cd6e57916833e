"""One set of parameters for models that read different things: whose gradients are they, and are they right?"""

import numpy as np
import pytest

from minigpt import Batch, Params, Transformer, TransformerConfig, UserError
from minigpt.multitask import Asked, Joint, Task, cosines, project_conflicts, task_gradients
from minigpt.objectives import loss_and_gradient

SIZES = {
    "vocabulary_size": 7, "context": 12, "width": 6, "layers": 1, "heads": 2, "feed_forward_width": 5,
    "architecture": "encoder", "head": "sequence", "labels": 3, "pooled": "mean", "pooler": False, "tied": False,
    "position": "sinusoidal",
}  # fmt: skip
READERS = {
    "text": {},
    "image": {"input": "patches", "input_width": 4},
    "sound": {"input": "frames", "input_width": 5},
}


def joint_of():
    return Joint({name: Transformer(TransformerConfig(**SIZES, **fields)) for name, fields in READERS.items()})


def asked_of(rng):
    inputs = {
        "text": rng.integers(0, 7, (2, 5)),
        "image": rng.standard_normal((3, 4, 4)),
        "sound": rng.standard_normal((4, 9, 5)),
    }
    return [
        Asked(Task(name, lambda _rng, _rows: None, name), Batch(x, labels=rng.integers(0, 3, len(x))))
        for name, x in inputs.items()
    ]


def random_params(joint, rng):
    """All away from 0 and 1, float64."""
    params = Params(joint.arrays(), dtype=np.float64)
    params.flat[...] = 0.4 * rng.standard_normal(params.flat.shape) + 0.2
    return params


def central_differences(f, x, places, step=1e-5):
    """The slope of f() for some numbers of the vector x."""
    found = np.empty(len(places))
    for number, place in enumerate(places):
        value = x[place]
        x[place] = value + step
        above = f()
        x[place] = value - step
        found[number] = (above - f()) / (2 * step)
        x[place] = value
    return found


def test_the_gradient_is_that_of_the_mean_over_all_that_is_asked():
    rng, joint = np.random.default_rng(0), joint_of()
    params, asked = random_params(joint, rng), asked_of(rng)
    losses = {}
    loss, grads = joint.loss_and_gradient(params, asked, losses=losses)
    each = [loss_and_gradient(joint.model(task), params, batch)[0] for task, batch in asked]
    assert loss == pytest.approx((2 * each[0] + 3 * each[1] + 4 * each[2]) / 9, abs=1e-12)
    assert losses == pytest.approx(dict(zip(READERS, each, strict=True)), abs=1e-12)
    own = [gradient_of(joint, params, one) for one in asked]
    for name in joint.arrays():
        wanted = sum(len(one.batch.labels) / 9 * gradient[name] for one, gradient in zip(asked, own, strict=True))
        np.testing.assert_allclose(grads[name], wanted, atol=1e-12, err_msg=name)
    some = rng.choice(params.flat.size, 60, replace=False)
    numeric = central_differences(lambda: joint.loss_and_gradient(params, asked)[0], params.flat, some)
    np.testing.assert_allclose(grads.flat[some], numeric, atol=2e-8)


def gradient_of(joint, params, one):
    """By name; zeros for what the model of this task does not have."""
    own = loss_and_gradient(joint.model(one.task), params, one.batch)[1]
    return {name: own[name] if name in joint.model(one.task).arrays() else 0 for name in joint.arrays()}


def test_what_no_batch_used_gets_zeros_also_where_something_stood():
    rng, joint = np.random.default_rng(1), joint_of()
    params, asked = random_params(joint, rng), asked_of(rng)
    grads = params.zeros_like()
    grads.flat[...] = 3
    joint.loss_and_gradient(params, asked[1:2], grads=grads)
    own = [name for name in joint.arrays() if name.startswith(("token_embedding", "convolution"))]
    assert own and not any(grads[name].any() for name in own)
    assert all(grads[name].any() for name in joint.shared if not name.endswith("key.bias"))  # softmax ignores that one


def test_shared_is_what_all_have():
    joint = joint_of()
    assert any(name.startswith("blocks.0.feed_forward") for name in joint.shared)
    assert not any(name.startswith(("token", "patch", "convolution")) for name in joint.shared)
    alone = sum(model.arrays()["token_embedding.weight"].shape[0] for model in [joint.models["text"]])
    assert alone == 7 and set(joint.arrays()) == {name for m in joint.models.values() for name in m.arrays()}


def test_fresh_parameters_are_those_of_each_model_alone():
    joint = joint_of()
    params = joint.init(np.random.default_rng(5))
    for name, model in joint.models.items():
        alone = Joint({name: model}).init(np.random.default_rng(5))
        assert all((params[array] == alone[array]).all() for array in alone)
    assert (params.flat != joint.init(np.random.default_rng(6)).flat).any()


def test_other_shapes_of_one_name_and_unknown_readers_are_refused():
    wide = Transformer(TransformerConfig(**{**SIZES, "feed_forward_width": 4}))
    with pytest.raises(UserError, match=r"blocks.0.feed_forward.* is \(6, 5\) in text and \(6, 4\) in wide"):
        Joint({"text": joint_of().models["text"], "wide": wide})
    with pytest.raises(UserError, match="reader 'smell'; there are 'text', 'image', 'sound'"):
        joint_of().model(Task("flowers", lambda _rng, _rows: None, "smell"))
    with pytest.raises(UserError, match="no models"):
        Joint({})


def test_the_gradients_of_tasks_are_those_at_what_they_share():
    rng, joint = np.random.default_rng(2), joint_of()
    params, asked = random_params(joint, rng), asked_of(rng)
    rows = task_gradients(joint, params, asked)
    assert rows.shape == (3, sum(params[name].size for name in joint.shared))
    _, grads = loss_and_gradient(joint.models["image"], params, asked[1].batch)
    np.testing.assert_allclose(rows[1], np.concatenate([grads[name].ravel() for name in joint.shared]), atol=1e-12)


def test_cosines_and_the_projection_of_conflicts():
    rows = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(cosines(rows)[0], [1, -np.sqrt(0.5), 0])
    # (1, 0) without what points against (-1, 1) is (1/2, 1/2); (-1, 1) without what points against (1, 0) is (0, 1)
    np.testing.assert_allclose(project_conflicts(rows, np.random.default_rng(0)), [0.5, 1.5])
    agree = np.array([[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(project_conflicts(agree, np.random.default_rng(0)), agree.sum(axis=0))
    assert (rows == [[1, 0], [-1, 1], [0, 0]]).all()


def test_each_gradient_is_projected_against_the_others_as_they_were():
    """By the order of algorithm 1, written out, for three tasks that all conflict."""
    rows = np.array([[1.0, -1.0, 0.2], [-1.0, 0.3, 0.1], [0.1, 1.0, -2.0]])
    found, rng, wanted = project_conflicts(rows, np.random.default_rng(3)), np.random.default_rng(3), np.zeros(3)
    for i in range(3):
        g = rows[i]
        for j in rng.permutation(3):
            if j != i and g @ rows[j] < 0:
                g = g - (g @ rows[j]) / (rows[j] @ rows[j]) * rows[j]
        wanted = wanted + g
    np.testing.assert_allclose(found, wanted)
