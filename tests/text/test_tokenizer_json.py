"""tokenizer.json and its older siblings: the ids of the original, or a refusal that says why."""

import json
import os

import numpy as np
import pytest
from conftest import optional
from nasty_text import NASTY

from minigpt import UserError
from minigpt.text.model_folder import load_numbered_files
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges
from minigpt.text.tokenizer_json import load_tokenizer_json

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "1000"))
TEXT = "the cat sat on the mat and the hat; in 2024 there were 1,024 cats, then they'd 99 more. über naïve 東京 🙂 "


def merges():
    from minigpt.text import BytePairTokenizer

    return spell_merges(BytePairTokenizer.train([TEXT * 3], 300).merges)


def byte_pair(*, digits=False, first=("<s>", "<pad>", "</s>")):
    """The content of a tokenizer.json whose ids begin with the special tokens, as BART's do."""
    ordinary = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER] + [merge.replace(" ", "") for merge in merges()]
    vocabulary = {token: id_ for id_, token in enumerate([*first, *ordinary])}
    split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    alone = {"type": "Digits", "individual_digits": True}
    added = [
        {"id": i, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for i, token in enumerate(first)
    ]  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [alone, split]} if digits else split,
        "post_processor": None, "decoder": {**split, "type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary,
                  "merges": merges()},
    }  # fmt: skip


def word_piece():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "c", "##a", "##t", "don", "'", "t"]
    return {
        "added_tokens": [{"id": i, "content": token, "special": True} for i, token in enumerate(tokens[:5])],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {token: i for i, token in enumerate(tokens)}},
    }  # fmt: skip


def saved(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("digits", [False, True])
def test_byte_pairs_equal_the_original(tmp_path, digits):
    tokenizers = optional("tokenizers")
    path = saved(tmp_path, byte_pair(digits=digits))
    ours, theirs = load_tokenizer_json(path), tokenizers.Tokenizer.from_file(str(path))
    assert ours.vocabulary_size == theirs.get_vocab_size() and ours.end_of_text == 2
    for text in [TEXT, "in 2024", " 1 2  3", *NASTY]:
        assert ours.encode(text, allow_special=True).tolist() == theirs.encode(text).ids, text
        assert ours.decode(ours.encode(text)) == text
    assert ours.encode("<s>a</s>", allow_special=True).tolist() == theirs.encode("<s>a</s>").ids
    assert 0 not in ours.encode("<s>a</s>")


def test_digits_stand_alone_where_the_file_says_so(tmp_path):
    plain, alone = (load_tokenizer_json(saved(tmp_path, byte_pair(digits=digits))) for digits in (False, True))
    assert [alone.decode([i]) for i in alone.encode("t 2024")] == ["t", " ", "2", "0", "2", "4"]
    assert [plain.decode([i]) for i in plain.encode("t 2024")][1] == " 2"


def test_pairs_of_merges_and_lines_of_merges_are_the_same(tmp_path):
    content = byte_pair()
    before = load_tokenizer_json(saved(tmp_path, content)).encode(TEXT)
    content["model"]["merges"] = [merge.split(" ") for merge in content["model"]["merges"]]
    assert np.array_equal(load_tokenizer_json(saved(tmp_path, content)).encode(TEXT), before)


def test_word_pieces_equal_the_original(tmp_path):
    tokenizers = optional("tokenizers")
    path = saved(tmp_path, {**word_piece(), "version": "1.0"})
    ours, content = load_tokenizer_json(path), word_piece()
    for token in content["added_tokens"]:
        token.update(single_word=False, lstrip=False, rstrip=False, normalized=False)
    theirs = tokenizers.Tokenizer.from_file(str(saved(tmp_path, {**content, "version": "1.0"})))
    for text in ("The cats don't", "CAT cat caT", "dog", "", "東京 the"):
        assert ours.encode(text).tolist() == theirs.encode(text).ids


def test_the_two_older_files_are_read(tmp_path):
    content = byte_pair()
    (tmp_path / "vocab.json").write_text(json.dumps(content["model"]["vocab"]), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges(), ""]), encoding="utf-8")
    older = load_numbered_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    newer = load_tokenizer_json(saved(tmp_path, content))
    assert np.array_equal(older.encode(TEXT), newer.encode(TEXT))
    assert older.special_tokens == newer.special_tokens
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 7}), encoding="utf-8")
    with pytest.raises(UserError, match="cannot be used: its 1 ids are not 0 to 0"):
        load_numbered_files(tmp_path / "vocab.json", tmp_path / "merges.txt")


@pytest.mark.parametrize(("where", "value", "message"), [
    ("model.type", "Unigram", "its model is 'Unigram'; BPE and WordPiece can be read"),
    ("model.dropout", 0.1, "dropout = 0.1 is not supported, None is"),
    ("model.byte_fallback", True, "byte_fallback = True is not supported"),
    ("model.end_of_word_suffix", "</w>", "end_of_word_suffix = '</w>' is not supported"),
    ("model.merges", None, "it has no list of merges"),
    ("model.merges", ["a"], "merge 0 is 'a'"),
    ("model.merges", ["q z", "q z"], "merge 1"),
    ("model.vocab", ["a"], "it has no vocab"),
    ("model.vocab", {"a": 1.5}, "the id of 'a' is 1.5 and not a whole number"),
    ("model.vocab", {"a": 9}, "are not 0 to"),
    ("normalizer", {"type": "NFC"}, "normalizer = "),
    ("version", "2.0", "version = '2.0' is not supported, '1.0' is"),
    ("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True}, "is not supported; ByteLevel"),
    ("pre_tokenizer", {"type": "Split"}, "is not supported; ByteLevel"),
    ("pre_tokenizer", None, "it has no pre_tokenizer"),
    ("added_tokens", [{"id": "0"}], "its added_tokens are damaged"),
])  # fmt: skip
def test_what_is_not_known_is_refused(tmp_path, where, value, message):
    content = byte_pair()
    *outer, last = where.split(".")
    part = content
    for name in outer:
        part = part[name]
    part[last] = value
    with pytest.raises(UserError, match=message):
        load_tokenizer_json(saved(tmp_path, content))


def test_word_pieces_that_are_not_bert_s_are_refused(tmp_path):
    content = word_piece()
    content["normalizer"]["strip_accents"] = 0
    with pytest.raises(UserError, match="strip_accents = 0 is not supported"):
        load_tokenizer_json(saved(tmp_path, content))


def mutated(text, rng):
    """Up to three of: a character changed, a piece lost, a value exchanged for another."""
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(text)))
        match rng.integers(4):
            case 0:
                text = text[:place] + chr(int(rng.integers(32, 300))) + text[place + 1 :]
            case 1:
                text = text[:place] + text[place + int(rng.integers(1, 30)) :]
            case 2:
                found = text.find(":", place)
                value = ["null", "[]", "{}", "-1", "1e999", '"x"', "true", "99999999999999999999", "[" * 3000]
                text = text[: found + 1] + value[int(rng.integers(len(value)))] + text[found + 2 :]
            case _:
                text = text[:place] + text[int(rng.integers(len(text))) :]
    return text or "{"


def test_mutated_files_are_read_or_refused(tmp_path):
    small = byte_pair()
    small["model"]["merges"] = small["model"]["merges"][:4]
    kept = {merge.replace(" ", "") for merge in merges()[4:]}
    vocabulary = [token for token in small["model"]["vocab"] if token not in kept]
    small["model"]["vocab"] = {token: i for i, token in enumerate(vocabulary)}
    texts = [json.dumps(small), json.dumps(word_piece())]
    load_tokenizer_json(saved(tmp_path, texts[0]))
    rng = np.random.default_rng(0)
    opened = 0
    for number in range(FUZZ):
        try:
            load_tokenizer_json(saved(tmp_path, mutated(texts[number % 2], rng))).encode("the cats 12 <s>")
            opened += 1
        except UserError:
            continue
    assert 0 < opened < FUZZ


@pytest.mark.parametrize("make", [byte_pair, word_piece])
def test_an_older_file_does_not_say_what_its_model_is(make, tmp_path):
    content = make()
    said = load_tokenizer_json(saved(tmp_path, content)).encode("the cat").tolist()
    del content["model"]["type"]
    assert load_tokenizer_json(saved(tmp_path, content)).encode("the cat").tolist() == said
