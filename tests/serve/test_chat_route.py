"""Chat over HTTP: the model's own template, and the parts of its form."""

import asyncio

import numpy as np
from serve_client import app_of, running, small_decoder

from minigpt import CharacterTokenizer, OpenedModel, Transformer, TransformerConfig
from minigpt.infer import PURE, generate
from minigpt.text.chat import END, chat_tokens

OPENED = small_decoder()
SAID = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the cat?"}]


def asked(opened=OPENED, **body):
    async def ask():
        async with running(app_of(opened)) as client:
            return await client.post("/v1/chat/completions", **body)

    return asyncio.run(ask())


def written(seed, count, messages=None):
    """What the model says next, as `minigpt chat` has it."""
    tokenizer = OPENED.tokenizer
    stop = [tokenizer.special_tokens[END], tokenizer.end_of_text]
    prompt = chat_tokens(tokenizer, SAID if messages is None else messages)
    rng = np.random.default_rng(seed)
    ids = generate(OPENED.model, OPENED.params, prompt, count, sampling=PURE, rng=rng, stop_tokens=stop)
    return tokenizer.decode([token for token in ids if token not in stop])


def test_an_answer_is_the_offline_one_for_its_seed():
    reply = asked(messages=SAID, seed=9, max_tokens=30).json
    (choice,) = reply["choices"]
    assert choice["message"] == {"role": "assistant", "content": written(9, 30), "refusal": None}
    assert reply["object"] == "chat.completion" and choice["logprobs"] is None
    assert reply["usage"]["prompt_tokens"] == len(chat_tokens(OPENED.tokenizer, SAID))


def test_content_in_parts_is_the_same_text():
    parts = [{"type": "text", "text": "the "}, {"type": "text", "text": "cat?"}]
    reply = asked(messages=[SAID[0], {"role": "user", "content": parts}], seed=9, max_completion_tokens=12).json
    assert reply["choices"][0]["message"]["content"] == written(9, 12)


def test_a_stream_begins_with_the_role_and_ends_with_the_reason():
    events = asked(messages=SAID, seed=9, max_tokens=30, stream=True, n=2).events
    for index in (0, 1):
        parts = [event["choices"][0] for event in events if event["choices"][0]["index"] == index]
        assert parts[0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(part["delta"].get("content", "") for part in parts) == written(9 + index, 30)
        assert [part["finish_reason"] for part in parts[:-1]] == [None] * (len(parts) - 1)
        assert parts[-1]["finish_reason"] in ("stop", "length")
    assert {event["object"] for event in events} == {"chat.completion.chunk"} and "usage" not in events[0]


def test_logprobs_spell_the_answer():
    reply = asked(messages=SAID, seed=2, max_tokens=20, logprobs=True, top_logprobs=2).json
    choice = reply["choices"][0]
    content = choice["logprobs"]["content"]
    spelled = b"".join(bytes(one["bytes"]) for one in content)
    assert spelled.decode("utf-8", "replace") == choice["message"]["content"]
    for one in content:
        top = one["top_logprobs"]
        assert len(top) == 2 and top[0]["logprob"] >= top[1]["logprob"] and one["logprob"] <= top[0]["logprob"]


def test_without_a_number_the_answer_may_fill_the_context():
    reply = asked(messages=SAID, seed=1).json
    assert reply["choices"][0]["finish_reason"] == "stop" or reply["usage"]["total_tokens"] == 96


def test_a_model_that_does_not_chat_says_so():
    tokenizer = CharacterTokenizer("abc")
    model = Transformer(TransformerConfig(vocabulary_size=4, context=8, width=8, layers=1, heads=2))
    plain = OpenedModel(model, model.init(np.random.default_rng(0)), tokenizer, "plain")
    reply = asked(plain, messages=SAID)
    assert reply.status == 400 and "not trained to chat" in reply.error["message"]
