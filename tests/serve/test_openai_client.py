"""OpenAI's own client against a server on a socket: its answers, and its own exceptions."""

import asyncio
import base64
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import optional
from serve_client import app_of, hold, offline, small_decoder, small_encoder

from minigpt.serve import Gate
from minigpt.serve.run import bind, server_of

OPENED = small_decoder()


@contextmanager
def served(app):
    """Where the application is served, over real sockets."""
    optional("uvicorn")
    listener = bind("127.0.0.1", 0)
    ready = threading.Event()
    server = server_of(app, grace=5, ready=ready.set)
    app.worker.start()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        assert ready.wait(120), "the server did not begin"
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(120)
        app.worker.stop(30)
        listener.close()
    assert not thread.is_alive(), "the server did not end"


@contextmanager
def client_of(app, key="none"):
    openai = optional("openai")
    with served(app) as port, openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as one:
        yield one


def test_the_client_reads_every_kind_of_answer():
    with client_of(app_of(OPENED)) as client:
        assert client.models.list().data[0].id == client.models.retrieve("tiny").id == "tiny"
        whole = client.completions.create(model="tiny", prompt="the", seed=3, max_tokens=20, logprobs=2)
        assert whole.choices[0].text == offline(OPENED, "the", 20, seed=3)
        assert len(whole.choices[0].logprobs.tokens) <= whole.usage.completion_tokens
        stream = client.completions.create(
            model="tiny", prompt="the", seed=3, max_tokens=20, stream=True, stream_options={"include_usage": True}
        )
        parts = list(stream)
        assert "".join(part.choices[0].text for part in parts[:-1]) == whole.choices[0].text
        assert parts[-1].usage == whole.usage
        said = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the cat?"}]
        options = {"model": "tiny", "messages": said, "seed": 4, "max_completion_tokens": 20, "n": 2}
        chat = client.chat.completions.create(**options, logprobs=True, top_logprobs=1, extra_body={"top_k": 9})
        stream = client.chat.completions.create(**options, stream=True, extra_body={"top_k": 9})
        texts = ["", ""]
        for part in stream:
            texts[part.choices[0].index] += part.choices[0].delta.content or ""
        assert texts == [choice.message.content for choice in chat.choices]
        assert chat.choices[0].logprobs.content[0].top_logprobs[0].bytes


def test_the_client_reads_vectors_in_its_own_packing():
    encoder = small_encoder()
    with client_of(app_of(encoder)) as client:
        plain = client.embeddings.create(model="letters", input=["ab", "c"], encoding_format="float")
        packed = client.embeddings.create(model="letters", input=["ab", "c"])  # asks for base64 and unpacks it
        assert np.array_equal([one.embedding for one in plain.data], [one.embedding for one in packed.data])
        raw = client.embeddings.create(model="letters", input="ab", encoding_format="base64").data[0].embedding
        found = np.frombuffer(base64.b64decode(raw), "<f4") if isinstance(raw, str) else raw
        np.testing.assert_allclose(found, plain.data[0].embedding)


def test_every_refusal_is_the_clients_own_exception():
    openai = optional("openai")
    app = app_of(OPENED, gate=Gate("key"), body_bytes=20_000, running=1, queue=1)
    ask = {"model": "tiny", "prompt": "a"}
    with client_of(app, key="key") as client:
        create = client.completions.create
        for error, call in [
            (openai.AuthenticationError, lambda: client.with_options(api_key="wrong").completions.create(**ask)),
            (openai.NotFoundError, lambda: create(**{**ask, "model": "gpt-4"})),
            (openai.NotFoundError, lambda: client.models.retrieve("gpt-4")),
            (openai.NotFoundError, client.files.list),
            (openai.BadRequestError, lambda: create(**ask, temperature=-1)),
            (openai.BadRequestError, lambda: create(**{**ask, "prompt": "z " * 900})),
            (openai.BadRequestError, lambda: create(**ask, best_of=3)),
            (openai.BadRequestError, lambda: create(**ask, extra_body={"unknown": 1})),
            (openai.BadRequestError, lambda: client.embeddings.create(model="tiny", input="a")),
            (openai.APIStatusError, lambda: create(**{**ask, "prompt": "z" * 300_000})),
            (openai.RateLimitError, lambda: create(**ask, n=3)),
            (openai.PermissionDeniedError, lambda: create(**ask, extra_headers={"Origin": "https://evil.example"})),
        ]:
            with pytest.raises(error) as raised:
                call()
            assert raised.value.body["message"], error
        app.draining = True
        with pytest.raises(openai.InternalServerError) as raised:
            create(**ask)
        assert raised.value.status_code == 503 and raised.value.code == "shutting_down"


def test_a_stream_that_ends_in_an_error_raises_in_the_client(monkeypatch):
    openai, go_on = optional("openai"), hold(monkeypatch)
    with client_of(app_of(OPENED, seconds=0.05)) as client:
        stream = client.completions.create(model="tiny", prompt="a", n=16, max_tokens=90, stream=True, temperature=0)
        with pytest.raises(openai.APIError) as raised:
            list(stream)
        go_on.set()
        assert raised.value.code == "timeout"


def test_fifty_clients_at_once_get_what_each_would_get_alone():
    with client_of(app_of(OPENED)) as client, ThreadPoolExecutor(50) as pool:

        def ask(seed):
            return client.completions.create(model="tiny", prompt="the", seed=seed, max_tokens=12).choices[0].text

        found = list(pool.map(ask, range(50)))
    assert found == [offline(OPENED, "the", 12, seed=seed) for seed in range(50)]


def test_a_client_that_closes_its_stream_stops_the_writing(monkeypatch):
    app, go_on = app_of(OPENED), hold(monkeypatch)
    with client_of(app) as client:
        stream = client.completions.create(model="tiny", prompt="a", n=16, max_tokens=90, stream=True, temperature=0)
        next(iter(stream))
        stream.close()
        until(lambda: not app.places, "the server did not hear that the client has left")
        go_on.set()
        create = client.completions.create
        assert create(model="tiny", prompt="a", max_tokens=2, seed=1).usage.completion_tokens == 2
        until(lambda: not app.places and not app.worker.waiting, "something of a request is left")
        assert app.worker.statistics["pages_used"] == 0 and app.worker.statistics["written"] < 200  # of 1,440


def until(holds, otherwise):
    """Wait for it, on a slow machine too."""
    for _ in range(12_000):
        if holds():
            return
        threading.Event().wait(0.01)
    pytest.fail(otherwise)


def talk(port, *parts):
    """What comes back for raw bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        try:
            while data := connection.recv(1 << 16):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def test_bytes_that_are_no_http_and_heads_that_never_end_are_closed():
    whole = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with served(app_of(OPENED, read_seconds=0.3)) as port:
        assert talk(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") == b""
        assert talk(port) == b""
    with served(app_of(OPENED, read_seconds=1.5)) as port:  # in which even a slow machine sends one head
        again = whole.replace(b"Connection: close\r\n", b"")
        assert talk(port, again, b"GET /hea").count(b"HTTP/1.1 200") == 1
    with served(app_of(OPENED, read_seconds=60)) as port:
        assert talk(port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert b"200 OK" in talk(port, whole)


def test_a_connection_too_many_is_told_so():
    with served(app_of(OPENED, connections=2, read_seconds=60)) as port:
        first = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2)]
        try:
            answer = talk(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        finally:
            for one in first:
                one.close()
        assert b" 503 " in answer and b'"busy"' in answer and b"retry-after: 1" in answer.lower()


def test_a_client_that_stops_reading_is_cut_off():
    app = app_of(OPENED, stall_seconds=0.3)
    with served(app) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.settimeout(120)
        with pytest.raises(ConnectionError):  # the page, thousands of times, and never read
            for _ in range(60_000):
                connection.sendall(head * 20)
                threading.Event().wait(0.002)
        assert talk(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
