"""What is shown of a run is what its model says of the run's own held-out text."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from objective_run import objective_run

from minigpt.infer import samples
from minigpt.infer.samples import GAP, write_sample
from minigpt.train import TextData

PARAMS = object()


class Planted:
    """A model whose answer to a batch is given."""

    def __init__(self, config, answer):
        self.config, self.answer = config, answer

    def forward(self, params, batch):
        assert params is PARAMS
        return self.answer(batch), None


def planted(tmp_path, objective, answer):
    folder = objective_run(tmp_path, objective)
    data = TextData(folder)
    return Planted(folder.config, answer), folder.tokenizer(), data


def one_hot(ids, size):
    return 9.0 * np.eye(size)[ids]


def text_of(data, tokenizer):
    return tokenizer.decode(np.concatenate(data.windows))


@pytest.mark.parametrize("right", [True, False])
def test_what_is_said_of_hidden_tokens(right, tmp_path):
    def answer(batch):
        wanted = np.maximum(batch.targets, 0)
        return one_hot(wanted if right else (wanted + 1) % 5, data.folder.config.vocabulary_size)

    model, tokenizer, data = planted(tmp_path, "masked", answer)
    said = write_sample(model, PARAMS, tokenizer, data, seed=3, tokens=20)
    brackets = re.findall(r"\[(.*?)\]", said, re.DOTALL)
    assert brackets and all((", not " in one) != right for one in brackets)
    truth = re.sub(r"\[(?:.*?, not )?(.*?)\]", r"\1", said, flags=re.DOTALL)
    if right:
        # A tenth of what is asked for stands in sight as another token, so the sentence alone is compared.
        assert truth in text_of(data, tokenizer) and len(truth) == 20
    assert said != write_sample(model, PARAMS, tokenizer, data, seed=4, tokens=20)


@pytest.mark.parametrize(("scores", "words"), [((0.0, 2.0), "does not follow, 88% sure"), ((0.5, 0.0), "follows, 62%")])
def test_how_sure_it_is_that_a_sentence_follows(scores, words, tmp_path):
    model, tokenizer, data = planted(tmp_path, "next-sentence", lambda batch: np.array([scores]))
    said = write_sample(model, PARAMS, tokenizer, data, seed=1)
    assert said.startswith(words)
    truth, sentences = re.fullmatch(r".*\(in truth it (.*?)\): (.*)", said, re.DOTALL).groups()
    first, second = sentences.split(" | ")
    topics = [{letter for letter in sentence if letter.isalpha()} <= set("abc") for sentence in (first, second)]
    assert (truth == "follows") == (topics[0] == topics[1])
    assert all(re.fullmatch(r"(.)\1\1 (.)\2\2\.", sentence) for sentence in (first, second)), "whole, without marks"


def test_a_text_goes_on_at_the_temperature_of_samples(tmp_path, monkeypatch):
    seen = {}

    def generate_text(*arguments, **options):
        seen.update(options)
        return iter(["ab", "c"])

    monkeypatch.setattr(samples, "generate_text", generate_text)
    model, tokenizer, data = planted(tmp_path, "causal", None)
    assert write_sample(model, PARAMS, tokenizer, data, seed=0) == "abc"
    assert seen["sampling"].temperature == 0.8 and seen["past_the_end"]


def test_a_gap_is_written_between_what_is_before_and_after(tmp_path, monkeypatch):
    prompts = []

    def generate(model, params, prompt, count, **options):
        prompts.append(prompt)
        return iter([0] * count)

    monkeypatch.setattr(samples, "generate", generate)
    model, tokenizer, data = planted(tmp_path, "fill-in-the-middle", None)
    said = write_sample(model, PARAMS, tokenizer, data, seed=5, tokens=15)
    before, written, after = re.fullmatch(r"(.*)\[(.*)\](.*)", said, re.DOTALL).groups()
    assert len(before) == len(written) == len(after) == 5 and written == tokenizer.decode([0] * 5)
    assert re.search(re.escape(before) + "." * 5 + re.escape(after), text_of(data, tokenizer), re.DOTALL)
    special = data.folder.special
    marks = [special["prefix"], special["suffix"], special["middle"]]
    assert [id_ for id_ in prompts[0].tolist() if id_ in marks] == marks
    assert tokenizer.decode([id_ for id_ in prompts[0] if id_ not in marks]) == before + after


def test_a_text_with_gaps_is_written_again(tmp_path, monkeypatch):
    asked = SimpleNamespace()

    def generate(model, params, prompt, room, *, source, stop_tokens, sampling):
        asked.prompt, asked.source, asked.stop, asked.temperature = prompt, source, stop_tokens, sampling.temperature
        return iter([0, 1])

    monkeypatch.setattr(samples, "generate", generate)
    model, tokenizer, data = planted(tmp_path, "infilling", None)
    given, written = write_sample(model, PARAMS, tokenizer, data, seed=2).split("  ->  ")
    assert GAP in given and written == tokenizer.decode([0, 1])
    pieces = [re.escape(piece) for piece in given.split(GAP)]
    assert re.search(".*?".join(pieces), text_of(data, tokenizer), re.DOTALL)
    assert asked.stop == [data.folder.special["end"]] and asked.temperature == 0
