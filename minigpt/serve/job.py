"""What the two ways to let a model write have in common: the fields, and what comes of them."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from minigpt.infer import Request, Sampling
from minigpt.serve.fields import FLAG, SHARE, TEXT, Field, read_fields
from minigpt.serve.refused import unfit
from minigpt.serve.served import Served
from minigpt.serve.writing import Piece
from minigpt.values import REQUIRED, TABLE, Kind, number, whole

MOST_STOPS = 4
MOST_ALTERNATIVES = 20


def _is_stop(value: Any) -> bool:
    stops = [value] if isinstance(value, str) else value
    return isinstance(stops, list) and len(stops) <= MOST_STOPS and all(TEXT.fits(one) and one for one in stops)


STOP = Kind(f"a string, or a list of at most {MOST_STOPS}, none of them empty", _is_stop)
SHARED: Mapping[str, Field] = {
    "model": Field(TEXT, REQUIRED),
    "temperature": Field(number(0), 1.0),
    "top_p": Field(SHARE),
    "top_k": Field(whole(1)),
    "n": Field(whole(1), 1),
    "seed": Field(whole(0)),
    "stop": Field(STOP, []),
    "stream": Field(FLAG, False),
    "stream_options": Field(TABLE),
}
STREAM_OPTIONS = {"include_usage": Field(FLAG, False)}


@dataclass(frozen=True)
class Job:
    """What a client wants written."""

    prompts: list[Any]  # texts, rows of ids, or conversations
    sampling: Sampling
    seed: int
    choices: int  # of each prompt
    stop: tuple[str, ...]
    most: int | None  # tokens of each answer, if that was said
    logprobs: bool  # whether to tell of every token how likely it was
    likeliest: int  # and of how many others
    stream: bool
    include_usage: bool
    echo: bool = False

    @property
    def count(self) -> int:
        """Answers."""
        return len(self.prompts) * self.choices


class Form(NamedTuple):
    """How a route is asked and answers."""

    route: str
    prefix: str  # of an answer's id
    whole: str  # the kind of a whole answer
    part: str  # the kind of a part of a stream
    read: Callable[[dict[str, Any]], Job]
    requests: Callable[[Job, Served], tuple[list[Request], list[str]]]  # and what each answer begins with
    opening: Callable[[int, str], dict[str, Any] | None]  # (index, beginning): the first part of a stream
    choice: Callable[[int, str, Piece, str | None, Job], dict[str, Any]]  # (index, beginning, all of it, why it ended)
    chunk: Callable[[int, str, Piece, str | None, Job], dict[str, Any]]


def job_of(values: Mapping[str, Any], prompts: list[Any], **own: Any) -> Job:
    """A job with the shared fields in `values`, and what the route has of its own."""
    options = values["stream_options"]
    if options is not None and not values["stream"]:
        raise unfit("stream_options is for streams, but stream is not true; leave one of them out", "stream_options")
    include = read_fields(options or {}, STREAM_OPTIONS, "stream_options.")
    stop = values["stop"]
    return Job(
        prompts=prompts,
        sampling=Sampling(values["temperature"], values["top_k"], values["top_p"]),
        seed=secrets.randbits(62) if values["seed"] is None else values["seed"],
        choices=values["n"],
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        stream=values["stream"],
        include_usage=include["include_usage"],
        **own,
    )


def request_of(job: Job, served: Served, route: str, ids: Any, default: int | None, name: str) -> Request:
    """What the engine is asked for one prompt: (T,). default: tokens, where none were said; name: of that field."""
    return Request(
        ids,
        served.room(ids, job.most, default, name),
        sampling=job.sampling,
        seed=job.seed,
        stop_tokens=tuple(served.stop_tokens[route]),
        samples=job.choices,
        logprobs=job.likeliest,
        vocabulary_size=served.tokenizer.vocabulary_size,
    )
