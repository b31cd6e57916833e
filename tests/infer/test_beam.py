"""Beam search: wide enough it is exhaustive, one beam wide it is greedy, in between it is at least as good."""

import itertools

import numpy as np
import pytest
from small_model import small_model

from minigpt import Transformer, UserError, preset
from minigpt.infer import GREEDY, beam_search, generate

PROMPT = np.array([2, 0, 1])


def tiny():
    return small_model(vocabulary_size=4, context=16, seed=2)


def log_probability(model, params, tokens):
    """Of `tokens` after the prompt, by one forward over all of it."""
    logits, _ = model.forward(params, np.concatenate([PROMPT, tokens])[None].astype(int))
    rows = logits[0, len(PROMPT) - 1 : -1]
    rows = rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))
    return rows[np.arange(len(tokens)), list(tokens)].sum()


def every_continuation(count, stop_tokens):
    """All sequences that end with their first stop token or have `count` tokens."""
    for tokens in itertools.product(range(4), repeat=count):
        ends = [place for place, token in enumerate(tokens) if token in stop_tokens]
        yield tokens[: ends[0] + 1] if ends else tokens


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("stop_tokens", [(), (3,), (0, 2)])
def test_wide_beams_find_the_best_of_all(alpha, stop_tokens):
    model, params = tiny()
    found = beam_search(model, params, PROMPT, 4, beams=4**4, length_penalty=alpha, stop_tokens=stop_tokens)
    everything = set(every_continuation(4, stop_tokens))
    totals = {tokens: log_probability(model, params, tokens) for tokens in everything}
    scores = {tokens: total / ((5 + len(tokens)) / 6) ** alpha for tokens, total in totals.items()}
    assert {tuple(beam.tokens) for beam in found} == everything
    assert [tuple(beam.tokens) for beam in found] == sorted(everything, key=lambda tokens: -scores[tokens])
    for beam in found:
        assert beam.log_probability == pytest.approx(totals[tuple(beam.tokens)], abs=1e-10)
        assert beam.score == pytest.approx(scores[tuple(beam.tokens)], abs=1e-10)


@pytest.mark.parametrize("stop_tokens", [(), (5,)])
def test_one_beam_is_greedy(stop_tokens):
    model, params = small_model()
    greedy = list(generate(model, params, PROMPT, 40, sampling=GREEDY, stop_tokens=stop_tokens))
    (beam,) = beam_search(model, params, PROMPT, 40, beams=1, stop_tokens=stop_tokens)
    assert beam.tokens == greedy


def test_more_beams_find_likelier_text():
    """Not a law for every model, but for most: so over several models, never counted one by one."""
    gains = []
    for seed in range(8):
        model, params = small_model(seed=seed, context=20)
        greedy, wide = (beam_search(model, params, PROMPT, 8, beams=beams)[0] for beams in (1, 8))
        gains.append(wide.log_probability - greedy.log_probability)
    assert np.mean(gains) > 0.1
    assert np.median(gains) >= 0


def test_stopping_early_changes_nothing():
    """The bound that ends the search is exact: a longer search does not find better ones."""
    model, params = tiny()
    short = beam_search(model, params, PROMPT, 12, beams=3, stop_tokens=(0, 1, 2), length_penalty=1.0)
    model_calls = []
    hidden = model.hidden_states
    model.hidden_states = lambda *arguments, **options: model_calls.append(1) or hidden(*arguments, **options)
    again = beam_search(model, params, PROMPT, 12, beams=3, stop_tokens=(0, 1, 2), length_penalty=1.0)
    assert again == short
    assert len(model_calls) < 12
    scores = [beam.score for beam in short]
    assert scores == sorted(scores, reverse=True)
    candidates = every_continuation(6, (0, 1, 2))
    best = max(log_probability(model, params, tokens) / ((5 + len(tokens)) / 6) for tokens in set(candidates))
    assert short[0].score == pytest.approx(best, abs=1e-10)


def test_a_longer_text_wins_only_with_a_length_penalty():
    model, params = tiny()
    lengths = [
        len(beam_search(model, params, PROMPT, 6, beams=64, stop_tokens=(1,), length_penalty=alpha)[0].tokens)
        for alpha in (0.0, 5.0)
    ]
    assert lengths[0] < lengths[1]


@pytest.mark.parametrize(
    "changes", [{"beams": 0}, {"max_new_tokens": 0}, {"length_penalty": -1.0}, {"tokens": np.array([[1, 2]])}]
)
def test_bad_numbers_are_refused(changes):
    model, params = tiny()
    with pytest.raises(UserError, match="beam search takes one prompt"):
        beam_search(model, params, **{"tokens": PROMPT, "max_new_tokens": 3, **changes})


def test_an_empty_prompt_is_refused():
    model, params = tiny()
    with pytest.raises(UserError, match="no tokens"):
        beam_search(model, params, np.array([], int), 3)


def test_beams_that_the_memory_does_not_hold_are_refused_before_they_are_made(monkeypatch):
    model = Transformer(preset("tiny", vocabulary_size=50, layers=1))
    params = model.init(np.random.default_rng(0))
    with pytest.raises(UserError, match=r"100,000,000,000 beams need about [\d,.]+ GB, but .* fewer beams"):
        beam_search(model, params, np.array([1, 2]), 5, beams=10**11)
    monkeypatch.setattr("minigpt.infer.beam.available_memory", lambda: None)  # where nothing is known
    assert len(beam_search(model, params, np.array([1, 2]), 2, beams=3)) == 3


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("beams", [1, 2, 3])
def test_the_search_ends_no_sooner_than_it_may(alpha, beams):
    """Beside a search that goes on to the last token whatever it has found."""
    for seed in range(5):
        model, params = small_model(vocabulary_size=4, context=16, seed=seed)
        going, complete = [((), 0.0)], []
        for length in range(1, 8):
            longer = [
                ((*tokens, token), log_probability(model, params, (*tokens, token)))
                for tokens, _ in going
                for token in range(4)
            ]
            best = sorted(longer, key=lambda one: -one[1])[:beams]
            ended = [one for one in best if one[0][-1] == 3 or length == 7]
            complete += [(total / ((5 + length) / 6) ** alpha, tokens) for tokens, total in ended]
            going = [one for one in best if one not in ended]
        found = beam_search(model, params, PROMPT, 7, beams=beams, stop_tokens=(3,), length_penalty=alpha)
        expected = sorted(complete, key=lambda one: -one[0])[:beams]
        assert [tuple(beam.tokens) for beam in found] == [tokens for _, tokens in expected]
