"""Many texts at once: each is the one that `generate` writes alone, whoever else is there and however little room."""

import numpy as np
import pytest
from small_model import VARIANTS, small_model

from minigpt import Engine, Request, Sampling, UserError
from minigpt.infer import GREEDY, generate
from minigpt.infer.paged import PagedPast

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


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(2))
def test_every_text_is_the_one_written_alone(variant, seed):
    rng = np.random.default_rng(seed)
    model, params = small_model(seed=3, **VARIANTS[variant])
    pages = [5, None][seed]
    engine = engine_of(model, params, pages=pages, slots=int(rng.integers(1, 5)), piece=int(rng.integers(1, 20)))
    requests, events = {}, []
    for _ in range(6):
        request = drawn_request(rng)
        requests[engine.submit(request)] = request
        for _ in range(int(rng.integers(5))):
            events += engine.step()
    events += run_to_end(engine)
    texts, reasons = texts_of(events)
    for id_, request in requests.items():
        for sample, expected in enumerate(alone(model, params, request)):
            assert texts[id_, sample] == expected
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
