"""Tokenizers built with Hugging Face's library under random settings: opened with equal ids, or refused by name."""

import json
import unicodedata

import numpy as np
import pytest
from conftest import optional
from nasty_text import NASTY

from minigpt import UserError
from minigpt.text.printable import GPT2_BYTE_ORDER, spell
from minigpt.text.tokenizer import load_tokenizer
from minigpt.text.tokenizer_json import load_tokenizer_json

OLD = (
    unicodedata.ucd_3_2_0
)  # their tables of Unicode are some editions old: what changed since is left out of the texts
PLACES = ("lstrip", "rstrip", "single_word", "normalized")
CONTENTS = [
    "<s>",
    "</s>",
    "<mask>",
    "the",
    "a",
    "  ",
    " the",
    "é",
    "<S>",
    "<x",
    "x>",
    "世界",
    "\n\n",
    "th",
    "<|endoftext|>",
]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("2", "0"), ("Ġ", "a"), ("Ã", "©"), ("Ġ", "Ġ"), ("a", "b"), ("Ċ", "Ċ")]
PIECES = [
    "the",
    "th",
    "##e",
    "a",
    "##a",
    "é",
    "e",
    "##é",
    "E",
    "É",
    "世",
    "##界",
    "界",
    "σ",
    "##σ",
    "##ς",
    "Σ",
    "i",
    "##\u0307",
]
PIECES += [
    "2",
    "##0",
    "x",
    "<",
    ">",
    "s",
    "mask",
    ".",
    "T",
    "The",
    "\u0301",
    "##\u0301",
    "S",
    "##s",
    "ı",
    "İ",
    "\u200b",
    "\0",
]
SNIPPETS = [
    *CONTENTS,
    *PIECES,
    *" \t\n\r0123",
    "The ",
    "ΑΣ ΣΑΣ. ",
    "İIıi ",
    "e\u0301",
    "word",
    "_",
    "- ",
    "\x1c",
    "\u2028",
    *NASTY,
]


def text_of(rng):
    text = "".join(rng.choice(np.array(SNIPPETS, object), int(rng.integers(0, 12))))
    return "".join(c for c in text if OLD.category(c) == unicodedata.category(c) != "Cn")


def add_tokens(theirs, rng):
    """Some tokens, each with places of its own, special or not."""
    added = optional("tokenizers").AddedToken
    for content in rng.permutation(np.array(CONTENTS, object))[: int(rng.integers(0, 8))]:
        places = {name: bool(rng.random() < 0.4) for name in PLACES}
        token = added(content, special=bool(rng.random() < 0.5), **places)
        (theirs.add_special_tokens if token.special else theirs.add_tokens)([token])


def byte_pair(rng, *, lacking=b""):
    tokenizers = optional("tokenizers")
    spelled = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER if byte not in lacking]
    tokens = rng.permutation(
        np.array([*spelled, *("".join(merge) for merge in MERGES), "<s>", "never", "<mask>"], object)
    )
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE({token: i for i, token in enumerate(tokens)}, MERGES))
    steps = tokenizers.pre_tokenizers
    split = steps.ByteLevel(add_prefix_space=False, trim_offsets=bool(rng.random() < 0.5))
    theirs.pre_tokenizer = steps.Sequence([steps.Digits(True), split]) if rng.random() < 0.5 else split
    add_tokens(theirs, rng)
    return theirs


def word_piece(rng):
    tokenizers = optional("tokenizers")
    tokens = rng.permutation(np.array(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *PIECES], object))
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    flags = {name: bool(rng.random() < 0.5) for name in ("lowercase", "handle_chinese_chars", "clean_text")}
    strip = [None, False, True][int(rng.integers(3))]
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(strip_accents=strip, **flags)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    add_tokens(theirs, rng)
    return theirs


def compare(theirs, folder, rng):
    """Ours, opened and then saved and loaded, against theirs; with special tokens and without."""
    theirs.save(str(folder / "tokenizer.json"))
    ours = load_tokenizer_json(folder / "tokenizer.json")
    ours.save(folder / "ours.json")
    again = load_tokenizer(folder / "ours.json")
    assert ours.vocabulary_size == theirs.get_vocab_size()
    for _ in range(40):
        text = text_of(rng)
        for allow in (True, False):
            theirs.encode_special_tokens = not allow
            wanted = theirs.encode(text, add_special_tokens=False).ids
            assert ours.encode(text, allow_special=allow).tolist() == wanted, (text, allow)
            assert again.encode(text, allow_special=allow).tolist() == wanted


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("build", [byte_pair, word_piece])
def test_random_settings_give_equal_ids(build, seed, tmp_path):
    rng = np.random.default_rng(seed)
    try:
        theirs = build(rng)
        compare(theirs, tmp_path, rng)
    except UserError as error:  # what normalizing leaves nothing of, or makes equal, has no place to stand
        assert "normaliz" in str(error)


def test_bytes_without_a_token_are_left_out(tmp_path):
    rng = np.random.default_rng(7)
    compare(byte_pair(rng, lacking=b"\0\x01\x1ct"[:3]), tmp_path, rng)


def set_in(whole, where, value):
    *outer, last = where.split(".")
    part = whole
    for name in outer:
        part = part[int(name) if name.isdecimal() else name]
    part[last] = value


@pytest.mark.parametrize(
    ("build", "where", "value", "says"),
    [
        (byte_pair, "model.ignore_merges", True, "ignore_merges = True"),
        (byte_pair, "model.dropout", 0.5, "dropout = 0.5"),
        (byte_pair, "model.byte_fallback", True, "byte_fallback = True"),
        (byte_pair, "model.continuing_subword_prefix", "##", "continuing_subword_prefix = '##'"),
        (byte_pair, "model.end_of_word_suffix", "</w>", "end_of_word_suffix = '</w>'"),
        (byte_pair, "model.new_in_some_version", 1, "new_in_some_version = 1 is not known"),
        (byte_pair, "normalizer", {"type": "NFC"}, "normalizer = "),
        (
            byte_pair,
            "pre_tokenizer",
            {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True},
            "prefix_space",
        ),
        (byte_pair, "pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}, "use_regex"),
        (byte_pair, "pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": False, "lower": 1}, "'lower': 1"),
        (byte_pair, "pre_tokenizer", {"type": "Sequence", "pretokenizers": []}, "Sequence"),
        (byte_pair, "added_tokens.0.stretch", True, "stretch = True"),
        (byte_pair, "added_tokens.0.lstrip", "yes", "lstrip = 'yes'"),
        (byte_pair, "added_tokens.0.id", 7_000, "has the ids"),
        (byte_pair, "later", {}, "later = {} is not known"),
        (word_piece, "model.unk_token", "<unk>", "unk_token = '<unk>'"),
        (word_piece, "model.continuing_subword_prefix", "@@", "continuing_subword_prefix = '@@'"),
        (word_piece, "model.max_input_chars_per_word", 9, "max_input_chars_per_word = 9"),
        (word_piece, "normalizer", None, "it has no normalizer"),
        (word_piece, "normalizer.type", "Lowercase", "type = 'Lowercase'"),
        (word_piece, "normalizer.lowercase", 1, "lowercase = 1"),
        (word_piece, "normalizer.strip_accents", "no", "strip_accents = 'no'"),
        (word_piece, "normalizer.new", True, "new = True is not known"),
        (word_piece, "pre_tokenizer.type", "Whitespace", "type = 'Whitespace'"),
    ],
)
def test_a_setting_that_is_not_supported_is_refused_by_name(build, where, value, says, tmp_path):
    theirs = build(np.random.default_rng(3))
    theirs.add_special_tokens(["<s>"])
    whole = json.loads(theirs.to_str())
    set_in(whole, where, value)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_tokenizer_json(path)
    assert says in str(error.value)


def test_an_unknown_token_that_would_be_used_is_refused(tmp_path):
    path, theirs = tmp_path / "tokenizer.json", byte_pair(np.random.default_rng(3), lacking=b"\0")
    whole = json.loads(theirs.to_str())
    whole["model"]["unk_token"] = "<s>"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(UserError, match="unk_token = '<s>' is not supported where the byte 0 has no id"):
        load_tokenizer_json(path)


@pytest.mark.parametrize(
    ("ids", "says"),
    [((0, 1, 5), "no token has the id 2, a gap"), ((0, 1, 1), "two have the id 1"), ((-1, 0, 1), "id -1")],
)
def test_ids_that_are_not_in_a_row_are_told_apart(ids, says, tmp_path):
    whole = json.loads(byte_pair(np.random.default_rng(3)).to_str())
    whole["added_tokens"], whole["model"]["merges"] = [], []
    whole["model"]["vocab"] = dict(zip(("a", "b", "c"), ids, strict=True))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(UserError, match=says):
        load_tokenizer_json(path)
