"""Writing token by token: with and without the cache, across the sliding point, in batches, to a stop."""

import numpy as np
import pytest
from small_model import VARIANTS, small_model

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.infer import GREEDY, PURE, Sampling, Window, generate

PROMPT = np.array([3, 1, 4, 1, 5])


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_text_is_the_same_without_the_cache(variant):
    model, params = small_model(seed=8, **VARIANTS[variant])
    cached = list(generate(model, params, PROMPT, 200, sampling=GREEDY))
    uncached = list(generate(model, params, PROMPT, 200, sampling=GREEDY, cached=False))
    assert cached == uncached
    assert len(cached) == 200
    assert len(set(cached)) > 2  # or the test could not tell anything


@pytest.mark.parametrize("context", [1, 2, 3, 12])
def test_the_window_slides_as_documented(context):
    """Against the rule written out: a full window keeps the last half of a context, the new token included."""
    model, params = small_model(context=context)
    view, expected = list(PROMPT[-context:]), []
    for _ in range(50):
        logits, _ = model.forward(params, np.array([view]))
        expected.append(int(logits[0, -1].argmax()))
        view.append(expected[-1])
        if len(view) > context:
            view = view[-max(1, context // 2) :]
    assert list(generate(model, params, PROMPT, 50, sampling=GREEDY)) == expected


def test_sliding_keeps_the_cost_linear():
    """Rows that go through the network: at most two per token on average, besides the prompt."""
    model, params = small_model(context=16)
    rows = 0
    hidden = model.hidden_states

    def counting(params, tokens, call, **options):
        nonlocal rows
        rows += tokens.shape[1]
        return hidden(params, tokens, call, **options)

    model.hidden_states = counting
    list(generate(model, params, PROMPT, 400, sampling=GREEDY))
    assert rows <= 2 * 400 + len(PROMPT)


def test_only_the_last_position_goes_through_the_head():
    model, params = small_model()
    seen = []
    logits = model.logits
    model.logits = lambda params, x: seen.append(x.shape) or logits(params, x)
    list(generate(model, params, PROMPT, 3, sampling=GREEDY))
    assert seen == [(1, 24)] * 3


def test_a_prompt_longer_than_the_context_counts_from_its_end():
    model, params = small_model()
    long = np.random.default_rng(0).integers(0, 23, 30)
    for cached in (True, False):
        from_long = list(generate(model, params, long, 20, sampling=GREEDY, cached=cached))
        assert from_long == list(generate(model, params, long[-12:], 20, sampling=GREEDY))


def test_a_batch_writes_what_its_sequences_write_alone():
    model, params = small_model(seed=3, **VARIANTS["grouped"])
    prompts = np.random.default_rng(2).integers(0, 23, (4, 5))
    together = np.stack(list(generate(model, params, prompts, 40, sampling=GREEDY)), axis=1)
    alone = [list(generate(model, params, prompt, 40, sampling=GREEDY)) for prompt in prompts]
    assert together.tolist() == alone


def test_same_seed_same_text_with_and_without_the_cache():
    model, params = small_model()
    sampling = Sampling(1.5, top_k=10, top_p=0.9)

    def write(seed, cached):
        rng = np.random.default_rng(seed)
        return list(generate(model, params, PROMPT, 60, sampling=sampling, rng=rng, cached=cached))

    assert write(1, True) == write(1, True) == write(1, False)
    assert write(1, True) != write(2, True)


def test_tokens_come_one_at_a_time():
    model, params = small_model()
    calls = []
    logits = model.logits
    model.logits = lambda params, x: calls.append(1) or logits(params, x)
    stream = generate(model, params, PROMPT, 10, sampling=GREEDY)
    assert calls == []
    first, second = next(stream), next(stream)
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert len(calls) == 2


def test_stop_tokens_end_a_sequence():
    model, params = small_model()
    free = list(generate(model, params, PROMPT, 40, sampling=GREEDY))
    stop = free[7]
    written = list(generate(model, params, PROMPT, 40, sampling=GREEDY, stop_tokens=[stop]))
    assert written == free[: free.index(stop) + 1]


def test_an_ended_sequence_of_a_batch_repeats_its_last_token():
    model, params = small_model(seed=3, **VARIANTS["grouped"])
    prompts = np.random.default_rng(4).integers(0, 23, (3, 5))
    free = np.stack(list(generate(model, params, prompts, 30, sampling=GREEDY)))  # (n, B)
    stops = {int(free[2, 0]), int(free[6, 1]), int(free[4, 2])}
    written = np.stack(list(generate(model, params, prompts, 30, sampling=GREEDY, stop_tokens=stops)))
    ends = [next(step for step, token in enumerate(free[:, row]) if token in stops) for row in range(3)]
    assert len(written) == max(ends) + 1
    assert len(set(ends)) > 1
    for row, end in enumerate(ends):
        assert written[: end + 1, row].tolist() == free[: end + 1, row].tolist()
        assert set(written[end:, row]) == {free[end, row]}


def test_nothing_asked_nothing_written():
    model, params = small_model()
    assert list(generate(model, params, PROMPT, 0, sampling=GREEDY)) == []


@pytest.mark.parametrize(
    ("tokens", "count", "words"),
    [
        ([], 3, "the prompt has no tokens"),
        ([1.5, 2.0], 3, "whole numbers"),
        ([[[1]]], 3, "a prompt is .T,. tokens"),
        ([1], -1, "cannot write -1 tokens"),
    ],
)
def test_bad_prompts_are_refused_at_once(tokens, count, words):
    model, params = small_model()
    with pytest.raises(UserError, match=words):
        generate(model, params, np.array(tokens), count, sampling=GREEDY)


def test_ids_outside_the_vocabulary_are_refused():
    model, params = small_model()
    with pytest.raises(UserError, match="token id 23 is outside the vocabulary"):
        next(generate(model, params, np.array([1, 23]), 3, sampling=GREEDY))


def test_damaged_parameters_are_named():
    model, params = small_model()
    params["final_norm.gain"][...] = np.nan
    with pytest.raises(UserError, match="not finite numbers"):
        next(generate(model, params, PROMPT, 3, sampling=PURE, rng=np.random.default_rng(0)))


def test_a_window_can_be_reordered_while_it_slides():
    """What beam search does: sequences are dropped and repeated between two tokens."""
    model, params = small_model()
    rng = np.random.default_rng(9)
    tokens = rng.integers(0, 23, (3, 8))
    windows = [Window(model, params, tokens, cached=cached) for cached in (True, False)]
    for _ in range(30):
        with_cache, without = (window.logits() for window in windows)
        np.testing.assert_allclose(with_cache, without, rtol=1e-11, atol=1e-11)
        order = rng.integers(0, len(with_cache), 3)
        ids = rng.integers(0, 23, 3)
        for window in windows:
            window.select(order)
            window.append(ids)


def test_an_encoder_decoder_reads_while_it_writes():
    config = TransformerConfig(
        vocabulary_size=11,
        context=12,
        width=20,
        layers=2,
        heads=4,
        architecture="encoder-decoder",
        init_std=0.5,
    )
    model = Transformer(config)
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    source = np.random.default_rng(1).integers(0, 11, (3, 7))
    start = np.zeros((3, 1), int)
    with_cache, without = (
        np.array(list(generate(model, params, start, 9, sampling=GREEDY, cached=cached, source=source)))
        for cached in (True, False)
    )
    assert np.array_equal(with_cache, without)
    alone = [list(generate(model, params, start[0], 9, sampling=GREEDY, source=row)) for row in source]
    assert np.array_equal(with_cache.T, alone)
    assert len({tuple(row) for row in alone}) == 3  # what is written depends on what is read


def test_an_encoder_cannot_write():
    config = TransformerConfig(vocabulary_size=11, context=12, width=20, layers=1, heads=4, architecture="encoder")
    model = Transformer(config)
    with pytest.raises(UserError, match="an encoder cannot write"):
        generate(model, model.init(np.random.default_rng(0)), np.array([1]), 3)


@pytest.mark.parametrize("cached", [True, False])
def test_chosen_sequences_keep_what_they_read(cached):
    config = TransformerConfig(
        vocabulary_size=11, context=12, width=20, layers=2, heads=4, architecture="encoder-decoder", init_std=0.5
    )
    model = Transformer(config)
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    rng = np.random.default_rng(1)
    source, tokens = rng.integers(0, 11, (3, 7)), rng.integers(0, 11, (3, 2))
    window = Window(model, params, tokens, cached=cached, room=4, source=source)
    window.logits()
    window.select(np.array([2, 0]))
    window.append(np.array([5, 6]))
    expected = Window(
        model, params, np.column_stack([tokens[[2, 0]], [5, 6]]), cached=False, room=4, source=source[[2, 0]]
    )
    np.testing.assert_allclose(window.logits(), expected.logits(), rtol=1e-10, atol=1e-12)
