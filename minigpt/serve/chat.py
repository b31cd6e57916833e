"""`/v1/chat/completions`: a conversation, and what the assistant says next."""

from typing import Any

from minigpt.infer import Request
from minigpt.serve.fields import FLAG, TEXT, Field, check_field, finite, read_fields
from minigpt.serve.job import MOST_ALTERNATIVES, SHARED, Form, Job, job_of, request_of
from minigpt.serve.refused import unfit
from minigpt.serve.served import CHAT, Served
from minigpt.serve.writing import Piece, Told
from minigpt.values import REQUIRED, Kind, choice, whole

FIELDS = {
    **SHARED,
    "messages": Field(
        Kind("a list of messages, not empty", lambda value: isinstance(value, list) and bool(value)), REQUIRED
    ),
    "max_tokens": Field(whole(1)),
    "max_completion_tokens": Field(whole(1)),
    "logprobs": Field(FLAG, False),
    "top_logprobs": Field(whole(0, MOST_ALTERNATIVES)),
}
CONTENT = Kind(
    'a string, or a list of {"type": "text", "text": ...}', lambda value: TEXT.fits(value) or isinstance(value, list)
)
MESSAGE = {"role": Field(choice("system", "user", "assistant"), REQUIRED), "content": Field(CONTENT, REQUIRED)}
PART = {"type": Field(choice("text"), REQUIRED), "text": Field(TEXT, REQUIRED)}


def _read(body: dict[str, Any]) -> Job:
    values = read_fields(body, FIELDS)
    most = [values[name] for name in ("max_tokens", "max_completion_tokens") if values[name] is not None]
    if len(most) > 1:
        raise unfit("max_tokens and max_completion_tokens mean the same; leave one of them out", "max_tokens")
    if values["top_logprobs"] is not None and not values["logprobs"]:
        raise unfit("top_logprobs needs logprobs to be true; set it", "top_logprobs")
    messages = [_message(value, f"messages[{place}]") for place, value in enumerate(values["messages"])]
    return job_of(
        values,
        [messages],
        most=most[0] if most else None,
        logprobs=values["logprobs"],
        likeliest=values["top_logprobs"] or 0,
    )


def _message(value: Any, where: str) -> dict[str, str]:
    """One message, its content as one string."""
    values = read_fields(_table(value, where), MESSAGE, f"{where}.")
    content = values["content"]
    if not isinstance(content, str):
        parts = [
            read_fields(_table(part, f"{where}.content[{place}]"), PART, f"{where}.content[{place}].")
            for place, part in enumerate(content)
        ]
        content = "".join(part["text"] for part in parts)
    return {"role": values["role"], "content": content}


def _table(value: Any, where: str) -> dict[str, Any]:
    check_field(where, value, Kind("an object", lambda value: isinstance(value, dict)))
    return value


def _requests(job: Job, served: Served) -> tuple[list[Request], list[str]]:
    return [request_of(job, served, CHAT, served.chat(job.prompts[0]), None, "max_tokens")], [""]


def _opening(index: int, beginning: str) -> dict[str, Any]:
    return {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}


def _choice(index: int, beginning: str, said: Piece, reason: str | None, job: Job) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.text, "refusal": None}
    return {"index": index, "message": message, "logprobs": _logprobs(said.told, job), "finish_reason": reason}


def _chunk(index: int, beginning: str, said: Piece, reason: str | None, job: Job) -> dict[str, Any]:
    delta = {"content": said.text} if said.text else {}
    return {"index": index, "delta": delta, "logprobs": _logprobs(said.told, job), "finish_reason": reason}


def _logprobs(told: list[Told], job: Job) -> dict[str, Any] | None:
    if not job.logprobs:
        return None
    content = [
        {**_token(one.spelled, one.logprob), "top_logprobs": [_token(*other) for other in one.likeliest]}
        for one in told
    ]
    return {"content": content, "refusal": None}


def _token(spelled: bytes, logprob: float) -> dict[str, Any]:
    return {"token": spelled.decode("utf-8", "replace"), "logprob": finite(logprob), "bytes": list(spelled)}


FORM = Form(CHAT, "chatcmpl-", "chat.completion", "chat.completion.chunk", _read, _requests, _opening, _choice, _chunk)
