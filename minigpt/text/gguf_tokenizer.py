"""The tokenizer inside of a GGUF file, read and written."""

import re
from typing import Any

from minigpt.errors import UserError
from minigpt.text.added import AddedToken
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.numbered import NumberedTokenizer, end_of_text_in
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges, unspell_merges
from minigpt.text.vocabulary import STRINGS
from minigpt.values import LIST, read, shown

NORMAL, UNUSED = 1, 5  # values of token_type
CONTROL, USER_DEFINED = 3, 4  # found in a text only where that is allowed, and always
PREFIX = "tokenizer.ggml."
READ = ("model", "pre", "tokens", "merges", "token_type", "eos_token_id")
# What stands before and after a text is left to the caller.
HARMLESS = re.compile(r"scores|token_type_count|\w+_token_ids?|add_(bos|eos|sep)_token")
SPLITS = {"gpt-2": False, "gpt2": False, "smollm": True}  # tokenizer.ggml.pre -> whether digits stand alone


def tokenizer_of_gguf(metadata: dict[str, Any]) -> NumberedTokenizer:
    """The tokenizer that the `tokenizer.ggml.` entries of `metadata` describe.

    `UserError` if it is of a kind that is not supported, or damaged.
    """
    kind, split = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or not isinstance(split, str) or split not in SPLITS:
        raise UserError(
            f"the tokenizer {shown(kind)} with the split {shown(split)} is not supported; gpt2 with {list(SPLITS)} is"
        )
    for name, value in metadata.items():
        short = name.removeprefix(PREFIX)
        if short != name and short not in READ and not HARMLESS.fullmatch(short) and value not in (False, "", []):
            raise UserError(f"{name} = {shown(value)} is not supported; use a model without it")
    tokens, merges, kinds = (_list(metadata, part) for part in ("tokens", "merges", "token_type"))
    if not tokens or not STRINGS.fits(tokens + merges) or len(kinds) != len(tokens):
        raise UserError("the tokenizer's tokens, merges or token types are missing or damaged; fetch the model again")
    known = (NORMAL, CONTROL, USER_DEFINED, UNUSED)
    strange = next((kind for kind in kinds if type(kind) is not int or kind not in known), None)
    if strange is not None:
        raise UserError(f"tokenizer.ggml.token_type has a token of the kind {shown(strange)}, which is not supported")
    ids = {token: id_ for id_, token in enumerate(tokens)}
    added = [
        AddedToken(token, ids[token], special=kind == CONTROL)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind in (CONTROL, USER_DEFINED)
    ]
    inner = BytePairTokenizer(unspell_merges(merges), None, GPT2_BYTE_ORDER, digits_alone=SPLITS[split])
    end = metadata.get("tokenizer.ggml.eos_token_id", end_of_text_in(added))
    tokenizer = NumberedTokenizer(inner, tokens, added, end)
    tokenizer.chat_template = metadata.get("tokenizer.chat_template")
    return tokenizer


def _list(metadata: dict[str, Any], part: str) -> list[Any]:
    return read(metadata, f"{PREFIX}{part}", LIST, [])


def gguf_of_tokenizer(tokenizer: Any, rows: int) -> dict[str, Any]:
    """The `tokenizer.ggml.` entries that describe a byte-pair tokenizer, as llama.cpp reads them.

    rows: of the model's token table; where the tokenizer has fewer tokens, unused ones make up for it. `UserError` for
    a tokenizer that they cannot describe.
    """
    if isinstance(tokenizer, BytePairTokenizer):
        inner, added = tokenizer, {**dict.fromkeys(tokenizer.special_tokens, CONTROL)}
        ordinary = [bytes([byte]) for byte in inner.byte_order] + [left + right for left, right in inner.merges]
        tokens = [*map(spell, ordinary), *sorted(inner.special_tokens, key=inner.special_tokens.__getitem__)]
    elif isinstance(tokenizer, NumberedTokenizer):
        inner, tokens = tokenizer.inner, list(tokenizer.tokens)
        added = {token.content: CONTROL if token.special else USER_DEFINED for token in tokenizer.added_tokens}
    else:
        kind = "no tokenizer" if tokenizer is None else f"a tokenizer of the kind {tokenizer.kind!r}"
        raise UserError(f"{kind} cannot be written as GGUF; byte-pair tokenizers can. Export the model as a folder")
    if len(set(tokens)) < len(tokens):
        twice = next(token for place, token in enumerate(tokens) if token in tokens[:place])
        raise UserError(f"the tokenizer learned {twice!r} as text and has it as a special token too; GGUF has one")
    kinds = [added.get(token, NORMAL) for token in tokens]
    unused = [f"[PAD{number}]" for number in range(len(tokens), rows)]
    end = tokenizer.end_of_text
    entries = {
        "model": "gpt2",
        "pre": "smollm" if inner.digits_alone else "gpt-2",
        "tokens": tokens + unused,
        "token_type": kinds + [UNUSED] * len(unused),
        "merges": spell_merges(inner.merges),
        **({} if end is None else {"bos_token_id": int(end), "eos_token_id": int(end)}),
        "add_bos_token": False,
    }
    template = getattr(tokenizer, "chat_template", None)
    chat = {"tokenizer.chat_template": template} if isinstance(template, str) else {}
    return {f"{PREFIX}{name}": value for name, value in entries.items()} | chat
