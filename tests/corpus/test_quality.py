"""Rules, languages and the classifier."""

import numpy as np
import pytest
from conftest import require, thorough

from minigpt import UserError
from minigpt.corpus import Languages, Quality, Rules
from minigpt.corpus import classifier as module
from minigpt.corpus.rules import RULES
from minigpt.measure.rivals import loss_and_gradient

GOOD = (
    "The fox met a hen in the yard and asked her for an egg. She said that she would be glad to have a guest, but her "
    "eggs were with the farmer. So he went to find him, and on his way he saw three geese at the pond. They told him "
    "that the farmer had gone to market with all of them."
)

SPOILT = {  # a rule, and a text that breaks it alone or first, under which set
    "words": ("plain", "Only four words here"),
    "unreadable characters": ("plain", GOOD + "\ufffd\x00" * 10),
    "mean word length": ("web", " ".join(word * 4 for word in GOOD.split())),
    "symbols (# and ...) for each word": ("plain", GOOD.replace(" the", " #the ...")),
    "words with a letter": ("plain", " ".join(f"{word} 1{place} {place}2" for place, word in enumerate(GOOD.split()))),
    "lines that begin with a bullet": ("web", "- " + GOOD.replace(". ", ".\n- ")),
    "lines that end in an ellipsis": ("web", GOOD.replace(". ", ". …\n")),
    "stop words (English)": (
        "web",
        "Der Fuchs traf eine Henne. Sie sprach mit ihm. Er fragte sie. "
        + "Wort Satz " * 0
        + " ".join(f"Tier{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(50)),
    ),
    "sentences": ("web", GOOD.replace(".", ",")),
    "curly brackets": ("web", GOOD + " {"),
    "lorem ipsum": ("plain", GOOD + " Lorem Ipsum dolor sit amet."),
    "repeated lines": ("plain", GOOD.replace(". ", ".\n") + "\n-" * 5),
    "characters of repeated lines": ("plain", GOOD + "\n" + GOOD + "\n" + "\n".join("abcdefgh")),
    "characters of the most frequent 2 words": ("plain", " ".join(f"buy now {word}" for word in GOOD.split())),
    "characters of repeated 5 words": ("plain", GOOD + " he went to find him, and on his way he saw three geese"),
}


@pytest.mark.parametrize("rule", SPOILT)
def test_a_rule_takes_what_breaks_it(rule):
    name, text = SPOILT[rule]
    finding = Rules(name).judge(text)
    assert finding is not None and finding.rule == rule
    assert "allowed" in finding.reason


@pytest.mark.parametrize("name", ["none", "plain", "web"])
def test_good_text_passes_and_none_takes_nothing(name):
    assert Rules(name).judge(GOOD) is None
    assert Rules("none").judge("") is None


def test_bounds_are_published_ones_and_can_be_changed():
    bounds = {row["rule"]: (row["least"], row["most"]) for row in Rules("web").table()}
    assert bounds["words"] == ("50", "100000") and bounds["mean word length"] == ("3", "10")
    assert [bounds[f"characters of repeated {n} words"][1] for n in range(5, 11)] == [
        "0.15",
        "0.14",
        "0.13",
        "0.12",
        "0.11",
        "0.1",
    ]
    assert Rules("web", min_words=70).judge(GOOD).rule == "words"
    assert all(rule.source for rule in RULES)
    for wrong in ({"name": "nothing"}, {"name": "none", "min_words": 3}, {"name": "plain", "min_words": -1}):
        with pytest.raises(UserError):
            Rules(**wrong)


TEXTS = {
    "english": ["the cat sat on the mat and that was what they wanted with all the others", GOOD],
    "german": ["der Hund lief über die Straße und wollte nicht mehr nach Hause gehen, weil es ihm dort zu still war"],
    "greek": ["ο σκύλος έτρεξε στο δρόμο και δεν ήθελε να γυρίσει σπίτι"],
}


def test_languages_are_told_apart_by_what_there_is():
    languages = Languages.train(TEXTS)
    assert languages.guess("what was that which they said to the cat and the others").language == "english"
    assert languages.guess("weil der Hund nicht über die Straße laufen wollte").language == "german"
    guess = languages.guess("ήθελε να γυρίσει στο σπίτι του ο σκύλος")
    assert guess.language == "greek" and guess.margin > 1
    assert languages.guess("12 34 !? ok").language == "unknown"


def test_languages_come_from_folders_and_unknown_ones_are_refused(tmp_path):
    for name, texts in TEXTS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("\n".join(texts), encoding="utf-8")
    languages = Languages.from_folder(tmp_path)
    assert sorted(languages.profiles) == sorted(TEXTS)
    with pytest.raises(UserError, match="no profile of 'klingon'; choose of english, german, greek"):
        languages.check(["german", "klingon"])
    with pytest.raises(UserError, match="has 0 folders"):
        Languages.from_folder(tmp_path / "german")


SPOKEN = {
    "german": "Gestern habe ich mit meiner Schwester über das neue Haus gesprochen",
    "english": "Yesterday I spoke with my sister about the new house",
    "french": "Hier j'ai parlé avec ma sœur de la nouvelle maison",
    "spanish": "Ayer hablé con mi hermana sobre la casa nueva",
    "russian": "Вчера я говорил с сестрой о новом доме",
    "turkish": "Dün kız kardeşimle yeni ev hakkında konuştum",
}


@thorough
def test_languages_are_learnt_from_dialogues_that_can_be_fetched():
    try:
        languages = Languages.of_dialogues()
    except UserError as error:
        require(False, str(error))
        raise
    assert {name: languages.guess(text).language for name, text in SPOKEN.items()} == {name: name for name in SPOKEN}


def example(rng, kind):
    common = [f"c{number}" for number in rng.integers(0, 300, 25)]
    own = [f"{kind}{number}" for number in rng.integers(0, 20, rng.integers(2, 6))]
    return " ".join(rng.permutation([*common, *own]))


def test_the_classifier_learns_which_words_are_of_good_text():
    rng = np.random.default_rng(2)
    good, bad = ([example(rng, kind) for _ in range(150)] for kind in ("good", "bad"))
    quality = Quality.train(good, bad, rng)
    assert quality.held_out == 60 and quality.accuracy > 0.9 and quality.area > 0.95
    scores = [quality.score(example(rng, kind)) for kind in ("good", "bad")]
    assert scores[0] > 0.5 > scores[1]
    swapped = Quality.train(rng.permutation(good + bad)[:150].tolist(), bad, rng)
    assert swapped.area < quality.area
    with pytest.raises(UserError, match="19 bad texts"):
        Quality.train(good, bad[:19], rng)


def test_the_gradient_of_the_classifier_is_that_of_its_loss(monkeypatch):
    monkeypatch.setattr(module, "BITS", 5)
    rng = np.random.default_rng(4)
    rows = module.features([example(rng, "x") for _ in range(7)])
    targets, counts = rng.integers(0, 3, 7), rng.random(7)
    weights = rng.normal(size=(33, 3))
    loss, gradient = loss_and_gradient(weights, rows, targets, counts, 0.7)
    for place in [*rng.permutation(99)[:12].tolist(), 98]:
        step = np.zeros(99)
        step[place] = 1e-5
        step = step.reshape(33, 3)
        more, less = (loss_and_gradient(weights + sign * step, rows, targets, counts, 0.7)[0] for sign in (1, -1))
        assert gradient.flat[place] == pytest.approx((more - less) / 2e-5, abs=1e-9)
    assert np.isfinite(loss)
