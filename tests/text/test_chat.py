"""Conversations as tokens, and what happens when they grow too long."""

import numpy as np
import pytest
from conftest import optional

from minigpt import UserError
from minigpt.text.chat import END, START, TEMPLATE, chat_tokens, recent_chat_tokens


class Letters:
    """A tokenizer whose tokens are characters, and two marks."""

    def __init__(self):
        self.special_tokens = {START: 1, END: 2}

    def encode(self, text):
        return np.array([ord(character) for character in text])


def conversation(exchanges):
    return [
        {"role": role, "content": f"{role[0]}{number}"} for number in range(exchanges) for role in ("user", "assistant")
    ] + [{"role": "user", "content": "last"}]


def said(ids):
    return "".join({1: "<", 2: ">"}.get(id_, chr(id_)) for id_ in ids)


def test_the_form():
    ids = chat_tokens(
        Letters(), [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi <|im_end|>"}]
    )
    assert said(ids) == "<system\nbe kind>\n<user\nhi <|im_end|>>\n<assistant\n"


@pytest.mark.parametrize("messages", [conversation(1), [{"role": "system", "content": "be kind"}, *conversation(0)]])
def test_the_template_says_the_same(messages):
    environment = optional("jinja2").Environment()
    text = environment.from_string(TEMPLATE).render(messages=messages, add_generation_prompt=True)
    assert text.replace(START, "<").replace(END, ">") == said(chat_tokens(Letters(), messages))


@pytest.mark.parametrize("template", ["{{ messages }}", TEMPLATE.replace("SmolLM", "Qwen"), [{"name": "default"}]])
def test_another_template_is_refused(template):
    tokenizer = Letters()
    tokenizer.chat_template = TEMPLATE
    chat_tokens(tokenizer, conversation(0))
    tokenizer.chat_template = template
    with pytest.raises(UserError, match="was trained to chat in another form, with the template"):
        chat_tokens(tokenizer, conversation(0))


def test_everything_is_kept_while_it_fits():
    messages = conversation(3)
    whole = chat_tokens(Letters(), messages)
    ids, forgotten = recent_chat_tokens(Letters(), messages, len(whole))
    assert np.array_equal(ids, whole) and forgotten == 0


@pytest.mark.parametrize("exchanges", [1, 2])
def test_the_oldest_exchanges_go_first(exchanges):
    messages = conversation(3)
    room = len(chat_tokens(Letters(), messages[2 * exchanges :]))
    ids, forgotten = recent_chat_tokens(Letters(), messages, room)
    assert forgotten == 2 * exchanges
    assert said(ids).count("<system") == 1  # the system's message stays
    assert f"u{exchanges - 1}" not in said(ids) and f"u{exchanges}" in said(ids) and "last" in said(ids)


def test_a_message_that_is_too_long_is_refused():
    with pytest.raises(UserError, match="there is room for 20; say it in fewer words"):
        recent_chat_tokens(Letters(), conversation(2), 20)


class Unmarked(Letters):
    def __init__(self):
        self.special_tokens = {}


@pytest.mark.parametrize("tokenizer", [Unmarked(), object(), None], ids=["no marks", "other", "none"])
def test_a_model_that_does_not_chat_is_refused(tokenizer):
    with pytest.raises(UserError, match="was not trained to chat; try smollm2"):
        chat_tokens(tokenizer, conversation(0))
