"""Conversations as tokens: ChatML, the form in which SmolLM2-Instruct was trained.

Each message stands between <|im_start|>ROLE and <|im_end|>, and the last line opens the assistant's. The marks are
single tokens that no text can spell: what a person types is always plain text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError

START, END = "<|im_start|>", "<|im_end|>"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # what its own template begins with


def chat_tokens(tokenizer: Any, messages: Sequence[dict[str, str]]) -> np.ndarray:
    """The prompt for the assistant's next message: (T,) ids. messages: role (system, user, assistant) and content."""
    marks = tokenizer.special_tokens
    if START not in marks or END not in marks:
        raise UserError(f"this model's tokenizer has no {START} and {END}, so it was not trained to chat; try smollm2")
    if not messages or messages[0]["role"] != "system":
        messages = [{"role": "system", "content": SYSTEM}, *messages]
    ids: list[np.ndarray] = []
    for message in messages:
        text = f"{message['role']}\n{message['content']}"
        ids += [np.array([marks[START]]), tokenizer.encode(text), np.array([marks[END]]), tokenizer.encode("\n")]
    ids += [np.array([marks[START]]), tokenizer.encode("assistant\n")]
    return np.concatenate(ids)
