"""Reading text, JSON Lines and folders, gzipped or not; and what is refused, with its place."""

import gzip
import json
import os

import pytest

from minigpt import UserError, load_corpus
from minigpt.text import documents
from minigpt.text.documents import TextFile, read_documents, text_files


def read(path, **options):
    return list(read_documents(TextFile(path, path.name), **options))


def packed(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_text_and_json_lines_are_read_packed_or_not(tmp_path, ending):
    text = packed(tmp_path / f"a.txt{ending}", "\ufeffone\r\ntwo\rthree ü\n".encode())
    assert [document.text for document in read(text)] == ["one\ntwo\nthree ü\n"]
    lines = [{"text": "a\r\nb", "id": 7}, {"id": 8, "text": "ü"}]
    jsonl = packed(tmp_path / f"b.jsonl{ending}", "\n\n".join(map(json.dumps, lines)).encode())
    assert [(d.text, d.source, d.line, d.fields) for d in read(jsonl)] == [
        ("a\nb", jsonl.name, 1, {"id": 7}),
        ("ü", jsonl.name, 3, {"id": 8}),
    ]
    assert load_corpus(tmp_path).documents  # both


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_characters_and_line_ends_that_lie_across_blocks_are_whole(tmp_path, monkeypatch, block):
    monkeypatch.setattr(documents, "BLOCK", block)
    path = packed(tmp_path / "a.txt", "\ufeffä€😀\r\n\r\r\nend".encode())
    assert read(path)[0].text == "ä€😀\n\n\nend"


def test_a_long_text_is_cut_where_paragraphs_end_and_nothing_is_lost(tmp_path):
    text = "".join(f"line {n} of it\n" + "\n" * (n % 7 == 0) for n in range(400)) + "x" * 900
    path = packed(tmp_path / "a.txt", text.encode())
    pieces = read(path, longest=300)
    assert "".join(piece.text for piece in pieces) == text
    assert all(len(piece.text) <= 300 for piece in pieces)
    assert all(piece.line == 1 + text[: text.index(piece.text)].count("\n") for piece in pieces[:-3])
    assert sum(piece.text.endswith("\n\n") for piece in pieces) > 10


BAD = {  # file -> bytes, and what is said
    "no UTF-8": ("a.txt", b"good\nbad \xff", r"a.txt is not UTF-8 text \(byte 9\) in line 2"),
    "cut in a character": ("a.txt", b"one\n\xc3", r"not UTF-8 text \(byte 4\) in line 2"),
    "no JSON": ("a.jsonl", b'{"text": "a"}\n\n{"text": \n', r"a.jsonl, line 3: it is not JSON"),
    "no object": ("a.jsonl", b"[1]\n", "line 1: it holds a list"),
    "null": ("a.jsonl", b"null\n", "line 1: it holds null"),
    "no field": ("a.jsonl", b'{"body": "a", "id": 1}\n', "line 1: there is no field 'text', but: body, id"),
    "no text": ("a.jsonl", b'{"text": "a"}\n{"text": 5}\n', "line 2: text is 5, but it must be a string"),
    "half a pair": ("a.jsonl", b'{"text": "\\ud800"}\n', "line 1: text holds half of a surrogate pair"),
    "UTF-16": ("a.jsonl", '{"text": "a"}\n'.encode("utf-16"), "line 1: byte 0 of it is not UTF-8"),
    "deep": ("a.jsonl", b'{"text": ' + b"[" * 200_000 + b"\n", "line 1: it is not JSON"),
    "a cut archive": ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 5000)[:-20], "a.jsonl.gz is no whole gzip file"),
    "no archive": ("a.txt.gz", b"text", "a.txt.gz is no whole gzip file"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, what):
    name, data, says = BAD[what]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=says):
        read(tmp_path / name)


def test_a_line_of_json_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MOST_LINE", 100)
    path = packed(tmp_path / "a.jsonl", json.dumps({"text": "x" * 200}).encode())
    with pytest.raises(UserError, match="line 1: it has more than 100 bytes"):
        read(path)


def test_a_folder_gives_its_text_files_in_order_and_no_hidden_ones(tmp_path):
    for name in ("b/c.md", "b/.hidden.txt", ".git/x.txt", "a.TXT", "z.jsonl.gz", "picture.png", "k.tar.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert [file.name for file in text_files(tmp_path)] == ["a.TXT", "b/c.md", "z.jsonl.gz"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no text files .*; choose another"):
        text_files(tmp_path / "empty")
    (tmp_path / "empty" / "seen.png").write_bytes(b"a picture")
    with pytest.raises(UserError, match=r"has no text files .* its pictures with --task classify"):
        text_files(tmp_path / "empty")


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_that_leads_nowhere_is_refused_and_one_that_leads_back_is_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "in" / "back").symlink_to(tmp_path)
    assert [file.name for file in text_files(tmp_path)] == ["a.txt"]
    (tmp_path / "in" / "b.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(UserError, match=r"b.txt is a link that leads nowhere"):
        text_files(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"closed could not be read \(Permission denied\)"):
        text_files(tmp_path)
