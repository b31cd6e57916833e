"""How far something has come: a bar on a terminal, now and then a line in a log."""

import sys

import numpy as np
import pytest
from tiny_run import make_run
from tqdm import tqdm

from minigpt import progress
from minigpt.cli import reports
from minigpt.progress import Lines, progress_bar
from minigpt.train import TextData, open_run, train


@pytest.fixture
def clock(monkeypatch):
    """Every look at the clock is a second later."""
    times = iter(range(10**6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(times)))


def test_a_terminal_gets_a_bar_and_whoever_wants_none_gets_none(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = progress_bar([1, 2], disable=True)
    assert isinstance(bar, Lines) and list(bar) == [1, 2]
    with progress_bar(total=3) as bar:
        assert isinstance(bar, tqdm)


def test_a_log_gets_a_line_every_ten_seconds(clock, capsys):
    bar = progress_bar(range(25), desc="encoding", unit=" documents")
    assert isinstance(bar, Lines) and list(bar) == list(range(25))
    said = capsys.readouterr().err.splitlines()
    assert said == ["encoding: 10 of 25 documents, 10 s", "encoding: 20 of 25 documents, 20 s"]


def test_who_wants_no_bar_gets_no_lines(clock, capsys):
    assert list(progress_bar(range(25), disable=True)) == list(range(25))
    assert capsys.readouterr().err == ""


def test_a_training_in_a_log_has_plain_lines(clock, tmp_path, capsys):
    train(make_run(tmp_path, steps=30))
    said = capsys.readouterr().err
    assert "\r" not in said and said.startswith("training: ") and "of 30, " in said and "tokens/s" in said
    assert said.count("\n") <= 10


def test_of_a_long_held_out_text_a_part_is_scored_and_that_is_said(tmp_path, monkeypatch, capsys):
    folder = make_run(tmp_path, steps=30)
    train(folder, show_progress=False)
    whole = reports.final_report(folder, TextData(folder))
    assert whole.measured == "Bits per byte of the held-out text (less is better)"
    monkeypatch.setattr(reports, "LEAST_SCORED", 200)
    monkeypatch.setattr(reports, "OPERATIONS", 0)
    monkeypatch.setattr(reports, "STRETCHES", 4)
    part = reports.final_report(folder, TextData(folder))
    assert "this model on 200 of its 501 tokens, evenly spread" in part.text()
    assert part.nats_per_token == pytest.approx(whole.nats_per_token, rel=0.2) and part.baselines == whole.baselines
    run, seen = open_run(tmp_path), []
    monkeypatch.setattr(reports, "mean_loss", lambda model, params, tokens, **more: seen.append(tokens) or 1.0)
    held_out = np.arange(501)
    assert reports._loss(run, held_out)[0] == 1.0
    assert len(seen) == 4 and seen[0][0] == 0 and seen[-1][-1] == 500 and all(len(tokens) == 50 for tokens in seen)
