"""The pages beside the notebooks show what the lessons measured, and nothing else."""

import re

import pytest

from lessons.pages import FIGURES, NUMBER, PAGES, PICTURE, all_pictures, measured, refreshed
from lessons.sources import LESSONS

pages = pytest.mark.parametrize("name", PAGES)


@pages
def test_numbers_and_texts_are_those_of_the_lessons(name):
    page = (LESSONS / name).read_text(encoding="utf-8")
    assert refreshed(page, measured(), {file: picture.text for file, picture in all_pictures().items()}) == page
    said = PICTURE.sub("", NUMBER.sub("", page)).replace("GPT-5.5", "")
    assert not re.findall(r"\d+\.\d+", said), "give each measured number the name that results.json has for it"


def test_figures_are_those_of_the_notebooks():
    kept = {path.name: path.read_bytes() for path in FIGURES.glob("*")}
    assert kept == {picture.file: picture.content for picture in all_pictures().values()}
    assert all(len(content) < 160_000 for content in kept.values())


def test_the_page_on_encoders_and_decoders_is_short_and_drawn():
    page = (LESSONS / "ENCODER_OR_DECODER.md").read_text(encoding="utf-8")
    shown = PICTURE.findall(page)
    assert len(shown) == len(set(shown)) == 5
    assert all((FIGURES / name).exists() for name in shown)
    words = re.sub(r"<!--.*?-->|\]\([^)]*\)", "", PICTURE.sub("", page)).split()
    assert 450 <= len(words) <= 600


def test_a_number_keeps_its_decimals_and_an_unknown_name_is_told():
    page = "It is 2.94<!--L08.a-->, of 3<!--L08.b-->. ![old](figures/x.png)"
    assert refreshed(page, {"L08.a": 1.006, "L08.b": 7.2}, {"x.png": "new"}) == (
        "It is 1.01<!--L08.a-->, of 7<!--L08.b-->. ![new](figures/x.png)"
    )
    with pytest.raises(KeyError, match=r"L08\.b"):
        refreshed(page, {"L08.a": 1.0}, {"x.png": "new"})
