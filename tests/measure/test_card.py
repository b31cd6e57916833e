"""A true card passes; one altered digit, a number without a command, or a command that is not minigpt's do not."""

import json
import re
import shutil
from contextlib import suppress

import numpy as np
import pytest
from tiny_run import TEXT, make_run

from minigpt import UserError
from minigpt.cli import main
from minigpt.cli.card import ask
from minigpt.measure.card import CLOSE, LICENCES, MEASURED, ROWS, Command, Row, _written, header_of
from minigpt.measure.card_check import kind_of, verify_card
from minigpt.measure.facts import Energy, forward_operations
from minigpt.train import open_folder, train
from minigpt.train.checkpoint import load_checkpoint, save_checkpoint
from minigpt.train.provenance import provenance, without_folders


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a run, a text, a task and the card of all."""
    folder = tmp_path_factory.mktemp("cards")
    made = make_run(folder / "runs" / "cats", steps=20)
    object.__setattr__(made, "provenance", provenance(["train", "/home/anna/cats.txt", "--out=runs/cats"]))
    made.save()
    train(made, show_progress=False)
    (folder / "text.txt").write_text(TEXT[:700], encoding="utf-8")
    line = {"prompt": "the cat ", "choices": ["sat", "mmm"], "answer": 0}
    (folder / "task.jsonl").write_text((json.dumps(line) + "\n") * 3, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        words = ["card", "runs/cats", "--text", "text.txt", "--task", "task.jsonl", "--license", "mit"]
        assert main([*words, "--language", "en", "--watts", "12.5", "--out", "CARD.md"]) == 0
    return folder


@pytest.fixture
def card(here, monkeypatch):
    monkeypatch.chdir(here)
    return (here / "CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def remembered():
    """What a command said is kept, so that a card is checked many times and the model asked once."""
    said = {}

    def ask_once(words):
        return said[tuple(words)] if tuple(words) in said else said.setdefault(tuple(words), ask(words))

    return ask_once


def altered(number):
    """The last digit of a number, another one."""
    place = max(place for place, sign in enumerate(number) if sign.isdigit())
    return f"{number[:place]}{(int(number[place]) + 1) % 10}{number[place + 1 :]}"


def test_a_true_card_passes_and_says_how_much_it_says(card, here, capsys):
    assert main(["card", "--verify", "CARD.md", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["holds"] and said["wrong"] == [] and said["commands"] == 3
    assert said["statements"] == len(re.findall(r"^\| .* [ABC] `", card, re.MULTILINE)) > 40
    assert main(["card", "--verify", "CARD.md"]) == 0
    assert "all hold" in capsys.readouterr().out
    config = open_folder(here / "runs" / "cats").config
    assert f"{forward_operations(config):.3e}" in card
    assert "anna" not in card + (here / "runs" / "cats" / "run.json").read_text(encoding="utf-8")


ALTERATIONS = {
    "parameters": r"(\| parameters \| )([0-9,]+)",
    "a hash": r"(\| SHA-256 of the weights \| )([0-9a-f]+)",
    "the loss": r"(\| loss, nats per token \| )([0-9.]+)",
    "an interval": r"(\| its interval \(95 %\) \| )([0-9.]+ to [0-9.]+)",
    "the energy": r"(\| kWh \| )([0-9.]+)",
    "the seed": r"(\| seed \| )([0-9]+)",
    "an assumption": r"(\| watts of a core, assumed \| )([0-9.]+)",
    "a command": r"(--grams )([0-9]+)",
    "the header": r"(      value: )([0-9.]+)",
    "a label": r"(its interval \()(95)",
    "the accuracy": r"(\| right \| )([0-9.]+)",
    "a source": r"(Mitchell et al. \()([0-9]+)",
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_one_altered_digit_is_refused(name, card, remembered):
    wrong, count = re.subn(ALTERATIONS[name], lambda found: found[1] + altered(found[2]), card, count=1)
    assert count == 1 and len(wrong) == len(card)
    verdict = verify_card(wrong, remembered)
    assert not verdict.holds and verdict.wrong


def test_no_digit_of_a_card_can_be_another(card, remembered):
    verify_card(card, remembered)
    known = {words: remembered(words) for words in re.findall(r"^- [A-Z]: `minigpt (.*)`$", card, re.MULTILINE)
             for words in [tuple(words.split(" "))]}  # fmt: skip

    def ask_known(words):
        if words not in known:
            raise UserError("another command")
        return known[words]

    for place in (place for place, sign in enumerate(card) if sign.isdigit()):
        for other in {(int(card[place]) + 1) % 10, (int(card[place]) + 9) % 10}:
            with suppress(UserError):
                assert not verify_card(f"{card[:place]}{other}{card[place + 1 :]}", ask_known).holds, card[place - 50 :]


@pytest.mark.parametrize("kind", MEASURED)
def test_what_is_measured_is_written_in_one_way_that_every_machine_agrees_with(kind):
    rng, row = np.random.default_rng(0), Row("", "", "", kind)
    for value in [*10 ** rng.uniform(-2, 6, 2000), 2.9215, 2.92150004, 9.9995, 0.5, 0.0]:
        here, there = value, value * (1 + rng.uniform(-0.99, 0.99) * CLOSE)
        if kind == "about interval":
            here, there = ({"low": one, "high": 3 * one} for one in (here, there))
        written, (_, ways) = _written(row, here)[0], _written(row, there)
        assert written in ways
        assert len(ways) == len({re.sub("[0-9]", "0", way) for way in ways})  # of as many digits there is no other


def test_what_is_recorded_has_no_tolerance():
    row = next(row for row in ROWS["facts"] if row.label == "seconds, as recorded")
    assert _written(row, 571.983) == ("571.983", ("571.983",))


def test_a_card_that_does_not_hold_ends_with_1(card, here, capsys):
    (here / "other.md").write_text(card.replace("| layers | 2 |", "| layers | 3 |"), encoding="utf-8")
    assert main(["card", "--verify", "other.md"]) == 1
    assert capsys.readouterr().out.startswith("layers must be 2: | layers | 2 | A `model.layers` |\n")


@pytest.mark.parametrize("change", [
    lambda card: card + "\nIt is 99 % right.\n",
    lambda card: card.replace("## Limits", "## 7 limits"),
    lambda card: re.sub(r"\| perplexity .*\n", "", card),
    lambda card: card.replace("license: mit", "license: mit-2.0"),
    lambda card: card.replace("library_name: minigpt", "library_name: minigpt\ndownloads: 1000000"),
    lambda card: card.replace("| layers | 2 |", "| layers | two |"),
    lambda card: card.replace("- B: `minigpt evaluate runs/cats text.txt --json`\n", ""),
    lambda card: card.replace("## Model details", "<!--\n## Model details").replace("## Limits", "-->\n## Limits"),
    lambda card: card.replace("## Limits\n", "## Limits\n\nIt is right in &half; of all cases.\n"),
    lambda card: card.replace("## Training\n", "## How well it predicts\n"),
    lambda card: card.replace("## How well it chooses\n", ""),
])  # fmt: skip
def test_a_number_without_its_command_is_refused(change, card, remembered):
    wrong = change(card)
    assert wrong != card
    assert not verify_card(wrong, remembered).holds


def test_words_may_be_added(card, remembered):
    more = card.replace("## Limits\n", "## Limits\n\nIt knows of cats and dogs alone.\n")
    assert verify_card(more, remembered).holds


def test_line_ends_and_a_byte_order_mark_change_nothing(card, remembered):
    assert verify_card("\ufeff" + card.replace("\n", "\r\n"), remembered).holds


def test_a_card_is_of_one_model(card):
    asked = []
    for wrong in (
        card.replace("evaluate runs/cats text.txt", "evaluate smollm2 text.txt"),
        card.replace("- B: `minigpt evaluate runs/cats text.txt --json`", card[card.index("- A: ") :].split("\n")[0]),
    ):
        with pytest.raises(UserError, match="a card is of one model"):
            verify_card(wrong, lambda words: asked.append(words) or {})
    assert not asked


def test_ctrl_c_while_a_command_is_asked_is_no_failure_of_the_card(monkeypatch):
    monkeypatch.setattr("minigpt.cli.main", lambda words: 130)
    with pytest.raises(KeyboardInterrupt):
        ask(["card"])


@pytest.mark.parametrize("command", [
    "train x", "evaluate runs/cats ../secret --json", "evaluate runs/cats /etc/passwd --json",
    "evaluate runs/cats text.txt",
    "card runs/cats --facts --watts 1;ls --grams 2", "bias runs/cats --measure weat --most 3 --json", "--version", "",
    "card runs/cats --facts --watts 1e99 --grams 2", "evaluate ~anna/x text.txt --json", "evaluate -h text.txt --json",
    "bias runs/cats --measure crows-pairs --most 0 --json", "audit runs/cats --pieces 2.5 --json",
])  # fmt: skip
def test_nothing_but_listed_commands_is_run(command, card):
    asked = []
    wrong = card.replace("evaluate runs/cats text.txt --json`", f"{command}`", 1)
    with pytest.raises(UserError):
        kind_of(command.split(" "))
    with pytest.raises(UserError, match="nothing was run"):
        verify_card(wrong, lambda words: asked.append(words) or {})
    assert not asked


def test_other_weights_are_another_model(card, here):
    best = here / "runs" / "cats" / "best.safetensors"
    shutil.copy(best, here / "kept")
    config = open_folder(here / "runs" / "cats").config
    params, progress = load_checkpoint(best, config)
    params.flat[7] += 1e-4
    save_checkpoint(best, config, params, {}, progress)
    try:
        verdict = verify_card(card, ask)
        assert any("SHA-256 of the weights" in line for line in verdict.wrong)
    finally:
        shutil.copy(here / "kept", best)


@pytest.mark.parametrize(("words", "says"), [
    ([], "name a MODEL"),
    (["runs/cats", "--json"], "--json goes with --verify"),
    (["runs/cats", "--text", "../text.txt"], "below this folder"),
    (["runs/cats", "--task", "text.txt"], "is not what --task takes"),
    (["runs/cats", "--text", "task.jsonl"], "is not what --text takes"),
    (["runs/cats", "--language", "English"], "must be a code"),
    (["runs/cats", "--watts", "-1"], "--watts is -1"),
    (["runs/cats", "--out", "CARD.md"], "there already"),
    (["--verify", "CARD.md", "--audit"], "--verify takes a card alone"),
    (["--verify", "text.txt"], "a card lists 1 to 8 commands"),
    (["runs/none"], "runs/none"),
    (["runs/cats", "--text", "none.txt"], "there is no file none.txt"),
    (["runs/cats", "--facts", "--out", "x.md"], "leave --out out"),
    (["runs/cats", "--grams", "1e-12"], "a card keeps 9 digits"),
    (["runs/kätzchen"], "letters without accents"),
])  # fmt: skip
def test_what_cannot_be_meant_is_one_sentence(words, says, card, capsys):
    assert main(["card", *words]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_name_is_written_as_a_card_has_it(card, here, capsys):
    for name in ("./runs/cats", "runs/cats/", str(here / "runs" / "cats")):
        assert main(["card", name, "--watts", "0.000001"]) == 0
        assert "- A: `minigpt card runs/cats --facts --watts 0.000001 --grams 400`\n" in capsys.readouterr().out


def test_the_header_is_what_hugging_face_reads(card, tmp_path):
    yaml = pytest.importorskip("yaml")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] in LICENCES and header["language"] == "en" and header["pipeline_tag"] == "text-generation"
    results = header["model-index"][0]["results"]
    assert [one["type"] for one in results[0]["metrics"]] == ["perplexity", "bits_per_byte"]
    hub = pytest.importorskip("huggingface_hub")
    read = hub.ModelCard(card).data
    assert read.model_name == "runs/cats" and len(read.eval_results) == 3


@pytest.mark.parametrize(("architecture", "reads", "task", "said"), [
    ("decoder", "tokens", None, "text-generation"),
    ("decoder", "tokens", "chat", "text-generation"),
    ("encoder", "tokens", "classify", "text-classification"),
    ("encoder", "images", "classify", "image-classification"),
])  # fmt: skip
def test_the_header_says_what_the_model_does(architecture, reads, task, said):
    facts = {"model": {"architecture": architecture, "input": reads}, "training": {"task": task}}
    lines = header_of([Command("facts", ("card", "runs/x"), facts)], "mit", None)
    assert (f"pipeline_tag: {said}", None) in lines


def test_the_energy_is_time_times_what_is_assumed():
    assert Energy(100.0, 1.5, 200.0).of(3600.0, 2) == {"kilowatt_hours": 0.3, "grams_of_co2": 60.0}


@pytest.mark.parametrize(("word", "kept"), [
    ("/home/anna/cats.txt", "cats.txt"), ("--out=/tmp/anna/run", "--out=run"), ("~/x/cats", "cats"),
    ("runs/cats", "runs/cats"),
    (r"C:\Users\anna\cats.txt", "cats.txt"), ("../cats/", "cats"), ("--steps", "--steps"), ("/", "..."), ("..", ".."),
])  # fmt: skip
def test_a_command_is_kept_without_the_folders_of_people(word, kept):
    assert without_folders(word) == kept


def test_every_row_can_be_written():
    places = [(kind, row.section, row.label) for kind, rows in ROWS.items() for row in rows]
    assert len(places) == len(set(places))
