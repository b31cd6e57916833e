"""Token files are mapped from disk, and only whole ones of the right kind are opened."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigpt import UserError
from minigpt.text import BytePairTokenizer, CharacterTokenizer, open_tokens, write_tokens


@pytest.fixture
def tokenizer():
    return CharacterTokenizer.train(["abc"])


def test_documents_come_back_with_an_end_after_each(tmp_path, tokenizer):
    path = tmp_path / "tokens.npy"
    documents = ["abc", "", "ccc"]
    assert write_tokens(path, tokenizer, iter(documents)) == 9
    tokens = open_tokens(path, tokenizer.vocabulary_size)
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.uint16
    end = tokenizer.end_of_text
    assert tokens.tolist() == [0, 1, 2, end, end, 2, 2, 2, end]


def test_large_vocabularies_take_four_bytes(tmp_path):
    class Large:
        vocabulary_size, end_of_text = 70_000, 69_999

        def encode(self, text):
            return np.array([68_000])

    write_tokens(tmp_path / "tokens.npy", Large(), ["x"])
    tokens = open_tokens(tmp_path / "tokens.npy", 70_000)
    assert tokens.dtype == np.uint32
    assert tokens.tolist() == [68_000, 69_999]


def test_a_file_appears_only_when_it_is_complete(tmp_path, tokenizer):
    def documents():
        yield "abc"
        yield "d"  # not in the vocabulary

    with pytest.raises(UserError, match="'d'"):
        write_tokens(tmp_path / "tokens.npy", tokenizer, documents())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [0, 5, 60, -1])
def test_truncated_files_are_refused(tmp_path, tokenizer, length):
    path = tmp_path / "tokens.npy"
    write_tokens(path, tokenizer, ["abcabc"])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match="train again"):
        open_tokens(path, 10)


def test_foreign_files_and_foreign_vocabularies_are_refused(tmp_path, tokenizer):
    path = tmp_path / "tokens.npy"
    with pytest.raises(UserError, match="there is no token file"):
        open_tokens(path, 10)
    for foreign in (np.zeros((2, 2), np.uint16), np.zeros(3, np.float32)):
        np.save(path, foreign)
        with pytest.raises(UserError, match="not a token file"):
            open_tokens(path, 10)
    np.save(path, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="damaged or not a token file"):
        open_tokens(path, 10)
    write_tokens(path, BytePairTokenizer([]), ["ab"])
    with pytest.raises(UserError, match="holds token 256, outside the vocabulary of 256"):
        open_tokens(path, 256)


def test_threads_open_a_file_one_after_another(tmp_path, tokenizer, monkeypatch):
    """Python 3.11 now and then raises SystemError when two threads parse a header at once."""
    write_tokens(tmp_path / "tokens.npy", tokenizer, ["abc"])
    inside, load = threading.Semaphore(1), np.load

    def alone(*arguments, **options):
        assert inside.acquire(blocking=False), "another thread is here"
        time.sleep(0.01)
        inside.release()
        return load(*arguments, **options)

    monkeypatch.setattr(np, "load", alone)
    with ThreadPoolExecutor(4) as pool:
        size = tokenizer.vocabulary_size
        opened = list(pool.map(lambda _: open_tokens(tmp_path / "tokens.npy", size), range(4)))
    assert all(np.array_equal(tokens, opened[0]) for tokens in opened)
