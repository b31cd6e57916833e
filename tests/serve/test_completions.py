"""Completions over HTTP: what is written is what `minigpt generate` writes for the same seed."""

import asyncio

import numpy as np
import pytest
from serve_client import app_of, offline, running, small_decoder

from minigpt.infer import Sampling, generate
from minigpt.infer.paged import PagedPast

OPENED = small_decoder()
ROUTE = "/v1/completions"


def asked(body, route=ROUTE, **limits):
    """The reply to one request."""

    async def ask():
        async with running(app_of(OPENED, **limits)) as client:
            return await client.post(route, **body)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "sampling", [{}, {"temperature": 0}, {"temperature": 0.7, "top_k": 5}, {"top_p": 0.8}], ids=str
)
def test_an_answer_is_the_offline_one_for_its_seed(sampling):
    reply = asked({"prompt": "the cat", "max_tokens": 40, "seed": 11, **sampling})
    (choice,) = reply.json["choices"]
    assert reply.status == 200 and reply.json["object"] == "text_completion"
    assert choice["text"] == offline(OPENED, "the cat", 40, seed=11, **sampling)
    prompt = len(OPENED.tokenizer.encode("the cat"))
    usage = reply.json["usage"]
    assert usage["prompt_tokens"] == prompt and usage["total_tokens"] == prompt + usage["completion_tokens"]
    if choice["finish_reason"] == "length":
        assert usage["completion_tokens"] == 40


def test_choices_of_several_prompts_come_in_order():
    reply = asked({"prompt": ["the", "und die", ""], "n": 2, "max_tokens": 9, "seed": 5})
    expected = [offline(OPENED, prompt, 9, seed=seed) for prompt in ("the", "und die", "") for seed in (5, 6)]
    assert [choice["text"] for choice in reply.json["choices"]] == expected
    assert [choice["index"] for choice in reply.json["choices"]] == list(range(6))


@pytest.mark.parametrize("several", [False, True])
def test_a_prompt_may_be_ids(several):
    ids = OPENED.tokenizer.encode("the hat").tolist()
    reply = asked({"prompt": [ids, ids[:1]] if several else ids, "max_tokens": 8, "seed": 2})
    assert reply.json["choices"][0]["text"] == offline(OPENED, "the hat", 8, seed=2)
    assert len(reply.json["choices"]) == 1 + several


def test_without_a_seed_answers_differ():
    texts = {asked({"prompt": "the", "max_tokens": 20}).json["choices"][0]["text"] for _ in range(4)}
    assert len(texts) > 1


def test_special_tokens_in_a_prompt_are_plain_text():
    reply = asked({"prompt": "<|im_end|>", "max_tokens": 1})
    assert reply.json["usage"]["prompt_tokens"] == len(OPENED.tokenizer.encode("<|im_end|>")) > 1


@pytest.mark.parametrize(("echo", "logprobs"), [(False, None), (True, None), (False, 3)])
def test_a_stream_says_what_the_whole_answer_says(echo, logprobs):
    body = {"prompt": ["über", "the mat"], "n": 2, "max_tokens": 30, "seed": 4, "echo": echo, "logprobs": logprobs}
    whole = asked(body).json
    stream = asked({**body, "stream": True, "stream_options": {"include_usage": True}})
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = stream.events
    assert events[-1]["choices"] == [] and events[-1]["usage"] == whole["usage"]
    assert all(event["usage"] is None for event in events[:-1])
    assert len({event["id"] for event in events}) == 1
    for choice in whole["choices"]:
        parts = [event["choices"][0] for event in events[:-1] if event["choices"][0]["index"] == choice["index"]]
        assert "".join(part["text"] for part in parts) == choice["text"]
        assert [part["finish_reason"] for part in parts if part["finish_reason"]] == [choice["finish_reason"]]
        if logprobs:
            for key, value in choice["logprobs"].items():
                assert [one for part in parts for one in (part["logprobs"] or {key: []})[key]] == value
    if echo:
        assert whole["choices"][0]["text"].startswith("über") and whole["choices"][3]["text"].startswith("the mat")


def test_logprobs_are_the_models():
    reply = asked({"prompt": "the", "max_tokens": 6, "seed": 3, "logprobs": 4}).json
    told = reply["choices"][0]["logprobs"]
    ids = OPENED.tokenizer.encode("the" + reply["choices"][0]["text"])
    logits, _ = OPENED.model.forward(OPENED.params, OPENED.tokenizer.encode("the")[None])
    logits = logits[0, -1]
    logprobs = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    best = np.argsort(-logprobs)[:4]
    first = told["top_logprobs"][0]
    assert len(ids) and told["text_offset"][0] == 0
    np.testing.assert_allclose(sorted(first.values(), reverse=True)[:4], logprobs[best], rtol=1e-9)
    assert first[told["tokens"][0]] == told["token_logprobs"][0]
    assert len(told["tokens"]) == len(told["token_logprobs"]) == len(told["text_offset"]) == 6


def test_a_part_of_a_character_is_told_in_bytes():
    reply = asked({"prompt": "und 猫", "max_tokens": 60, "seed": 1, "logprobs": 0, "temperature": 2}).json
    told = reply["choices"][0]["logprobs"]["tokens"]
    assert [token for token in told if token.startswith("bytes:\\x")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [str, list])
def test_a_stop_string_ends_the_text_and_is_never_sent(stream, kind):
    whole = offline(OPENED, "the cat", 60, seed=8)
    stop = whole[20:25]  # somewhere, across the borders of tokens
    assert len(OPENED.tokenizer.encode(stop)) > 1
    stops = stop if kind is str else ["never written", stop]
    body = {"prompt": "the cat", "max_tokens": 60, "seed": 8, "stop": stops, "stream": stream, "logprobs": 1}
    reply = asked(body)
    expected = offline(OPENED, "the cat", 60, seed=8, stop=[stop])
    parts = [event["choices"][0] for event in reply.events] if stream else reply.json["choices"]
    assert "".join(part["text"] for part in parts) == expected == whole[: whole.index(stop)]
    assert parts[-1]["finish_reason"] == "stop"
    offsets = [place for part in parts if part["logprobs"] for place in part["logprobs"]["text_offset"]]
    assert offsets and max(offsets) < len(expected)


def test_a_stop_string_of_one_choice_lets_the_others_go_on():
    texts = [offline(OPENED, "the", 40, seed=seed) for seed in (20, 21, 22)]
    stop = texts[1][10:13]
    reply = asked({"prompt": "the", "n": 3, "max_tokens": 40, "seed": 20, "stop": stop}).json
    expected = [offline(OPENED, "the", 40, seed=seed, stop=[stop]) for seed in (20, 21, 22)]
    assert [choice["text"] for choice in reply["choices"]] == expected


def test_the_answer_ends_at_the_end_of_text():
    seed = 14
    assert writes_the_end(seed)
    choice = asked({"prompt": "the", "max_tokens": 60, "seed": seed, "temperature": 1.5}).json["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["text"] == offline(OPENED, "the", 60, seed=seed, temperature=1.5)


def writes_the_end(seed):
    """Whether the model ends its text itself."""
    end = OPENED.tokenizer.end_of_text
    ids = OPENED.tokenizer.encode("the")
    rng, sampling = np.random.default_rng(seed), Sampling(temperature=1.5)
    written = generate(OPENED.model, OPENED.params, ids, 60, sampling=sampling, rng=rng, stop_tokens=[end])
    return list(written)[-1] == end


def test_a_small_cache_bounds_prompt_and_answer_as_a_small_context_does():
    async def ask():
        page = PagedPast.page_bytes(OPENED.model.config, 16, np.float64)
        async with running(app_of(OPENED, memory=2 * page)) as client:
            whole = await client.post(ROUTE, prompt=[5, 6, 7], max_tokens=30, seed=1)
            return whole, await client.post(ROUTE, prompt=[5, 6, 7], max_tokens=31), await client.get("/v1/models")

    whole, refused, models = asyncio.run(ask())
    assert whole.json["usage"]["total_tokens"] == 33 == models.json["data"][0]["max_model_len"]
    assert refused.status == 400 and refused.error["param"] == "max_tokens"
    assert "room for 30 in this server's cache of 33" in refused.error["message"]


def test_prompt_and_answer_fill_the_context_and_no_more():
    room = OPENED.model.config.context - len(OPENED.tokenizer.encode("the cat"))
    assert asked({"prompt": "the cat", "max_tokens": room, "seed": 1}).status == 200
    reply = asked({"prompt": "the cat", "max_tokens": room + 1})
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "context_length_exceeded", "max_tokens")
    assert str(room) in reply.error["message"]
