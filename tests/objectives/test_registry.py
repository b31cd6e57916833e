"""Every objective has one record, and what a record says is true of it."""

import re
from pathlib import Path

import numpy as np
import pytest

import minigpt.objectives
from minigpt import Transformer, TransformerConfig, UserError
from minigpt.infer.samples import SAMPLES
from minigpt.objectives import OBJECTIVES, TRAINS, Texts, find_special_tokens, loss, objective_of, special_tokens
from minigpt.objectives.registry import RECORDS
from minigpt.objectives.special import SPELLINGS
from minigpt.ops import IGNORED

V, T, B = 60, 41, 6
RNG = np.random.default_rng(3)


def special_of(record):
    known = {token: 40 + number for number, token in enumerate(special_tokens(record, T).values())}
    return find_special_tokens(record, T, known, end=39)


def texts_for(record):
    documents = [[RNG.integers(0, 39, 4 + place) for place in range(5)] for _ in range(4)]
    return Texts(RNG.integers(0, 39, (B, T + 1)), special_of(record), V, documents)


@pytest.mark.parametrize("record", OBJECTIVES.values(), ids=list(OBJECTIVES))
def test_a_batch_is_a_function_of_texts_and_randomness(record):
    texts = texts_for(record)
    before = texts.windows.copy()
    one, same, other = (record.make(texts, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one[:-1], same[:-1], strict=True) if a is not None)
    assert np.array_equal(texts.windows, before)
    if record.name != "causal":
        assert not all(np.array_equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True) if a is not None)
    assert one.objective == record.function or record.name == "mixture"
    assert len(one.tokens) == B and one.tokens.shape[1] <= T
    assert one.source is None or one.source.shape[1] <= T


@pytest.mark.parametrize("record", OBJECTIVES.values(), ids=list(OBJECTIVES))
def test_the_default_model_is_trained_and_the_others_are_refused(record):
    batch = record.make(texts_for(record), np.random.default_rng(0))
    for architecture, reason in record.trains.items():
        sizes = {"vocabulary_size": V, "context": T, "width": 12, "layers": 1, "heads": 2}
        model = Transformer(TransformerConfig(**sizes, architecture=architecture, **record.model))
        params = model.init(np.random.default_rng(1))
        if reason is None:
            assert np.isfinite(loss(model, params, batch))
        else:
            with pytest.raises(UserError, match=f"cannot train an? {architecture}: "):
                loss(model, params, batch)
    assert record.trains[record.architecture] is None


@pytest.mark.parametrize("name", ["infilling", "spans"])
def test_the_metric_counts_the_tokens_that_were_cut_out(name):
    record = objective_of(name)
    texts = texts_for(record)
    batch = record.make(texts, np.random.default_rng(4))
    missing = record.missing(texts, np.random.default_rng(4), batch)
    for row in range(B):
        kept = batch.source[row][batch.source_present[row]]
        kept = kept[~np.isin(kept, list(texts.special.values()))]
        cut = batch.targets[row][missing[row]]
        assert sorted([*kept, *cut]) == sorted(texts.windows[row, :-1])
    assert not missing[batch.targets == IGNORED].any()


def test_an_infilled_text_never_grows():
    record = objective_of("infilling")
    for seed in range(300):
        texts = Texts(np.arange(8 * 14).reshape(14, 8) % 39, special_of(record), V)
        assert record.make(texts, np.random.default_rng(seed)).source.shape[1] <= 7


def test_records_are_complete():
    for record in RECORDS:
        assert callable(getattr(minigpt.objectives, record.function))
        assert set(record.refusals) < set(TRAINS[record.function])
        assert set(record.special) <= {*SPELLINGS, "sentinels"}
        assert record.sample in SAMPLES
        TransformerConfig(vocabulary_size=9, context=4, width=8, layers=1, heads=2, **record.model)
    assert len({record.name for record in RECORDS}) == len(TRAINS) == len(RECORDS)


def test_the_readme_shows_every_objective_and_what_it_trains():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` +\| .* \| (?:a|an) ([a-z-]+) \|$", readme, re.MULTILINE)
    assert dict(rows) == {name: record.architecture for name, record in OBJECTIVES.items()}


def test_special_tokens_are_found_by_what_tokenizers_call_them():
    bert = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    assert find_special_tokens(objective_of("masked"), T, bert, end=102) == {"end": 102, "mask": 103}
    ours = special_tokens(objective_of("spans"), 64)
    assert ours == {"padding": "<|padding|>", **{f"sentinel{n}": f"<|sentinel{n}|>" for n in range(3)}}
    with pytest.raises(UserError, match=r"spans needs a special token <\|sentinel0\|>"):
        find_special_tokens(objective_of("spans"), T, bert, end=102)


def test_an_unknown_objective_is_named():
    with pytest.raises(UserError, match="no objective 'rlhf'; choose one of causal, masked, next-sentence"):
        objective_of("rlhf")
