"""The audit: forty claims, each judged with evidence, none counted as measured before it is."""

import json
import re
import tomllib

import pytest

from minigpt.course.audit import COUNTED, MEASURED, NOT_MEASURED
from minigpt.course.claims import load_claims
from minigpt.course.claims_page import claims_page
from minigpt.course.folder import lessons_folder
from minigpt.errors import UserError

MARKS = {"SUPPORTED", "PARTLY", "UNVERIFIABLE", "CONTRADICTED", "INCONSISTENT", "NOT IN THE CARD"}


@pytest.fixture(scope="module")
def audit():
    """What is committed."""
    return load_claims()


@pytest.fixture
def copy(tmp_path):
    """A function that writes lessons/claims.toml with one text replaced, and results, into a folder of its own."""

    def write(old="", new="", results=()):
        text = (lessons_folder() / "claims.toml").read_text(encoding="utf-8")
        assert old in text
        (tmp_path / "claims.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
        (tmp_path / "results.json").write_text(json.dumps(list(results)), encoding="utf-8")
        return tmp_path

    return write


def row(name, value, above=None, below=None):
    return {"lesson": "02_self_attention", "name": name, "value": value, "above": above, "below": below}


def test_there_are_forty_claims_in_order_and_ten_facts(audit):
    assert [claim.id for claim in audit.claims] == [f"C{number:02}" for number in range(1, 41)]
    assert [fact.number for fact in audit.facts] == list(range(1, 11))
    assert set(audit.verdicts) == MARKS
    assert len({claim.claim for claim in audit.claims}) == 40


def test_what_the_audit_found(audit):
    having = {mark: {claim.id for claim in audit.claims if mark in claim.marks} for mark in MARKS}
    assert having["SUPPORTED"] == {"C10", "C15", "C16", "C25", "C32", "C33", "C34", "C39"}
    assert having["INCONSISTENT"] == {"C02", "C03", "C08", "C39"}
    assert {"C09", "C11", "C17", "C18"} <= having["CONTRADICTED"]
    assert not any(fact.full for fact in audit.facts)
    assert [fact.number for fact in audit.facts if fact.part] == [4]


def test_an_undisclosed_design_is_never_called_disproved(audit):
    for name in ("C09", "C17", "C18"):
        claim = audit.claim(name)
        assert claim.verdict == "NOT IN THE CARD / CONTRADICTED by the family"
        assert "ndisclosed for 5.5" in claim.why


def test_every_experiment_answers_a_claim_and_belongs_to_one_of_31(audit):
    used = {name for claim in audit.claims for name in claim.experiments}
    assert used == set(audit.experiments)
    assert {name[:3] for name in used} == {f"E{number:02}" for number in range(1, 32)}


def test_every_reference_is_cited(audit):
    data = tomllib.loads((lessons_folder() / "claims.toml").read_text(encoding="utf-8"))
    cited = {source for claim in audit.claims for source in claim.sources}
    assert cited == set(data["references"].values())


def test_what_no_lesson_has_recorded_is_not_measured(copy):
    audit = load_claims(copy(results=[row("E08.relu_zeros", 0.6, above=0.3)]))
    statuses = {claim.id: claim.status for claim in audit.claims}
    assert statuses.pop("C11") == "partly measured"
    assert set(statuses.values()) == {NOT_MEASURED}
    assert NOT_MEASURED == "not yet measured"


def test_what_was_counted_by_hand_is_told_from_what_was_measured(audit):
    kinds = {claim.id: claim.kind for claim in audit.claims}
    assert {name for name, kind in kinds.items() if kind == COUNTED} == {"C01", "C02", "C03", "C04", "C40"}
    assert set(kinds.values()) == {COUNTED, MEASURED}
    assert (audit.with_numbers(COUNTED), audit.with_numbers(MEASURED)) == (5, 35)
    assert [row["kind"] for row in audit.claim("C10").to_dict()["measures"]] == [MEASURED] * 4
    table = claims_page(audit).split("## All claims")[1].split("##")[0]
    said = {cells[1].strip()[1:4]: cells[4].strip() for line in table.splitlines() if len(cells := line.split("|")) > 6}
    assert {name: kind for name, kind in said.items() if name in kinds} == kinds


def test_without_results_no_claim_has_numbers_of_either_kind(copy):
    audit = load_claims(copy())
    assert (audit.with_numbers(COUNTED), audit.with_numbers(MEASURED)) == (0, 0)


def test_a_value_in_the_toml_does_not_count_as_measured(copy):
    measure = 'name = "E07.learned_accuracy", '
    audit = load_claims(copy(measure, measure + "value = 1.0, "))
    assert audit.claim("C10").measures[0].value is None


def test_the_band_of_the_lesson_replaces_the_expected_one(copy):
    before = load_claims(copy()).claim("C10").measures[0]
    assert (before.value, before.band, before.shown_value) == (None, "at least 0.9", NOT_MEASURED)
    after = load_claims(copy(results=[row("E07.learned_accuracy", 0.99, above=0.95)])).claim("C10").measures[0]
    assert after.reading == "learned_accuracy 0.99 (at least 0.95)"


@pytest.mark.parametrize(("value", "outside"), [(0.29, True), (0.3, False), (0.6, False), (0.61, True)])
def test_a_number_outside_of_its_band_says_so(copy, value, outside):
    audit = load_claims(copy(results=[row("E07.learned_accuracy", value, above=0.3, below=0.6)]))
    assert ("outside of its band" in audit.claim("C10").measures[0].shown_value) == outside
    assert ("outside of its band" in claims_page(audit)) == outside


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('verdict = "INCONSISTENT"', 'verdict = ""', "C02 has no verdict"),
        ('verdict = "INCONSISTENT"', 'verdict = "wrong"', "'wrong', has no mark"),
        ('sources = ["The article"]', "sources = []", "C03 has no sources"),
        ('sources = ["The article"]', 'sources = ["hearsay"]', "C03 names 'hearsay', which is not in [references]"),
        ('grade = ["P"]', "", "C01 has no grade"),
        ('grade = ["P"]', 'grade = "P"', "C01 has no grade"),
        ("number = 1\n", 'number = "one"\n', "a fact is"),
        ('"Kimi K2" = "Moonshot', '"Kimi K2" = 2025 # "Moonshot', "a value of [references] is not text"),
        ('grade = ["P"]', 'grade = ["X"]', "C01 names 'X', which is not in [grades]"),
        ('experiments = ["E02"]', 'experiments = ["E99"]', "C05 names 'E99', which is not in [experiments]"),
        ('name = "E07.learned_accuracy"', 'name = "E08.learned_accuracy"', "C10 measures 'E08.learned_accuracy'"),
        (", above = 0.9 }", " }", "E07.learned_accuracy has no band"),
        ('where = "both"', 'where = "title"', "C01 stands in 'title'"),
        ('id = "C02"', 'id = "C01"', "two claims are called C01"),
        ('part = ["C23"]', 'part = ["C99"]', "names claim C99"),
        ("[[claim]]", "[[claim]", "could not be read"),
        ("[[fact]]", "[[facts]]", "a fact"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(copy, old, new, said):
    if said == "a fact":
        folder = copy('text = "Nearly 200', 'words = "Nearly 200')
    elif "no band" in said:
        text = 'what = "recall with learned attention (chance 0.125)"'
        folder = copy(text + old, text + new)
    else:
        folder = copy(old, new)
    with pytest.raises(UserError, match=re.escape(said)):
        load_claims(folder)


def test_damaged_results_are_refused(copy):
    with pytest.raises(UserError, match=r"results\.json: lesson must be a string"):
        load_claims(copy(results=[{"name": "E07.learned_accuracy"}]))


def test_the_page_is_up_to_date(audit):
    committed = (lessons_folder() / "CLAIMS.md").read_text(encoding="utf-8")
    assert committed == claims_page(audit), "run `python -m lessons.build` to write lessons/CLAIMS.md again"


def test_the_page_holds_every_claim_and_its_anchors_lead_somewhere(audit):
    page = claims_page(audit)
    for claim in audit.claims:
        section = page.split(f"### {claim.id}\n")[1].split("\n### ")[0]
        assert claim.claim in section
        assert f"**Verdict.** {claim.verdict}" in section
    headings = {line[4:].lower() for line in page.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\(#(\w+)\)", page)) == headings
    cells = {line.count("|") for line in page.split("## All claims")[1].split("##")[0].strip().splitlines()}
    assert cells == {7}


def test_an_experiment_that_has_run_records_the_measures_of_its_claims(audit):
    rows = json.loads((lessons_folder() / "results.json").read_text(encoding="utf-8"))
    names = {row["name"] for row in rows}
    ran = {name.split(".")[0] for name in names}
    promised = {one.name for claim in audit.claims for one in claim.measures if one.name.split(".")[0] in ran}
    assert promised <= names
