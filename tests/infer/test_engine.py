"""Many texts at once: each is the one that `generate` writes alone, whoever else is there and however little room."""

import numpy as np
import pytest
from small_model import VARIANTS, small_model

from minigpt import Call, Engine, Request, Sampling, UserError
from minigpt.infer import GREEDY, generate
from minigpt.infer.paged import PagedPast, Stretch

ENDLESS = {  # no further back than a window: these never slide, and their texts pass the context
    "window": {"position": "rotary", "window": 5, "sinks": 1},
    "alibi": {"position": "alibi", "window": 7, "key_value_heads": 2},
    "narrow": {"position": "rotary", "window": 2, "sinks": 4},
}
KINDS = {**VARIANTS, **ENDLESS, "alibi that slides": {"position": "alibi"}}
PAGE = 3  # does not divide the context of 12 evenly into halves


def engine_of(model, params, *, pages=None, **options):
    """An engine with so many pages of three positions."""
    size = PagedPast.page_bytes(model.config, PAGE, params.flat.dtype)
    return Engine(model, params, memory=None if pages is None else pages * size, page=PAGE, **options)


def alone(model, params, request):
    """What `generate` writes for each sample of a request."""
    return [
        list(
            generate(
                model,
                params,
                request.prompt,
                request.max_new_tokens,
                sampling=request.sampling,
                rng=np.random.default_rng(request.seed + sample),
                stop_tokens=request.stop_tokens,
                vocabulary_size=request.vocabulary_size,
            )
        )
        for sample in range(request.samples)
    ]


def texts_of(events):
    """The tokens of each (request, sample), and why it ended."""
    texts, reasons = {}, {}
    for event in events:
        key = event.request, event.sample
        assert key not in reasons, "nothing comes after the end"
        texts.setdefault(key, []).append(event.token)
        if event.finish_reason is not None:
            reasons[key] = event.finish_reason
    return texts, reasons


def run_to_end(engine):
    """All events until nothing is left."""
    events = []
    while engine.pending or engine.running:
        events += engine.step()
    return events


def drawn_request(rng, context=12):
    """A request, often with a beginning that others have too."""
    prompt = np.arange(int(rng.integers(1, context + 4))) % 23
    prompt[int(rng.integers(len(prompt))) :] += int(rng.integers(3))
    sampling = [GREEDY, Sampling(), Sampling(0.7, top_k=5), Sampling(1.3, top_p=0.8)][rng.integers(4)]
    stop = tuple(rng.integers(0, 23, 1)) if rng.random() < 0.3 else ()
    return Request(
        prompt % 23,
        int(rng.integers(1, 20)),
        sampling,
        seed=int(rng.integers(1000)),
        stop_tokens=stop,
        samples=int(rng.integers(1, 4)),
        vocabulary_size=20 if rng.random() < 0.3 else None,
    )


@pytest.mark.parametrize("variant", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_every_text_is_the_one_written_alone(variant, seed):
    rng = np.random.default_rng(seed)
    model, params = small_model(seed=3, **KINDS[variant])
    pages = [12 if variant in ENDLESS else 5, 40][seed]
    engine = engine_of(model, params, pages=pages, slots=int(rng.integers(1, 5)), piece=int(rng.integers(1, 20)))
    requests, events, cancelled = {}, [], set()
    for _ in range(6):
        request = drawn_request(rng)
        requests[engine.submit(request)] = request
        for _ in range(int(rng.integers(5))):
            events += engine.step()
        if rng.random() < 0.2:
            gone = int(rng.choice([*requests]))
            cancelled.add(gone)
            engine.cancel(gone)
    events += run_to_end(engine)
    texts, reasons = texts_of(events)
    for id_, request in requests.items():
        for sample, expected in enumerate(alone(model, params, request)):
            written = texts.get((id_, sample), [])
            assert written == (expected[: len(written)] if id_ in cancelled else expected)
            if id_ in cancelled:
                continue
            ended = expected[-1] in request.stop_tokens
            assert reasons[id_, sample] == ("stop" if ended else "length")
    assert engine.statistics["pages_used"] == 0


def test_what_cannot_be_written_is_refused():
    model, params = small_model()
    engine = engine_of(model, params, pages=2)
    with pytest.raises(UserError, match="token 23, but the vocabulary ends at 22"):
        engine.submit(Request(np.array([1, 23]), 2))
    with pytest.raises(UserError, match="need 4 pages, but the cache has 2"):
        engine.submit(Request(np.arange(8), 4))
    with pytest.raises(UserError, match="max_new_tokens is 0"):
        Request(np.array([1]), 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_alone_it_is_the_same_to_the_bit(variant):
    """Scores of a sequence that nobody shares a step with, across the end of the context."""
    model, params = small_model(dtype=np.float32, **VARIANTS[variant])
    engine = engine_of(model, params)
    said = []
    logits = model.logits
    model.logits = lambda params, x: said.append(logits(params, x)) or said[-1]
    engine.submit(Request(np.arange(5), 20, seed=1))
    run_to_end(engine)
    count = len(said)
    list(generate(model, params, np.arange(5), 20, rng=np.random.default_rng(1)))
    for (ours, _), (theirs, _) in zip(said[:count], said[count:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_prompt_in_pieces_does_not_hold_up_the_others():
    """Those that write get a token at every step, while a long prompt is computed beside them."""
    model, params = small_model(context=64)
    engine = engine_of(model, params, piece=4)
    writer = engine.submit(Request(np.array([1]), 40))
    engine.step()
    reader = engine.submit(Request(np.arange(21), 1))
    for step in range(6):
        got = [event.request for event in engine.step()]
        assert got == ([writer] if step < 5 else [writer, reader])


def test_samples_share_their_prompt_and_part_when_they_write():
    """One computation of the prompt; its unfinished page is copied by all but the last that writes into it."""
    model, params = small_model(context=64)
    engine = engine_of(model, params)
    request = Request(np.arange(10), 8, samples=5, seed=3)
    engine.submit(request)
    engine.step()
    assert engine.running == 5 and engine.statistics["prompt_computed"] == 10
    assert engine.pages.used == 4  # of three positions
    engine.step()
    assert engine.pages.used == 3 + 5
    texts, _ = texts_of(run_to_end(engine))
    assert engine.statistics["prompt_computed"] == 10
    assert [texts[1, sample] for sample in range(5)] == [text[2:] for text in alone(model, params, request)]


def test_without_copies_the_samples_would_write_over_each_other(monkeypatch):
    """What copy on write is for: turned off, the texts are wrong."""
    monkeypatch.setattr("minigpt.infer.pages.Pages.shared", lambda pages, page: False)
    model, params = small_model(context=64)
    engine = engine_of(model, params)
    request = Request(np.arange(10), 8, samples=5, seed=3)
    engine.submit(request)
    texts, _ = texts_of(run_to_end(engine))
    assert [texts[1, sample] for sample in range(5)] != alone(model, params, request)


def test_samples_without_a_slot_wait():
    model, params = small_model(context=64)
    engine = engine_of(model, params, slots=2)
    request = Request(np.arange(7), 9, samples=6)
    engine.submit(request)
    assert len(engine.step()) == 6  # the first token of each comes from the same scores
    assert (engine.running, engine.pending) == (2, 4)
    texts, _ = texts_of(run_to_end(engine))
    assert [texts[1, sample] for sample in range(6)] == [text[1:] for text in alone(model, params, request)]


def test_a_beginning_is_computed_once():
    model, params = small_model(context=64)
    engine = engine_of(model, params)
    shared = np.arange(20) % 23
    for last in (7, 8):
        request = Request(np.append(shared, last), 5)
        engine.submit(request)
        texts, _ = texts_of(run_to_end(engine))
        assert [*texts.values()] == alone(model, params, request)
    statistics = engine.statistics
    assert (statistics["prompt_computed"], statistics["prompt_reused"]) == (21 + 3, 18)  # six whole pages
    assert statistics["pages_used"] == 0 and statistics["pages_kept"] > 6


def test_kept_pages_make_room_and_what_is_left_is_right():
    """Prompts that together need more pages than there are: old ones are given up, and texts stay as they were."""
    model, params = small_model(context=24)
    engine = engine_of(model, params, pages=9, slots=3)
    rng = np.random.default_rng(5)
    prompts = [rng.integers(0, 23, 12) for _ in range(6)]
    for turn in range(18):
        request = Request(prompts[turn * 5 % 6], 6, seed=turn)
        id_ = engine.submit(request)
        texts, _ = texts_of(run_to_end(engine))
        assert texts[id_, 0] == alone(model, params, request)[0]
        assert engine.pages.used == 0


def test_who_came_last_makes_room_and_is_computed_again():
    model, params = small_model(context=24)
    engine = engine_of(model, params, pages=8, slots=2)
    requests = [Request(np.arange(10) + first, 14, seed=first) for first in (0, 5)]
    ids = [engine.submit(request) for request in requests]
    events = run_to_end(engine)
    texts, reasons = texts_of(events)
    for id_, request in zip(ids, requests, strict=True):
        assert texts[id_, 0] == alone(model, params, request)[0]
    assert engine.statistics["preempted"] > 0
    assert list(reasons) == [(ids[0], 0), (ids[1], 0)]  # the first is never kept waiting


def test_whoever_leaves_takes_nothing_along():
    """Hundreds of requests, a third of them called off on the way: every page comes back."""
    model, params = small_model(layers=1, width=8, heads=2, feed_forward_width=8, context=16)
    engine = engine_of(model, params, pages=20, slots=8)
    rng, alive = np.random.default_rng(7), []
    for _ in range(600):
        prompt = rng.integers(0, 4, rng.integers(1, 9))
        alive.append(engine.submit(Request(prompt, int(rng.integers(1, 4)), samples=int(rng.integers(1, 3)))))
        if rng.random() < 0.3:
            engine.cancel(alive.pop(rng.integers(len(alive))))
        if engine.pending > 20:
            engine.step()
        assert engine.pages.used <= 20
    run_to_end(engine)
    assert engine.pages.used == 0 and engine.pages.available == 20
    assert len(engine.pages._known) == len(engine.pages._pages) == engine.pages.kept <= 20


def test_one_sample_is_called_off_and_the_others_write_on():
    model, params = small_model()
    engine = engine_of(model, params)
    request = Request(np.arange(4), 9, samples=3)
    id_ = engine.submit(request)
    events = engine.step()
    engine.cancel(id_, sample=1)
    texts, _ = texts_of(events + run_to_end(engine))
    first, _, third = alone(model, params, request)
    assert (texts[id_, 0], texts[id_, 2], len(texts[id_, 1])) == (first, third, 1)
    assert engine.pages.used == 0
    engine.cancel(id_)  # what has ended cannot be called off, and need not be


@pytest.mark.parametrize("gone", [(0,), (1,), (2, 0), (0, 1, 2)])
def test_samples_are_called_off_before_they_begin(gone):
    """The prompt is computed by the first sample, which may be the one that nobody wants."""
    model, params = small_model()
    engine = engine_of(model, params, piece=2)
    request = Request(np.arange(5), 6, samples=3)
    id_ = engine.submit(request)
    assert not engine.step()  # it has begun with the prompt
    for sample in gone:
        engine.cancel(id_, sample)
    texts, _ = texts_of(run_to_end(engine))
    wanted = enumerate(alone(model, params, request))
    assert texts == {(id_, place): text for place, text in wanted if place not in gone}
    assert engine.pages.used == 0


def test_probabilities_are_those_of_the_model():
    """The token's and the likeliest ones' against the whole forward, whatever the sampling draws from."""
    model, params = small_model(context=64)
    engine = engine_of(model, params)
    prompt = np.arange(9)
    engine.submit(Request(prompt, 6, Sampling(0.5, top_k=2), logprobs=4, vocabulary_size=20))
    events = run_to_end(engine)
    tokens = np.append(prompt, [event.token for event in events])
    logits = model.forward(params, tokens[None, :-1])[0][0, 8:, :20]
    expected = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    for event, row in zip(events, expected, strict=True):
        assert event.logprob == pytest.approx(row[event.token], abs=1e-12)
        assert [token for token, _ in event.alternatives] == np.argsort(-row)[:4].tolist()
        assert [logprob for _, logprob in event.alternatives] == pytest.approx(sorted(row)[::-1][:4], abs=1e-12)


@pytest.mark.parametrize("variant", ENDLESS)
@pytest.mark.parametrize("piece", [1, 4, 30])
def test_a_window_lets_go_of_what_it_does_not_reach(variant, piece):
    """A text of many windows in the memory of one; the sinks stay, and the text is the one written alone."""
    model, params = small_model(seed=3, **KINDS[variant])
    window, sinks = model.config.window, model.config.sinks
    most = -(-sinks // PAGE) + -(-(max(window - 1, PAGE) + piece) // PAGE) + 1
    engine = engine_of(model, params, pages=most, piece=piece)
    request = Request(np.arange(40) % 23, 90, Sampling(), seed=5)
    engine.submit(request)
    events, used = [], []
    while engine.pending or engine.running:
        events += engine.step()
        used.append(engine.pages.used)
    assert [texts_of(events)[0][1, 0]] == alone(model, params, request)
    assert max(used) <= most and max(used[-80:]) <= -(-sinks // PAGE) + -(-(window - 1) // PAGE) + 2
    assert engine.statistics["preempted"] == 0


def test_what_a_window_lets_go_is_found_by_others_and_samples_part():
    model, params = small_model(seed=3, **ENDLESS["window"])
    engine = engine_of(model, params, pages=60, piece=7)
    prompt = np.arange(30) % 23
    for last in (7, 8):
        request = Request(np.append(prompt, last), 20, samples=3, seed=last)
        id_ = engine.submit(request)
        texts, _ = texts_of(run_to_end(engine))
        assert [texts[id_, sample] for sample in range(3)] == alone(model, params, request)
    assert engine.statistics["prompt_reused"] == 30
    assert engine.pages.used == 0


def test_without_the_window_the_same_text_needs_all_its_pages():
    model, params = small_model(seed=3, context=200, position="rotary")
    with pytest.raises(UserError, match="need 43 pages, but the cache has 8"):
        engine_of(model, params, pages=8).submit(Request(np.arange(40) % 23, 90))
    engine = engine_of(model, params)
    engine.submit(Request(np.arange(40) % 23, 90))
    while engine.pending or engine.running:
        used = engine.pages.used
        engine.step()
    assert used == 43


def test_dynamic_scaling_is_refused_with_the_reason():
    scaling = {"kind": "dynamic", "factor": 4.0, "original_context": 6}
    with pytest.raises(UserError, match="every token beyond the original context turns all keys anew"):
        Engine(*small_model(position="rotary", rotary_scaling=scaling))


def test_single_precision_writes_the_same_text():
    """Scores differ by rounding alone; a model that is unsure, so that nothing is decided by a wide margin."""
    model, params = small_model(context=32, dtype=np.float32, seed=2)
    engine = engine_of(model, params, slots=5)
    requests = [Request(np.arange(first, 12), 25, Sampling(), seed=first) for first in range(8)]
    ids = [engine.submit(request) for request in requests]
    texts, _ = texts_of(run_to_end(engine))
    assert [[texts[id_, 0]] for id_ in ids] == [alone(model, params, request) for request in requests]


def test_a_mixture_of_experts_writes_its_text():
    model, params = small_model(experts=3, experts_per_token=2)
    engine = engine_of(model, params, slots=3)
    requests = [Request(np.arange(first + 1), 20, seed=first) for first in range(4)]
    ids = [engine.submit(request) for request in requests]
    texts, _ = texts_of(run_to_end(engine))
    assert [[texts[id_, 0]] for id_ in ids] == [alone(model, params, request) for request in requests]


def test_a_cache_of_eight_bits_is_near_and_small():
    """Every number is within half a scale, no score moves far, and a copied page is copied with its scales."""
    model, params = small_model(context=64, width=128, heads=4, dtype=np.float32)
    params.flat *= 0.3  # so that attention is not all or nothing
    tokens, table, name = np.random.default_rng(0).integers(0, 23, 50), [3, 1, 4, 0, 5, 2, 6], "blocks.0.attention"
    pasts = {bits: PagedPast(model.config, 8, 8, np.float32, bits) for bits in (None, 8)}
    logits = {}
    for bits, past in pasts.items():
        parts = []
        for start in range(0, 50, 5):
            past.see([Stretch(table, start, 5)])
            parts.append(model.forward(params, tokens[None, start : start + 5], Call(past=past))[0][0])
        logits[bits] = np.concatenate(parts)
    exact, rounded = (past.read(name, table)[:, :, :50] for past in pasts.values())
    most = np.abs(exact).max(axis=-1, keepdims=True)
    assert (np.abs(rounded - exact) <= most / 253).all() and (np.abs(rounded - exact) > most / 400).any()
    spread = np.abs(logits[None]).max()
    expected = model.forward(params, tokens[None])[0][0]
    np.testing.assert_allclose(logits[None], expected, rtol=0, atol=1e-5 * spread)
    np.testing.assert_allclose(logits[8], expected, rtol=0, atol=0.03 * spread)
    sizes = [PagedPast.page_bytes(model.config, 8, np.float32, bits) for bits in (None, 8)]
    assert sizes[1] < sizes[0] / 3
    before = pasts[8].read(name, [4])
    pasts[8].copy(4, 7)
    np.testing.assert_array_equal(pasts[8].read(name, [7]), before)


def test_texts_of_eight_bits_do_not_depend_on_who_else_is_there():
    """Everybody reads what is stored, also of its own piece, so that pieces, samples and neighbours change nothing."""
    model, params = small_model(context=24)
    requests = [Request(np.arange(first, first + 9), 20, seed=first, samples=2) for first in range(4)]
    texts = []
    for options in ({"slots": 1, "piece": 30}, {"slots": 5, "piece": 4}):
        engine = Engine(model, params, page=PAGE, cache_bits=8, **options)
        for request in requests:
            engine.submit(request)
        texts.append(texts_of(run_to_end(engine))[0])
        assert engine.statistics["page_bytes"] == 2 * 2 * 4 * PAGE * (6 + 8)  # a head: six bytes, and a scale
    assert texts[0] == texts[1]
    assert len(set(map(tuple, texts[0].values()))) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 0}, "slots is 0"),
        ({"memory": 10}, "memory is 10 bytes, but one page"),
        ({"memory": 1 << 50}, "give the engine less memory"),
        ({"cache_bits": 4}, "cache_bits is 4"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Engine(*small_model(), **options)


def test_a_context_that_does_not_fit_the_memory_is_filled_as_far_as_it_goes(monkeypatch):
    """A published model may have a context of which no machine keeps all keys; short texts are written even so."""
    model, params = small_model(position="rotary", context=1 << 40)
    monkeypatch.setattr("minigpt.infer.engine.available_memory", lambda: 1 << 20)
    engine = Engine(model, params, page=PAGE)
    assert 0 <= (1 << 19) - engine.pages.count * engine.statistics["page_bytes"] < engine.statistics["page_bytes"]
    with pytest.raises(UserError, match="shorten them, or give the engine more memory"):
        engine.submit(Request(np.arange(2), engine.longest - 1))
    engine.submit(Request(np.arange(2), engine.longest - 2))
    engine = engine_of(*small_model(**ENDLESS["window"]), piece=2)
    assert engine.longest is None and engine_of(*small_model()).longest is None


def test_models_that_cannot_write_are_refused():
    for changes, message in (
        ({"architecture": "encoder"}, "cannot write"),
        ({"architecture": "encoder-decoder"}, "enc"),
    ):
        with pytest.raises(UserError, match=message):
            Engine(*small_model(**changes))
