"""A score is the mean loss of every token, whatever the windows; the table says what the numbers are."""

import math

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.measure import evaluate_text, mean_loss, scores
from minigpt.measure.evaluation import sample_text
from minigpt.ops import cross_entropy_forward
from minigpt.text import CharacterTokenizer


def make(vocabulary_size=11, context=8):
    config = TransformerConfig(
        vocabulary_size=vocabulary_size, context=context, width=12, layers=1, heads=2, init_std=0.5
    )
    model = Transformer(config)
    return model, model.init(np.random.default_rng(0), dtype=np.float64)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_text_within_the_context_is_scored_as_one_forward(threads):
    model, params = make()
    tokens = np.random.default_rng(1).integers(0, 11, 9)
    logits, _ = model.forward(params, tokens[None, :-1])
    expected, _ = cross_entropy_forward(logits, tokens[None, 1:])
    assert mean_loss(model, params, tokens, threads=threads) == pytest.approx(expected)


def test_every_token_is_scored_from_its_own_window():
    model, params = make()
    tokens = np.random.default_rng(2).integers(0, 11, 40)
    total = 0.0
    for place in range(1, 40):  # stride 1: each token with as much context as there is
        start = max(0, place - 8)
        logits, _ = model.forward(params, tokens[None, start:place])
        total += float(cross_entropy_forward(logits[:, -1], tokens[None, place])[0])
    assert mean_loss(model, params, tokens, stride=1, batch=3) == pytest.approx(total / 39)


def test_an_evaluation_counts_bytes_and_converts_units():
    tokenizer = CharacterTokenizer.train(["aäß b"])
    model, params = make(tokenizer.vocabulary_size)
    text = "aä ß ab" * 3
    training = np.array([0, 1, 2, 3, 4, 5, 0])
    result = evaluate_text(model, params, tokenizer, text, training)
    assert (result.tokens, result.bytes) == (21, 27)
    assert result.bits_per_byte == pytest.approx(result.nats_per_token * 21 / 27 / math.log(2))
    assert result.baseline_nats_per_token["uniform"] == pytest.approx(math.log(tokenizer.vocabulary_size))
    assert "this model" in result.table()
    with pytest.raises(UserError, match="is empty"):
        evaluate_text(model, params, tokenizer, "", training)


def test_a_long_context_is_read_through_windows_of_at_most_1024_tokens(monkeypatch):
    sizes = {"vocabulary_size": 11, "width": 4, "layers": 1, "heads": 1, "position": "rotary", "init_std": 0.8}
    model = Transformer(TransformerConfig(context=5000, **sizes))
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    tokens = np.random.default_rng(1).integers(0, 11, 2600)
    loss = mean_loss(model, params, tokens)
    assert loss == pytest.approx(mean_loss(Transformer(TransformerConfig(context=1024, **sizes)), params, tokens))
    monkeypatch.setattr(scores, "MOST_SCORES", 11 * 1024)
    assert mean_loss(model, params, tokens) == pytest.approx(loss, rel=1e-12), "one window at a time"


def test_a_sample_of_a_text_is_of_whole_lines_from_everywhere():
    text = "".join(f"line {number}\n" for number in range(20_000))
    sample = sample_text(text, 20_000)
    numbers = [int(line.removeprefix("line ")) for line in sample.splitlines()]
    assert numbers == sorted(set(numbers)) and len(sample) <= 20_000 and len(numbers) > 1000
    assert numbers[0] == 0 and numbers[-1] == 19_999 and max(np.diff(numbers)) < 1000
    assert sample_text(text, len(text)) == text
    assert 600 <= len(sample_text("x" * 10_000, 640)) <= 640
