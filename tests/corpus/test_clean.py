"""`minigpt corpus clean`: what comes out, after kills as without, and what is refused."""

import gzip
import json
import os
import random
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import thorough

from minigpt import UserError, load_corpus
from minigpt.cli import main
from minigpt.corpus import CleanSettings, Source, chunk, clean
from minigpt.corpus.datasheet import OWNER, QUESTIONS
from minigpt.corpus.personal import Span
from minigpt.train.lock import locked

ROOT = Path(__file__).parents[2]
WITHOUT = CleanSettings(personal=())


def texts(count, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(f"word{n}" for n in rng.integers(0, 3000, rng.integers(20, 60))) for _ in range(count)]


def write(path, documents, **fields):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps({"text": text, **fields}) + "\n" for text in documents).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def tree(folder):
    """Every file and its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left(out):
    return [document.text for document in Source.open(out).documents()]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunk, "CHARACTERS", 2000)


@pytest.fixture
def folder(tmp_path):
    """Three files with 60 texts, and copies of some of them."""
    originals = texts(60)
    write(tmp_path / "in/a.jsonl", originals[:30])
    write(tmp_path / "in/b.jsonl.gz", [*originals[30:50], originals[3].upper(), originals[31]])
    for number, text in enumerate(originals[50:]):
        path = tmp_path / f"in/more/{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_corpus_with_planted_copies_comes_back_as_it_was(folder, small_chunks):
    report = clean(folder / "in", folder / "out", WITHOUT, progress=False)
    assert left(folder / "out") == texts(60)
    assert {entry["name"]: entry["documents"] for entry in report["filters"]} == {"exact duplicate": 2}
    (one, other) = report["filters"][0]["examples"]
    assert {one["reason"], other["reason"]} == {
        "the same words as a.jsonl, line 4",
        "the same words as b.jsonl.gz, line 2",
    }
    assert report["input"]["documents"] == 62 and report["output"]["documents"] == 60
    assert len(report["input"]["files"]) == 12


@thorough
def test_it_can_be_cleaned_again_and_trained_on(folder, capsys):
    clean(folder / "in", folder / "out", WITHOUT, progress=False)
    report = clean(folder / "out", folder / "again", WITHOUT, progress=False)
    assert report["filters"] == [] and left(folder / "again") == left(folder / "out")
    words = ["train", folder / "out", "--out", folder / "run", "--tokenizer", "characters", "--steps", "2"]
    assert main([*map(str, words), "--batch", "2"]) == 0


def test_workers_change_nothing(folder, small_chunks):
    """The chunks that they get are the same, so two processes are enough to see it."""
    module = sys.modules["minigpt.corpus.clean"]
    clean(folder / "in", folder / "one", progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHARACTERS", 100)
        clean(folder / "in", folder / "two", workers=2, progress=False)
    assert tree(folder / "one") == tree(folder / "two")


KILLED = """
import os, sys
from pathlib import Path
from minigpt import files
from minigpt.corpus import chunk, clean
left, rename = [int(sys.argv[3])], files.rename
def dying(source, target):
    left[0] -= 1
    if left[0] == 0:
        os._exit(9)
    rename(source, target)
    if left[0] == 1 and int(sys.argv[4]):
        os._exit(9)
files.rename, chunk.CHARACTERS = dying, 2000
clean(sys.argv[1], sys.argv[2], progress=False)
"""


@pytest.mark.parametrize("draw", [0, pytest.param(1, marks=thorough), pytest.param(2, marks=thorough)])
def test_what_was_killed_ends_in_the_same_bytes(folder, small_chunks, draw):
    """Killed before or after a file gets its name, then at some other moment, and then gone on with."""
    clean(folder / "in", folder / "whole", progress=False)
    rng = random.Random(draw)
    command = [sys.executable, "-c", KILLED, str(folder / "in"), str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    moment = [str(rng.randint(2, 40)), str(rng.randint(0, 1))]
    assert subprocess.run([*command, *moment], env=environment, check=False).returncode in (0, 9)
    with subprocess.Popen([*command, "999", "0"], env=environment) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(1, 3))
        process.kill()
    clean(folder / "in", folder / "out", progress=False)
    assert tree(folder / "out") == tree(folder / "whole")
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    clean(folder / "in", folder / "out", progress=False)  # nothing is left to do
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}


@pytest.mark.parametrize("is_gone", [False, True], ids=["all of it", "only the lock"])
def test_what_was_killed_at_the_very_end_is_tidied(folder, is_gone):
    """When `corpus.json` has its name, the hidden folder and the lock are still there."""
    clean(folder / "in", folder / "whole", progress=False)
    name = "shutil.rmtree" if is_gone else "files.rename"
    dies = f"""
import os, shutil, sys
from minigpt import files
from minigpt.corpus import clean
do = {name}
def dying(path, *names):
    do(path, *names)
    if names[:1] == (files.Path(sys.argv[2]) / "corpus.json",) or {is_gone}:
        os._exit(9)
{name} = dying
clean(sys.argv[1], sys.argv[2], progress=False)
"""
    command = [sys.executable, "-c", dies, str(folder / "in"), str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=environment, check=False).returncode == 9
    assert (folder / "out/.lock").exists() and (folder / "out/.cleaning").exists() != is_gone
    clean(folder / "in", folder / "out", progress=False)
    assert tree(folder / "out") == tree(folder / "whole")


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, monkeypatch):
    write(tmp_path / "in.jsonl", texts(3))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("minigpt.corpus.write.fingerprint", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        clean(tmp_path / "in.jsonl", tmp_path / "out", WITHOUT, progress=False)
    (tmp_path / "out/documents/.00000.jsonl.4711.part").write_text("half", encoding="utf-8")
    clean(tmp_path / "in.jsonl", tmp_path / "out", WITHOUT, progress=False)
    assert [path.name for path in (tmp_path / "out/documents").iterdir()] == ["00000.jsonl"]


def test_other_settings_or_input_are_refused_where_something_is(folder):
    clean(folder / "in", folder / "out", WITHOUT, progress=False)
    there = tree(folder / "out")
    with pytest.raises(UserError, match=r"with other settings \(near\)"):
        clean(folder / "in", folder / "out", CleanSettings(personal=(), near=0.7), progress=False)
    write(folder / "in/c.jsonl", texts(1, 5))
    with pytest.raises(UserError, match=r"another input \(files\)"):
        clean(folder / "in", folder / "out", WITHOUT, progress=False)
    (folder / "mine").mkdir()
    (folder / "mine/notes.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds notes.txt already"):
        clean(folder / "in", folder / "mine", WITHOUT, progress=False)
    assert tree(folder / "out") == there and tree(folder / "mine") == {"notes.txt": b"keep me"}


def test_input_that_changes_while_it_is_read_is_refused_and_what_was_made_of_it_thrown_away(folder, monkeypatch):
    module = sys.modules["minigpt.corpus.clean"]
    filtered = module._filter

    def filtered_meanwhile(*arguments):
        write(folder / "in/late.jsonl", texts(1, 5))
        return filtered(*arguments)

    monkeypatch.setattr(module, "_filter", filtered_meanwhile)
    with pytest.raises(UserError, match=r"in changed while it was read"):
        clean(folder / "in", folder / "out", WITHOUT, progress=False)
    assert not (folder / "out").exists()


def test_a_folder_that_changed_after_a_kill_is_refused_until_it_is_as_it_was(folder, small_chunks, monkeypatch):
    module = sys.modules["minigpt.corpus.clean"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_corpus", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        clean(folder / "in", folder / "out", WITHOUT, progress=False)
    begun = tree(folder / "out")
    write(folder / "in/late.jsonl", texts(1, 5))
    with pytest.raises(UserError, match=r"was begun with another input \(files\)"):
        clean(folder / "in", folder / "out", WITHOUT, progress=False)
    assert tree(folder / "out") == begun
    (folder / "in/late.jsonl").unlink()
    assert clean(folder / "in", folder / "out", WITHOUT, progress=False)["output"]["documents"] == 60


def test_one_cleaning_at_a_time(folder):
    with locked(folder / "out", make_folder=True), pytest.raises(UserError, match=r"another cleaning.* is at work"):
        clean(folder / "in", folder / "out", WITHOUT, progress=False)


def test_an_unfinished_one_is_not_trained_on(folder):
    (folder / "out/.cleaning").mkdir(parents=True)
    with pytest.raises(UserError, match="has not ended"):
        load_corpus(folder / "out")


BAD = {  # what is in the file, options, and what is said
    "empty": (b"", [], "bad.jsonl is empty"),
    "blank": (b'{"text": "  "}\n', [], "bad.jsonl is empty"),
    "broken": (b'{"text": "a"}\n{"text"\n', [], "bad.jsonl, line 2: it is not JSON"),
    "no field": (b'{"body": "a"}\n', [], "line 1: there is no field 'text', but: body"),
    "another field": (b'{"text": "a"}\n', ["--field", "body"], "there is no field 'body', but: text"),
    "nothing left": (b'{"text": "two words"}\n', [], "nothing is left of bad.jsonl: rule: words took 1 of 1"),
    "field's name": (
        b'{"text": "a", "\\ud800": 1}\n',
        [],
        "line 1: the name of a field holds half of a surrogate pair",
    ),
    "nothing to keep": (b'{"text": "a", "id": 1}\n', ["--keep", "x"], "has a field 'x' to keep; there are: id"),
    "own field": (b'{"text": "a", "line": 1}\n', ["--keep", "line"], "field line is the output's own"),
    "fewest words": (b'{"text": "a"}\n', ["--min-words", "-3"], "min_words is -3, but it must be 0 or more"),
    "split": (b'{"text": "a"}\n', ["--split", "lines"], "has no text files, so there is nothing to split"),
    "near": (b'{"text": "a"}\n', ["--near", "2"], "near is 2.0, but it must be"),
    "without effect": (
        b'{"text": "a"}\n',
        ["--near", "0.9", "--duplicates", "exact"],
        "--near changes nothing without",
    ),
    "kind": (b'{"text": "a"}\n', ["--personal", "shoes"], "there is no kind"),
    "few": (b'{"text": "a"}\n', ["--good", "bad.jsonl", "--bad", "bad.jsonl"], "there are 1 good texts"),
    "one of two": (b'{"text": "a"}\n', ["--good", "x"], "give both"),
    "secret": (b'{"text": "a"}\n', ["--how", "pseudonym"], "name it (--secret)"),
    "other": (b'{"text": "a"}\n', ["--against", "nowhere"], "there is no corpus or file nowhere"),
    "twice": (b'{"text": "a", "text": "b"}\n', [], "line 1: 'text' is there twice in one table"),
    "no number": (b'{"text": "a", "id": [NaN]}\n', ["--keep", "id"], "line 1: a number in id is not finite"),
    "the same": (
        b"".join(b'{"text": "word %d"}\n' % n for n in range(20)),
        ["--good", "bad.jsonl", "--bad", "bad.jsonl"],
        "the good and the bad texts are the same",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_nothing_is_written(what, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, options, says = BAD[what]
    Path("bad.jsonl").write_bytes(data)
    assert main(["corpus", "clean", "bad.jsonl", "out", *options]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and says in error[0]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_every_document_of_a_test_set_is_compared_with_and_an_empty_one_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minigpt.corpus.settings.MOST_EXAMPLES", 2)
    some = texts(6, seed=3)
    write(tmp_path / "test.jsonl", some[:4])
    write(tmp_path / "in.jsonl", [f"Read this. {some[3]}", some[5]])
    settings = CleanSettings(duplicates="none", against=(str(tmp_path / "test.jsonl"),))
    report = clean(tmp_path / "in.jsonl", tmp_path / "out", settings, progress=False)
    assert [(entry["name"], entry["documents"]) for entry in report["filters"]] == [("contamination", 1)]
    (tmp_path / "none.jsonl").write_text("", encoding="utf-8")
    other = ["--against", str(tmp_path / "none.jsonl")]
    assert main(["corpus", "clean", str(tmp_path / "in.jsonl"), str(tmp_path / "new"), *other]) == 2
    assert "none.jsonl is empty, so there is nothing to compare with" in capsys.readouterr().err


def test_a_folder_without_text_or_within_itself_is_refused(folder, capsys):
    (folder / "empty").mkdir()
    assert main(["corpus", "clean", str(folder / "empty"), str(folder / "out")]) == 2
    assert main(["corpus", "clean", str(folder / "in"), str(folder / "in/out")]) == 2
    said = capsys.readouterr().err
    assert "has no text files" in said and "which would then be read with it" in said
    assert not (folder / "out").exists() and not (folder / "in/out").exists()


def test_each_filter_takes_its_own_and_shows_examples(tmp_path, monkeypatch):
    test = texts(3, seed=9)
    english = [f"the cat sat on the mat and that was what number {n} of them wanted with it all" for n in "abcdefg"]
    german = [
        f"der Hund lief über die Straße und wollte nicht mehr nach Hause, weil Nummer {n} dort schlief" for n in "abc"
    ]
    for name, some in (("english", english), ("german", german)):
        write(tmp_path / "languages" / name / "a.jsonl", some)
    write(tmp_path / "test.jsonl", [english[0], *test])
    write(tmp_path / "in.jsonl", [*english, *german, "buy now " * 40, "one two", ""], label="x", id=3)
    settings = CleanSettings(
        duplicates="exact",
        language=("english",),
        language_from=str(tmp_path / "languages"),
        against=(str(tmp_path / "test.jsonl"),),
        keep=("label",),
    )
    report = clean(tmp_path / "in.jsonl", tmp_path / "out", settings, progress=False)
    taken = {entry["name"]: entry["documents"] for entry in report["filters"]}
    assert taken == {
        "language": 3,
        "contamination": 1,
        "empty": 1,
        "rule: words": 1,
        "rule: characters of the most frequent 2 words": 1,
    }
    assert report["compared_with"] == {"documents": 4, "held": 1}
    assert report["fields"] == {"id": 13, "label": 13}
    lines = (tmp_path / "out/documents/00000.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"text": english[1], "source": "in.jsonl", "line": 2, "label": "x"}
    assert len(lines) == 6


def test_near_duplicates_of_what_is_compared_with_are_taken_and_it_stays_out(tmp_path):
    other = texts(5, seed=3)
    write(tmp_path / "other.jsonl", other * 2)
    own = texts(4, seed=4)
    write(tmp_path / "in.jsonl", [*own, other[2] + " and", own[1] + " and"])
    settings = CleanSettings(personal=(), against=(str(tmp_path / "other.jsonl"),))
    report = clean(tmp_path / "in.jsonl", tmp_path / "out", settings, progress=False)
    assert left(tmp_path / "out") == own
    assert {entry["name"] for entry in report["filters"]} == {"contamination", "near duplicate"}


def test_personal_information_is_replaced_in_text_and_examples(tmp_path):
    mail = "Please write to ann.smith@example.com as soon as you can, she said to us"
    write(tmp_path / "in.jsonl", [*texts(3), mail, mail.upper().replace("SMITH", "smith"), "ann.smith@example.com 1"])
    out = tmp_path / "out"
    report = clean(tmp_path / "in.jsonl", out, CleanSettings(personal=("email",)), progress=False)
    assert report["personal"] == {"email": 2} and left(out)[-1] == mail.replace("ann.smith@example.com", "<EMAIL>")
    for path in out.rglob("*"):
        assert path.is_dir() or b"ann.smith" not in path.read_bytes()
    (tmp_path / "secret").write_bytes(b"0123456789abcdef")
    settings = CleanSettings(personal=("email",), how="pseudonym", secret=str(tmp_path / "secret"))
    clean(tmp_path / "in.jsonl", tmp_path / "other", settings, progress=False)
    assert re.search(r"write to user\d{8}@example.org as", left(tmp_path / "other")[-1])
    (tmp_path / "secret").write_bytes(b"0123456789abcdeF")
    with pytest.raises(UserError, match=r"other settings \(secret\)"):
        clean(tmp_path / "in.jsonl", tmp_path / "other", settings, progress=False)


def test_names_are_found_by_the_tagger_that_is_asked_for(tmp_path, monkeypatch):
    def tagger(source):
        place = source.text.index("Xavira")
        return [Span(place, place + len("Xavira Plomdahl"), "name", 0.7)]

    monkeypatch.setattr("minigpt.corpus.personal.tagger.open_name_tagger", lambda _path: tagger)
    (tmp_path / "in.txt").write_text("Yesterday Xavira Plomdahl told the board of it", encoding="utf-8")
    (tmp_path / "names.safetensors").write_bytes(b"one")
    settings = CleanSettings(name_tagger=str(tmp_path / "names.safetensors"))
    report = clean(tmp_path / "in.txt", tmp_path / "out", settings, progress=False)
    assert left(tmp_path / "out") == ["Yesterday <NAME> told the board of it"] and report["personal"] == {"name": 1}
    assert "by the tagger names.safetensors" in (tmp_path / "out/report.md").read_text(encoding="utf-8")
    (tmp_path / "names.safetensors").write_bytes(b"two")
    with pytest.raises(UserError, match=r"other settings \(name_tagger\)"):
        clean(tmp_path / "in.txt", tmp_path / "out", settings, progress=False)
    with pytest.raises(UserError, match="leave the tagger out"):
        CleanSettings(name_tagger="x", personal=("email",)).check()
    with pytest.raises(UserError, match="there is no tagger nowhere"):
        CleanSettings(name_tagger="nowhere").fingerprint()


@thorough
@pytest.mark.parametrize("suffix", ["json", "npz", "signatures", "jsonl"])
def test_a_chunk_whose_files_were_damaged_is_made_again(folder, small_chunks, monkeypatch, suffix):
    module = sys.modules["minigpt.corpus.clean"]
    clean(folder / "in", folder / "whole", WITHOUT, progress=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_corpus", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        clean(folder / "in", folder / "out", WITHOUT, progress=False)
    damaged = folder / f"out/.cleaning/000001.{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:10])
    clean(folder / "in", folder / "out", WITHOUT, progress=False)
    assert tree(folder / "out") == tree(folder / "whole")


def test_a_classifier_takes_what_is_like_the_bad(tmp_path):
    write(tmp_path / "good.jsonl", texts(40, 1))
    write(tmp_path / "bad.jsonl", [f"{text} win the casino jackpot" for text in texts(40, 2)])
    write(tmp_path / "in.jsonl", [*texts(5, 3), *(f"win the casino jackpot {text}" for text in texts(5, 4))])
    settings = CleanSettings(personal=(), good=str(tmp_path / "good.jsonl"), bad=str(tmp_path / "bad.jsonl"))
    report = clean(tmp_path / "in.jsonl", tmp_path / "out", settings, progress=False)
    assert left(tmp_path / "out") == texts(5, 3)
    assert report["classifier"]["held_out"] == 16 and report["classifier"]["area"] > 0.9


def test_documents_are_files_paragraphs_or_lines(tmp_path):
    (tmp_path / "in.txt").write_text("one\ntwo\n\nthree\n \n\nfour\n", encoding="utf-8")
    wanted = {"file": 1, "paragraphs": 3, "lines": 4}
    for split, count in wanted.items():
        settings = CleanSettings(rules="none", personal=(), split=split)
        report = clean(tmp_path / "in.txt", tmp_path / split, settings, progress=False)
        assert report["output"]["documents"] == count
    lines = (tmp_path / "paragraphs/documents/00000.jsonl").read_text(encoding="utf-8").splitlines()
    assert [(json.loads(line)["text"], json.loads(line)["line"]) for line in lines] == [
        ("one\ntwo", 1),
        ("three", 4),
        ("four\n", 7),
    ]


def test_a_long_text_is_cut_so_that_the_rules_do_not_find_it_too_long(tmp_path):
    lines = [" ".join(f"w{n * 7919 % 99991:x}" for n in range(row * 100, row * 100 + 100)) for row in range(1200)]
    (tmp_path / "in.txt").write_text("\n".join(lines), encoding="utf-8")  # 120,000 words, more than are allowed
    report = clean(tmp_path / "in.txt", tmp_path / "out", WITHOUT, progress=False)
    assert report["input"]["documents"] == report["output"]["documents"] == 3
    assert "".join(left(tmp_path / "out")) == "\n".join(lines)


def test_report_and_datasheet_say_what_was_measured(folder, small_chunks):
    report = clean(folder / "in", folder / "out", progress=False)
    sheet = (folder / "out/datasheet.md").read_text(encoding="utf-8")
    asked = [question for questions in QUESTIONS.values() for question in questions]
    assert len(asked) == 57 and all(f"**{question}**" in sheet for question in asked)
    assert [line[3:] for line in sheet.splitlines() if line.startswith("## ")] == list(QUESTIONS)
    assert "60 documents with " in sheet and sheet.count(OWNER) > 40
    assert "not examined for personal information: the name of the file and the line" in sheet
    page = (folder / "out/report.md").read_text(encoding="utf-8")
    assert re.search(r"!\[Bars of the share .* exact duplicate 3.23%.*predicted and measured.*\]\(report.png\)", page)
    assert "| documents | 62 | 60 | 96.8% |" in page and "21 bands of 6 rows" in page
    assert json.loads((folder / "out/report.json").read_text(encoding="utf-8")) == report
    assert (folder / "out/report.png").read_bytes()[:4] == b"\x89PNG"


def test_text_of_others_stays_text_in_the_report(tmp_path):
    nasty = "[click](http://x) | <script>alert(1)</script> \x1b[31m `code` ![i](y) " + "12 34 56 " * 30
    write(tmp_path / "in.jsonl", [*texts(2), nasty])
    clean(tmp_path / "in.jsonl", tmp_path / "out", CleanSettings(personal=()), progress=False)
    page = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    assert "<script" not in page.replace("\\<script", "") and "\x1b" not in page
    row = next(line for line in page.splitlines() if "click" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4 and "\\[click\\](" in row


def test_progress_is_plain_lines_where_nobody_looks(folder):
    words = [sys.executable, "-m", "minigpt", "corpus", "clean", "in", "out", "--personal", "none"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("62 documents, 0.0")
    assert "60 documents" in done.stdout and "minigpt train out" in done.stdout
