"""The tokenizer in the folder of a published model: tokenizer.json, or the older files of a family.

The older ones are vocab.txt (BERT), or vocab.json and merges.txt (GPT-2, BART), with settings in tokenizer_config.json
and further tokens in added_tokens.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.added import AddedToken, read_added_tokens
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.gpt2_files import is_vocabulary, read_merges
from minigpt.text.numbered import NumberedTokenizer, numbered_tokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges
from minigpt.text.tokenizer_json import load_tokenizer_json, with_added
from minigpt.text.word_piece import MARKS, WordPieceTokenizer, read_lines
from minigpt.values import FLAG, TABLE, TEXT, Kind, read, shown, table_of

PLAIN = {"add_prefix_space": False, "do_basic_tokenize": True, "never_split": None}  # settings that must be so
MARK_NAMES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
MARK = Kind(
    "a string, or a table with its content",
    lambda value: TEXT.fits(value) or (TABLE.fits(value) and TEXT.fits(value.get("content"))),
).or_none()
BERT_SETTINGS = {  # tokenizer_config.json's words -> ours
    "do_lower_case": "lower_case",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}


def load_folder_tokenizer(folder: str | Path) -> CharacterTokenizer | NumberedTokenizer | WordPieceTokenizer | None:
    """The tokenizer of the first of these files that the folder has; None if it has none of them.

    `UserError` if a file is damaged, has a setting that is not supported, or two disagree.
    """
    folder = Path(folder)
    settings = _read(folder / "tokenizer_config.json")
    try:
        for name, wanted in PLAIN.items():
            if settings.get(name, wanted) not in (wanted, None, []):
                raise UserError(f"tokenizer_config.json says {name} = {shown(settings[name])}, which is not supported")
        return _open(folder, settings)
    except UserError as error:
        raise UserError(f"the tokenizer in {folder} cannot be used: {error}") from None


def _open(folder: Path, settings: dict[str, Any]) -> CharacterTokenizer | NumberedTokenizer | WordPieceTokenizer | None:
    added = _added(folder, settings)
    tokenizer: CharacterTokenizer | NumberedTokenizer | WordPieceTokenizer
    if (folder / "tokenizer.json").exists():
        tokenizer = load_tokenizer_json(folder / "tokenizer.json")
        if not isinstance(tokenizer, CharacterTokenizer):
            _check_agreement(tokenizer, settings, added)
    elif (folder / "vocab.txt").exists():
        tokenizer = _load_bert(folder / "vocab.txt", settings, added)
    elif (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        tokenizer = load_numbered_files(folder / "vocab.json", folder / "merges.txt", added)
    else:
        return None
    if isinstance(tokenizer, NumberedTokenizer) and (end := _content(settings, "eos_token")) is not None:
        if end not in tokenizer.tokens:
            raise UserError(f"its eos_token is {shown(end)}, which is no token")
        tokenizer.end_of_text = tokenizer.tokens.index(end)
    return tokenizer


def load_numbered_files(
    vocabulary_path: str | Path, merges_path: str | Path, added: list[AddedToken] | None = None
) -> NumberedTokenizer:
    """The tokenizer of a vocab.json and a merges.txt, in whatever order its ids are (GPT-2's differs from BART's).

    added: tokens that stand for themselves; what no merge makes does so too. `UserError` if a file is missing or
    damaged.
    """
    vocabulary = read_json(vocabulary_path, is_vocabulary)
    merges = spell_merges(read_merges(merges_path))
    made = {merge.replace(" ", "") for merge in merges} | {spell(bytes([byte])) for byte in GPT2_BYTE_ORDER}
    known = {token.content: token for token in added or ()}
    for token, id_ in vocabulary.items():
        if token and token not in made:
            known.setdefault(token, AddedToken(token, id_, special=True))
    try:
        tokens = list(known.values())
        return numbered_tokenizer(with_added(vocabulary, tokens), merges, tokens)
    except UserError as error:
        raise UserError(f"the tokenizer in {vocabulary_path} cannot be used: {error}") from None


def _load_bert(path: Path, settings: Mapping[str, Any], added: list[AddedToken]) -> WordPieceTokenizer:
    tokens = read_lines(path)
    known = {token.content: token for token in added}
    for id_, token in enumerate(tokens):
        if token in MARKS:
            known.setdefault(token, AddedToken(token, id_, special=True))
    said = {name: settings[name] for name in BERT_SETTINGS if settings.get(name) is not None}
    wrong = next((name for name, value in said.items() if not FLAG.fits(value)), None)
    if wrong is not None:
        raise UserError(f"tokenizer_config.json says {wrong} = {shown(said[wrong])}, which is neither true nor false")
    wanted = {BERT_SETTINGS[name]: value for name, value in said.items()}
    return WordPieceTokenizer(tokens, added=list(known.values()), **wanted)


def _added(folder: Path, settings: Mapping[str, Any]) -> list[AddedToken]:
    """What tokenizer_config.json says of added tokens, and those of added_tokens.json that it does not name."""
    known = settings.get("added_tokens_decoder") or {}
    if not table_of(TABLE).fits(known) or not all(id_.isdecimal() and len(id_) < 10 for id_ in known):
        raise UserError("tokenizer_config.json has an added_tokens_decoder that is damaged")
    tokens = read_added_tokens([{**fields, "id": int(id_)} for id_, fields in known.items()])
    named = {token.content for token in tokens}
    marks = {**settings, **_read(folder / "special_tokens_map.json")}
    special = {_content(marks, name) for name in MARK_NAMES}
    for content, id_ in _read(folder / "added_tokens.json").items():
        if content not in named:
            tokens += read_added_tokens(
                [{"content": content, "id": id_, "special": content in special, "normalized": content not in special}]
            )
    return tokens


def _check_agreement(
    tokenizer: NumberedTokenizer | WordPieceTokenizer, settings: Mapping[str, Any], added: list[AddedToken]
) -> None:
    """`UserError` where the files beside a tokenizer.json say otherwise: which of them is right cannot be known."""
    bert = isinstance(tokenizer, WordPieceTokenizer)  # others normalize nothing, so for them it is all one
    known = [token if bert else token._replace(normalized=False) for token in tokenizer.added_tokens]
    for token in added:
        if (token if bert else token._replace(normalized=False)) not in known:
            raise UserError(f"tokenizer.json lacks the added token {token}, which a file beside it has")
    for theirs, ours in BERT_SETTINGS.items() if bert else ():
        if settings.get(theirs, value := getattr(tokenizer, ours)) != value:
            raise UserError(
                f"tokenizer_config.json says {theirs} = {shown(settings[theirs])}, but tokenizer.json {value!r}"
            )


def _content(settings: Mapping[str, Any], name: str) -> str | None:
    """A token that is named by its text, or by an object with its text; None if there is none."""
    token = read(settings, name, MARK, None)
    return token["content"] if TABLE.fits(token) else token


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; nothing if there is no such file."""
    return read_json(path) if path.exists() else {}
