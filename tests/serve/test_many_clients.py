"""Many clients at once: each gets its own answer, and none can hold up or harm the others."""

import asyncio
import re
import time

import pytest
from conftest import thorough
from serve_client import app_of, hold, offline, running, settled, small_decoder

from minigpt.errors import UserError
from minigpt.infer import Engine
from minigpt.serve.refused import Refused
from minigpt.serve.worker import Ticket

OPENED = small_decoder()
ROUTE = "/v1/completions"


def test_fifty_clients_get_what_each_would_get_alone(monkeypatch):
    go_on = hold(monkeypatch)  # so the last comes while the first are being written
    prompts = ["the cat", "und", "", "the mat; ein"]

    async def ask(client, seed):
        await asyncio.sleep(0.003 * (seed % 7))
        body = {"prompt": prompts[seed % 4], "seed": seed, "max_tokens": 5 + seed % 11, "stream": seed % 2 == 0}
        return await client.post(ROUTE, **body)

    async def all_ask():
        async with running(app_of(OPENED, running=8)) as client:
            asking = asyncio.gather(*(ask(client, seed) for seed in range(50)))
            while client.submitted < 50:
                await asyncio.sleep(0.001)
            go_on.set()
            return await asking, client.app.worker.statistics

    found, statistics = asyncio.run(all_ask())
    for seed, reply in enumerate(found):
        choices = [event["choices"][0] for event in reply.events] if seed % 2 == 0 else reply.json["choices"]
        assert "".join(one["text"] for one in choices) == offline(OPENED, prompts[seed % 4], 5 + seed % 11, seed=seed)
    assert statistics["steps"] < statistics["written"] / 3, "they were written together"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_who_leaves_stops_its_writing(stream, monkeypatch):
    go_on = hold(monkeypatch)

    async def ask():
        async with running(app_of(OPENED, running=2)) as client:
            leaves = asyncio.Event()
            body = b'{"model": "tiny", "prompt": "a", "n": 2, "max_tokens": 80, "temperature": 0'
            body += b', "stream": true}' if stream else b"}"
            asking = asyncio.create_task(client.ask("POST", ROUTE, body, leaves=leaves))
            while not client.app.worker.statistics["running"]:
                await asyncio.sleep(0.001)
            leaves.set()
            await asking
            go_on.set()
            await settled(client.app)
            written = client.app.worker.statistics["written"]
            assert (await client.post(ROUTE, prompt="a", max_tokens=3)).status == 200
            return written, dict(client.app.metrics.requests)

    written, requests = asyncio.run(ask())
    assert written < 20
    assert requests[ROUTE, "POST", 200 if stream else 499] == (2 if stream else 1)


def test_a_slow_reader_holds_up_nobody_and_is_ended():
    async def ask():
        async with running(app_of(OPENED, buffered=8, running=4)) as client:
            reads, taken = asyncio.Event(), []

            async def slowly():
                taken.append(None)
                if len(taken) > 3:
                    await reads.wait()

            body = b'{"model": "tiny", "prompt": "a", "max_tokens": 90, "stream": true, "temperature": 0}'
            slow = asyncio.create_task(client.ask("POST", ROUTE, body, reads=slowly))
            try:
                while client.app.worker.statistics.get("written", 0) < 4:  # before it is ended for 8 that nobody took
                    await asyncio.sleep(0.001)
                others = await asyncio.gather(*(client.post(ROUTE, prompt="the", seed=seed) for seed in range(3)))
                while client.app.worker.waiting:
                    await asyncio.sleep(0.001)
            finally:
                reads.set()
            return others, await slow

    others, reply = asyncio.run(ask())
    for seed, other in enumerate(others):
        assert other.json["choices"][0]["text"] == offline(OPENED, "the", 16, seed=seed)
    last = reply.body.decode().split("\n\n")[-2]
    assert '"too_slow"' in last and "[DONE]" not in last
    assert reply.body.count(b"data: ") < 30


def test_a_server_that_is_late_itself_calls_nobody_slow():
    async def ask():
        async with running(app_of(OPENED, buffered=1)) as client:
            asking = asyncio.create_task(client.post(ROUTE, prompt="the", max_tokens=30, seed=0))
            while client.app.worker.statistics.get("written", 0) < 2:
                await asyncio.sleep(0)
            while client.app.worker.statistics["running"]:  # the loop stands still until all is written
                time.sleep(0.001)
            return await asking

    assert asyncio.run(ask()).json["choices"][0]["text"] == offline(OPENED, "the", 30)


def test_what_is_written_after_a_gap_is_not_read():
    async def read():
        lost = []
        ticket = Ticket(2, lost.append)
        ticket.send([(0, "first")])
        ticket.send([(0, "second")])
        ticket.send([(0, "third")])
        await asyncio.sleep(0)
        found = [await ticket.next()]
        ticket.send([(0, "fourth")])
        await asyncio.sleep(0)
        found.append(await ticket.next())
        with pytest.raises(Refused, match="read too slowly"):
            await ticket.next()
        return found, lost == [ticket]

    assert asyncio.run(read()) == ([(0, "first"), (0, "second")], True)


def test_who_comes_when_the_queue_is_full_is_told_when_to_ask_again():
    async def ask():
        async with running(app_of(OPENED, running=2, queue=2)) as client:
            return await asyncio.gather(*(client.post(ROUTE, prompt="a", max_tokens=40) for _ in range(6)))

    found = asyncio.run(ask())
    assert sorted(reply.status for reply in found) == [200] * 4 + [429] * 2
    refused = next(reply for reply in found if reply.status == 429)
    assert refused.error["code"] == "rate_limit_exceeded" and refused.headers["retry-after"] == "1"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_is_ended(stream, monkeypatch):
    go_on = hold(monkeypatch)

    async def ask():
        async with running(app_of(OPENED, seconds=0.02)) as client:
            reply = await client.post(ROUTE, prompt="a", n=16, max_tokens=90, stream=stream, temperature=0)
            go_on.set()
            return reply

    reply = asyncio.run(ask())
    assert b'"timeout"' in reply.body and b"[DONE]" not in reply.body
    assert reply.status == (200 if stream else 503)


def test_a_step_that_fails_harms_those_in_it_alone(monkeypatch, capsys):
    step, calls = Engine.step, []

    def failing(self):
        calls.append(self)
        if len(calls) == 3:
            raise UserError("the scores are\x1b[31m not finite")
        return step(self)

    monkeypatch.setattr(Engine, "step", failing)

    async def ask():
        async with running(app_of(OPENED)) as client:
            return [await client.post(ROUTE, prompt="the", max_tokens=9, seed=2) for _ in range(2)]

    failed, good = asyncio.run(ask())
    assert failed.status == 500 and failed.error["type"] == "server_error"
    assert good.json["choices"][0]["text"] == offline(OPENED, "the", 9, seed=2)
    said = capsys.readouterr().err
    assert "not finite" in said and "\x1b" not in said


def test_a_server_that_ends_says_so(monkeypatch):
    go_on = hold(monkeypatch)

    async def ask():
        async with running(app_of(OPENED)) as client:
            app = client.app
            both = [
                asyncio.create_task(client.post(ROUTE, prompt="a", max_tokens=90, stream=stream, temperature=0))
                for stream in (False, True)
            ]
            while client.submitted < 2 or app.worker.statistics.get("written", 0) < 4:
                await asyncio.sleep(0.001)
            app.draining = True
            late = await client.get("/health")
            app.end()
            ended = await asyncio.gather(*both)
            go_on.set()
            return late, *ended

    late, whole, stream = asyncio.run(ask())
    assert (late.status, whole.status, stream.status) == (503, 503, 200)
    assert whole.error["code"] == "shutting_down" and b'"shutting_down"' in stream.body


def test_the_numbers_add_up():
    async def ask():
        async with running(app_of(OPENED)) as client:
            bodies = [{"prompt": "the", "n": 2, "seed": 1}, {"prompt": "a", "stop": "e", "seed": 2}, {"prompt": 5}]
            found = [await client.post(ROUTE, **body) for body in bodies]
            await client.ask("BREW", "/pot")
            await settled(client.app)
            return found, (await client.get("/metrics")).body.decode()

    found, text = asyncio.run(ask())
    value = dict(re.findall(r"^(minigpt_\S+) (\S+)$", text, re.MULTILINE))
    usages = [reply.json["usage"] for reply in found[:2]]
    assert int(value["minigpt_prompt_tokens_total"]) == sum(usage["prompt_tokens"] for usage in usages)
    assert int(value["minigpt_generated_tokens_total"]) == sum(usage["completion_tokens"] for usage in usages)
    assert value['minigpt_requests_total{route="/v1/completions",method="POST",status="200"}'] == "2"
    assert value['minigpt_requests_total{route="/v1/completions",method="POST",status="400"}'] == "1"
    assert value['minigpt_requests_total{route="other",method="other",status="404"}'] == "1"
    first, each = (int(value[f"minigpt_time_{name}_seconds_count"]) for name in ("to_first_token", "per_token"))
    assert (first, first + each) == (3, int(value["minigpt_generated_tokens_total"]))
    assert int(value["minigpt_request_seconds_count"]) == 4
    buckets = [int(count) for count in re.findall(r'^minigpt_request_seconds_bucket\{le=".*"\} (\d+)$', text, re.M)]
    assert buckets == sorted(buckets) and buckets[-1] == 4
    assert float(value["minigpt_running"]) == float(value["minigpt_pages_used"]) == 0


@thorough
def test_a_thousand_requests_leave_nothing_behind():
    import tracemalloc

    async def wave(client, count):
        for start in range(0, count, 50):
            bodies = [
                {"prompt": "a" if seed % 3 else 5, "max_tokens": 3, "seed": seed} for seed in range(start, start + 50)
            ]
            await asyncio.gather(*(client.post(ROUTE, **body) for body in bodies))

    async def ask():
        async with running(app_of(OPENED)) as client:
            await wave(client, 100)
            tracemalloc.start()
            await wave(client, 100)
            before = tracemalloc.get_traced_memory()[0]
            await wave(client, 1000)
            after = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            return after - before

    assert asyncio.run(ask()) < 300_000
