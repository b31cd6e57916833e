"""Published models are explained as ours are: only looking changes nothing, what should sum sums, the lens ends in the
answer."""

import numpy as np
import pytest
from conftest import published, thorough

from minigpt import Batch, Call, open_model
from minigpt.explain import (
    ask,
    attention_maps,
    direct_attribution,
    integrated_gradients,
    lens_logits,
    patch,
    read_text,
    rollout_across,
    shapley,
)
from minigpt.explain.integrated import AHEAD, summing
from minigpt.explain.lens import streams_of
from minigpt.explain.patching import Place
from minigpt.pretrained import NAMED


def opened(name, **settings):
    published(NAMED[name].package)
    return open_model(name, **settings)


def looked_at(question):
    """Asserts that a look changes no bit of the answer."""
    seen = []
    before, _ = question.model.forward(question.params, question.batch)
    after, _ = question.model.forward(
        question.params, question.batch, Call(hook=lambda name, x: seen.append(name) or x)
    )
    assert np.array_equal(before, after)
    assert seen


def sums(question, **settings):
    """Asserts that Shapley values and direct parts sum."""
    assert shapley(question, np.random.default_rng(0), permutations=1, **settings).error < 1e-4
    parts = direct_attribution(question)
    assert parts.scores.sum() == pytest.approx(question.value(), rel=1e-3, abs=1e-3)


def test_g2p_reads_the_letter_that_it_writes():
    model = opened("g2p")
    reading = read_text(model, "hello")
    written = int(reading.batch.tokens[0, 2])
    question = ask(model.model, model.params, reading.batch, written, position=1)
    assert reading.answer(written) == "h"
    looked_at(question)
    sums(question)
    found = integrated_gradients(question)
    assert found.error < 0.005
    letters = reading.labels["encoder.embedding"]
    assert letters[found.scores["encoder.embedding"].argmax()] == "h"
    *_, last = streams_of(model.model, model.params, reading.batch).values()
    answer, _ = model.model.forward(model.params, reading.batch)
    assert np.array_equal(lens_logits(model.model, model.params, last, reading.batch), answer)
    assert rollout_across(attention_maps(model.model, model.params, reading.batch)).shape == (7, 7)


def test_minilm_is_asked_along_a_direction():
    model = opened("minilm")
    reading = read_text(model, "A cat sat on the mat.")
    other, _ = model.model.forward(model.params, read_text(model, "A dog lay on the floor.").batch)
    question = ask(model.model, model.params, reading.batch, other[0].mean(axis=0), position="mean")
    looked_at(question)
    sums(question)
    assert integrated_gradients(question).error < 0.005
    assert reading.labels["embedding"][0] == "[CLS]"


@thorough
@pytest.mark.parametrize("quantized", [False, True])
def test_smollm2_says_paris(quantized):
    model = opened("smollm2", quantized=quantized)
    tokens, other = (model.tokenizer.encode(f"The capital of {name} is")[None] for name in ("France", "Italy"))
    paris, rome = (int(model.tokenizer.encode(f" {name}")[0]) for name in ("Paris", "Rome"))
    question = ask(model.model, model.params, tokens, paris, against=rome)
    italy = question.other(other)
    looked_at(question)
    assert patch(question, italy, [Place("embedding")]) == italy.value()
    found = integrated_gradients(question, baseline=italy.vectors(), most_steps=200)
    assert found.error < 0.005
    assert np.argmax(found.scores["embedding"]) == 3  # " France"
    sums(question, baseline=italy.vectors())
    if not quantized:  # from nothing the straight way leaps, and the first token has to go ahead
        found = summing(ask(model.model, model.params, tokens, paris))
        assert found.method == AHEAD and found.error < 0.005


@thorough
def test_whisper_is_explained_in_pieces_of_sound():
    model = opened("whisper")
    frames = np.random.default_rng(0).standard_normal((1, 60, 80)).astype(np.float32)
    question = ask(model.model, model.params, Batch(np.array([[50258, 50259]]), source=frames), 400, against=500)
    looked_at(question)
    pieces = {"embedding": [np.arange(2)], "encoder.embedding": np.array_split(np.arange(30), 3)}
    sums(question, pieces=pieces)
    assert attention_maps(model.model, model.params, question.batch).encoder.shape[-1] == 30
