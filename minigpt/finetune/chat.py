"""Conversations: the model learns to say what the assistant says, and nothing else of them is scored.

Ouyang et al. (2022), "Training language models to follow instructions", arXiv:2203.02155, section 3.4, step 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.examples import Example, with_targets
from minigpt.finetune.frames import check_length
from minigpt.finetune.tasks import Setup, Task
from minigpt.model import TransformerConfig
from minigpt.ops import IGNORED
from minigpt.text.chat import conversation_tokens
from minigpt.text.records import Record
from minigpt.values import TABLE, TEXT, about, choice, list_of, read, shown

ROLES = ("system", "user", "assistant")


def example_of(record: Record, setup: Setup) -> Example:
    """A conversation as one row; the targets are the next tokens, where they are the assistant's."""
    tokens, own = conversation_tokens(setup.tokenizer, messages_of(record, setup))
    if setup.cut:
        tokens, own = tokens[: setup.context + 1], own[: setup.context + 1]
    check_length(tokens[:-1], setup.context, record.place)
    target = np.where(own[1:], tokens[1:], IGNORED)
    if not own[1:].any():
        raise UserError(f"{record.place}: the assistant says nothing in what the model sees of it; leave it out")
    return Example(tokens[:-1], target, record=record)


def messages_of(record: Record, setup: Setup) -> list[dict[str, str]]:
    """The messages, each with a role and a content. `UserError` names what is missing or in a wrong order."""
    messages = record.value(setup.column("messages"), list_of(TABLE))
    for number, message in enumerate(messages):
        with about(f"{record.place}, message {number + 1}"):
            read(message, "role", choice(*ROLES))
            said = read(message, "content", TEXT)
            for name, value in message.items():
                if name not in ("role", "content") and value not in (None, [], {}, ""):
                    raise UserError(f"it has {name} = {shown(value)}, which would not be learnt; take it out")
            if message["role"] == "assistant" and not said.strip():
                raise UserError("the assistant's content is empty; leave the conversation out, or write an answer")
            if message["role"] == "system" and number:
                raise UserError("a system message stands first or nowhere")
    if not any(message["role"] == "assistant" for message in messages):
        raise UserError(f"{record.place}: no message is the assistant's, so there is nothing to learn")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def packed(examples: Sequence[Example], context: int) -> list[Example]:
    """The same rows put together, one after another, into rows of at most `context` tokens, so that less is padded.

    First fit, the longest first. A conversation then sees those before it in its row, as when people chat on.
    """
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in sorted(examples, key=lambda one: -len(one.ids)):
        length = len(example.ids)
        place = next((row for row, left in enumerate(room) if left >= length), None)
        if place is None:
            rows.append([example])
            room.append(context - length)
        else:
            rows[place].append(example)
            room[place] -= length
    return [
        Example(np.concatenate([one.ids for one in row]), np.concatenate([one.target for one in row])) for row in rows
    ]


def model_of(_config: TransformerConfig, _labels: tuple[str, ...]) -> dict[str, Any]:
    """The language head that it has."""
    return {"head": "language"}


CHAT = Task(
    name="chat",
    summary='conversations (JSON Lines: "messages", a list of tables with "role" and "content"); answers alone count',
    columns=("messages",),
    answered=(),
    example=example_of,
    batch=with_targets,
    model=model_of,
    counted="tokens of answers",
)
