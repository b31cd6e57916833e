"""One contract for every kind of tokenizer: one table, one set of properties."""

import importlib
import json
import pkgutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty_text import NASTY, any_bytes, assigned_text, fragments

import minigpt.text
from minigpt import UserError
from minigpt.text.added import AddedToken
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.numbered import NumberedTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell
from minigpt.text.sounds import SoundsTokenizer
from minigpt.text.tokenizer import END_OF_TEXT, KINDS, document_end, load_tokenizer
from minigpt.text.word_piece import WordPieceTokenizer

MERGES = [(b"t", b"h"), (b"th", b"e"), (b" ", b"the"), (b"2", b"0"), (b"\xe4", b"\xbd"), (b" ", b"2"), (b"a", b"a")]
MARKS = ["[MASK]", "<sep>", "<|im_start|>", "the", END_OF_TEXT]  # of which one reads like an ordinary token


def numbered(*, digits_alone=False, lacking=b"", added=(), end="</s>", seed=5):
    """Ids in an order of their own, added tokens among the others."""
    inner = BytePairTokenizer(MERGES, None, GPT2_BYTE_ORDER, digits_alone=digits_alone)
    ordinary = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER if byte not in lacking]
    tokens = [*ordinary, *(spell(left + right) for left, right in MERGES), *(token.content for token in added)]
    tokens = [tokens[i] for i in np.random.default_rng(seed).permutation(len(tokens))]
    added = [token._replace(id=tokens.index(token.content)) for token in added]
    return NumberedTokenizer(inner, tokens, added, tokens.index(end) if end else None)


def word_piece(**settings):
    marks = ["[PAD]", "[UNK]", "the", "[CLS]", "[SEP]", "[MASK]"]
    pieces = ["a", "##a", "é", "e", "##e", "世", "界", "##界", "σ", "ς", "Σ", "2", "##0", ".", "T", "t", "##he", "line"]
    return WordPieceTokenizer([*marks, *pieces], **settings)


@dataclass(frozen=True)
class Kind:
    """A tokenizer and what can be asked of it."""

    tokenizer: Any
    text: Any  # texts that it takes
    lossless: bool = True
    any_bytes: bool = False
    marks: bool = True  # its special tokens can be encoded


any_text = (
    st.text() | assigned_text | fragments | st.sampled_from(NASTY) | st.lists(st.sampled_from(MARKS)).map("".join)
)
known_text = st.text(sorted(set("".join(NASTY)))) | st.sampled_from(NASTY)
LOOSE = [
    AddedToken("</s>", 0, special=True),
    AddedToken("<mask>", 0, special=True, lstrip=True, single_word=True),
    AddedToken("  ", 0, normalized=True),
    AddedToken("the the", 0, rstrip=True),
]
TABLE = {
    "byte_pair": Kind(BytePairTokenizer(MERGES), any_text, any_bytes=True),
    "byte_pair, digits alone": Kind(BytePairTokenizer(MERGES, digits_alone=True), any_text, any_bytes=True),
    "byte_pair, further marks": Kind(
        BytePairTokenizer.train(NASTY, 300, special_tokens=MARKS[:3]), any_text, any_bytes=True
    ),
    "characters": Kind(CharacterTokenizer.train([*NASTY, *MARKS]), known_text),
    "characters, further marks": Kind(CharacterTokenizer.train([*NASTY, *MARKS], special_tokens=MARKS[:3]), known_text),
    "numbered": Kind(numbered(added=LOOSE[:1]), any_text, any_bytes=True),
    "numbered, digits alone": Kind(numbered(digits_alone=True, added=LOOSE[:1], seed=6), any_text, any_bytes=True),
    "numbered, tokens added": Kind(numbered(added=LOOSE), any_text, lossless=False),
    "numbered, no special tokens": Kind(numbered(end=None), any_text, any_bytes=True),
    "numbered, bytes lacking": Kind(numbered(lacking=b"\0\x01a", end=None), any_text, lossless=False),
    "word_piece": Kind(word_piece(), any_text, lossless=False),
    "word_piece, cased": Kind(word_piece(lower_case=False), any_text, lossless=False),
    "word_piece, as it is": Kind(
        word_piece(strip_accents=False, handle_chinese_chars=False, clean_text=False), any_text, lossless=False
    ),
    "word_piece, tokens added": Kind(
        word_piece(added=[AddedToken("<x>", 24, normalized=True)]), any_text, lossless=False
    ),
    "sounds": Kind(SoundsTokenizer("____abcé", "____ɑʃˈ1234", 13), any_text, lossless=False, marks=False),
}
every_kind = pytest.mark.parametrize("kind", TABLE.values(), ids=TABLE.keys())


@pytest.fixture(scope="module")
def reopened(tmp_path_factory):
    """tokenizer -> the same, saved and loaded."""
    known = {}

    def reopen(tokenizer):
        if id(tokenizer) not in known:
            path = tmp_path_factory.mktemp("saved") / "tokenizer.json"
            tokenizer.save(path)
            known[id(tokenizer)] = load_tokenizer(path)
        return known[id(tokenizer)]

    return reopen


def test_the_table_holds_every_kind():
    modules = [
        importlib.import_module(f"minigpt.text.{module.name}") for module in pkgutil.iter_modules(minigpt.text.__path__)
    ]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    kinds = {value for value in classes if isinstance(getattr(value, "kind", None), str)}
    assert set(KINDS.values()) == kinds == {type(kind.tokenizer) for kind in TABLE.values()}
    assert all(KINDS[kind.kind] is kind for kind in kinds)


def test_letters_and_sounds_by_hand():
    tokenizer = SoundsTokenizer("____abcé", "____ɑʃˈ1234", 13)
    assert tokenizer.encode("abé_z").tolist() == [1, 4, 5, 7, 3, 3, 2]
    assert tokenizer.decode([1, 4, 6, 5, 10, 11, 12, 3, 2]) == "ɑˈʃ4"
    for letters, sounds, size in (
        ("____", "____ab", 9),
        ("____ab", 7, 9),
        ("____ab", "____a", 5),
        ("____ab", "____a", 6.5),
    ):
        with pytest.raises(UserError, match="characters"):
            SoundsTokenizer(letters, sounds, size)


@every_kind
def test_a_saved_tokenizer_is_the_same(kind, reopened):
    ours, again = kind.tokenizer, reopened(kind.tokenizer)
    assert type(again) is type(ours)
    for name in ("kind", "vocabulary_size", "special_tokens", "end_of_text"):
        assert getattr(again, name) == getattr(ours, name)
    for id_ in range(ours.vocabulary_size):
        assert again.decode_bytes([id_]) == ours.decode_bytes([id_])


@every_kind
@given(data=st.data())
def test_it_gives_the_same_ids_in_range_and_loses_nothing(kind, reopened, data):
    ours, again = kind.tokenizer, reopened(kind.tokenizer)
    text = data.draw(kind.text | any_bytes if kind.any_bytes else kind.text)
    for allow_special in (False, True) if kind.marks else (False,):
        ids = ours.encode(text, allow_special=allow_special)
        assert ids.dtype == np.int64 and ids.ndim == 1
        assert ids.size == 0 or (ids.min() >= 0 and ids.max() < ours.vocabulary_size)
        assert again.encode(text, allow_special=allow_special).tolist() == ids.tolist()
        assert again.decode(ids) == ours.decode(ids.tolist()) == ours.decode_bytes(ids).decode("utf-8", "replace")
        if kind.lossless:
            wanted = (
                text if isinstance(text, bytes) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            )
            assert ours.decode_bytes(ids) == (wanted if isinstance(wanted, bytes) else wanted.encode())
            assert b"".join(ours.decode_bytes([id_]) for id_ in ids) == ours.decode_bytes(ids)


@every_kind
def test_special_tokens_are_plain_text_unless_allowed(kind):
    ours = kind.tokenizer
    if not kind.marks:
        with pytest.raises(UserError, match="encode it without allow_special"):
            ours.encode("a", allow_special=True)
        return
    for content, id_ in ours.special_tokens.items():
        assert ours.encode(content, allow_special=True).tolist() == [id_]
        assert id_ not in ours.encode(content) or content == "[UNK]"
        assert ours.decode([id_]) == content
    text = "".join(ours.special_tokens)
    assert ours.encode(text, allow_special=True).tolist() == list(ours.special_tokens.values()) or "<mask>" in text


@every_kind
def test_the_end_of_a_text_is_an_id_or_none(kind):
    ours = kind.tokenizer
    if ours.end_of_text is not None:
        assert document_end(ours) == ours.end_of_text and ours.end_of_text in ours.special_tokens.values()
    elif "[SEP]" in ours.special_tokens:
        assert document_end(ours) == ours.special_tokens["[SEP]"]
    else:
        with pytest.raises(UserError, match="no token that ends a text"):
            document_end(ours)


@every_kind
@pytest.mark.parametrize("wrong", [[-1], [0.5], [[0]], [10**6]])
def test_ids_that_do_not_exist_are_refused(kind, wrong):
    for decode in (kind.tokenizer.decode, kind.tokenizer.decode_bytes):
        with pytest.raises(UserError, match="token"):
            decode(wrong)
        assert len(decode([])) == 0


@every_kind
def test_a_saved_tokenizer_with_a_damaged_part_is_refused(kind, tmp_path):
    path = tmp_path / "tokenizer.json"
    kind.tokenizer.save(path)
    whole = json.loads(path.read_text(encoding="utf-8"))
    for name in whole.keys() - {"kind"}:
        for value in ("x", 7.5, [7], {"a": 1}, None):
            if value is None and name in ("end_of_text", "strip_accents"):
                continue
            path.write_text(json.dumps({**whole, name: value}), encoding="utf-8")
            with pytest.raises(UserError, match="damaged"):
                load_tokenizer(path)
