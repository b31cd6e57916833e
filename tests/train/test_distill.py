"""A student that learns from a teacher: the gradient of the mixture, what it gives, and what it refuses."""

import contextlib
import inspect
import json
import shutil
import types

import numpy as np
import pytest

from minigpt import Batch, Call, Corpus, TrainSettings, Transformer, TransformerConfig, UserError, causal_lm, open_run
from minigpt.cli import _parser, main
from minigpt.cli.resume import CHANGED, OF_STUDENT
from minigpt.model.params import checksum_of
from minigpt.objectives import loss_and_gradient, scored
from minigpt.ops import IGNORED
from minigpt.pretrained import OpenedModel, open_model
from minigpt.train import Distillation, Distiller, distill, prepare_run, prepare_student, train
from minigpt.train import loop as loop_module
from minigpt.train.distill import distillation_loss_and_gradient, fresh_projections, pairs_of_blocks
from minigpt.train.student import check_teaches, half_of

SIZES = {"vocabulary_size": 11, "context": 8, "heads": 2}


def pair_of_models(seed=0, **changes):
    """A student with random parameters, and a teacher, in float64."""
    student = Transformer(TransformerConfig(**SIZES | {"layers": 2, "width": 6} | changes))
    teacher = Transformer(TransformerConfig(**SIZES | {"layers": 3, "width": 10} | changes))
    rng = np.random.default_rng(seed)
    values = []
    for model in (student, teacher):
        values.append(model.init(rng, dtype=np.float64))
        values[-1].flat += 0.3 * rng.standard_normal(values[-1].flat.shape)
    return student, values[0], OpenedModel(teacher, values[1], None, "teacher")


def projections_of(student, teacher):
    pairs = pairs_of_blocks(student.config.layers, teacher.model.config.layers)
    made = fresh_projections(pairs, student.config.width, teacher.model.config.width).astype(np.float64)
    made.flat += 0.2 * np.random.default_rng(1).standard_normal(made.flat.shape)
    return made


def some_batch(rows=2):
    windows = np.random.default_rng(3).integers(0, 11, (rows, 7))
    batch = causal_lm(windows)
    targets = batch.targets.copy()
    targets[0, 2] = IGNORED
    return batch._replace(targets=targets)


HOWS = [Distillation(0.5, 2.0, 0.7), Distillation(1.0, 3.0), Distillation(0.0, 1.0, 2.0)]


def worst_error(function, how, **changes):
    """The largest relative error of the gradient of `function` in random directions, of both kinds of parameters."""
    student, params, teacher = pair_of_models(**changes)
    projections, batch = projections_of(student, teacher), some_batch()

    def loss():
        return function(student, params, teacher, batch, how, projections)[0]

    _, grads, dprojections = function(student, params, teacher, batch, how, projections)
    rng, worst = np.random.default_rng(0), 0.0
    for values, gradient in ((params.flat, grads.flat), (projections.flat, dprojections.flat)):
        for _ in range(3):
            step = rng.standard_normal(values.shape)
            before, size = values.copy(), 1e-5
            values[...] = before + size * step
            above = loss()
            values[...] = before - size * step
            slope = (above - loss()) / (2 * size)
            values[...] = before
            worst = max(worst, abs(slope - gradient @ step) / (abs(slope) + 1e-3))
    return worst


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("changes", [{}, {"norm_place": "post"}], ids=["pre", "post"])
def test_the_gradient_is_that_of_the_mixture(how, changes):
    """Numerically, of the student and of the matrices between the hidden states."""
    assert worst_error(distillation_loss_and_gradient, how, **changes) < 1e-6


MISTAKES = {
    "the text counts in full": ("dlogits = (1 - how.soft) * score", "dlogits = score"),
    "the teacher counts in full": ("soft_targets_backward(how.soft,", "soft_targets_backward(1.0,"),
    "the hidden states count in full": ("squared_error_backward(how.hidden,", "squared_error_backward(1.0,"),
    "hidden states pass nothing back": ("x + added[name] if name in added else x", "x"),
    "in place of what comes from above": ("x + added[name] if name in added", "added[name] if name in added"),
    "added one block too early": ("blocks.{student}.dresidual_post", "blocks.{student}.dresidual_mid"),
    "the matrix does not learn": ("dx, dprojections[name] = linear", "dx, _ = linear"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(mistake):
    source, (old, new) = inspect.getsource(distill), MISTAKES[mistake]
    assert source.count(old) == 1
    module = types.ModuleType("planted")
    exec(compile(source.replace(old, new), "planted", "exec"), module.__dict__)
    changes = {"norm_place": "post"}
    assert worst_error(module.distillation_loss_and_gradient, HOWS[0], **changes) > 1e-3


def test_nothing_of_the_teacher_is_the_usual_loss():
    student, params, teacher = pair_of_models()
    batch, none = some_batch(), fresh_projections({}, 6, 10)
    loss, grads, _ = distillation_loss_and_gradient(student, params, teacher, batch, Distillation(soft=0.0), none)
    wanted, usual = loss_and_gradient(student, params, batch)
    assert loss == pytest.approx(wanted) and np.allclose(grads.flat, usual.flat, rtol=1e-12)


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    student, params, _ = pair_of_models()
    teacher = OpenedModel(student, params, None, "itself")
    projections = fresh_projections({0: 0, 1: 1}, 6, 6).astype(np.float64)
    how = Distillation(1.0, 2.0, 1.0)
    loss, grads, dprojections = distillation_loss_and_gradient(student, params, teacher, some_batch(), how, projections)
    assert abs(loss) < 1e-12 and np.abs(grads.flat).max() < 1e-12 and np.abs(dprojections.flat).max() < 1e-12


def test_parts_of_a_batch_add_up():
    student, params, teacher = pair_of_models()
    projections, batch, how = projections_of(student, teacher), some_batch(3), HOWS[0]
    whole = distillation_loss_and_gradient(student, params, teacher, batch, how, projections)
    parts = [
        distillation_loss_and_gradient(
            student, params, teacher, Batch(batch.tokens[rows], batch.targets[rows], objective="causal_lm"), how,
            projections, Call(), counts=scored(batch),
        )
        for rows in (slice(0, 1), slice(1, 3))
    ]  # fmt: skip
    assert sum(part[0] for part in parts) == pytest.approx(whole[0])
    for place in (1, 2):
        assert np.allclose(sum(part[place].flat for part in parts), whole[place].flat, atol=1e-14)


def test_blocks_learn_from_those_as_far_up():
    assert pairs_of_blocks(2, 4) == {0: 1, 1: 3}
    assert pairs_of_blocks(2, 3) == {0: 0, 1: 2}
    assert pairs_of_blocks(3, 2)[2] == 1
    config = TransformerConfig(vocabulary_size=9, context=8, width=24, heads=6, key_value_heads=3, layers=5)
    assert TransformerConfig(**{"vocabulary_size": 9, "context": 8, **half_of(config)}).head_width == 4


FABLES = Corpus("fables", ("The fox met a hen. The hen ran. " * 30,), ("The hen met a fox. " * 8,))
SETTINGS = TrainSettings(steps=12, batch=3, accumulate=2, validate_every=6, warmup=2, log_every=2)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "teacher"
    changes = {"width": 16, "layers": 2, "heads": 2, "context": 8}
    train(
        prepare_run(path, FABLES, tokenizer="characters", changes=changes, settings=SETTINGS, progress=False),
        show_progress=False,
    )
    return path


def test_the_result_is_an_ordinary_run(teacher, tmp_path):
    how = Distillation(0.7, 2.0, 0.5)
    opened = open_model(teacher)
    folder = prepare_student(tmp_path / "student", opened, FABLES, how, settings=SETTINGS, progress=False)
    engine = Distiller(folder, opened)
    before = engine.projections.flat.copy()
    _, progress = train(folder, engine=engine, show_progress=False)
    assert progress.step == 12 and not np.array_equal(engine.projections.flat, before)
    run = open_run(folder.path)
    assert (run.model.config.layers, run.model.config.width, run.model.config.heads) == (1, 8, 1)
    assert set(run.params) == set(run.model.arrays())
    said = {"name": str(teacher), "checksum": checksum_of(opened.params)}
    assert run.folder.teacher == said | {"soft": 0.7, "temperature": 2.0, "hidden": 0.5}
    with pytest.raises(UserError, match="goes on with its teacher: `minigpt distill --resume`"):
        train(run.folder, show_progress=False)
    opened.params.flat[7] += 1
    with pytest.raises(UserError, match="has other values"):
        Distiller(folder, opened)
    with pytest.raises(UserError, match="has no teacher"):
        Distiller(opened.run, opened)


class Stopped(Exception):
    """What stops a training here."""


@pytest.mark.parametrize("damaged", [False, True], ids=["last", "best"])
def test_what_was_stopped_goes_on_to_the_same_bits(teacher, tmp_path, damaged):
    """The student, and the matrices between the hidden states; also from `best`, where `last` is damaged."""
    how, opened, found = Distillation(0.7, 2.0, 0.5), open_model(teacher), []

    def stop(params, row):
        raise Stopped

    for name in ("whole", "stopped"):
        folder = prepare_student(tmp_path / name, opened, FABLES, how, settings=SETTINGS, progress=False)
        if name == "stopped":
            with pytest.raises(Stopped):
                train(folder, engine=Distiller(folder, opened), on_validation=stop, show_progress=False)
            if damaged:
                folder.checkpoint("last").write_bytes(b"nothing")
        engine = Distiller(folder, opened)
        assert engine.progress.step == (6 if name == "stopped" else 0)
        train(folder, engine=engine, show_progress=False)
        found.append((engine.params.flat, engine.projections.flat, engine.state["projections_second_moment"].flat))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_the_command_and_its_refusals(teacher, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("The fox met a hen. The hen ran. " * 40, encoding="utf-8")
    out, words = tmp_path / "out", [str(teacher), str(text), "--steps", "4", "--batch", "2"]
    assert main(["distill", *words, "--width", "8", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 4
    assert main(["train", "--resume", "--out", str(out)]) == 2
    assert "minigpt distill --resume" in capsys.readouterr().err
    assert main(["generate", str(out), "--max-new-tokens", "3"]) == 0
    for wrong, says in {
        ("--soft", "1.5"): "soft is 1.5, but it is a share",
        ("--temperature", "0"): "temperature is 0",
        ("--context", "9"): "the teacher sees 8 tokens, but the student 9",
        ("--width", "9"): "heads do not divide",
    }.items():
        capsys.readouterr()
        assert main(["distill", *words, *wrong, "--heads", "2", "--out", str(tmp_path / "no")]) == 2
        assert says in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_the_command_goes_on_where_it_was_interrupted(teacher, tmp_path, capsys, monkeypatch):
    text, moved = tmp_path / "text.txt", tmp_path / "moved"
    text.write_text("The fox met a hen. The hen ran. " * 40, encoding="utf-8")
    shutil.copytree(teacher, moved)
    words = ["distill", str(moved), str(text), "--steps", "4", "--batch", "2", "--hidden", "1", "--json"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patched:
        patched.setattr(loop_module.threading.Event, "is_set", lambda self: True)
        assert main([*words, "--out", str(tmp_path / "student")]) == 130
    out = ["--resume", "--out", str(tmp_path / "student")]
    assert "minigpt distill --resume --out" in capsys.readouterr().err
    for more, says in {
        ("--soft", "0.9"): "--soft 0.9 is not what",
        ("--layers", "2"): "--layers 2 is not what",
        ("--steps", "0"): "--steps",
    }.items():
        with contextlib.suppress(SystemExit):
            assert main(["distill", *out, *more]) == 2
        assert says in capsys.readouterr().err
    moved.rename(tmp_path / "elsewhere")
    assert main(["distill", *out]) == 2
    assert "moved" in capsys.readouterr().err
    assert main(["distill", str(tmp_path / "elsewhere"), *out, "--hidden", "1.0"]) == 0
    one, other = (open_run(tmp_path / name, "last").params.flat for name in ("whole", "student"))
    assert np.array_equal(one, other)
    capsys.readouterr()
    assert main(["distill", str(tmp_path / "elsewhere"), *out]) == 0
    assert "is finished: all 4 steps are done" in capsys.readouterr().err
    assert main(["distill", "--resume", "--out", str(teacher)]) == 2
    assert "has no teacher; go on with `minigpt train --resume`" in capsys.readouterr().err
    assert main(["distill", "--out", str(tmp_path / "new")]) == 2
    assert "TEACHER is missing" in capsys.readouterr().err


def test_every_option_of_a_student_is_changed_fixed_or_of_this_session():
    arguments = vars(_parser("distill").parse_args(["distill"]))
    session = {"execute", "teacher", "out", "resume", "json"}
    assert set(arguments) == session | ({*CHANGED} - {"workers", "validate_every"}) | set(OF_STUDENT)
    assert all(arguments[name] is None for name in OF_STUDENT)


def test_a_teacher_that_does_not_fit_is_refused():
    sizes = SIZES | {"layers": 2, "width": 6}
    with pytest.raises(UserError, match="the student's vocabulary_size is 12, but its teacher's 11"):
        check_teaches(TransformerConfig(**sizes), TransformerConfig(**sizes | {"vocabulary_size": 12}))
    with pytest.raises(UserError, match="has no soft targets"):
        sequence = TransformerConfig(**sizes, head="sequence", labels=2, architecture="encoder")
        check_teaches(sequence, sequence)
