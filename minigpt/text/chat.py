"""Conversations as tokens: ChatML, the form in which SmolLM2-Instruct was trained.

Each message stands between <|im_start|>ROLE and <|im_end|>, and the last line opens the assistant's. The marks are
single tokens that no text can spell: what a person types is always plain text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.values import shown

START, END = "<|im_start|>", "<|im_end|>"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # what its own template begins with
TEMPLATE = (  # the template of SmolLM2, in the language of Jinja: what `chat_tokens` does
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '" + START + "system\n" + SYSTEM + END + "\n' }}{% endif %}"
    "{{'" + START + "' + message['role'] + '\n' + message['content'] + '" + END + "' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '" + START + "assistant\n' }}{% endif %}"
)


def chat_tokens(tokenizer: Any, messages: Sequence[dict[str, str]]) -> np.ndarray:
    """The prompt for the assistant's next message: (T,) ids. messages: role (system, user, assistant) and content.

    `UserError` for a tokenizer without the marks, or whose model was trained with another template.
    """
    ids, _ = conversation_tokens(tokenizer, messages)
    return np.concatenate([ids, [tokenizer.special_tokens[START]], tokenizer.encode("assistant\n")])


def conversation_tokens(tokenizer: Any, messages: Sequence[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """A whole conversation: (T,) ids, and (T,) booleans, which of them the assistant wrote, its last mark included.

    `UserError` as `chat_tokens`.
    """
    marks = getattr(tokenizer, "special_tokens", {})  # not every tokenizer has marks, and not every model a tokenizer
    if START not in marks or END not in marks:
        raise UserError(f"this model's tokenizer has no {START} and {END}, so it was not trained to chat; try smollm2")
    template = getattr(tokenizer, "chat_template", None)
    if template not in (None, TEMPLATE):
        raise UserError(
            f"this model was trained to chat in another form, with the template {shown(template)}; "
            "write a prompt in that form, for generate"
        )
    if not messages or messages[0]["role"] != "system":
        messages = [{"role": "system", "content": SYSTEM}, *messages]
    ids: list[np.ndarray] = []
    own: list[np.ndarray] = []
    for message in messages:
        whole = tokenizer.encode(f"{message['role']}\n{message['content']}")
        said = len(whole) - len(tokenizer.encode(f"{message['role']}\n"))
        parts = [np.array([marks[START]]), whole, np.array([marks[END]]), tokenizer.encode("\n")]
        lengths = [1 + len(whole) - said, said + 1, len(parts[-1])]
        ids += parts
        own.append(np.repeat([False, message["role"] == "assistant", False], lengths))
    return np.concatenate(ids), np.concatenate(own)


def recent_chat_tokens(tokenizer: Any, messages: list[dict[str, str]], room: int) -> tuple[np.ndarray, int]:
    """`chat_tokens` of the latest messages that fit into `room` tokens, and how many of the oldest were left out.

    Left out are exchanges, what was said together with its answer, so that the conversation still begins with the user.
    `UserError` if the last message alone does not fit.
    """
    for first in range(0, len(messages), 2):
        ids = chat_tokens(tokenizer, messages[first:])
        if len(ids) <= room:
            return ids, first
    raise UserError(f"the message takes {len(ids)} tokens, but there is room for {room}; say it in fewer words")
