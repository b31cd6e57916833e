"""Choosing by likelihood equals the chain rule, row by row, whatever stands beside it in a batch."""

import numpy as np
import pytest

from minigpt import CharacterTokenizer, Transformer, UserError, preset
from minigpt.measure.choices import choice_nats, choose, prompt_of

TOKENIZER = CharacterTokenizer("abcdefgh ")
MODEL = Transformer(preset("tiny", vocabulary_size=10, layers=2, width=24, heads=2, context=12, init_std=0.3))
PARAMS = MODEL.init(np.random.default_rng(0), dtype=np.float64)
PROMPTS, CHOICES = ["ab", "cdefgh", "h"], [" a", "bcd", "e"]


def test_the_nats_of_a_choice_are_those_of_its_tokens_one_by_one():
    found = choice_nats(MODEL, PARAMS, TOKENIZER, PROMPTS, CHOICES)
    for row, prompt in enumerate(PROMPTS):
        for column, choice in enumerate(CHOICES):
            ids, total = list(TOKENIZER.encode(prompt)), 0.0
            for token in TOKENIZER.encode(choice):
                scores = MODEL.forward(PARAMS, np.array([ids]))[0][0, -1]
                total += scores[token] - np.log(np.exp(scores).sum())
                ids.append(token)
            assert found[row, column] == pytest.approx(total, abs=1e-9)


def test_what_a_choice_gets_anyway_is_taken_off():
    plain = choice_nats(MODEL, PARAMS, TOKENIZER, PROMPTS, CHOICES)
    anyway = choice_nats(MODEL, PARAMS, TOKENIZER, ["a"], CHOICES)
    shares = choose(MODEL, PARAMS, TOKENIZER, PROMPTS, CHOICES, without_content="a")
    expected = np.exp(plain - anyway) / np.exp(plain - anyway).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-12)
    np.testing.assert_allclose(choose(MODEL, PARAMS, TOKENIZER, ["a"], CHOICES, without_content="a"), 1 / 3)


def test_a_prompt_is_the_template_after_its_examples():
    assert prompt_of("T: {text} L:", "c", [("a", " x"), ("b", " y")]) == "T: a L: x\n\nT: b L: y\n\nT: c L:"
    assert prompt_of("{text}!", "{text}") == "{text}!"
    with pytest.raises(UserError, match=r"must hold \{text\} once"):
        prompt_of("no place", "c")


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="has 11 tokens and what comes after it 2, but the model sees 12 together"):
        choice_nats(MODEL, PARAMS, TOKENIZER, ["a", "a" * 11], CHOICES)
    with pytest.raises(UserError, match="has no token"):
        choice_nats(MODEL, PARAMS, TOKENIZER, PROMPTS, ["a", ""])
