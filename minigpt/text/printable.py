"""GPT-2's way to spell any bytes in printable characters, so that tokens can stand in text and JSON files.

A token is a string of bytes and need not be UTF-8: one character of Chinese may be cut into two tokens. GPT-2
(`bytes_to_unicode` in https://github.com/openai/gpt-2/blob/master/src/encoder.py) therefore gives each of
the 256 bytes a character of its own. The 188 bytes that Latin-1 prints (! to ~, ¡ to ¬, ® to ÿ) stand for themselves;
the other 68 (control codes, the space, 0x7F to 0xA0 and the soft hyphen 0xAD) become U+0100, U+0101, ... in their
order. So the space, byte 32, is Ġ (U+0120) and the line feed, byte 10, is Ċ (U+010A).
"""

from collections.abc import Sequence

from minigpt.errors import UserError

_THEMSELVES = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_OTHERS = [byte for byte in range(256) if byte not in _THEMSELVES]

GPT2_BYTE_ORDER = bytes(_THEMSELVES + _OTHERS)  # GPT-2 numbers the bytes in this order, from 0

_BYTE_TO_CHARACTER = dict(zip(GPT2_BYTE_ORDER, [*map(chr, _THEMSELVES), *map(chr, range(256, 256 + 68))], strict=True))
_CHARACTER_TO_BYTE = {character: byte for byte, character in _BYTE_TO_CHARACTER.items()}


def spell(token: bytes) -> str:
    """`token` in printable characters, one a byte."""
    return "".join(_BYTE_TO_CHARACTER[byte] for byte in token)


def unspell(spelling: str) -> bytes:
    """The bytes that `spell` wrote; `KeyError` for a character that spells no byte."""
    return bytes(_CHARACTER_TO_BYTE[character] for character in spelling)


def spell_merges(merges: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """One line a merge: the two tokens with a space between them."""
    return [f"{spell(left)} {spell(right)}" for left, right in merges]


def unspell_merges(lines: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The merges that `spell_merges` wrote; `UserError` for a line that is none."""
    merges = []
    for line in lines:
        try:
            left, right = line.split(" ")
            merges.append((unspell(left), unspell(right)))
        except (AttributeError, ValueError, KeyError):
            raise UserError(
                f"merge {len(merges)} is {line!r:.50} and not two tokens in GPT-2's spelling with a space between them"
            ) from None
    return merges
