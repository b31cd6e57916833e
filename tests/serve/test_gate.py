"""Who may ask: keys, names of this machine, pages of other sites."""

import asyncio

import pytest
from serve_client import app_of, running, small_decoder

from minigpt.serve import Gate
from minigpt.serve.gate import name_of

OPENED = small_decoder()


def got(gate, path="/v1/models", method="GET", **headers):
    async def ask():
        async with running(app_of(OPENED, gate=gate)) as client:
            return await client.ask(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Bearer right", 200),
        ("bearer right", 200),
        ("Bearer wrong", 401),
        ("Bearer righ", 401),
        ("Bearer right ", 200),
        ("Bearer ", 401),
        ("right", 401),
        ("Basic right", 401),
        ("Bearer r\xefght", 401),
    ],
)
def test_only_the_key_opens(said, status):
    reply = got(Gate("right"), authorization=said)
    assert reply.status == status
    if status == 401:
        assert reply.error["code"] == "invalid_api_key" and reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/health", 200), ("/metrics", 401), ("/nothing", 401)])
def test_without_a_key_there_are_the_page_and_health(path, status):
    assert got(Gate("right"), path).status == status


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "localhost.:80"])
def test_this_machine_has_several_names(host):
    assert got(Gate(), host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil.example", "a b"])
def test_another_name_is_refused(host):
    """A page whose name was turned to this machine's address calls it by that name."""
    reply = got(Gate(), host=host)
    assert (reply.status, reply.error["code"]) == (403, "wrong_host")


def test_a_name_is_read_as_a_browser_reads_it():
    assert name_of("user@127.0.0.1:80") == "127.0.0.1" and name_of("127.0.0.1:80.evil.example") != "evil.example"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1.x"])
def test_a_page_of_another_site_may_not_ask(origin):
    reply = got(Gate(), host="127.0.0.1:8000", origin=origin)
    assert (reply.status, reply.error["code"]) == (403, "wrong_origin")
    assert "access-control-allow-origin" not in reply.headers


def test_a_page_of_this_server_or_of_a_named_site_may():
    gate = Gate(origins=["https://good.example"])
    assert got(gate, host="127.0.0.1:8000", origin="http://127.0.0.1:8000").status == 200
    reply = got(gate, origin="https://good.example")
    assert reply.headers["access-control-allow-origin"] == "https://good.example"
    ask = got(Gate("key", origins=["https://good.example"]), method="OPTIONS", origin="https://good.example")
    assert ask.status == 204 and "authorization" in ask.headers["access-control-allow-headers"]


def test_every_answer_forbids_guesses_frames_and_copies():
    for path in ("/", "/v1/models", "/nothing"):
        headers = got(Gate(), path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
