"""Fine-tuning from examples to answers: it learns, resumes to the same bits, and refuses what does not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_models import make_models

from minigpt import Corpus, generate_text
from minigpt.adapt import Learns
from minigpt.errors import UserError
from minigpt.finetune import Tuned, Wishes, go_on, prepare, prepare_domain, read_records, tune
from minigpt.finetune.chat import messages_of
from minigpt.finetune.tasks import Setup
from minigpt.finetune.tune import validations_since_best
from minigpt.pretrained import open_model
from minigpt.pretrained.tuned import open_tuned_folder
from minigpt.text.records import Record

WAYS = ["all", "last", "head", "low-rank"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("below"))


@pytest.fixture
def below(models):
    """A function: architecture -> the opened model."""
    return lambda architecture="encoder": open_model(models[architecture])


def write_lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Texts whose class is whether there is an x in them."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(240):
        letters = list(rng.choice(list("abcdefgh"), rng.integers(4, 12)))
        if number % 2:
            letters[rng.integers(len(letters))] = "x"
        rows.append({"text": "".join(letters), "label": ["none", "some"][number % 2]})
    return write_lines(tmp_path_factory.mktemp("data") / "classes.jsonl", rows)


def tuned(path, below, data, **wishes):
    wishes = {"task": "classify", "epochs": 8, "batch": 16, "learning_rate": 5e-3, "validations": 1, **wishes}
    return tune(prepare(path, below, Wishes(**wishes), data), show_progress=False)


@pytest.mark.parametrize("pooled", ["first", "mean"])
def test_a_classifier_learns(tmp_path, below, classes, pooled):
    folder = tuned(tmp_path / "m", below(), classes, pooled=pooled)
    assert folder.measured["validation"]["accuracy"]["value"] > 0.9
    assert folder.measured["validation"]["examples"] == 24
    said = Tuned(tmp_path / "m").predict(read_records(classes))
    right = [one["label"] == record.values["label"] for one, record in zip(said, read_records(classes), strict=True)]
    assert np.mean(right) > 0.9
    assert all(abs(sum(one["probabilities"].values()) - 1) < 1e-9 for one in said)


@pytest.mark.parametrize("way", WAYS)
def test_only_what_learns_is_kept_and_the_rest_is_that_of_the_model_below(tmp_path, below, classes, way):
    model = below()
    folder = tuned(tmp_path / "m", model, classes, epochs=1, learns=Learns(way, rank=2))
    whole = open_model(tmp_path / "m").params
    moved = {
        name
        for name, array in model.params.items()
        if name in whole and array.shape == whole[name].shape and not np.array_equal(array, whole[name])
    }
    assert folder.measured["validation"]["examples"] == 24
    if way == "head":
        assert moved == set()
    elif way == "last":
        assert moved
        assert all(name.startswith(("blocks.1.", "final_norm.")) for name in moved)
    elif way == "low-rank":
        assert moved == {f"blocks.{n}.attention.{part}.weight" for n in (0, 1) for part in ("query", "value")}
    else:
        assert {"token_embedding.weight", "blocks.0.attention.key.weight"} <= moved
    one, two = (Tuned(tmp_path / "m").predict(read_records(classes)[:5]) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("way", ["all", "low-rank"])
def test_going_on_ends_with_the_same_bits(tmp_path, below, classes, way):
    learns = Learns(way, rank=2, dropout=0.2 if way == "low-rank" else 0.0)
    wishes = Wishes(task="classify", epochs=2, batch=16, learns=learns, dropout=0.1, validations=2)
    once = tune(prepare(tmp_path / "once", below(), wishes, classes), show_progress=False)
    tuning = prepare(tmp_path / "twice", below(), wishes, classes)

    class Stop(Exception):
        pass

    def stop(row):
        raise Stop

    with pytest.raises(Stop):
        tune(tuning, on_validation=stop, show_progress=False)
    again = tune(go_on(open_tuned_folder(tmp_path / "twice")), show_progress=False)
    assert again.measured["validation"] == once.measured["validation"]
    a, b = (open_model(tmp_path / name, checkpoint="last").params for name in ("once", "twice"))
    np.testing.assert_array_equal(a.flat, b.flat)


def test_it_ends_when_it_gets_no_better(tmp_path, below, classes):
    folder = tuned(tmp_path / "m", below(), classes, epochs=40, patience=2, learning_rate=1.0)
    assert folder.measured["steps"] < folder.settings.steps


def test_what_had_ended_because_it_got_no_better_does_not_go_on(tmp_path, below, classes):
    tuning = prepare(
        tmp_path / "m", below(), Wishes(task="classify", epochs=40, patience=2, learning_rate=1.0), classes
    )
    first = tune(tuning, show_progress=False)
    again = tune(go_on(open_tuned_folder(tmp_path / "m")), show_progress=False)
    assert again.measured == first.measured
    assert validations_since_best(again, first.measured["steps"]) == 2


def test_a_class_with_one_example_is_trained_on(tmp_path, below):
    rows = [{"text": "ab", "label": f"{number}" if number < 12 else "often"} for number in range(30)]
    data = write_lines(tmp_path / "rare.jsonl", rows)
    tuning = prepare(tmp_path / "m", below(), Wishes(task="classify"), data)
    assert len(tuning.folder.labels) == 13 and {one.target for one in tuning.validation} == {12}
    with pytest.raises(UserError, match="each class has one example alone"):
        prepare(tmp_path / "n", below(), Wishes(task="classify"), write_lines(tmp_path / "few.jsonl", rows[:5]))


def test_a_second_text_is_read_where_it_is_there(tmp_path, below):
    rows, opened = [{"text": "a", "second": "bh"[n % 2], "label": "xy"[n % 2]} for n in range(20)], below()
    tuning = prepare(tmp_path / "m", opened, Wishes(task="classify"), write_lines(tmp_path / "pairs.jsonl", rows))
    assert {len({*one.ids.tolist()} & {*opened.tokenizer.encode("ahb").tolist()}) for one in tuning.examples} == {2}
    assert tuning.folder.columns == {"second": "second"}


def test_answers_that_are_cut_off_teach_nothing(tmp_path, below):
    rows = [{"question": "a", "context": "abcd efgh xyz", "answer": "efgh"}] * 20
    data = write_lines(tmp_path / "questions.jsonl", rows)
    with pytest.raises(UserError, match="no example to learn from has its answer in 4 tokens"):
        prepare(tmp_path / "m", below(), Wishes(task="answer", context=4, cut=True), data)
    with pytest.raises(UserError, match="line 1: 1 tokens have no room for the context"):
        prepare(tmp_path / "m", below(), Wishes(task="answer", context=1, cut=True), data)
    some = write_lines(tmp_path / "some.jsonl", rows + [{**rows[0], "answer": "ab"}] * 20)
    tuning = prepare(tmp_path / "n", below(), Wishes(task="answer", context=6, cut=True, batch=4), some)
    assert len(tuning.examples) < 20
    assert tune(tuning, show_progress=False).measured["validation"]["examples"] == 4


def test_the_place_of_an_answer_is_read_where_it_is_there(tmp_path, below):
    rows = [{"question": "a", "context": "ab cd ab", "answer": "ab", "start": 6}] * 20
    tuning = prepare(tmp_path / "m", below(), Wishes(task="answer"), write_lines(tmp_path / "places.jsonl", rows))
    first = tuning.examples[0].record.first  # of the context: its last word is token 5 to 7, the space among them
    assert {tuple(one.target.tolist()) for one in tuning.examples} == {(first + 5, first + 7)}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"role": "assistant", "content": "b", "tool_calls": [{"id": 1}]}, "it has tool_calls"),
        ({"role": "assistant", "content": "b", "weight": 0}, "it has weight = 0"),
        ({"role": "tool", "content": "b"}, "role is 'tool'"),
        ({"role": "assistant", "content": " "}, "the assistant's content is empty"),
    ],
)
def test_what_of_a_conversation_would_not_be_learnt_is_refused(message, says):
    said = [{"role": "user", "content": "a"}, message]
    with pytest.raises(UserError, match=f"place, message 2.*{says}"):
        messages_of(Record({"messages": said}, "place"), Setup(None, 24, (), {}))


def test_tags_are_learnt_for_words_and_read_back(tmp_path, below):
    rng, rows = np.random.default_rng(2), []
    for _ in range(160):
        words = ["".join(rng.choice(list("abcd"), rng.integers(1, 4))) for _ in range(rng.integers(2, 5))]
        place = rng.integers(len(words))
        words[place] = "xy"
        rows.append({"words": words, "tags": ["B-SIGN" if n == place else "O" for n in range(len(words))]})
    data = write_lines(tmp_path / "tags.jsonl", rows)
    folder = tuned(tmp_path / "m", below(), data, task="tag")
    assert folder.measured["validation"]["f1"]["value"] > 0.9
    said = Tuned(tmp_path / "m").predict(read_records(data))
    assert [len(one["tags"]) for one in said] == [len(row["words"]) for row in rows]


def test_answers_are_found_where_they_stand(tmp_path, below):
    rng, rows = np.random.default_rng(3), []
    for _ in range(200):
        words = ["".join(rng.choice(list("abcd"), rng.integers(1, 4))) for _ in range(3)]
        answer = "xyz"[: rng.integers(1, 4)]
        words[rng.integers(3)] = answer
        rows.append({"question": "h", "context": " ".join(words), "answer": answer})
    data = write_lines(tmp_path / "answers.jsonl", rows)
    folder = tuned(tmp_path / "m", below(), data, task="answer", epochs=16)
    assert folder.measured["validation"]["exact_match"]["value"] > 0.8


def test_a_decoder_classifies_by_its_last_token(tmp_path, below, classes):
    folder = tuned(tmp_path / "m", below("decoder"), classes, epochs=12)
    assert folder.config.pooled == "last"
    assert folder.measured["validation"]["accuracy"]["value"] > 0.8


def test_balanced_classes_weigh_alike(tmp_path, below, classes):
    rows = [record.values for record in read_records(classes)]
    few = [row for row in rows if row["label"] == "none"] + [row for row in rows if row["label"] == "some"][:20]
    tuning = prepare(
        tmp_path / "m", below(), Wishes(task="classify", balanced=True), write_lines(tmp_path / "few.jsonl", few)
    )
    sums = {label: sum(one.weight for one in tuning.examples if one.target == label) for label in (0, 1)}
    assert sums[0] == pytest.approx(sums[1])
    assert sum(sums.values()) == pytest.approx(len(tuning.examples))
    assert {one.target for one in tuning.examples} == {0, 1}


GOOD = [{"text": "ab", "label": "a"}, {"text": "b", "label": "b"}] * 9


@pytest.mark.parametrize(
    ("rows", "wishes", "message"),
    [
        ([{"text": "ab", "label": "a"}] * 5, {}, "all .* of the class 'a'"),
        ([{"text": "ab", "label": "a"}, {"text": " ", "label": "b"}] * 9, {}, "line 2: text is empty"),
        ([{"text": "ab", "label": "a"}, {"text": 3, "label": "b"}] * 9, {}, "line 2.*text is 3"),
        ([{"text": "ab"}, {"text": "b"}] * 9, {}, "no column 'label', but: text; .* --label"),
        ([{"text": "ab", "label": "Good"}, {"text": "b", "label": "good"}] * 9, {}, "'Good' and 'good' differ in case"),
        ([{"text": "ab", "label": "é"}, {"text": "b", "label": "e\u0301"}] * 9, {}, r"'e\\u0301' and '\\xe9' differ"),
        ([{"text": "ab", "label": "a"}, {"text": "b", "label": "a\u200b"}] * 9, {}, r"'a' and 'a\\u200b' differ"),
        ([{"text": "ab" * 40, "label": "a"}, {"text": "b", "label": "b"}] * 9, {}, "80 tokens .* sees 24"),
        (GOOD, {"context": 25}, "sees 24 tokens, not 25"),
        (
            [{"text": "ab", "label": "a"}, {"text": "b", "label": "b"}] * 9,
            {"learns": Learns("last", 5)},
            "2 blocks, not 5",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, below, rows, wishes, message):
    data = write_lines(tmp_path / "data.jsonl", rows)
    with pytest.raises(UserError, match=message):
        prepare(tmp_path / "m", below(), Wishes(task="classify", **wishes), data)
    assert not (tmp_path / "m" / "finetune.json").exists()


def test_a_class_that_training_lacks_is_refused_in_validation(tmp_path, below, classes):
    other = write_lines(tmp_path / "other.jsonl", [{"text": "ab", "label": "many"}])
    with pytest.raises(UserError, match="line 1: the class 'many' is none of those that were trained"):
        prepare(tmp_path / "m", below(), Wishes(task="classify"), classes, other)


def test_another_model_below_or_other_data_is_noticed(tmp_path, below, models, classes):
    data = tmp_path / "copy.jsonl"
    data.write_bytes(classes.read_bytes())
    folder = tuned(tmp_path / "m", below(), data, epochs=1, learns=Learns("head"))
    data.write_text(data.read_text(encoding="utf-8") + '{"text": "a", "label": "none"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="has changed since then"):
        go_on(folder)
    other = replace(folder, below={**folder.below, "checksum": "00000000"})
    other.save()
    with pytest.raises(UserError, match="has other values now"):
        Tuned(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"below": {"name": "m"}}, "checksum must be a string, but it is not there"),
        ({"below": {"name": "m", "checksum": "0", "bits": "some"}}, "bits is 'some'"),
        ({"learns": {"way": "low-rank", "blocks": 1, "rank": 2, "layers": [], "dropout": 1}}, "dropout is 1"),
        ({"other": 1}, "other is not known"),
    ],
)
def test_a_description_that_was_changed_is_refused(tmp_path, below, classes, change, message):
    prepare(tmp_path / "m", below(), Wishes(task="classify"), classes)
    path = tmp_path / "m" / "finetune.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        open_tuned_folder(tmp_path / "m")


def test_nothing_is_overwritten(tmp_path, below, classes):
    tuned(tmp_path / "m", below(), classes, epochs=1)
    before = (tmp_path / "m" / "best.safetensors").read_bytes()
    with pytest.raises(UserError, match="holds a fine-tuned model"):
        prepare(tmp_path / "m", below(), Wishes(task="classify"), classes)
    assert (tmp_path / "m" / "best.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "metrics.csv"])
def test_nothing_is_written_among_the_files_of_others(tmp_path, below, classes, name):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=f"m holds {name} already, and nothing is overwritten"):
        prepare(tmp_path / "m", below(), Wishes(task="classify"), classes)
    text = Corpus("ab", ("ab" * 600,), ("ab" * 99,))
    with pytest.raises(UserError, match=f"m holds {name} already, and nothing is overwritten"):
        prepare_domain(tmp_path / "m", below(), Wishes(task="domain", steps=1), text)
    assert (tmp_path / "m" / name).read_text(encoding="utf-8") == "mine"
    assert [path.name for path in (tmp_path / "m").iterdir() if path.name != ".lock"] == [name]


def test_what_was_trained_on_top_of_a_model_is_opened_from_another_folder(tmp_path, models, classes, monkeypatch):
    monkeypatch.chdir(models["encoder"].parent)
    folder = tuned(tmp_path / "m", open_model("encoder"), classes, epochs=1, learns=Learns("head"))
    monkeypatch.chdir(tmp_path)
    assert len(Tuned("m").predict(read_records(classes))) == len(read_records(classes))
    monkeypatch.setitem(folder.below, "name", "gone")
    folder.save()
    with pytest.raises(UserError, match="m was trained on top of gone, which is not there"):
        Tuned("m")


def test_a_domain_is_learnt_and_forgetting_is_measured(tmp_path, below):
    old, new = (Corpus(order, (order * 600,), (order * 100,)) for order in ("abcd", "adcb"))
    wishes = Wishes(task="domain", steps=60, batch=8, learning_rate=3e-3, context=16)
    tune(prepare_domain(tmp_path / "first", below("decoder"), wishes, old, progress=False), show_progress=False)
    forgotten = {}
    for share in (0.0, 0.5):
        path, model = tmp_path / f"replay-{share}", open_model(tmp_path / "first")
        tuning = prepare_domain(path, model, replace(wishes, replay=share), new, old, progress=False)
        folder = tune(tuning, show_progress=False)
        both = (folder.corpus["before"], folder.measured)
        before, after = ({name: said[name]["bits_per_byte"] for name in ("domain", "old")} for said in both)
        assert after["domain"] < before["domain"] - 0.5
        forgotten[share] = after["old"] - before["old"]
    assert forgotten[0.0] > 0.5
    assert forgotten[0.5] < forgotten[0.0] / 3, forgotten
    written = open_model(path)
    rng = np.random.default_rng(0)
    assert "".join(generate_text(written.model, written.params, written.tokenizer, "ad", 10, rng=rng))


def test_a_share_that_leaves_one_text_without_rows_is_refused(tmp_path, below):
    corpus = Corpus("letters", ("abcd" * 200,), ("abcd" * 50,))
    with pytest.raises(UserError, match="nothing to replay"):
        prepare_domain(tmp_path / "a", below("decoder"), Wishes(task="domain", replay=0.5), corpus, progress=False)
    with pytest.raises(UserError, match="leaves rows to both"):
        wishes = Wishes(task="domain", replay=0.01, batch=4)
        prepare_domain(tmp_path / "b", below("decoder"), wishes, corpus, corpus, progress=False)


@pytest.mark.parametrize("way", ["all", "low-rank"])
def test_two_workers_learn_what_one_process_learns(tmp_path, below, classes, way):
    found = {}
    for workers in (1, 2):
        path = tmp_path / str(workers)
        tuned(path, below(), classes, epochs=1, learns=Learns(way, rank=2), workers=workers)
        found[workers] = open_model(path, checkpoint="last").params.flat
    np.testing.assert_allclose(found[1], found[2], rtol=0, atol=2e-4)
    assert not np.array_equal(found[1], open_model(tmp_path / "1").params.zeros_like().flat)


def test_dropout_of_adapters_is_the_same_on_workers_each_time(tmp_path, below, classes):
    found = []
    for number, rate in enumerate((0.5, 0.5, 0.0)):
        learns = Learns("low-rank", rank=2, dropout=rate)
        tuned(tmp_path / str(number), below(), classes, epochs=1, learns=learns, workers=2)
        assert open_tuned_folder(tmp_path / str(number)).learns.dropout == rate
        found.append(open_model(tmp_path / str(number), checkpoint="last").params.flat)
    assert np.array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-4


def test_workers_end_with_the_first_one(tmp_path, below, classes):
    folder = tuned(tmp_path / "m", below(), classes, epochs=40, patience=1, learning_rate=1.0, workers=2)
    assert folder.measured["steps"] < folder.settings.steps
