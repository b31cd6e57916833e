"""Posts of newsgroups: a group and words on each line, and among those of science whether it was medicine."""

from collections import Counter

import pytest
from conftest import published

from minigpt.errors import UserError
from minigpt.finetune.newsgroups import FILES, HEADER, NEWSGROUPS, read_medical, read_newsgroups


@pytest.fixture
def folder(tmp_path):
    for part, file in FILES.items():
        posts = [f"sci.med\ta pill {part}", "sci.space\ta moon", "rec.autos\ta car", ""]
        (tmp_path / file).write_text("\n".join([*HEADER, *posts]), encoding="utf-8")
    return tmp_path


def test_a_line_is_a_post(folder):
    found = read_newsgroups(folder)
    assert [record.values for record in found["test"]] == [
        {"text": "a pill test", "label": "sci.med"},
        {"text": "a moon", "label": "sci.space"},
        {"text": "a car", "label": "rec.autos"},
    ]
    assert [record.place for record in found[""]] == [f"20newsgroups-train.tab, line {n}" for n in (4, 5, 6)]


def test_medicine_stands_among_the_groups_of_science(folder):
    assert [record.values["label"] for record in read_medical(folder)[""]] == ["medicine", "other science"]


@pytest.mark.parametrize(
    "text", ["Category\tText\n", "\n".join([*HEADER, "sci.med a pill"]), "\n".join([*HEADER, "x\t "])]
)
def test_what_is_no_such_file_is_refused(folder, text):
    (folder / FILES["test"]).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"20newsgroups-test\.tab"):
        read_newsgroups(folder)


def test_what_is_published_is_as_we_read_it():
    found = read_newsgroups(published(NEWSGROUPS))
    assert {part: len(records) for part, records in found.items()} == {"": 11293, "test": 7528}
    assert len(Counter(record.values["label"] for record in found[""])) == 20
    medical = read_medical(published(NEWSGROUPS))
    counted = {
        part: Counter(record.values["label"] for record in records)["medicine"] for part, records in medical.items()
    }
    assert counted == {"": 594, "test": 396}
