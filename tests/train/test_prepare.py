"""What a run is made of where nobody says it."""

import pytest

from minigpt import Corpus, TrainSettings, UserError, prepare_run
from minigpt.train.prepare import default_vocabulary


@pytest.mark.parametrize(("characters", "tokens"), [(2_000_000, 4096), (400_000, 1000), (1000, 512)])
def test_a_short_text_has_a_small_vocabulary(characters, tokens):
    assert default_vocabulary(Corpus("text", ("a" * characters,), ("b" * 10**7,))) == tokens


@pytest.mark.parametrize("changed", [{"beta1": 0.95}, {"beta2": 0.95}])
def test_a_setting_that_muon_would_not_use_is_refused(changed):
    with pytest.raises(UserError, match="leave beta1 and beta2 out"):
        TrainSettings(optimizer="muon", **changed)
    assert TrainSettings(optimizer="sgd", **changed).optimizer == "sgd"


def test_the_vocabulary_of_a_run(tmp_path):
    words = " ".join(f"word{number} is number {number**3}." for number in range(9000))
    corpus = Corpus("words", (words,), (words[:9000],))
    for name, vocabulary in (("default", None), ("asked", 300)):
        run = prepare_run(tmp_path / name, corpus, vocabulary=vocabulary, progress=False)
        assert run.config.vocabulary_size == (vocabulary or len(words) // 400) != 512
        assert run.tokenizer().vocabulary_size == run.config.vocabulary_size


@pytest.mark.parametrize("text", ["The fox met a hen. " * 99, "Лиса встретила курицу.\n" * 99, "鶏に 狐は。" * 99])
def test_a_text_of_few_pairs_has_the_vocabulary_that_it_allows(tmp_path, text):
    corpus = Corpus("fables", (text,), (text,))
    run = prepare_run(tmp_path / "default", corpus, changes={"context": 4}, objective="masked", progress=False)
    tokenizer = run.tokenizer()
    assert 258 < tokenizer.vocabulary_size == run.config.vocabulary_size < 512
    assert tokenizer.decode(tokenizer.encode(text)) == text and len(tokenizer.encode(text)) < len(text.encode()) / 2
    assert set(run.special.values()) <= set(tokenizer.special_tokens.values())
    with pytest.raises(UserError, match=f"at most {tokenizer.vocabulary_size} tokens, not 512"):
        prepare_run(tmp_path / "asked", corpus, vocabulary=512, objective="masked", progress=False)
