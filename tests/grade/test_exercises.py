"""The files of the exercises and those of the lessons tell one story, and nothing in them is forgotten."""

import ast
import inspect
from importlib import import_module

import pytest

from lessons.sources import LESSONS, lesson_sources
from minigpt.check import OPERATIONS
from minigpt.grade import EXERCISES, exercises, lessons

NAMES = [path.stem for path in lesson_sources()]
each = pytest.mark.parametrize("lesson", NAMES)


def asked(lesson):
    """The exercises of a lesson."""
    return [exercise for exercise in EXERCISES.values() if exercise.lesson == lesson]


@each
def test_a_lesson_asks_for_what_its_solution_answers(lesson):
    tree = ast.parse((LESSONS / "solutions" / f"{lesson}.py").read_text(encoding="utf-8"))
    written = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    wanted = [set(exercise.functions) for exercise in asked(lesson)]
    assert wanted, "a lesson without an exercise"
    assert all(functions & written for functions in wanted)
    # Lessons may ask again for an operation of an earlier one.
    again = {name for other in EXERCISES.values() if other.lesson < lesson for name in other.functions}
    public = {name for name in written if not name.startswith("_")}
    assert public <= set().union(*wanted) | again


@each
def test_every_function_of_a_file_is_a_question_an_answer_or_a_mistake(lesson):
    module = import_module(f"minigpt.grade.lessons.l{lesson}")
    own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    used = {f.__name__ for e in asked(lesson) if e.right for f in (e.draw, e.right, *e.mistakes)}
    assert {name for name in own if not name.startswith("_")} <= used
    assert all(inspect.getdoc(mistake) for exercise in asked(lesson) for mistake in exercise.mistakes)


def test_operations_that_no_lesson_asks_for_are_exercises_too():
    rest = {name for name, exercise in EXERCISES.items() if not exercise.lesson}
    assert rest and rest < set(OPERATIONS) < set(EXERCISES)
    assert {exercise.lesson for exercise in EXERCISES.values()} == {"", *NAMES}


def test_a_new_file_is_a_new_lesson_and_a_name_is_given_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "__path__", [*lessons.__path__, str(tmp_path)])
    text = "from minigpt.grade.exercise import Exercise\n\nEXERCISES = (Exercise({name!r}, 7),)\n"
    (tmp_path / "l98_new.py").write_text(text.format(name="dropout"), encoding="utf-8")
    found = exercises._gather()
    assert (found["dropout"].lesson, found["dropout"].points) == ("98_new", 7)
    for name, problem in (("linear", "two lessons ask for linear"), ("nonsense", "nonsense is no operation")):
        (tmp_path / f"l99_{name}.py").write_text(text.format(name=name), encoding="utf-8")
        with pytest.raises(ValueError, match=problem):
            exercises._gather()
        (tmp_path / f"l99_{name}.py").unlink()


@each
def test_a_lesson_needs_what_its_stub_leaves_open_called_as_the_stub_is(lesson):
    tree = ast.parse((LESSONS / "exercises" / f"{lesson}.py").read_text(encoding="utf-8"))
    stubs = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    needed = [name for exercise in asked(lesson) for name in exercise.needs]
    assert sorted(needed) == sorted(name for name, node in stubs.items() if "NotImplementedError" in ast.unparse(node))
    for exercise in asked(lesson):
        if not exercise.right:
            given = ast.parse(f"def f{inspect.signature(exercise.like)}: pass").body[0].args
            wanted = stubs[f"{exercise.operation}_forward"].args
            for argument in (*wanted.args, *wanted.kwonlyargs):
                argument.annotation = None
            assert ast.unparse(given) == ast.unparse(wanted)
