"""Questions about pictures: what is read, what is scored, what is answered, and what is refused."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import published
from drawn_png import png, write

from minigpt import UserError, open_model
from minigpt.cli import main
from minigpt.doctor import examine_run
from minigpt.ops import IGNORED
from minigpt.train import TrainSettings
from minigpt.vision import NAMED_IMAGES, Augmentation, open_image_folder, train_images
from minigpt.vision.asked import Asked, by_first_word, by_novelty
from minigpt.vision.asking import AskingData, Sentences, asking_config, prepare_asking, questions_of
from minigpt.vision.augment import UNCHANGED
from minigpt.vision.questions import EASY_VQA, Questions, blind_answers, read_questions
from minigpt.vision.scenes import digit_scenes

WHERE = ("is it dark?", "where is it bright?")


def asked(count, seed=0, size=(8, 8, 1)):
    """Pictures that are bright on the left or on the right, and two questions about each."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(0, 2, count)
    pixels = rng.integers(0, 60, (count, *size), dtype=np.uint8)
    for picture, side in zip(pixels, sides, strict=True):
        picture[:, 4 * side : 4 * side + 4] += 150
    answers = [("no", "on the " + ("left", "right")[side]) for side in sides]
    return Questions(pixels, np.repeat(np.arange(count), 2), WHERE * count, tuple(sum(answers, ())))


def prepared(path, **settings):
    given = {"steps": 60, "batch": 16, "warmup": 5, "validate_every": 20, "learning_rate": 5e-3, **settings}
    return prepare_asking(path, asked(60), asked(20, seed=1), patch=2, settings=TrainSettings(**given))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = prepared(tmp_path_factory.mktemp("asked") / "run")
    train_images(folder, show_progress=False)
    return folder.path


def test_what_made_it_is_recorded_and_stands_in_its_card(finished, capsys):
    assert main(["card", str(finished), "--facts"]) == 0
    training = json.loads(capsys.readouterr().out)["training"]
    assert (training["task"], training["steps"]) == ("ask", 60) and training["numpy"] and training["tokens_file_sha256"]


def test_only_the_answer_and_its_end_are_scored(tmp_path):
    folder = prepared(tmp_path)
    tokenizer, found = folder.tokenizer(), asked(4)
    sentences = Sentences(tokenizer, found)
    batch = sentences.batch(np.arange(8), folder.scaled(found.pixels[found.pictures]))
    for row in range(8):
        scored = batch.targets[row][batch.targets[row] != IGNORED]
        assert tokenizer.decode(scored[:-1]) == f" {found.answers[row]}"
        question = tokenizer.encode(found.questions[row])
        assert np.array_equal(batch.tokens[row, : len(question)], question)
        assert batch.targets[row, len(question) - 1] == scored[0], "the first is foretold by the question's last token"
    assert np.array_equal(batch.source[0], batch.source[1]) and not np.array_equal(batch.source[0], batch.source[2])


def test_it_learns_to_look(finished):
    """Blind, half of the places are guessed."""
    model, test = Asked(finished), asked(30, seed=2)
    right = model.right(test)
    assert right.mean() > 0.9
    for row in (0, 1, 2, 3):
        assert (model.answer(test.pixels[test.pictures[row]], test.questions[row]) == test.answers[row]) == right[row]
    learnt = questions_of(model.folder, "training")
    blind = np.array(blind_answers(learnt, test)) == np.array(test.answers)
    kinds = by_first_word(test)
    assert set(kinds) == {"is", "where"} and blind[kinds["is"]].all() and blind[kinds["where"]].mean() < 0.8


def test_batches_are_functions_of_seed_and_step_and_ask_everything_once(tmp_path):
    folder = prepared(tmp_path)
    data, again = AskingData(folder), AskingData(folder)
    for step in (0, 5):
        (one,), (two,) = data.batches(step), again.batches(step)
        assert all(np.array_equal(a, b) for a, b in zip(one[:2], two[:2], strict=True))
        assert np.array_equal(one.source, two.source)
    rows = sum(len(batch.tokens) for step in range(data.steps_per_epoch) for batch in data.batches(step))
    assert rows == len(questions_of(folder, "training").questions) == 114
    assert folder.corpus["validation"] == 6, "three of sixty pictures, with both questions"


def test_pictures_of_validation_are_in_no_question_of_training(tmp_path):
    folder = prepared(tmp_path)
    training, validation = ({p.tobytes() for p in folder.pixels(part)} for part in ("training", "validation"))
    assert len(training) == 57 and len(validation) == 3 and not training & validation


def saved(tmp_path, name, found):
    lines = []
    for number, picture in enumerate(found.pixels):
        write(tmp_path / name / f"{number}.png", png(picture))
    for picture, question, answer in zip(found.pictures, found.questions, found.answers, strict=True):
        lines.append(json.dumps({"image": f"{name}/{picture}.png", "question": question, "answer": answer}))
    return str(write(tmp_path / f"{name}.jsonl", "\n".join(lines).encode()))


def test_a_file_of_questions_is_read_each_picture_once(tmp_path):
    found = asked(5)
    again = read_questions(saved(tmp_path, "some", found))
    assert np.array_equal(again.pixels, found.pixels) and np.array_equal(again.pictures, found.pictures)
    assert (again.questions, again.answers) == (found.questions, found.answers)


@pytest.mark.parametrize(("line", "message"), [
    ("{", "line 2: this is no JSON"),
    ("[]", "line 2: it is"),
    ('{"image": "a.png", "question": "what?"}', "line 2: answer must be a string, but it is not there"),
    ('{"image": "a.png", "question": "what?", "answer": " "}', "line 2: image, question or answer is empty"),
    ('{"image": "a.png", "image": "b.png"}', "line 2: 'image' is there twice in one table"),
    ('{"image": "a\\u0000.png", "question": "what?", "answer": "x"}', "line 2: image is .* which no file is called"),
    ('{"image": "a.png", "question": "wh\\ud800", "answer": "x"}', "line 2: .* has half a character at 2"),
    ('{"image": "gone.png", "question": "what?", "answer": "x"}', r"gone\.png could not be read"),
    ('{"image": "b.png", "question": "what?", "answer": "x"}', r"b\.png is \(3, 4, 1\), but .*a\.png is \(3, 3, 1\)"),
])  # fmt: skip
def test_a_line_that_is_no_question_is_named(line, message, tmp_path):
    for name, shape in (("a", (3, 3, 1)), ("b", (3, 4, 1))):
        write(tmp_path / f"{name}.png", png(np.zeros(shape, np.uint8)))
    good = '{"image": "a.png", "question": "what?", "answer": "x"}'
    with pytest.raises(UserError, match=message) as refused:
        read_questions(write(tmp_path / "x.jsonl", f"{good}\n{line}\n".encode()))
    assert "twice" not in str(refused.value) or "no JSON" not in str(refused.value)
    with pytest.raises(UserError, match="holds no question"):
        read_questions(write(tmp_path / "y.jsonl", b"\n"))
    with pytest.raises(UserError, match=r"read from \.jsonl, or are easy-vqa or digit-scenes"):
        read_questions(tmp_path / "x.csv")


def test_the_command_trains_and_answers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, test = saved(tmp_path, "some", asked(24)), saved(tmp_path, "others", asked(6, seed=5))
    words = [
        "train",
        source,
        "--task",
        "ask",
        "--test",
        test,
        "--workers",
        "1",
        "--out",
        "run",
        "--batch",
        "8",
        "--patch",
        "2",
    ]
    assert main([*words, "--steps", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["test"]["examples"] == 12 and set(result["kinds"]) == {"is", "where"}
    assert set(result["rivals"]) == {"the question alone"}
    assert main(["train", "--resume", "--out", "run", "--steps", "4"]) == 0
    assert "the question alone" in capsys.readouterr().out
    assert main(["ask", "run", "some/0.png", WHERE[1], "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"image", "question", "answer"}
    assert main(["ask", "run", "some/0.png", WHERE[1]]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", test, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["kinds"].keys() == {"is", "where"} and again["answers"] == {}
    assert {*again["hashes"]} == {"model", "data", "prompts"} and {*map(len, again["hashes"].values())} == {64}
    text = Path(test).read_text(encoding="utf-8")
    Path(test).write_text(text.replace('"answer": "', '"answer": "no ', 1), encoding="utf-8")
    assert main(["evaluate", "run", test, "--json"]) == 0
    changed = json.loads(capsys.readouterr().out)["hashes"]
    assert changed["prompts"] != again["hashes"]["prompts"] and changed["data"] == again["hashes"]["data"]
    Path(test).write_text(text, encoding="utf-8")
    assert main(["evaluate", "run", test]) == 0
    out, err = capsys.readouterr()
    assert "where ...?" in out and "as they stand" not in err
    write(tmp_path / "others.jsonl", (tmp_path / "others.jsonl").read_bytes().replace(b"is it dark", b"Is it dark"))
    assert main(["evaluate", "run", test]) == 0
    assert "6 questions are none of its training's; they are asked as they stand" in capsys.readouterr().err
    assert main(["predict", "run", "some/0.png"]) == 2 and "use minigpt ask" in capsys.readouterr().err
    assert open_model("run").tokenizer is not None


@pytest.mark.parametrize(("words", "message"), [
    (["ask", "RUN", "PICTURE", " "], "the question is empty"),
    (["ask", "RUN", "PICTURE", "where " * 99], "ask something shorter"),
    (["ask", "RUN", "PICTURE", "wh\udcff"], "has bytes that are no UTF-8"),
    (["ask", "RUN", "PICTURE", "where is it green?"], "has the word 'green'; ask as "),
    (["ask", "RUN", "test:5", "where is it green?", "--json"], "training_questions.json does, such as 'where is it"),
    (["generate", "RUN", "--prompt", "where"], "this model reads images, not text; `minigpt predict` or `minigpt ask`"),
    (["compress", "RUN", "small"], "sees pictures, and how their pixels are scaled has no place"),
    (["export", "RUN", "out"], "train one with --task classify --recipe vit"),
    (["train", "--resume", "--out", "RUN", "--task", "classify"], "has (ask), and cannot change"),
    (["ask", "RUN", "OTHER", "where?"], "the picture is 3 x 3 with 1 channels, but this model was trained on 8 x 8"),
    (["ask", "RUN", "gone.png", "where?"], "could not be read"),
    (["ask", "nothing", "PICTURE", "where?"], "nothing is not the folder of a model of images"),
    (["train", "easy-vqa"], "easy-vqa is a set of images; add --task ask"),
    (["train", "x.jsonl", "--task", "ask"], "measured on other questions; name them with --test"),
    (["train", "x.jsonl", "--task", "ask", "--recipe", "vit"], "--recipe goes with --task classify"),
    (["train", "easy-vqa", "--task", "classify", "--first", "what"], "--first goes with --task ask"),
    (["train", "easy-vqa", "--task", "classify", "--areas", "2"], "--areas goes with --task ask"),
    (["train", "easy-vqa", "--task", "classify", "--word-dropout", "0.1"], "--word-dropout goes with --task ask"),
    (["train", "shakespeare", "--word-dropout", "0.1"], "--word-dropout is about images"),
    (["train", "easy-vqa", "--task", "ask", "--areas", "3"], "8 x 8 patches have no 3 equal areas a side"),
    (["train", "mnist", "--first", "what"], "add --task classify"),
    (["ask", "RUN", "PICTURE"], "the model was trained on many questions; ask one"),
    (["ask", "RUN", "test:40"], "the test has no question 40; the last one is 39"),
    (["ask", "RUN", "test:two"], "'test:two' names no question of the test"),
    (["evaluate", "RUN", "gone.jsonl"], "gone.jsonl"),
])  # fmt: skip
def test_what_cannot_be_asked_is_named(words, message, finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(finished)}
    for name, size in (("PICTURE", (8, 8, 1)), ("OTHER", (3, 3, 1))):
        places[name] = str(write(tmp_path / f"{name}.png", png(np.zeros(size, np.uint8))))
    assert main([places.get(word, word) for word in words]) == 2
    assert message in capsys.readouterr().err


def test_a_picture_of_the_test_is_asked_by_its_number(finished, capsys):
    test = questions_of(open_image_folder(finished), "test")
    for row in (0, 5):
        assert main(["ask", str(finished), f"test:{row}", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["question"], said["right_answer"]) == (test.questions[row], test.answers[row])
    assert main(["ask", str(finished), "test:5"]) == 0
    shown = capsys.readouterr()
    assert f"the right answer is {test.answers[5]!r}" in shown.err.lower() and "right answer" not in shown.out
    assert main(["ask", str(finished), "test:5", "is it bright?", "--json"]) == 0
    assert "right_answer" not in json.loads(capsys.readouterr().out), "another question has another answer"


def test_a_question_in_another_form_is_asked_as_in_training_and_it_is_said(finished, capsys):
    model, test = Asked(finished), asked(30, seed=2)
    right = [model.answer(picture, WHERE[1]) for picture in test.pixels]
    assert len(set(right)) > 1
    for other in ("Where is it bright?", "where is it bright", "WHERE  is it bright ?"):
        assert [model.answer(picture, other) for picture in test.pixels] == right
    with pytest.raises(UserError, match="the word 'green'"):
        model.answer(test.pixels[0], "where is it green?")
    assert isinstance(model.answer(test.pixels[0], "green?", verbatim=True), str)

    assert main(["ask", str(finished), "test:1", "Where is it bright", "--json"]) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert (said["question"], said["asked_as"]) == ("Where is it bright", WHERE[1])
    assert "asked as 'where is it bright?'" in err and "may mean nothing" not in err
    assert main(["ask", str(finished), "test:1", "bright where", "--json"]) == 0
    assert "no question of its training is 'bright where?'" in capsys.readouterr().err
    assert main(["ask", str(finished), "test:1"]) == 0
    assert "asked as" not in capsys.readouterr().err


def test_a_question_without_an_end_is_refused_before_it_takes_the_memory(tmp_path):
    found = asked(30)
    long = found._replace(questions=("why? " * 20_000, *found.questions[1:]))
    for learnt, test, part in ((long, found, "training"), (found, long, "test")):
        with pytest.raises(UserError, match=f"of {part} has .* tokens with its answer, but there may be 512 at most"):
            prepare_asking(tmp_path / "run", learnt, test, patch=2)
    assert not (tmp_path / "run").exists()


def test_a_long_answer_is_written_to_its_end(finished, monkeypatch):
    model = Asked(finished)
    room = model.folder.config.context - model.folder.config.vectors_ahead - len(model.tokenizer.encode("is it?"))
    letter = int(model.tokenizer.encode("s")[0])
    monkeypatch.setattr("minigpt.vision.asked.generate", lambda *given, **_: iter([[letter]] * given[3]))
    assert model.answer(np.zeros((8, 8, 1), np.uint8), "is it?") == "s" * room
    wide = model.folder.config.context + 100
    config = model.folder.config
    object.__setattr__(model, "folder", SimpleNamespace(
        image=model.folder.image, scaled=model.folder.scaled,
        config=SimpleNamespace(context=wide, vectors_ahead=config.vectors_ahead),
    ))  # fmt: skip
    assert len(model.answer(np.zeros((8, 8, 1), np.uint8), "is it?")) == room + 100


def test_one_question_for_all_need_not_be_asked(tmp_path, capsys):
    found = asked(40)
    captions = found.take(np.arange(1, 80, 2))
    settings = TrainSettings(steps=2, batch=8, warmup=1)
    folder = prepare_asking(tmp_path / "run", captions, captions, patch=2, settings=settings)
    train_images(folder, show_progress=False)
    model = Asked(folder.path)
    assert model.usual == WHERE[1]
    assert model.answer(found.pixels[0]) == model.answer(found.pixels[0], WHERE[1])


def test_pictures_are_changed_anew_and_validation_never(tmp_path):
    plain, changed = (
        AskingData(prepare_asking(tmp_path / name, asked(60), asked(20, seed=1), augment=how))
        for name, how in (("plain", UNCHANGED), ("changed", Augmentation(shift=2)))
    )
    (one,), (two,), (again,) = plain.batches(3), changed.batches(3), changed.batches(3)
    assert np.array_equal(one.tokens, two.tokens) and not np.array_equal(one.source, two.source)
    assert np.array_equal(two.source, again.source)
    for held, other in zip(plain.held_out(), changed.held_out(), strict=True):
        assert np.array_equal(held.batch.source, other.batch.source)
    assert open_image_folder(tmp_path / "changed").augment == Augmentation(shift=2)


def test_some_questions_are_asked_alone_at_first(tmp_path):
    settings = TrainSettings(steps=20, batch=16, warmup=1)
    folder = prepare_asking(tmp_path / "run", asked(60), asked(20, seed=1), first="where", settings=settings)
    assert open_image_folder(folder.path).corpus["first_steps"] == 4
    data, tokenizer = AskingData(folder), folder.tokenizer()
    for step in range(7):
        (batch,) = data.batches(step)
        said = {tokenizer.decode(row).split()[0] for row in batch.tokens}
        assert said == ({"where"} if step < 4 else {"is", "where"})
    rows = np.concatenate([data.batches(step)[0].source for step in range(4)])
    assert len({row.tobytes() for row in rows}) == 57, "each of them once"
    with pytest.raises(UserError, match="no question begins with the word 'why'"):
        prepare_asking(tmp_path / "other", asked(60), asked(20, seed=1), first="why")


def test_of_words_only_those_of_answers_are_covered(tmp_path):
    plain, covered = (
        prepare_asking(tmp_path / str(share), asked(60), asked(20, seed=1), word_dropout=share) for share in (0.0, 0.4)
    )
    assert "word_dropout" not in plain.corpus and open_image_folder(covered.path).corpus["word_dropout"] == 0.4
    plain, (data, again), end = AskingData(plain), (AskingData(covered), AskingData(covered)), None
    of_answers, hidden = [], []
    for step in range(8):
        (one,), (two,), (three,) = plain.batches(step), data.batches(step), again.batches(step)
        assert np.array_equal(one.targets, two.targets) and np.array_equal(one.source, two.source)
        assert np.array_equal(two.tokens, three.tokens), "a function of the seed and the step"
        end = one.targets[one.targets != IGNORED][-1]
        answers = np.zeros(one.tokens.shape, bool)
        answers[:, 1:] = one.targets[:, :-1] != IGNORED
        changed = one.tokens != two.tokens
        assert not changed[~answers & (one.tokens != 0)].any() and (two.tokens[changed] == end).all()
        of_answers.append(answers)
        hidden.append(changed)
    answers, hidden = (np.concatenate([part.ravel() for part in parts]) for parts in (of_answers, hidden))
    assert 0.3 < hidden.sum() / answers.sum() < 0.5
    for held, other in zip(plain.held_out(), data.held_out(), strict=True):
        assert np.array_equal(held.batch.tokens, other.batch.tokens), "who is asked has all words"


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_a_share_of_words_that_is_none_is_refused(tmp_path, share):
    with pytest.raises(UserError, match=r"word_dropout is .*at least 0 and less than 1"):
        prepare_asking(tmp_path / "run", asked(60), asked(20, seed=1), word_dropout=share)
    assert not (tmp_path / "run").exists()


def test_answers_that_training_had_are_told_from_new_ones():
    learnt, test = asked(30), asked(9, seed=3)
    assert by_novelty(learnt, test) == {}
    odd = test._replace(answers=("on the roof", *test.answers[1:]))
    parts = by_novelty(learnt, odd)
    assert parts["never trained on"].tolist() == [True] + [False] * 17
    assert np.array_equal(parts["trained on"], ~parts["never trained on"])


def test_what_suits_a_named_set_is_taken_unless_something_else_is_said(tmp_path, monkeypatch):
    """Of captions 4 x 4 areas, and words that are covered; a set is replaced by pictures that are made at once."""
    monkeypatch.chdir(tmp_path)
    made = asked(60)
    monkeypatch.setattr("minigpt.cli.image_prepare.read_questions", lambda name: made)
    monkeypatch.setattr("minigpt.cli.image_runs.train_images", lambda run, **_: None)
    monkeypatch.setattr("minigpt.cli.image_runs.asking_report", lambda run: {})
    runs = {
        (4, 0.05, 0.6): ["digit-scenes"],
        (2, 0.05, 0.0): ["x.jsonl", "--test", "y.jsonl"],
        (8, 0.1, 0.3): ["digit-scenes", "--areas", "8", "--weight-decay", "0.1", "--word-dropout", "0.3"],
        (None, 0.05, 0.6): ["digit-scenes", "--patch", "1", "--areas", "0"],
    }
    for number, ((areas, decay, covered), words) in enumerate(runs.items()):
        assert main(["train", *words, "--task", "ask", "--out", str(number), "--json"]) == 0
        run = open_image_folder(str(number))
        assert (run.config.encoder_areas, run.settings.weight_decay) == (areas, decay)
        assert run.corpus.get("word_dropout", 0.0) == covered


def test_digit_scenes_hold_digits_and_arrangements_out():
    published(NAMED_IMAGES["mnist"].package)
    training, test = (digit_scenes(name) for name in ("digit-scenes", "digit-scenes-test"))
    assert training.pixels.shape == (12_000, 56, 56, 1) and test.pixels.shape == (2_000, 56, 56, 1)
    known = {*training.captions}
    new = np.array([caption not in known for caption in test.captions])
    assert len(known) == 180 and new.tolist() == [False] * 1000 + [True] * 1000
    quarters = [{picture[r : r + 28, c : c + 28].tobytes() for picture in some.pixels for r in (0, 28) for c in (0, 28)}
                for some in (training, test)]  # fmt: skip
    assert quarters[0] & quarters[1] == {bytes(28 * 28)}, "no digit of the test is trained on"


def test_changed_questions_and_mixed_up_tasks_are_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "test_questions.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="has changed since training began"):
        questions_of(open_image_folder(tmp_path / "run"), "test")
    path = tmp_path / "run" / "images.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    del whole["checksum"]  # former versions wrote none
    for task, message in (
        ("classify", "which is none for the task classify"),
        ("see", "it must be one of classify, ask"),
    ):
        path.write_text(json.dumps({**whole, "task": task}), encoding="utf-8")
        with pytest.raises(UserError, match=message):
            open_image_folder(tmp_path / "run")


def test_a_tokenizer_of_somebody_elses_is_not_overwritten(tmp_path):
    (tmp_path / "tokenizer.json").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds tokenizer\.json already"):
        prepared(tmp_path)
    assert (tmp_path / "tokenizer.json").read_text(encoding="utf-8") == "mine"


def test_another_tokenizer_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"tokenizer\.json has changed since training began"):
        Asked(tmp_path / "run")


def test_the_doctor_looks_at_questions(finished):
    findings = {one.what: one for one in examine_run(finished)}
    assert all(one.sound for one in findings.values()) and "tokenizer.json" in findings
    assert findings["test.npy"].said == "20 images, 40 questions of them"


def test_sizes_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(UserError, match=r"of the test are \(6, 8, 1\), not \(8, 8, 1\)"):
        prepare_asking(tmp_path, asked(30), asked(4, size=(6, 8, 1)))
    with pytest.raises(UserError, match="5 pictures, too few"):
        prepare_asking(tmp_path, asked(5), asked(4))
    with pytest.raises(UserError, match="a patch of 9 pixels does not fit into 8 x 8"):
        asking_config((8, 8, 1), 300, 9, 9)


@pytest.mark.parametrize(("size", "patch", "areas", "ahead"), [
    ((64, 64, 3), None, None, 4), ((64, 64, 3), None, 4, 16), ((64, 64, 3), None, 0, 64), ((56, 40, 1), 8, None, 35),
    ((56, 32, 1), 8, 1, 1), ((12, 8, 1), 2, None, 4),
])  # fmt: skip
def test_how_many_vectors_stand_ahead_of_a_question(size, patch, areas, ahead):
    """Those of quarters, where as many patches can be halved both ways; or as many as was said."""
    config = asking_config(size, 300, 9, patch, areas)
    assert (config.vectors_ahead, config.context) == (ahead, ahead + 9)


def test_easy_vqa_is_what_it_says_and_blind_two_thirds():
    published(EASY_VQA)
    training, test = read_questions("easy-vqa"), read_questions("easy-vqa-test")
    assert (len(training.questions), len(training.pixels)) == (38575, 4000)
    assert (len(test.questions), len(test.pixels)) == (9673, 1000)
    assert test.pixels.shape[1:] == (64, 64, 3) and len(set(test.answers)) == 13
    blind = np.mean(np.array(blind_answers(training, test)) == np.array(test.answers))
    assert blind == pytest.approx(0.670, abs=0.001)
