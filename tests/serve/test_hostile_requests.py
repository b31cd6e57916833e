"""Whatever a client sends is answered in the API's form: by what was wrong with it, and never by a fault of ours."""

import asyncio
import json
import random
from functools import partial

from serve_client import Client, app_of, running, small_decoder, small_encoder

OPENED = small_decoder()
COMPLETIONS, CHAT, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"
SAID = [{"role": "user", "content": "hi"}]


def replies(app, asks):
    """What each of some functions of a client gets."""

    async def ask():
        async with running(app) as client:
            return [await one(client) for one in asks]

    return asyncio.run(ask())


def raw(body, route=COMPLETIONS, **options):
    return lambda client: client.ask("POST", route, body, **options)


def posted(route, body):
    return lambda client: client.post(route, **body)


WRONG = {  # a field that is refused, by name: (route, the body beside a good rest, the parameter)
    "no prompt": (COMPLETIONS, {"prompt": ...}, "prompt"),
    "null prompt": (COMPLETIONS, {"prompt": None}, "prompt"),
    "empty list": (COMPLETIONS, {"prompt": []}, "prompt"),
    "empty row": (COMPLETIONS, {"prompt": [[]]}, "prompt"),
    "mixed": (COMPLETIONS, {"prompt": [1, "a"]}, "prompt"),
    "flag as id": (COMPLETIONS, {"prompt": [True]}, "prompt"),
    "unknown id": (COMPLETIONS, {"prompt": [300]}, "prompt"),
    "negative id": (COMPLETIONS, {"prompt": [-1]}, "prompt"),
    "huge id": (COMPLETIONS, {"prompt": [1 << 80]}, "prompt"),
    "table": (COMPLETIONS, {"prompt": {"a": 1}}, "prompt"),
    "surrogate": (COMPLETIONS, {"prompt": "a\ud800"}, "prompt"),
    "long prompt": (COMPLETIONS, {"prompt": "z " * 100}, "prompt"),
    "very long prompt": (COMPLETIONS, {"prompt": "z" * 500_000}, "prompt"),
    "no tokens": (COMPLETIONS, {"max_tokens": 0}, "max_tokens"),
    "huge number": (COMPLETIONS, {"max_tokens": 10**40}, "max_tokens"),
    "fraction": (COMPLETIONS, {"max_tokens": 1.5}, "max_tokens"),
    "string": (COMPLETIONS, {"max_tokens": "5"}, "max_tokens"),
    "flag": (COMPLETIONS, {"max_tokens": True}, "max_tokens"),
    "cold": (COMPLETIONS, {"temperature": -0.1}, "temperature"),
    "no share": (COMPLETIONS, {"top_p": 0}, "top_p"),
    "too much": (COMPLETIONS, {"top_p": 1.01}, "top_p"),
    "no k": (COMPLETIONS, {"top_k": 0}, "top_k"),
    "no choices": (COMPLETIONS, {"n": 0}, "n"),
    "many choices": (COMPLETIONS, {"n": 17}, "n"),
    "many prompts": (COMPLETIONS, {"prompt": ["a"] * 9, "n": 2}, "n"),
    "negative seed": (COMPLETIONS, {"seed": -1}, "seed"),
    "huge seed": (COMPLETIONS, {"seed": 1 << 64}, "seed"),
    "empty stop": (COMPLETIONS, {"stop": ""}, "stop"),
    "five stops": (COMPLETIONS, {"stop": ["a"] * 5}, "stop"),
    "number as stop": (COMPLETIONS, {"stop": [1]}, "stop"),
    "many logprobs": (COMPLETIONS, {"logprobs": 21}, "logprobs"),
    "flag as logprobs": (COMPLETIONS, {"logprobs": True}, "logprobs"),
    "echo with logprobs": (COMPLETIONS, {"echo": True, "logprobs": 1}, "echo"),
    "stream": (COMPLETIONS, {"stream": 1}, "stream"),
    "options without stream": (COMPLETIONS, {"stream_options": {}}, "stream_options"),
    "unknown option": (COMPLETIONS, {"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
    "wrong option": (
        COMPLETIONS,
        {"stream": True, "stream_options": {"include_usage": 1}},
        "stream_options.include_usage",
    ),
    "best of": (COMPLETIONS, {"best_of": 2}, "best_of"),
    "best of, a flag": (COMPLETIONS, {"best_of": True}, "best_of"),
    "suffix": (COMPLETIONS, {"suffix": "x"}, "suffix"),
    "penalty": (COMPLETIONS, {"frequency_penalty": 0.1}, "frequency_penalty"),
    "other penalty": (COMPLETIONS, {"presence_penalty": -1}, "presence_penalty"),
    "bias": (COMPLETIONS, {"logit_bias": {"5": 1}}, "logit_bias"),
    "user": (COMPLETIONS, {"user": "me"}, "user"),
    "of chat": (COMPLETIONS, {"messages": SAID}, "messages"),
    "unknown": (COMPLETIONS, {"temprature": 0.5}, "temprature"),
    "number as model": (COMPLETIONS, {"model": 5}, "model"),
    "no messages": (CHAT, {"messages": []}, "messages"),
    "text as messages": (CHAT, {"messages": "hi"}, "messages"),
    "text as message": (CHAT, {"messages": ["hi"]}, "messages[0]"),
    "no role": (CHAT, {"messages": [{"content": "hi"}]}, "messages[0].role"),
    "role": (CHAT, {"messages": [*SAID, {"role": "tool", "content": "x"}]}, "messages[1].role"),
    "no content": (CHAT, {"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "picture": (
        CHAT,
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].image_url",
    ),
    "name": (CHAT, {"messages": [{**SAID[0], "name": "x"}]}, "messages[0].name"),
    "long message": (CHAT, {"messages": [{"role": "user", "content": "z " * 100}]}, "messages"),
    "tools": (CHAT, {"tools": [{"type": "function"}]}, "tools"),
    "tool choice": (CHAT, {"tool_choice": "auto"}, "tool_choice"),
    "format": (CHAT, {"response_format": {"type": "json_object"}}, "response_format"),
    "top without logprobs": (CHAT, {"top_logprobs": 2}, "top_logprobs"),
    "number as flag": (CHAT, {"logprobs": 1}, "logprobs"),
    "both": (CHAT, {"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
    "of completions": (CHAT, {"echo": True}, "echo"),
}


def test_every_wrong_field_is_refused_by_name():
    bodies = []
    for route, wrong, _ in WRONG.values():
        good = {"prompt": "the", "max_tokens": 3} if route == COMPLETIONS else {"messages": SAID}
        body = {**good, **wrong}
        bodies.append(posted(route, {name: value for name, value in body.items() if value is not ...}))
    for (name, (_, _, param)), reply in zip(WRONG.items(), replies(app_of(OPENED), bodies), strict=True):
        assert (reply.status, reply.error["param"]) == (400, param), name
        assert reply.error["type"] == "invalid_request_error" and len(reply.error["message"]) < 700, name


def test_what_changes_nothing_is_taken():
    neutral = {"best_of": 1, "suffix": None, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}}
    absent = {"seed": None, "stop": None, "temperature": None, "n": None, "logprobs": None, "stream_options": None}
    chat = {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "store": False}
    asks = [
        posted(COMPLETIONS, {"prompt": "a", "max_tokens": 2, **neutral, **absent}),
        posted(CHAT, {"messages": SAID, "max_tokens": 2, **chat}),
    ]
    assert [reply.status for reply in replies(app_of(OPENED), asks)] == [200, 200]


BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "two": b"{}{}",
    "a list": b"[1, 2]",
    "null": b"null",
    "half a character": b'{"prompt": "\xc3"}',
    "latin-1": '{"prompt": "ä"}'.encode("latin-1"),
    "NaN": b'{"temperature": NaN}',
    "infinity": b'{"temperature": -Infinity}',
    "overflow": b'{"model": "tiny", "prompt": "a", "temperature": 1e999}',
    "digits": b'{"seed": ' + b"9" * 100_000 + b"}",
    "deep list": b"[" * 200_000,
    "deep table": b'{"a":' * 100_000,
    "deep value": b'{"model": "tiny", "prompt": ' + b"[" * 900 + b"]" * 900 + b"}",
    "twice": b'{"model": "tiny", "model": "tiny", "prompt": "a"}',
    "control": b'{"prompt": "a\x00"}',
    "mark": b'\xef\xbb\xbf{"prompt": "a"}',
    "long key": b'{"' + b"k" * 300_000 + b'": 1}',
}


def test_every_broken_body_is_refused():
    for name, reply in zip(BROKEN, replies(app_of(OPENED), map(raw, BROKEN.values())), strict=True):
        assert reply.status == 400 and len(reply.error["message"]) < 700, name


def test_sizes_routes_methods_and_kinds_have_their_statuses():
    big = b'{"prompt": "' + b"a" * 5000
    asks = {
        413: raw(big),
        404: lambda client: client.get("/v1/nothing"),
        405: lambda client: client.get(COMPLETIONS),
        400: raw(b'{"prompt": "a"}', headers={"content-type": "text/plain"}),
    }
    app = app_of(OPENED, body_bytes=4000)
    for status, reply in zip(asks, replies(app, asks.values()), strict=True):
        assert reply.status == status and reply.error["type"] == "invalid_request_error"
    (other,) = replies(app_of(OPENED), [posted(COMPLETIONS, {"model": "gpt-4", "prompt": "a"})])
    assert (other.status, other.error["code"]) == (404, "model_not_found")


def test_a_wrong_path_is_told_the_routes_that_the_model_answers():
    wrong = [lambda client: client.get("/v1/nothing"), lambda client: client.get("http://127.0.0.1:1/v1/nothing")]
    for reply in replies(app_of(OPENED), wrong):
        assert reply.status == 404
        assert f"/v1/models/{OPENED.name.rpartition('/')[2]}" in reply.error["message"]
        assert COMPLETIONS in reply.error["message"] and "/v1/embeddings" not in reply.error["message"]


def test_a_whole_address_may_stand_for_the_path():
    """As proxies write it: RFC 9112, section 3.2.2."""
    paths = ["http://127.0.0.1:8000/v1/models", "HTTP://localhost/v1/models?x=1", "http://127.0.0.1", "//v1/models"]
    found = replies(app_of(OPENED), [partial(Client.get, path=path) for path in paths])
    assert [reply.status for reply in found] == [200, 200, 200, 404]


def test_a_promise_of_too_much_is_refused_before_it_is_kept():
    ask = raw(b"{}", headers={"content-type": "application/json", "content-length": str(1 << 40)})
    (reply,) = replies(app_of(OPENED), [ask])
    assert (reply.status, reply.error["code"], reply.headers["connection"]) == (413, "body_too_large", "close")


def test_a_body_that_does_not_end_is_given_up():
    async def ask():
        async with running(app_of(OPENED, read_seconds=0.05)) as client:
            scope = {"type": "http", "method": "POST", "path": COMPLETIONS, "headers": JSON}
            sent = []

            async def receive():
                await asyncio.sleep(0.02)
                return {"type": "http.request", "body": b" ", "more_body": True}

            async def send(message):
                sent.append(message)

            await client.app(scope, receive, send)
            return sent[0]["status"], dict(sent[0]["headers"])

    status, headers = asyncio.run(ask())
    assert status == 408 and headers[b"connection"] == b"close"


JSON = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
NAMES = ["model", "prompt", "messages", "max_tokens", "temperature", "stop", "n", "stream", "logprobs", "seed", "input",
         "stream_options", "top_k", "top_p", "echo", "tools", "user", "x", "", "role", "content"]  # fmt: skip
WORDS = ["tiny", "", "a", "the cat", "\x00", "\u202e", "ä" * 50, "<|im_end|>", "system", "user", "text", "\ud800"]
PLACES = ["{", "}", "[", "]", ",", ":", '"', "\\", "null", "NaN", "1e999", "-", "\x00", "é", "9" * 30]


def drawn_value(draw, depth=0):
    """Any value of JSON, likely one that means something."""
    kinds = ["number", "word", "word", "constant"] + (["list", "table"] if depth < 4 else [])
    kind = draw.choice(kinds)
    if kind == "number":
        return draw.choice([0, 1, -1, 0.5, 3, 1e308, -0.0, 1 << 70, draw.randint(-5, 400)])
    if kind == "word":
        return draw.choice(WORDS)
    if kind == "constant":
        return draw.choice([True, False, None])
    values = [drawn_value(draw, depth + 1) for _ in range(draw.randint(0, 3))]
    return values if kind == "list" else {draw.choice(NAMES): value for value in values}


def drawn_body(draw, route):
    """A body that is nearly right for the route, or was, before some of its bytes were changed."""
    good = {COMPLETIONS: {"prompt": "the"}, CHAT: {"messages": SAID}, EMBEDDINGS: {"input": "ab"}}
    name = "letters" if route == EMBEDDINGS else "tiny"
    body = {"model": name, **good[route], **({} if route == EMBEDDINGS else {"max_tokens": 2})}
    for _ in range(draw.randint(0, 2)):
        body[draw.choice(NAMES)] = drawn_value(draw)
    text = json.dumps(body)
    for _ in range(draw.choice([0, 0, 1, 3])):
        place = draw.randrange(len(text))
        text = text[:place] + draw.choice(PLACES) + text[place + draw.randint(0, 2) :]
    data = text.encode("utf-8", "surrogatepass")
    return data[: draw.randrange(len(data))] if draw.random() < 0.1 else data


def test_a_thousand_drawn_bodies_are_answered_or_refused():
    draw = random.Random(2)
    found = []
    for opened, routes in ((OPENED, (COMPLETIONS, CHAT)), (small_encoder(), (EMBEDDINGS,))):
        drawn = [draw.choice(routes) for _ in range(500)]
        found += replies(app_of(opened), [raw(drawn_body(draw, route), route) for route in drawn])
    assert {reply.status for reply in found} <= {200, 400, 404}
    for reply in found:
        assert reply.status == 200 or reply.error
    assert sum(reply.status == 200 for reply in found) > 100, "or nothing but the first check is tested"
