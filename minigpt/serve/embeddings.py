"""`/v1/embeddings`: texts as vectors, by an encoder."""

import base64
from typing import Any

import numpy as np

from minigpt.infer.embed import embed_ids
from minigpt.serve.completions import PROMPT, prompts_of
from minigpt.serve.fields import TEXT, Field, read_fields
from minigpt.serve.refused import unfit
from minigpt.serve.served import Served
from minigpt.values import REQUIRED, choice, whole

FIELDS = {
    "model": Field(TEXT, REQUIRED),
    "input": Field(PROMPT, REQUIRED),
    "encoding_format": Field(choice("float", "base64"), "float"),
    "dimensions": Field(whole(1)),
}


def read_inputs(body: dict[str, Any], served: Served) -> tuple[list[Any], str]:
    """The texts and rows of ids to embed, and in which form to send the vectors."""
    values = read_fields(body, FIELDS)
    width = served.model.config.width
    if values["dimensions"] not in (None, width):
        raise unfit(
            f"dimensions is {values['dimensions']}, but this model's vectors have {width}; leave it out", "dimensions"
        )
    return prompts_of(values["input"]), values["encoding_format"]


def vector(served: Served, ids: np.ndarray) -> tuple[np.ndarray, int]:
    """The vector of one text: (C,) float32, from its ids: (T,), and how many tokens with the marks around it."""
    row, count = embed_ids(served.model, served.params, served.tokenizer, ids)
    return row.astype(np.float32), count


def answer(rows: list[np.ndarray], counts: list[int], form: str, name: str) -> dict[str, Any]:
    """The answer in OpenAI's form. base64: the bytes of the numbers in float32, lowest byte first."""
    values = [
        base64.b64encode(row.astype("<f4").tobytes()).decode() if form == "base64" else row.tolist() for row in rows
    ]
    data = [{"object": "embedding", "index": place, "embedding": value} for place, value in enumerate(values)]
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return {"object": "list", "data": data, "model": name, "usage": usage}
