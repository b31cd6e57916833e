"""Writing tokenizer.json, which Hugging Face's tokenizers opens and then gives the same ids.

It has no switch for special tokens: there they are always found in a text, as here with `allow_special`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.numbered import NumberedTokenizer
from minigpt.text.printable import spell, spell_merges
from minigpt.text.word_piece import WordPieceTokenizer

DIGITS = {"type": "Digits", "individual_digits": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def save_tokenizer_json(tokenizer: Any, folder: str | Path, *, longest: int) -> None:
    """Write tokenizer.json and tokenizer_config.json into the folder. longest: the context of the model, in tokens.

    `UserError` for a tokenizer that the format cannot describe.
    """
    if tokenizer.kind not in WRITERS:
        raise UserError(
            f"a tokenizer of the kind {tokenizer.kind!r} cannot be written as tokenizer.json; {', '.join(WRITERS)} can"
        )
    whole = WRITERS[tokenizer.kind](tokenizer)
    _check_added(whole)
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": longest,
        "clean_up_tokenization_spaces": False,
    }
    if tokenizer.end_of_text is not None:
        names = [token["content"] for token in whole["added_tokens"] if token["id"] == tokenizer.end_of_text]
        settings |= {"eos_token": names[0]} if names else {}
    marks = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "cls", "sep", "pad", "mask")}
    settings |= {name: mark for name, mark in marks.items() if mark in tokenizer.special_tokens}
    empty = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    write_json(Path(folder) / "tokenizer.json", {"version": "1.0", **empty, **whole})
    write_json(Path(folder) / "tokenizer_config.json", settings)


def _check_added(whole: dict[str, Any]) -> None:
    """`UserError` where text could be taken for a special token because it is spelled like one in the vocabulary."""
    vocabulary = whole["model"]["vocab"]
    for token in whole["added_tokens"]:
        if vocabulary.get(token["content"], token["id"]) != token["id"]:
            raise UserError(
                f"the tokenizer learned {token['content']!r} as text and has it as a special token too; "
                "tokenizer.json cannot tell them apart"
            )


def _bytes_of_pairs(vocabulary: dict[str, int], merges: list[str], digits_alone: bool) -> dict[str, Any]:
    model: dict[str, Any] = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    model |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    split = {"type": "Sequence", "pretokenizers": [DIGITS, BYTES]} if digits_alone else BYTES
    model |= {"vocab": vocabulary, "merges": [merge.split(" ") for merge in merges]}
    return {"model": model, "pre_tokenizer": split, "decoder": BYTES}


def _special(tokens: dict[str, int]) -> list[dict[str, Any]]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [{"id": id_, "content": token, **plain, "special": True} for token, id_ in tokens.items()]


def _byte_pair(tokenizer: BytePairTokenizer) -> dict[str, Any]:
    ordinary = [bytes([byte]) for byte in tokenizer.byte_order] + [left + right for left, right in tokenizer.merges]
    vocabulary = {spell(token): id_ for id_, token in enumerate(ordinary)}
    whole = _bytes_of_pairs(vocabulary, spell_merges(tokenizer.merges), tokenizer.digits_alone)
    return {**whole, "added_tokens": _special(tokenizer.special_tokens)}


def _numbered(tokenizer: NumberedTokenizer) -> dict[str, Any]:
    vocabulary = {token: id_ for id_, token in enumerate(tokenizer.tokens)}
    whole = _bytes_of_pairs(vocabulary, spell_merges(tokenizer.inner.merges), tokenizer.inner.digits_alone)
    return {**whole, "added_tokens": [token._asdict() for token in tokenizer.added_tokens]}


def _characters(tokenizer: CharacterTokenizer) -> dict[str, Any]:
    """Byte-pair encoding of characters, with nothing to merge and nothing split before."""
    vocabulary = {character: id_ for id_, character in enumerate(tokenizer.characters)}
    whole = _bytes_of_pairs(vocabulary, [], False)
    return {
        **whole,
        "pre_tokenizer": None,
        "decoder": {"type": "Fuse"},
        "added_tokens": _special(tokenizer.special_tokens),
    }


def _word_piece(tokenizer: WordPieceTokenizer) -> dict[str, Any]:
    flags = {name: getattr(tokenizer, name) for name in ("strip_accents", "handle_chinese_chars", "clean_text")}
    model: dict[str, Any] = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    model |= {"max_input_chars_per_word": 100}
    model |= {"vocab": {token: id_ for id_, token in enumerate(tokenizer.vocabulary)}}
    ends = {name: [f"[{name.upper()}]", tokenizer.special_tokens[f"[{name.upper()}]"]] for name in ("sep", "cls")}
    return {
        "model": model,
        "normalizer": {"type": "BertNormalizer", "lowercase": tokenizer.lower_case, **flags},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", **ends},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": tokenizer.clean_up},
        "added_tokens": [token._asdict() for token in tokenizer.added_tokens],
    }


WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    BytePairTokenizer.kind: _byte_pair,
    NumberedTokenizer.kind: _numbered,
    CharacterTokenizer.kind: _characters,
    WordPieceTokenizer.kind: _word_piece,
}
