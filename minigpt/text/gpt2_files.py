"""GPT-2's own tokenizer files: one of the vocabulary and one of the merges.

The vocabulary is a JSON object from token to id; the merges are one a line after a line `#version: 0.2`. Both
spell bytes in printable characters (`printable.py`). OpenAI published them as `encoder.json` and `vocab.bpe`
(https://github.com/openai/gpt-2); transformers writes the same as `vocab.json` and `merges.txt`.
"""

from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json, read_text, write_json, write_text
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges, unspell_merges
from minigpt.text.vocabulary import END_OF_TEXT
from minigpt.values import MOST_WHOLE, table_of, whole

ID = whole(-MOST_WHOLE)
VERSION = "#version: "


def load_gpt2_files(vocabulary_path: str | Path, merges_path: str | Path) -> BytePairTokenizer:
    """The tokenizer with the ids that the two files give: GPT-2's own has 50,257, with `<|endoftext|>` 50256.

    Raises `UserError` if a file is missing or damaged, or if the ids are not those of the 256 bytes, the merges
    in order, `<|endoftext|>` and then further special tokens.
    """
    vocabulary = read_json(vocabulary_path, is_vocabulary)
    merges = read_merges(merges_path)
    expected = [*_spell_ordinary(GPT2_BYTE_ORDER, merges), END_OF_TEXT]
    ids = [vocabulary.get(spelling, -1) for spelling in expected]
    if sorted(ids[:256]) + ids[256:] != list(range(len(ids))):
        raise UserError(
            f"the ids in {vocabulary_path} are not those of the 256 bytes, the {len(merges)} merges of {merges_path} "
            f"in order and {END_OF_TEXT}; check that the two files belong together and are whole"
        )
    ordinary = set(expected[:-1])
    special_tokens = {token: id_ for token, id_ in vocabulary.items() if token not in ordinary}
    byte_order = bytes(byte for _, byte in sorted(zip(ids[:256], GPT2_BYTE_ORDER, strict=True)))
    return BytePairTokenizer(merges, special_tokens, byte_order)


def save_gpt2_files(tokenizer: BytePairTokenizer, folder: str | Path) -> None:
    """Write `vocab.json` and `merges.txt` into `folder`, for transformers, tiktoken and others that read GPT-2's.

    Raises `UserError` for special tokens that such files cannot hold.
    """
    ordinary = _spell_ordinary(tokenizer.byte_order, tokenizer.merges)
    both = set(ordinary) & tokenizer.special_tokens.keys()
    if both or tokenizer.end_of_text != len(ordinary):
        raise UserError(
            f"GPT-2's files cannot hold the special tokens {tokenizer.special_tokens!r:.200}: {END_OF_TEXT} must come "
            f"first, and none may read like an ordinary token ({', '.join(both) or 'none does'}); change them"
        )
    vocabulary = {spelling: id_ for id_, spelling in enumerate(ordinary)}
    write_json(Path(folder) / "vocab.json", vocabulary | tokenizer.special_tokens)
    write_text(Path(folder) / "merges.txt", "\n".join([VERSION + "0.2", *spell_merges(tokenizer.merges), ""]))


def _spell_ordinary(byte_order: bytes, merges: list[tuple[bytes, bytes]]) -> list[str]:
    """Every token but the special ones, in the order of their ids."""
    return [spell(bytes([byte])) for byte in byte_order] + [spell(left + right) for left, right in merges]


def is_vocabulary(value: Any) -> bool:
    """Whether a JSON value is an object from token to id."""
    return table_of(ID).fits(value)


def read_merges(path: str | Path) -> list[tuple[bytes, bytes]]:
    """The merges in a merges.txt, which may begin with a line for the version. `UserError` if it is damaged."""
    if not Path(path).exists():
        raise UserError(f"there is no file {path}; check the path")
    try:
        lines = read_text(path).rstrip("\n").split("\n")
        return unspell_merges(lines[1:] if lines[0].startswith(VERSION) else lines)
    except UserError as error:
        raise UserError(f"{path} does not hold GPT-2's merges: {error}; it is damaged or another file") from None
