"""Embeddings over HTTP, by an encoder; what each kind of model refuses."""

import asyncio
import base64

import numpy as np
import pytest
from serve_client import app_of, running, small_decoder, small_encoder

from minigpt import embed

ENCODER = small_encoder()


def asked(opened=ENCODER, route="/v1/embeddings", limits=None, **body):
    async def ask():
        async with running(app_of(opened, **(limits or {}))) as client:
            return await client.post(route, **body)

    return asyncio.run(ask())


@pytest.mark.parametrize("form", ["float", "base64"])
def test_vectors_are_the_offline_ones(form):
    texts = ["ab c", "cab", "b"]
    reply = asked(input=texts, encoding_format=form).json
    rows = [one["embedding"] for one in reply["data"]]
    if form == "base64":
        rows = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows]
    expected = embed(ENCODER.model, ENCODER.params, ENCODER.tokenizer, texts)
    np.testing.assert_allclose(rows, expected, rtol=1e-6, atol=1e-7)
    assert [one["index"] for one in reply["data"]] == [0, 1, 2]
    assert reply["usage"]["prompt_tokens"] == sum(len(ENCODER.tokenizer.encode(text)) for text in texts)


def test_ids_are_taken_too():
    ids = ENCODER.tokenizer.encode("cab").tolist()
    assert asked(input=[ids]).json["data"] == asked(input="cab").json["data"] == asked(input=ids).json["data"]


@pytest.mark.parametrize(
    "body", [{"input": "a" * 13}, {"input": "a" * 100_000}, {"input": ""}, {"input": "ab", "dimensions": 3}]
)
def test_what_does_not_fit_is_refused(body):
    reply = asked(**body)
    assert reply.status == 400 and reply.error["param"] in body


def test_many_texts_are_one_answer_and_have_a_bound_of_their_own():
    texts = ["abc"[place % 3] for place in range(100)]  # more than answers may wait
    assert len(asked(input=texts).json["data"]) == 100
    reply = asked(input=texts, limits={"inputs": 99})
    assert (reply.status, reply.error["param"]) == (400, "input") and "100 vectors" in reply.error["message"]


def test_a_decoder_has_no_vectors_and_an_encoder_does_not_write():
    decoder = asked(small_decoder(), input="the")
    writer = asked(route="/v1/completions", prompt="a")
    chat = asked(route="/v1/chat/completions", messages=[{"role": "user", "content": "a"}])
    assert (decoder.status, writer.status, chat.status) == (400, 400, 400)
    assert "decoder" in decoder.error["message"] and "minilm" in decoder.error["message"]
    assert "encoder" in writer.error["message"] and "/v1/embeddings" in chat.error["message"]
