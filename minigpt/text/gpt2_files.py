"""GPT-2's own tokenizer files: one of the vocabulary and one of the merges.

The vocabulary is a JSON object from token to id; the merges are one a line after a line `#version: 0.2`. Both
spell bytes in printable characters (`printable.py`). OpenAI published them as `encoder.json` and `vocab.bpe`
(https://github.com/openai/gpt-2); transformers writes the same as `vocab.json` and `merges.txt`.
"""

from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json, write_json, write_text
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges, unspell_merges
from minigpt.text.vocabulary import END_OF_TEXT

VERSION = "#version: "


def load_gpt2_files(vocabulary_path: str | Path, merges_path: str | Path) -> BytePairTokenizer:
    """The tokenizer with the ids that the two files give: GPT-2's own has 50,257, with `<|endoftext|>` 50256.

    Raises `UserError` if a file is missing or damaged, if the two do not belong together, or if the ids
    are not 256 bytes, the merges in order, then special tokens, `<|endoftext|>` among them.
    """
    vocabulary = read_json(vocabulary_path, _is_vocabulary)
    merges = _read_merges(merges_path)
    ordinary = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER] + [spell(left + right) for left, right in merges]
    ids = [vocabulary.get(spelling, -1) for spelling in ordinary]
    if sorted(ids[:256]) + ids[256:] != list(range(len(ids))):
        raise UserError(
            f"the ids in {vocabulary_path} are not the 256 bytes and then the {len(merges)} merges of {merges_path} in "
            "order; check that the two files belong together and are whole"
        )
    special_tokens = {token: vocabulary[token] for token in vocabulary.keys() - set(ordinary)}
    if END_OF_TEXT not in special_tokens:
        raise UserError(f"{vocabulary_path} lacks the token {END_OF_TEXT}; give GPT-2's own files")
    byte_order = bytes(byte for _, byte in sorted(zip(ids[:256], GPT2_BYTE_ORDER, strict=True)))
    return BytePairTokenizer(merges, special_tokens, byte_order)


def save_gpt2_files(tokenizer: BytePairTokenizer, folder: str | Path) -> None:
    """Write `vocab.json` and `merges.txt` into `folder`, for transformers, tiktoken and others that read GPT-2's."""
    ordinary = [bytes([byte]) for byte in tokenizer.byte_order] + [left + right for left, right in tokenizer.merges]
    vocabulary = {spell(token): id_ for id_, token in enumerate(ordinary)}
    both = vocabulary.keys() & tokenizer.special_tokens.keys()
    if both:
        raise UserError(
            f"{both.pop()!r} is both an ordinary token and a special one, which GPT-2's files cannot tell apart; "
            "rename the special token"
        )
    write_json(Path(folder) / "vocab.json", vocabulary | tokenizer.special_tokens)
    write_text(Path(folder) / "merges.txt", "\n".join([VERSION + "0.2", *spell_merges(tokenizer.merges), ""]))


def _is_vocabulary(value: Any) -> bool:
    return isinstance(value, dict) and all(type(id_) is int for id_ in value.values())


def _read_merges(path: str | Path) -> list[tuple[bytes, bytes]]:
    """The merges in the file, which may begin with a line for the version."""
    try:
        lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
        return unspell_merges(lines[1:] if lines[0].startswith(VERSION) else lines)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"{path} does not hold GPT-2's merges: {error}; it is damaged or another file") from None
