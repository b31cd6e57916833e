"""Where the lessons are found."""

from pathlib import Path

import pytest

from minigpt.course import folder
from minigpt.course.folder import lessons_folder
from minigpt.errors import UserError


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working folder without lessons, and a package that stands alone in another."""
    (tmp_path / "here").mkdir()
    (tmp_path / "site" / "minigpt").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "site" / "minigpt" / "course" / "folder.py"))
    return tmp_path


def lessons_at(path):
    path.mkdir(parents=True)
    (path / "claims.toml").write_text("", encoding="utf-8")


def test_the_nearest_folder_is_taken(elsewhere):
    lessons_at(elsewhere / "site" / "minigpt" / "lessons")
    assert lessons_folder() == elsewhere / "site" / "minigpt" / "lessons"
    lessons_at(elsewhere / "site" / "lessons")
    assert lessons_folder() == elsewhere / "site" / "lessons"
    lessons_at(elsewhere / "here" / "lessons")
    assert lessons_folder() == Path("lessons")


def test_some_other_folder_called_lessons_is_not_taken(elsewhere):
    (elsewhere / "here" / "lessons").mkdir()
    lessons_at(elsewhere / "site" / "minigpt" / "lessons")
    assert lessons_folder() == elsewhere / "site" / "minigpt" / "lessons"


def test_none_at_all_is_the_users_to_mend(elsewhere):
    with pytest.raises(UserError, match="no folder lessons"):
        lessons_folder()
