"""What a model remembers is found, and what it has not read is not."""

import json
import string
from dataclasses import replace

import numpy as np
import pytest
from conftest import thorough

from minigpt import Corpus, TrainSettings, UserError, causal_lm, objectives, open_model, prepare_run
from minigpt.cli import main
from minigpt.privacy import area_under_curve, audit_run, exposure, extracted, plant, read_canaries
from minigpt.privacy.audit import AuditSettings
from minigpt.privacy.canaries import Canary, chance, make_canaries, write_canaries
from minigpt.privacy.membership import hits, token_nats
from minigpt.privacy.report import lines_of
from minigpt.train import train

LETTERS = "abcdefgh xyz"
FEW = AuditSettings(pieces=40, length=24, given=8, others=63)


def made_run(path, steps):
    """A run on a text without rule, short enough to be learnt by heart; held out is more of the kind."""
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list(LETTERS), 1200))
    canaries = make_canaries([0, 10], 3, np.random.default_rng(1))
    lines = (
        "\n".join(text[start : start + 60] for start in range(0, len(text), 60))
        + f"\n{string.digits}{string.ascii_letters}\n"
    )
    planted = plant(lines, canaries, rng)
    unseen = "".join(rng.choice(list(LETTERS), 1200))
    folder = prepare_run(
        path,
        Corpus("letters", (planted,), (unseen,)),
        tokenizer="characters",
        changes={"layers": 1, "width": 64, "heads": 4, "context": 48},
        settings=TrainSettings(steps=steps, batch=16, learning_rate=6e-3, validate_every=steps, validation_windows=8),
        progress=False,
    )
    train(folder, show_progress=False)
    write_canaries(path / "canaries.json", canaries)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By name: one that knows its text by heart, and one that has hardly begun."""
    where = tmp_path_factory.mktemp("audited")
    return {name: made_run(where / name, steps) for name, steps in (("by heart", 400), ("begun", 2))}


def audited(path, **options):
    return audit_run(open_model(path, checkpoint="last"), FEW, read_canaries(path / "canaries.json"), **options)


@thorough
def test_a_text_that_is_known_by_heart_is_told_and_one_that_is_not_is_not(runs):
    knows, begun = audited(runs["by heart"]), audited(runs["begun"])
    for guess in ("loss", "loss over compressed size", "least likely tokens"):
        assert knows["membership"][guess]["area"]["low"] > 0.8, guess
        area = begun["membership"][guess]["area"]
        assert area["low"] < 0.6 and area["high"] > 0.4, guess
    for report in (knows, begun):  # the texts do not differ by themselves
        area = report["membership"]["without the model"]["area"]
        assert area["low"] < 0.6 and area["high"] > 0.4
    assert knows["extraction"]["seen"]["whole"]["low"] > 0.3
    assert knows["extraction"]["seen"]["whole"]["value"] > begun["extraction"]["seen"]["whole"]["high"]
    assert knows["extraction"]["unseen"]["whole"]["value"] == 0 and knows["held_out_in_training"] == 0
    assert knows["extraction"]["unseen"]["whole"]["high"] > 0  # none of forty is not never


def test_planted_numbers_are_exposed_and_others_are_not(runs):
    never, often = audited(runs["by heart"])["canaries"]
    assert (never["times"], never["in_training"]) == (0, 0)
    assert (often["times"], often["in_training"]) == (10, 10)
    assert often["exposure"]["value"] > 4 > never["exposure"]["value"]  # of log2(64) = 6 bits at most
    assert max(often["exposures"]) <= 6 and min(never["exposures"]) >= 0


def test_the_same_seed_measures_the_same(runs):
    opened, settings = open_model(runs["begun"]), AuditSettings(pieces=20, length=12, given=4)
    assert audit_run(opened, settings) == audit_run(opened, settings)


@pytest.mark.parametrize("others", [1, 4, 1023])
def test_what_was_never_planted_is_as_likely_at_every_rank(others):
    ranks = others + 1
    assert chance(others) == pytest.approx(np.mean([np.log2(ranks / rank) for rank in range(1, ranks + 1)]))


def test_exposure_counts_those_that_are_likelier(runs):
    opened = open_model(runs["begun"])
    canary = Canary("The secret number of Ab is", " 000001", 0)
    found = [
        exposure(opened.model, opened.params, opened.tokenizer, canary, others=others, rng=np.random.default_rng(0))
        for others in (1, 15)
    ]
    assert found[0] in (0.0, 1.0) and 0 <= found[1] <= 4


def test_surprise_is_that_of_the_loss(runs):
    opened = open_model(runs["by heart"])
    rows = np.asarray(opened.run.tokens("training")[: 25 * 20].reshape(20, 25), np.int64)
    nats = token_nats(opened.model, opened.params, rows)
    assert nats.shape == (20, 24)
    assert nats.mean() == pytest.approx(objectives.loss(opened.model, opened.params, causal_lm(rows)), rel=1e-5)


def test_a_row_is_extracted_only_to_its_last_token(runs):
    opened = open_model(runs["by heart"])
    rows = np.asarray(opened.run.tokens("training")[:480].reshape(20, 24), np.int64)
    known = rows[extracted(opened.model, opened.params, rows, 8)]
    assert len(known) > 3
    changed = known.copy()
    changed[:, -1] = (changed[:, -1] + 1) % opened.tokenizer.vocabulary_size
    assert not extracted(opened.model, opened.params, changed, 8).any()


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    seen, unseen = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 30).astype(float)
    pairs = (seen[:, None] > unseen).mean() + (seen[:, None] == unseen).mean() / 2
    assert area_under_curve(seen, unseen) == pytest.approx(pairs)
    assert area_under_curve(unseen, seen) == pytest.approx(1 - pairs)
    assert hits(np.array([1.0, 5.0, 6.0]), np.arange(5.0), alarms=0.25) == pytest.approx(2 / 3)


def test_planting_counts_and_stays_in_the_first_four_fifths():
    text = "".join(f"line {n}\n" for n in range(200))
    canaries = make_canaries([0, 1, 7], 2, np.random.default_rng(0))
    planted = plant(text, canaries, np.random.default_rng(1))
    assert [planted.count(canary.sentence) for canary in canaries] == [0, 0, 1, 1, 7, 7]
    assert planted.index("line 165") > max(planted.rfind(canary.sentence) for canary in canaries)
    assert "".join(line for line in planted.splitlines(True) if "secret" not in line) == text
    assert len({canary.beginning for canary in canaries}) == 6


@pytest.mark.parametrize(("content", "says"), [
    ("[]", "does not hold what minigpt expects"),
    ('{"format": "x", "canaries": []}', "no list of canaries"),
    ('{"format": "minigpt canaries 1", "canaries": [{"beginning": "a"}]}', "a canary has beginning, secret, times"),
    ('{"format": "minigpt canaries 1", "canaries": [{"beginning": "a", "secret": " 12x", "times": 1}]}', "12x"),
    ('{"format": "minigpt canaries 1", "canaries": [{"beginning": "a", "secret": " 12", "times": -1}]}', "times"),
])  # fmt: skip
def test_a_file_that_lists_no_canaries_is_refused(content, says, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=says) as refused:
        read_canaries(path)
    assert "some.json" in str(refused.value)


@pytest.mark.parametrize(("changes", "says"), [
    ({"pieces": 3}, "pieces is 3"),
    ({"length": 1}, "length is 1"),
    ({"given": 64}, "given is 64, but it must be less than the length"),
    ({"seed": -1}, "seed is -1"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        AuditSettings(**changes)


def test_a_text_that_is_too_short_or_a_context_is_refused(runs):
    opened = open_model(runs["begun"])
    with pytest.raises(UserError, match="given is 50, but this model sees 48 tokens"):
        audit_run(opened, AuditSettings(given=50))
    folder = opened.run
    short = np.asarray(folder.tokens("validation"))[:300]

    class Short:
        path, check_writes = folder.path, folder.check_writes

        def tokens(self, which):
            return folder.tokens(which) if which == "training" else short

    with pytest.raises(UserError, match="300 tokens, too few for 20 pieces of 48"):
        audit_run(replace(opened, run=Short()), AuditSettings(given=8))


def test_plant_train_and_audit_from_the_command_line(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"line {n} of a text\n" for n in range(100))
    (tmp_path / "my.txt").write_text(text, encoding="utf-8")
    assert main(["corpus", "plant", "my.txt", "planted.txt", "--times", "0", "3", "--each", "2"]) == 0
    assert "minigpt audit RUN --canaries planted.canaries.json" in capsys.readouterr().out
    assert [canary.times for canary in read_canaries("planted.canaries.json")] == [0, 0, 3, 3]
    assert main(["corpus", "plant", "my.txt", "planted.txt"]) == 2
    assert "planted.txt is there already" in capsys.readouterr().err
    (tmp_path / "my.jsonl").write_text('{"text": "a"}\n' * 9, encoding="utf-8")
    assert main(["corpus", "plant", "my.jsonl", "other.txt"]) == 2
    assert "my.jsonl is JSON Lines" in capsys.readouterr().err
    for more in (["--each", "20000"], ["--times", "1000000000"]):
        assert main(["corpus", "plant", "my.txt", "other.txt", *more]) == 2
        assert "are too many; at most" in capsys.readouterr().err
    assert not (tmp_path / "other.txt").exists()
    few = ["--pieces", "20", "--length", "24", "--given", "8"]
    run, listed = str(runs["begun"]), str(runs["begun"] / "canaries.json")
    canaries = ["--canaries", listed, "--others", "15"]
    assert main(["audit", run, *few, *canaries, "--figure", "audit.png", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pieces"] == 20 and len(report["canaries"]) == 2
    assert (tmp_path / "audit.png").read_bytes().startswith(b"\x89PNG")
    assert report["times_read"] == pytest.approx(
        2 * 16 * 48 / len(open_model(runs["begun"], checkpoint="last").run.tokens("training"))
    )
    assert main(["audit", run, *few]) == 0
    said = capsys.readouterr().out
    assert "without the model" in said and "held out: the control" in said and "Canaries" not in said
    assert main(["audit", run, "--figure", "audit.png"]) == 2
    assert "audit.png is there already" in capsys.readouterr().err
    for more, says in (
        (["--others", "5"], "--others changes nothing without --canaries"),
        (["--figure", "audit.pdf"], "audit.pdf would hold a PNG"),
        (["--length", "999"], "length is 999, but this model sees"),
    ):
        assert main(["audit", run, "--pieces", "20", *more]) == 2
        assert says in capsys.readouterr().err
    (runs["begun"] / "best.safetensors").rename(tmp_path / "best.safetensors")
    assert main(["audit", run, *few]) == 2
    assert "take the last one (--checkpoint last)" in capsys.readouterr().err
    (tmp_path / "best.safetensors").rename(runs["begun"] / "best.safetensors")


def test_the_report_says_if_no_canary_was_trained_on(tmp_path):
    path = made_run(tmp_path / "run", 2)
    known = read_canaries(path / "canaries.json")
    others = [canary._replace(beginning=canary.beginning.replace("secret", "other")) for canary in known]
    for canaries, says in ((known, False), (others, True)):
        report = audit_run(open_model(path, checkpoint="last"), FEW, canaries)
        assert ("None stands in the training text" in lines_of(report)) is says
