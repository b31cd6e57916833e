"""Coarser columns, k-anonymity, scores on labelled text, pseudonyms of every kind, and the tagger of names."""

import doctest
import re
from importlib import import_module

import numpy as np
import pytest
from conftest import published
from hypothesis import given
from hypothesis import strategies as st

from minigpt.corpus.personal import KINDS, Pseudonyms, Span, find
from minigpt.corpus.personal.evaluate import evaluate, shares, speed
from minigpt.corpus.personal.generalise import age_band, first_part, generalise, k_anonymity, year_of
from minigpt.corpus.personal.labelled import Document, Label, Templates, labelled_documents
from minigpt.corpus.personal.name_text import is_for_training, training_documents
from minigpt.corpus.personal.national import is_handed_out
from minigpt.corpus.personal.tagger import (
    NameTagger,
    best_name_finder,
    new_name_tagger,
    open_name_tagger,
    train_name_tagger,
)
from minigpt.errors import UserError
from minigpt.model import Overlay, Transformer, TransformerConfig
from minigpt.pretrained import NAMED
from minigpt.text.word_piece import WordPieceTokenizer


@pytest.mark.parametrize("name", ["find", "replace", "generalise"])
def test_examples_of_docstrings(name):
    assert doctest.testmod(import_module(f"minigpt.corpus.personal.{name}")).failed == 0


@given(st.integers(0, 120))
def test_an_age_lies_in_its_band(age):
    band = age_band(age)
    assert band == "90+" if age >= 90 else int(band.split("-")[0]) <= age <= int(band.split("-")[1])


def test_dates_and_postcodes_become_coarser():
    assert [year_of(date) for date in ("1982-03-29", "29 March 1982", "3/29/1982")] == ["1982"] * 3
    assert [first_part(code) for code in ("SW1A 1AA", "k1a 0b1", "90210-1234", "10115", "3041", "610")] == [
        "SW1A",
        "K1A",
        "902",
        "101",
        "30",
        "6",
    ]
    for wrong in (lambda: age_band("old"), lambda: year_of("29.3.82"), lambda: first_part("x")):
        with pytest.raises(UserError):
            wrong()


ROWS = [
    {"age": 31, "code": "10115", "illness": "flu"},
    {"age": 38, "code": "10117", "illness": "cold"},
    {"age": 62, "code": "80331", "illness": "flu"},
]


def test_k_rises_when_columns_become_coarser():
    before = k_anonymity(ROWS, ["age", "code"])
    after = k_anonymity(generalise(ROWS, {"age": "age", "code": "postcode"}), ["age", "code"])
    assert (before.k, before.unique, before.risk) == (1, 1.0, 1.0)
    assert (after.k, after.classes, after.unique) == (1, 2, 1 / 3)
    assert k_anonymity(generalise(ROWS, {"age": "drop", "code": "drop"}), ["age", "code"]).k == 3
    assert ROWS[0]["age"] == 31  # the records given stay as they are
    with pytest.raises(UserError, match="'town'"):
        k_anonymity(ROWS, ["town"])
    with pytest.raises(UserError, match="'blur'"):
        generalise(ROWS, {"age": "blur"})
    with pytest.raises(UserError):
        k_anonymity([], ["age"])


DOCUMENT = Document(
    "Ann met Bob on Monday at ann@example.org", (Label(0, 3, "name"), Label(8, 11, "name"), Label(25, 40, "email"))
)


def test_scores_count_labels_found_and_spans_that_are_right():
    spans = [Span(0, 3, "name", 1.0), Span(15, 21, "name", 1.0), Span(8, 11, "username", 1.0)]
    result = evaluate([DOCUMENT] * 4, lambda text: spans, rng=np.random.default_rng(0))
    name = result.kinds["name"]
    assert (name.labels, name.spans, name.precision, name.recall) == (8, 8, 0.5, 0.5)
    assert name.f2 == pytest.approx(0.5) and name.intervals["recall"] == pytest.approx((0.5, 0.5))
    assert result.kinds["email"].recall == 0 and np.isnan(result.kinds["email"].precision)
    assert result.covered == pytest.approx(6 / 21)  # Bob is hidden, too, if as something else
    assert any("[Monday]" in text for _, text in result.wrong)
    assert {kind for kind, _ in result.missed} == {"name", "email"}


def test_half_of_a_label_is_enough_and_less_is_not():
    for end, recall in ((33, 1.0), (32, 0.0)):
        result = evaluate([DOCUMENT], lambda text, end=end: [Span(25, end, "email", 1.0)], rng=np.random.default_rng(0))
        assert result.kinds["email"].recall == recall


def test_f2_weighs_recall_more():
    much_found = shares(np.array([10, 9, 18, 9]))
    little_found = shares(np.array([18, 9, 10, 9]))
    assert much_found[2] > little_found[2]
    assert much_found[2] == pytest.approx(5 * 0.5 * 0.9 / (4 * 0.5 + 0.9))


def test_intervals_contain_the_value_and_shrink_with_more_documents():
    rng = np.random.default_rng(0)
    chance = [Document("Ann", (Label(0, 3, "name"),)) for _ in range(400)]
    found = iter(rng.random(1000) < 0.7)
    few, many = (
        evaluate(chance[:count], lambda text: [Span(0, 3, "name", 1.0)] if next(found) else [], rng=rng).kinds["name"]
        for count in (40, 400)
    )
    width = [score.intervals["recall"][1] - score.intervals["recall"][0] for score in (few, many)]
    assert width[1] < width[0] / 2
    assert many.intervals["recall"][0] < many.recall < many.intervals["recall"][1]


def test_speed_is_told_and_nothing_is_refused():
    assert speed(["Ann met Bob"] * 3).megabytes_per_second > 0
    with pytest.raises(UserError):
        speed([])


VALUES = {
    "email": "ann@example.com",
    "phone": "(212) 555-9999",
    "ip": "10.2.33.4",
    "card": "4111 1111 1111 1111",
    "iban": "DE89370400440532013000",
    "national_id": "536-22-8726",
    "url": "https://github.com/ann",
    "address": "12 Main Street",
    "date_of_birth": "3/29/1982",
    "username": "@ann",
    "key": "hunter22",
    "name": "Ann van Smith",
}


@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_every_kind_has_pseudonyms_that_tell_nothing_and_are_the_same_again(seed, kind):
    first, second = (Pseudonyms(np.random.default_rng(seed)) for _ in range(2))
    assert first.of(kind, VALUES[kind]) == second.of(kind, VALUES[kind])
    assert VALUES[kind].lower() not in first.of(kind, VALUES[kind]).lower()


@given(st.integers(0, 2**32))
def test_pseudonyms_lie_in_ranges_of_nobody(seed):
    of = Pseudonyms(np.random.default_rng(seed)).of
    assert re.fullmatch(r"\(\d{3}\) 555-01\d\d", of("phone", "(212) 555-9999"))
    assert re.fullmatch(r"\+447700900\d{3}", of("phone", "+447911123456"))
    assert re.fullmatch(r"\+1-\d{3}-555-01\d\d", of("phone", "0699 183 83 86"))
    for number in ("536-22-8726", "AB 12 34 56 C", "529.982.247-25", "811218-9876", "12345678Z"):
        made = of("national_id", number)
        assert not is_handed_out(made)
        assert [c.isalnum() for c in made] == [c.isalnum() for c in number]
    assert of("date_of_birth", "3/29/1982") < "1910"


def test_the_parts_of_a_name_stay_who_they_are():
    of = Pseudonyms(b"a secret of sixteen").of
    first, particle, last = of("name", "Ann van Smith").split()
    assert (of("name", "Ann"), particle, of("name", "SMITH")) == (first, "van", last.upper())


def test_values_spelled_otherwise_are_the_same():
    of = Pseudonyms(b"a secret of sixteen").of
    assert of("card", "4111 1111 1111 1111").replace(" ", "") == of("card", "4111111111111111")
    assert of("iban", "DE89 3704 0044 0532 0130 00") == of("iban", "de89370400440532013000")
    assert of("username", "@ann") == "@" + of("username", "ann")


IDENTITY = {
    "GivenName": "Kesira",
    "MiddleInitial": "J",
    "Surname": "Korgay",
    "StreetAddress": "12 Main Street",
    "City": "Ulm",
    "State": "BW",
    "StateFull": "Baden",
    "ZipCode": "89073",
    "CountryFull": "Germany",
    "Title": "Ms.",
    "EmailAddress": "k@example.org",
    "TelephoneNumber": "0731 1234567",
    "Username": "kes12",
    "Password": "aX3bbq",
    "Birthday": "3/29/1982",
    "Domain": "example.org",
    "Country": "DE",
}
TEMPLATES = Templates(
    [
        "My name is {{name}}.",
        "{{first_name}} lives at {{building_number}} {{street_name}}, {{city}} {{postcode}}",
        "{{organization}} is in {{city}}",
    ],
    [IDENTITY],
    ["Acme"],
)


def test_labels_are_where_the_values_are():
    documents = list(labelled_documents(TEMPLATES, 200, np.random.default_rng(0)))
    pieces = {
        (label.kind, document.text[label.start : label.end]) for document in documents for label in document.labels
    }
    assert ("name", "Kesira") in pieces
    assert any(kind == "address" and re.fullmatch(r"\d+ 12 Main Street, Ulm 89073", text) for kind, text in pieces)
    assert Document("Acme is in Ulm", ()) in documents
    again = list(labelled_documents(TEMPLATES, 200, np.random.default_rng(0)))
    assert documents == again


def tiny_tagger(rng):
    letters = [chr(97 + i) for i in range(26)]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{c}" for c in letters),
        *"0123456789.,:!'\"()-",
    ]
    vocabulary += ["my", "name", "is", "met", "said", "the", "in", "and", "was"]
    config = TransformerConfig(
        vocabulary_size=len(vocabulary),
        context=96,
        width=32,
        layers=1,
        heads=2,
        architecture="encoder",
        segments=2,
        head="token",
        labels=3,
        norm_place="post",
        embedding_norm=True,
        head_bias=True,
        padding=0,
    )
    model = Transformer(config)
    params = model.init(rng)
    return NameTagger(model, Overlay(params, params.copy()), WordPieceTokenizer(vocabulary))


def test_a_small_encoder_learns_where_names_stand():
    rng = np.random.default_rng(0)
    tagger = tiny_tagger(rng)

    def documents(count):
        for _ in range(count):
            name = "".join(rng.choice(list("abdegiklmnorst"), 4)).capitalize()
            other = "".join(rng.choice(list("abdegiklmnorst"), 4))
            text = f"The {other} said my name is {name} and the {other} was in"
            start = text.index(name)
            yield Document(text, (Label(start, start + 4, "name"),))

    losses = train_name_tagger(tagger, list(documents(600)), rng, batch=12, rate=1e-2)
    assert np.mean(losses[-5:]) < 0.05 < losses[0]
    for document in documents(10):
        spans = find(document.text, ["name"], names=tagger)
        assert [(span.start, span.end) for span in spans] == [label[:2] for label in document.labels]


def test_long_text_is_read_in_pieces_that_lose_no_word():
    tagger = tiny_tagger(np.random.default_rng(0))
    text = "My name is Bob. The end was in it!\n" * 40 + "a" * 300 + "'Ö" * 60
    pieces = list(tagger.split(text))
    words = [word for piece in pieces for word in piece.words]
    assert words == [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    assert max(len(piece.ids) for piece in pieces) <= 96
    assert all(text[piece.words[-1][0]] in ".!" for piece in pieces[:8])
    assert not list(tagger(type("Source", (), {"text": ""})()))


def test_a_file_that_is_no_tagger_is_refused(tmp_path):
    with pytest.raises(UserError):
        open_name_tagger(tmp_path / "missing.safetensors")


def test_the_halves_of_templates_and_the_text_to_train_on():
    sentences = [f"{{{{name}}}} number {index}" for index in range(200)]
    assert 60 < sum(map(is_for_training, sentences)) < 140
    templates = TEMPLATES._replace(sentences=sentences)
    held_out = [sentence.split("}}")[1] for sentence in sentences if not is_for_training(sentence)]
    texts = [document.text for document in training_documents(templates, 200, np.random.default_rng(0))]
    assert not [text for text in texts for end in held_out if text.lower().endswith(end)]


def test_without_a_tagger_the_rule_finds_names_and_says_that_it_finds_less(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    finder = best_name_finder()
    assert "fewer" in finder.says
    assert [span.kind for span in find("Dear Ann,", names=finder.find)] == ["name"]


def test_what_was_trained_on_minilm_is_written_and_read_again(tmp_path):
    published(NAMED["minilm"].package)
    tagger = new_name_tagger(np.random.default_rng(1))
    before = {name: array.copy() for name, array in tagger.params.trained.items()}
    train_name_tagger(tagger, [DOCUMENT] * 2, np.random.default_rng(2), batch=2)
    tagger.save(tmp_path / "tagger.safetensors")
    again = open_name_tagger(tmp_path / "tagger.safetensors")
    for name, array in tagger.params.trained.items():
        np.testing.assert_allclose(again.params.trained[name], array, rtol=1e-3, atol=1e-6)
        assert name.endswith("adapter.down") or not np.array_equal(array, before[name])
    assert (tmp_path / "tagger.safetensors").stat().st_size < 1e6  # MiniLM itself is not in it
    (tmp_path / "other.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(UserError, match="no file of a tagger"):
        open_name_tagger(tmp_path / "other.safetensors")
