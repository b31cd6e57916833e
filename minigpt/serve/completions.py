"""`/v1/completions`: a text, or several, and how each goes on."""

from typing import Any

from minigpt.infer import Request
from minigpt.serve.fields import FLAG, TEXT, Field, finite, read_fields
from minigpt.serve.job import MOST_ALTERNATIVES, SHARED, Form, Job, job_of, request_of
from minigpt.serve.refused import unfit
from minigpt.serve.served import COMPLETIONS, Served
from minigpt.serve.writing import Piece, Told
from minigpt.values import REQUIRED, Kind, whole

NEW_TOKENS = 16  # what OpenAI writes unless asked for more or fewer


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int and 0 <= one < 1 << 31 for one in value)


def _is_prompt(value: Any) -> bool:
    if TEXT.fits(value) or _are_ids(value):
        return True
    return isinstance(value, list) and bool(value) and all(TEXT.fits(one) or _are_ids(one) for one in value)


PROMPT = Kind("a string, a list of strings, a list of token ids, or a list of such lists; not empty", _is_prompt)
FIELDS = {
    **SHARED,
    "prompt": Field(PROMPT, REQUIRED),
    "max_tokens": Field(whole(1)),
    "logprobs": Field(whole(0, MOST_ALTERNATIVES)),
    "echo": Field(FLAG, False),
}


def prompts_of(value: Any) -> list[Any]:
    """A prompt, or several, as a list of texts and rows of ids."""
    return [value] if isinstance(value, str) or isinstance(value[0], int) else value


def _read(body: dict[str, Any]) -> Job:
    values = read_fields(body, FIELDS)
    if values["echo"] and values["logprobs"] is not None:
        raise unfit(
            "logprobs with echo would tell of the prompt's tokens, which is not computed; leave one out", "echo"
        )
    asked = values["logprobs"]
    return job_of(
        values,
        prompts_of(values["prompt"]),
        most=values["max_tokens"],
        logprobs=asked is not None,
        likeliest=asked or 0,
        echo=values["echo"],
    )


def _requests(job: Job, served: Served) -> tuple[list[Request], list[str]]:
    rows = [served.tokens(prompt, "prompt") for prompt in job.prompts]
    requests = [request_of(job, served, COMPLETIONS, row, NEW_TOKENS, "max_tokens") for row in rows]
    if not job.echo:
        return requests, [""] * len(rows)
    return requests, [one if isinstance(one, str) else served.tokenizer.decode(one) for one in job.prompts]


def _opening(index: int, beginning: str) -> dict[str, Any] | None:
    return {"index": index, "text": beginning, "logprobs": None, "finish_reason": None} if beginning else None


def _choice(index: int, beginning: str, said: Piece, reason: str | None, job: Job) -> dict[str, Any]:
    return {**_chunk(index, beginning, said, reason, job), "text": beginning + said.text}


def _chunk(index: int, beginning: str, said: Piece, reason: str | None, job: Job) -> dict[str, Any]:
    logprobs = _logprobs(said.told, len(beginning)) if job.logprobs else None
    return {"index": index, "text": said.text, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(told: list[Told], before: int) -> dict[str, Any]:
    tops = []
    for one in told:
        top: dict[str, float | None] = {}
        for spelled, value in [*one.likeliest, (one.spelled, one.logprob)]:
            top.setdefault(_word(spelled), finite(value))
        tops.append(top)
    return {
        "tokens": [_word(one.spelled) for one in told],
        "token_logprobs": [finite(one.logprob) for one in told],
        "top_logprobs": tops,
        "text_offset": [before + one.offset for one in told],
    }


def _word(spelled: bytes) -> str:
    """A token as a string, also if it is a part of a character: then as OpenAI writes it."""
    try:
        return spelled.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in spelled)


FORM = Form(COMPLETIONS, "cmpl-", "text_completion", "text_completion", _read, _requests, _opening, _choice, _chunk)
