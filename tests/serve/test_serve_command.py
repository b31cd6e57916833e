"""`minigpt serve`: how it begins, what it refuses, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import optional
from serve_client import small_decoder, small_encoder

from minigpt import Transformer, UserError, preset, save_pretrained
from minigpt.cli import main
from minigpt.serve import App, Gate, Limits, Served

ROOT = Path(__file__).parents[2]
GONE_ON_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send to one process")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model's folder."""
    model = Transformer(preset("gpt2", vocabulary_size=300, context=8192, width=24, heads=4, layers=1))
    path = tmp_path_factory.mktemp("served") / "tiny"
    params, tokenizer = model.init(np.random.default_rng(0)), small_decoder().tokenizer
    save_pretrained(path, model, params, "gpt2", "GPT2LMHeadModel", tokenizer=tokenizer)
    return path


@contextmanager
def server(folder, *options, **environment):
    """The process and its address."""
    optional("uvicorn")
    command = [sys.executable, "-m", "minigpt", "serve", str(folder), "--port", "0", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, **pipes)
    try:
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def fetch(address, data=None, **headers):
    """Status and body."""
    request = urllib.request.Request(address, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def post(address, **body):
    """Status and the answer."""
    data = json.dumps({"model": "tiny", "prompt": "a", **body}).encode()
    status, answer = fetch(f"{address}/v1/completions", data, **{"Content-Type": "application/json"})
    return status, json.loads(answer)


def wait_until(holds, otherwise):
    for _ in range(6000):
        if holds():
            return
        threading.Event().wait(0.02)
    pytest.fail(otherwise)


def wait_until_it_writes(address):
    wait_until(lambda: b"minigpt_steps 0\n" not in fetch(f"{address}/metrics")[1], "nothing is written")


@GONE_ON_WINDOWS
def test_running_answers_finish_and_the_exit_code_is_0(folder):
    with server(folder, "--grace", "120") as (process, address):
        found = []
        asking = threading.Thread(target=lambda: found.append(post(address, n=8, max_tokens=100, temperature=0)))
        asking.start()
        wait_until_it_writes(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        asking.join(60)
        assert found[0][0] == 200 and len(found[0][1]["choices"]) == 8
        assert process.stderr.read() == "" and process.stdout.read() == ""


@GONE_ON_WINDOWS
@pytest.mark.parametrize("second", [False, True])
def test_after_the_grace_or_at_a_second_signal_answers_are_ended(folder, second):
    grace = "60" if second else "0.2"
    with server(folder, "--grace", grace) as (process, address):
        found = []

        def ask():
            try:
                status, answer = post(address, n=16, max_tokens=8000, temperature=0)
                found.append((status, answer["error"]["code"]))
            except OSError:
                found.append("cut off")

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until_it_writes(address)
        process.send_signal(signal.SIGINT)
        if second:
            wait_until(lambda: fetch(f"{address}/health")[0] == 503, "the first signal is not heard")
            process.send_signal(signal.SIGINT)  # two that come together are one
        assert process.wait(120) == 0
        asking.join(60)
        assert found == [(503, "shutting_down")] or (second and found == ["cut off"])
        assert process.stderr.read() == ""


def refused(words, capsys, code=2):
    assert main(["serve", *map(str, words)]) == code
    error = capsys.readouterr().err
    assert error.startswith("minigpt: ") and error.count("\n") == 1
    return error


def test_a_port_in_use_and_a_bad_address_are_one_sentence(folder, capsys):
    optional("uvicorn")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert str(port) in refused([folder, "--port", port], capsys)
    assert "--host" in refused([folder, "--host", "256.1.1.1", "--api-key", "k"], capsys)
    assert "--host" in refused([folder, "--host", "192.0.2.1", "--api-key", "k"], capsys)


def test_other_machines_may_not_ask_without_a_key(folder, capsys, monkeypatch):
    optional("uvicorn")
    monkeypatch.delenv("MINIGPT_API_KEY", raising=False)
    error = refused([folder, "--host", "0.0.0.0"], capsys)
    assert "MINIGPT_API_KEY" in error and "127.0.0.1" in error


def test_a_key_must_be_one_that_a_header_can_hold(folder, capsys, monkeypatch, tmp_path):
    optional("uvicorn")
    (tmp_path / "key").write_text("two words\n", encoding="utf-8")
    assert "API key" in refused([folder, "--api-key-file", tmp_path / "key"], capsys)
    monkeypatch.setenv("MINIGPT_API_KEY", "")
    assert "API key" in refused([folder], capsys)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--origin", value) for value in ("example.org", "https://example.org/", "https://a.org/b", "*", "ftp://a.org",
                                            "https://", "https://A.org", "http://[")),
        *(("--host-name", value) for value in ("http://a.org", "a.org:80", "", "a b/", "[")),
        *(("--name", value) for value in ("", " ", "a\nb")),
    ],
)  # fmt: skip
def test_what_would_match_nothing_is_refused(folder, capsys, option, value):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", str(folder), option, value])
    assert f"argument {option}" in capsys.readouterr().err


def test_without_the_library_one_sentence_says_how_to_get_it(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'minigpt[serve]'" in refused([folder], capsys)


def test_a_cache_in_8_bits_serves_and_an_encoder_has_none(folder, capsys):
    with server(folder, "--cache-bits", "8") as (_, address):
        status, found = post(address, max_tokens=5, seed=1)
        assert status == 200 and found["usage"]["completion_tokens"] == 5
    served = Served(small_encoder(), Limits())
    with pytest.raises(UserError, match="keeps no keys and values, so --cache-bits has no effect"):
        App(served, Gate(), cache_bits=8)


def test_the_key_comes_from_the_environment(folder):
    with server(folder, MINIGPT_API_KEY="open-sesame") as (_, address):
        assert post(address)[0] == 401
        status, found = fetch(f"{address}/v1/models", Authorization="Bearer open-sesame")
        assert status == 200 and json.loads(found)["data"][0]["id"] == "tiny"
