"""Tokenizers come back from their files as they went in, and a file that is not whole is refused."""

import json

import pytest

from minigpt.errors import UserError
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER
from minigpt.text.tokenizer import END_OF_TEXT, load_tokenizer

TEXT = "Ene, mene, miste,\r\n\tes rappelt in der Kiste. é你😀\u2028 \x00"
TOKENIZERS = [
    CharacterTokenizer.train([TEXT]),
    BytePairTokenizer.train([TEXT], 270),
    CharacterTokenizer.train([TEXT], special_tokens=["[MASK]", "e"]),
    BytePairTokenizer.train([TEXT], 270, special_tokens=["[MASK]", "e"]),
    BytePairTokenizer([(b"e", b"n"), (b" ", b"\xff")], {"<pad>": 258, END_OF_TEXT: 259}, GPT2_BYTE_ORDER),
]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_tokenizer_comes_back_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert type(again) is type(tokenizer)
    assert again.special_tokens == tokenizer.special_tokens
    assert again.vocabulary_size == tokenizer.vocabulary_size
    text = TEXT + END_OF_TEXT
    expected = tokenizer.encode(text, allow_special=True).tolist()
    assert again.encode(text, allow_special=True).tolist() == expected
    assert again.decode(expected) == text
    for id_ in range(tokenizer.vocabulary_size):
        assert again.decode_bytes([id_]) == tokenizer.decode_bytes([id_])


@pytest.mark.parametrize("kind", [CharacterTokenizer, BytePairTokenizer])
def test_further_special_tokens_follow_the_end_of_text(kind):
    size = {"vocabulary_size": 262} if kind is BytePairTokenizer else {}
    tokenizer = kind.train([TEXT + "[MASK] <sep>"], **size, special_tokens=["<sep>", "[MASK]"])
    end = tokenizer.vocabulary_size - 3
    assert tokenizer.special_tokens == {END_OF_TEXT: end, "<sep>": end + 1, "[MASK]": end + 2}
    assert end == 259 or kind is CharacterTokenizer
    assert tokenizer.encode("e<sep>[MASK]", allow_special=True).tolist()[1:] == [end + 1, end + 2]
    assert tokenizer.encode("e<sep>[MASK]").max() < end
    assert tokenizer.decode([end + 2, end]) == "[MASK]" + END_OF_TEXT
    for wrong in (["a", "a"], [END_OF_TEXT], [""], "ab"):
        with pytest.raises(UserError, match="special token"):
            kind.train([TEXT], **size, special_tokens=wrong)


def test_a_vocabulary_must_have_room_for_its_special_tokens():
    with pytest.raises(UserError, match=r"<sep>, so at least 258 tokens, not 257; ask for 258"):
        BytePairTokenizer.train(["abc"], 257, special_tokens=["<sep>"])
    with pytest.raises(UserError, match="at most 260 tokens, not 999"):
        BytePairTokenizer.train(["abc"], 999, special_tokens=["<sep>"])


def test_the_file_can_be_read_by_people(tmp_path):
    TOKENIZERS[4].save(tmp_path / "tokenizer.json")
    text = (tmp_path / "tokenizer.json").read_text(encoding="utf-8")
    assert '"kind": "byte_pair"' in text and '    "e n",\n    "Ġ ÿ"\n' in text


def save_changed(tokenizer, path, **changes):
    tokenizer.save(path)
    value = json.loads(path.read_text(encoding="utf-8"))
    for key, change in changes.items():
        value[key] = change(value[key])
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize(
    ("tokenizer", "changes", "message"),
    [
        (TOKENIZERS[1], {"kind": lambda _: "unigram"}, "kind is 'unigram' and not one of"),
        (TOKENIZERS[1], {"kind": lambda _: ["byte_pair"]}, "kind is"),
        (TOKENIZERS[1], {"kind": lambda _: "characters"}, "characters must be a string"),
        (TOKENIZERS[1], {"merges": lambda merges: merges[:-1]}, "must follow the 268 ordinary ones"),
        (TOKENIZERS[1], {"merges": lambda merges: merges[::-1]}, "two earlier tokens"),
        (TOKENIZERS[1], {"merges": lambda merges: [*merges[:-1], "a b c"]}, "merge 12 is 'a b c'"),
        (TOKENIZERS[1], {"merges": lambda merges: [*merges[:-1], "a  "]}, "merge 12 is"),
        (TOKENIZERS[1], {"merges": lambda merges: [*merges[:-1], 7]}, "merge 12 is 7"),
        (TOKENIZERS[1], {"merges": lambda merges: [*merges[:-1], "a €"]}, "merge 12 is"),
        (TOKENIZERS[1], {"merges": lambda _: 7}, "merges"),
        (TOKENIZERS[1], {"byte_order": lambda order: order[1:]}, "each of the 256 bytes once"),
        (TOKENIZERS[1], {"byte_order": lambda order: "€" + order[1:]}, "'€', which spells no byte"),
        (TOKENIZERS[1], {"special_tokens": lambda _: [END_OF_TEXT]}, "special tokens"),
        (TOKENIZERS[1], {"special_tokens": lambda _: {END_OF_TEXT: "269"}}, "special tokens"),
        (TOKENIZERS[1], {"special_tokens": lambda _: None}, "special_tokens"),
        (TOKENIZERS[1], {"special_tokens": lambda _: {}}, "special tokens"),
        (TOKENIZERS[0], {"characters": lambda characters: characters[1:]}, "must be {.*, after its 23 others"),
        (TOKENIZERS[0], {"characters": lambda characters: characters + "e"}, "each of them once"),
        (TOKENIZERS[0], {"characters": lambda _: ["a"]}, "must be a string"),
        (TOKENIZERS[0], {"special_tokens": lambda _: None}, "special"),
        (TOKENIZERS[2], {"special_tokens": lambda ids: {**ids, "e": 7}}, "must be {.*, after its"),
    ],
)
def test_a_damaged_file_is_refused(tokenizer, changes, message, tmp_path):
    path = tmp_path / "tokenizer.json"
    save_changed(tokenizer, path, **changes)
    with pytest.raises(UserError, match=message) as error:
        load_tokenizer(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '"kind"', "{}", "\x80"])
def test_a_foreign_file_is_refused(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="tokenizer"):
        load_tokenizer(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*none"):
        load_tokenizer(tmp_path / "none")
