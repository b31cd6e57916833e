"""A question in other capitals, signs and spellings is the one of training; one in other words is refused."""

import pytest

from minigpt.errors import UserError
from minigpt.vision.wording import Wording

LEARNT = ("what color is the shape?", "what color is the shape?", "is there a gray shape?", "where's the circle?")


@pytest.mark.parametrize(("question", "put"), [
    ("what color is the shape?", "what color is the shape?"),
    ("what colour is the shape?", "what color is the shape?"),
    ("What color is the shape?", "what color is the shape?"),
    ("what color is the shape", "what color is the shape?"),
    (" WHAT  COLOUR,\tis the shape ?! ", "what color is the shape?"),
    ("Is there a grey shape.", "is there a gray shape?"),
    ("Where’s the circle", "where's the circle?"),
    ("What is the Colour", "what is the color?"),
    ("the circle?", "the circle?"),
])  # fmt: skip
def test_what_is_certain_is_put_as_training_has_it(question, put):
    assert Wording(LEARNT, "x.json").as_trained(question) == put


@pytest.mark.parametrize(("question", "says"), [
    ("is there a hexagon?", "the word 'hexagon'; ask as x.json does, such as 'is there a gray shape?'"),
    ("Is there a Hexagon or a SQUARE or hexagon?", "the word 'hexagon' and 'or' and 'square'"),
    ("the circle, the color?", "the sign ','"),
    ("?!", "the question '?!' has no word"),
    ("colored?", "the word 'colored'"),
])  # fmt: skip
def test_what_training_never_read_is_named(question, says):
    with pytest.raises(UserError) as refused:
        Wording(LEARNT, "x.json").as_trained(question)
    assert says in str(refused.value)


def test_a_spelling_stays_where_training_has_it_and_turns_either_way():
    british = Wording(["Which colour has the grey one?"], "x")
    assert british.as_trained("which color has the gray one") == "Which colour has the grey one?"
    both = Wording(["which color?", "the colour of it?"], "x")
    assert both.as_trained("Which colour of it") == "which colour of it?"
    assert both.as_trained("which COLOR of it") == "which color of it?"


def test_capitals_are_those_of_the_place():
    wording = Wording(["Is it Paris?", "What is it?", "where is Paris?", "what is a?", "what is A?"], "x")
    assert wording.as_trained("IS IT") == "Is it?"
    assert wording.as_trained("what IS paris") == "what is Paris?"
    assert wording.as_trained("Where is A") == "where is A?" and wording.as_trained("Where is a") == "where is a?"
    assert wording.as_trained("it is") == "it is?", "a word that never began stands as elsewhere"


def test_ends_that_differ_are_never_guessed():
    wording = Wording(["is it dark?", "name the color"], "x")
    assert (
        wording.as_trained("Is it dark") == "is it dark?" and wording.as_trained("Name the color?") == "name the color"
    )
    assert wording.as_trained("name it") == "name it"
    with pytest.raises(UserError, match="no question of its training ends as 'name it!' does"):
        wording.as_trained("name it!")
    assert Wording(["name it"], "x").as_trained("it?") == "it"
