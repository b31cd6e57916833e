"""`minigpt lessons DIR`: a student gets the course, and never loses what they wrote."""

import errno
import os

import pytest

from lessons.sources import LESSONS, lesson_sources
from minigpt import UserError, files
from minigpt.cli import main
from minigpt.course import folder
from minigpt.course.handout import copy_lessons

NAMES = [path.stem for path in lesson_sources()]
PAGES = {
    path.relative_to(LESSONS).as_posix() for pattern in ("*.md", "figures/*.png") for path in LESSONS.glob(pattern)
}
COURSE = {*PAGES, *(f"{name}.ipynb" for name in NAMES), *(f"exercises/{name}.py" for name in NAMES)}
SOLUTIONS = {f"solutions/{name}.py" for name in NAMES}


def inside(top):
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("flags", "wanted"), [((), COURSE), (("--solutions",), COURSE | SOLUTIONS)])
def test_the_course_is_copied_to_the_byte(tmp_path, flags, wanted, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["lessons", "new/my course", *flags]) == 0
    course = tmp_path / "new" / "my course"
    assert inside(course) == wanted
    assert all((course / name).read_bytes() == (LESSONS / name).read_bytes() for name in wanted)
    said = capsys.readouterr().out
    assert f"copied {len(wanted)} files to new/my course" in said
    assert "was there already" not in said
    quote = '"' if os.name == "nt" else "'"
    exercise = os.path.join("new/my course", "exercises", "00_reading_the_article.py")
    assert f"minigpt grade {quote}{exercise}{quote}" in said.replace("/", os.sep).replace("\\", os.sep)


def test_what_is_there_is_left_alone_and_named_and_only_the_rest_is_copied(tmp_path, capsys):
    mine = tmp_path / "exercises" / "05_backprop.py"
    mine.parent.mkdir()
    mine.write_text("# my work\n", encoding="utf-8")
    assert main(["lessons", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"copied {len(COURSE) - 1} files" in said
    assert f"was there already, and left alone:\n  {mine}\nNext:" in said
    assert inside(tmp_path) == COURSE
    (tmp_path / "CLAIMS.md").unlink()
    (tmp_path / "README.md").write_text("notes", encoding="utf-8")
    copied, kept = copy_lessons(tmp_path)
    assert copied == [tmp_path / "CLAIMS.md"]
    assert len(kept) == len(COURSE) - 1
    assert mine.read_text(encoding="utf-8") == "# my work\n"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "notes"


def test_a_link_that_leads_nowhere_is_something_too(tmp_path):
    link = tmp_path / "README.md"
    try:
        link.symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("this user may not make links")
    assert link in copy_lessons(tmp_path)[1]
    assert link.is_symlink()


def test_a_copied_stub_is_graded_as_the_courses_own(tmp_path, capsys):
    copy_lessons(tmp_path)
    assert main(["grade", str(tmp_path / "exercises" / "00_reading_the_article.py")]) == 1
    assert capsys.readouterr().out.count("is not written yet") == 2


def test_a_folder_that_is_none_is_the_users_to_mend(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    for name, said in ((str(file), "is a file, but"), (str(file / "below"), "could not write"), ("", "is empty")):
        assert main(["lessons", name]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_no_more_leaves_no_half_of_a_file(tmp_path, monkeypatch, fault):
    written = []

    def sync(descriptor):
        written.append(descriptor)
        if len(written) > 6:
            raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", sync)
        with pytest.raises(UserError, match=f"could not write .*: {os.strerror(fault)}"):
            copy_lessons(tmp_path)
    before = inside(tmp_path)
    assert before < COURSE
    assert all((tmp_path / name).read_bytes() == (LESSONS / name).read_bytes() for name in before)
    copy_lessons(tmp_path)
    assert inside(tmp_path) == COURSE


def test_lessons_that_did_not_come_with_the_package_are_missed(tmp_path, monkeypatch):
    """Not those of the working folder, which a student may have changed."""
    (tmp_path / "site" / "minigpt" / "lessons").mkdir(parents=True)
    monkeypatch.chdir(LESSONS.parent)
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "site" / "minigpt" / "course" / "folder.py"))
    with pytest.raises(UserError, match="install minigpt again"):
        copy_lessons(tmp_path / "new")
    (tmp_path / "site" / "minigpt" / "lessons" / "claims.toml").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds no \*\.ipynb"):
        copy_lessons(tmp_path / "new")
