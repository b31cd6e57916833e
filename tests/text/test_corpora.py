"""Corpora: real text that is always there, text that is fetched, and any files."""

import tempfile
from pathlib import Path

import pytest
from conftest import require, thorough
from hypothesis import given
from hypothesis import strategies as st

from minigpt import UserError
from minigpt.cli.options import read_utf8
from minigpt.files import equal_line_ends, read_text
from minigpt.text import CORPORA, fetch, load_corpus, split_documents


@pytest.fixture(scope="module")
def pydocs():
    return load_corpus("pydocs", progress=False)


def test_pydocs_is_always_there(pydocs):
    assert sum(map(len, pydocs.documents)) > 1_500_000
    assert len(set(pydocs.documents)) == len(pydocs.documents)
    together = "\n".join(pydocs.documents)
    assert 'The "assert" statement' in together
    assert "Return a random floating-point number" in together or "random()" in together


def test_about_a_tenth_is_held_out_between_documents(pydocs):
    share = sum(map(len, pydocs.validation)) / sum(map(len, pydocs.documents))
    assert 0.08 <= share <= 0.12
    assert not set(pydocs.training) & set(pydocs.validation)


@given(st.lists(st.text("ab\n", min_size=1, max_size=40), min_size=1, max_size=12))
def test_a_split_loses_nothing_and_holds_out_a_tenth(documents):
    training, validation = split_documents(documents)
    assert "".join(training + validation) == "".join(documents)
    total = sum(map(len, documents))
    if total > 100 and "\n" not in "".join(documents):
        assert abs(sum(map(len, validation)) / total - 0.1) <= 0.03
    assert training


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), min_size=1, max_size=12))
def test_a_tenth_is_held_out_wherever_lines_and_documents_end(lines):
    """Also of a title and one long line, of two equal lines, of a file without any line end."""
    documents = [""]
    for length, new_document in lines:
        documents += [""] if new_document and documents[-1] else []
        documents[-1] += "x" * length + "\n"
    training, validation = split_documents(documents)
    assert "".join(training + validation) == "".join(documents) and all(training + validation)
    total = sum(map(len, documents))
    if total >= 100:
        assert abs(sum(map(len, validation)) - 0.1 * total) <= 0.02 * total + 1


@pytest.mark.parametrize(
    "text", ["Title\n" + "x" * 1000, "y" * 500 + "\n" + "y" * 500, "[" + '"a", ' * 300 + "\n]", "z" * 1000]
)
def test_one_long_line_is_cut_at_the_wanted_place(text):
    training, validation = split_documents([text])
    assert len(validation[0]) == pytest.approx(0.1 * len(text), abs=1) and training[0] + validation[0] == text


def test_a_single_document_is_cut_at_the_end_of_a_line():
    text = "".join(f"line {number}\n" for number in range(100))
    training, validation = split_documents([text])
    assert len(training) == len(validation) == 1
    assert training[0].endswith("\n")
    assert len(validation[0]) == pytest.approx(0.1 * len(text), abs=10)


def test_files_and_folders_are_corpora(tmp_path):
    (tmp_path / "b.txt").write_text("second\n" * 30, encoding="utf-8")
    (tmp_path / "a.md").write_text("first ä\n" * 30, encoding="utf-8")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.txt").write_text("secret", encoding="utf-8")
    corpus = load_corpus(tmp_path)
    assert "".join(corpus.documents) == "first ä\n" * 30 + "second\n" * 30
    assert load_corpus(tmp_path / "b.txt").documents == ("second\n" * 27, "second\n" * 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"  \n ", "is empty"), (b"good \xff bad", r"not UTF-8 text \(byte 5\)")],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, content, says):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        load_corpus(path)


def test_what_does_not_exist_is_named_with_a_suggestion(tmp_path):
    with pytest.raises(UserError, match="did you mean shakespeare"):
        load_corpus("shakespear")
    with pytest.raises(UserError, match="one of pydocs, shakespeare, kjv"):
        load_corpus(tmp_path / "nothing.txt")
    with pytest.raises(UserError, match="has no text files"):
        load_corpus(tmp_path)


WORDS = {  # corpus -> characters at least, and words that it is known by
    "shakespeare": (5_000_000, "To be, or not to be"),
    "kjv": (4_000_000, "In the beginning God created"),
    "medicine": (3_500_000, "infection of the middle ear"),
    "law": (14_000_000, "WITHOUT WARRANTY OF ANY KIND"),
}


@pytest.mark.parametrize(
    "name", ["medicine", *(pytest.param(name, marks=thorough) for name in ("shakespeare", "kjv", "law"))]
)
def test_fetched_corpora_hold_the_text_that_everybody_knows(name):
    try:
        corpus = load_corpus(name, progress=False)
    except UserError as error:
        require(False, str(error))
    characters, words = WORDS[name]
    text = "".join(corpus.documents)
    assert len(text) > characters
    assert words in text
    assert CORPORA[name].needs_download
    assert "\r" not in text and "\ufeff" not in text
    assert CORPORA[name].megabytes == pytest.approx(len(text.encode()) / 1e6, abs=0.06)


def test_every_corpus_is_described_pinned_and_tested():
    assert set(WORDS) == {name for name, source in CORPORA.items() if source.needs_download}
    for name, source in CORPORA.items():
        assert name.isidentifier() and source.description and source.licence and source.megabytes > 0
        if source.package is not None:
            assert len(bytes.fromhex(source.package.sha256)) == 32
            assert source.package.version and source.package.prefix and source.package.licence
            assert source.package.name not in fetch.PACKAGES


def test_every_corpus_is_named_where_one_is_missing(tmp_path):
    with pytest.raises(UserError) as error:
        load_corpus(tmp_path / "nothing.txt")
    assert f"one of {', '.join(CORPORA)}" in str(error.value)


@given(
    st.lists(st.text("ab \u00e9", max_size=8), min_size=1, max_size=8),
    st.sampled_from(["\r\n", "\r", "\n"]),
    st.booleans(),
)
def test_every_way_in_reads_the_same(lines, end, mark):
    """A corpus as a file and as a folder, what is evaluated or embedded, and a prompt: one reader."""
    text = "\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_bytes(("\ufeff" if mark else "").encode() + end.join(lines).encode())
        assert read_text(path) == text == equal_line_ends(end.join(lines))
        if text.strip():
            assert read_utf8(str(path)) == text
            assert "".join(load_corpus(path).documents) == "".join(load_corpus(folder).documents) == text


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_files_of_every_system_are_read_alike(tmp_path, end):
    lines = ["ä first", "", "second"] * 20
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeff".encode() + end.join(lines).encode())
    assert read_text(path) == "\n".join(lines) == read_utf8(str(path))
    assert "".join(load_corpus(path).documents) == "\n".join(lines)
