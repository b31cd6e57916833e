"""The tokenizer in the folder of a published model: tokenizer.json, or the older files of a family.

The older ones are vocab.txt (BERT), or vocab.json and merges.txt (GPT-2, BART), with settings in tokenizer_config.json
and further tokens in added_tokens.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json, read_text
from minigpt.text.added import AddedToken, read_added_tokens
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.gpt2_files import is_vocabulary, read_merges
from minigpt.text.marks import BERT, Mark, named_marks, usual_marks, with_marks
from minigpt.text.numbered import NumberedTokenizer, numbered_tokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges
from minigpt.text.tokenizer_json import load_tokenizer_json, with_added
from minigpt.text.word_piece import WordPieceTokenizer, read_lines
from minigpt.values import FLAG, TABLE, shown, table_of

PLAIN = {  # settings that must be so
    "add_prefix_space": False,
    "do_basic_tokenize": True,
    "never_split": None,
    "split_special_tokens": False,
}
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
    marks = [*named_marks(settings), *named_marks(_read(folder / "special_tokens_map.json"))]
    added = _added(folder, settings, {mark.content for mark in marks})
    tokenizer: CharacterTokenizer | NumberedTokenizer | WordPieceTokenizer
    if (folder / "tokenizer.json").exists():
        tokenizer = load_tokenizer_json(folder / "tokenizer.json")
        if not isinstance(tokenizer, CharacterTokenizer):
            _check_agreement(tokenizer, settings, added)
            _check_marks(tokenizer, marks)
    elif (folder / "vocab.txt").exists():
        tokenizer = _load_bert(folder, settings, added, marks)
    elif (folder / "vocab.json").exists() or (folder / "merges.txt").exists():
        tokenizer = _load_byte_pair(folder, settings, added, marks)
    else:
        return None
    ends = [mark.content for mark in marks if mark.name == "eos_token"]
    if isinstance(tokenizer, NumberedTokenizer):
        tokenizer.end_of_text = tokenizer.tokens.index(ends[0]) if ends else tokenizer.end_of_text
        template = folder / "chat_template.jinja"
        tokenizer.chat_template = (
            read_text(template).removesuffix("\n") if template.exists() else settings.get("chat_template")
        )
    return tokenizer


def load_numbered_files(
    vocabulary_path: str | Path, merges_path: str | Path, added: list[AddedToken] | None = None
) -> NumberedTokenizer:
    """The tokenizer of a vocab.json and a merges.txt, in whatever order its ids are (GPT-2's differs from BART's).

    added: the tokens that stand for themselves in a text; all that no merge makes unless given. `UserError` if a file
    is missing or damaged.
    """
    vocabulary = read_json(vocabulary_path, is_vocabulary)
    merges = spell_merges(read_merges(merges_path))
    tokens = _unmade(vocabulary, merges) if added is None else added
    try:
        return numbered_tokenizer(with_added(vocabulary, tokens), merges, tokens)
    except UserError as error:
        raise UserError(f"the tokenizer in {vocabulary_path} cannot be used: {error}") from None


def _unmade(vocabulary: Mapping[str, int], merges: list[str]) -> list[AddedToken]:
    """The tokens that no merge makes."""
    made = {merge.replace(" ", "") for merge in merges} | {spell(bytes([byte])) for byte in GPT2_BYTE_ORDER}
    return [AddedToken(token, id_, special=True) for token, id_ in vocabulary.items() if token and token not in made]


def _load_byte_pair(
    folder: Path, settings: Mapping[str, Any], added: list[AddedToken], marks: list[Mark]
) -> NumberedTokenizer:
    usual = usual_marks(folder, settings, "vocab.json")
    paths = folder / "vocab.json", folder / "merges.txt"
    vocabulary = read_json(paths[0], is_vocabulary)
    if usual is None:  # who made the files is not known
        known = {token.content for token in added}
        added = added + [token for token in load_numbered_files(*paths).added_tokens if token.content not in known]
    return load_numbered_files(*paths, with_marks(added, marks, usual or {}, vocabulary))


def _load_bert(
    folder: Path, settings: Mapping[str, Any], added: list[AddedToken], marks: list[Mark]
) -> WordPieceTokenizer:
    usual_marks(folder, settings, "vocab.txt")  # one that is not known is refused
    tokens = read_lines(folder / "vocab.txt")
    for mark in marks:
        if mark.content != BERT.get(mark.name, mark.content):
            raise UserError(f"its {mark.name} is {shown(mark.content)}; {BERT[mark.name]} is supported")
    known = with_marks(added, marks, BERT, {token: id_ for id_, token in enumerate(tokens)})
    said = {name: settings[name] for name in BERT_SETTINGS if settings.get(name) is not None}
    wrong = next((name for name, value in said.items() if not FLAG.fits(value)), None)
    if wrong is not None:
        raise UserError(f"tokenizer_config.json says {wrong} = {shown(said[wrong])}, which is neither true nor false")
    wanted = {BERT_SETTINGS[name]: value for name, value in said.items()}
    return WordPieceTokenizer(tokens, added=known, **wanted)


def _added(folder: Path, settings: Mapping[str, Any], special: set[str]) -> list[AddedToken]:
    """What tokenizer_config.json says of added tokens, and those of added_tokens.json that it does not name.

    special: those that a file names as such.
    """
    known = settings.get("added_tokens_decoder") or {}
    if not table_of(TABLE).fits(known) or not all(id_.isdecimal() and len(id_) < 10 for id_ in known):
        raise UserError("tokenizer_config.json has an added_tokens_decoder that is damaged")
    tokens = read_added_tokens([{**fields, "id": int(id_)} for id_, fields in known.items()])
    named = {token.content for token in tokens}
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


def _check_marks(tokenizer: NumberedTokenizer | WordPieceTokenizer, marks: list[Mark]) -> None:
    """`UserError` for a mark that is none of the added tokens of tokenizer.json: others would add it to them."""
    known = {token.content for token in tokenizer.added_tokens}
    for mark in marks:
        if mark.content not in known:
            raise UserError(
                f"its {mark.name} is {shown(mark.content)}, which is no token that tokenizer.json has among its "
                "added tokens"
            )


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; nothing if there is no such file."""
    return read_json(path) if path.exists() else {}
