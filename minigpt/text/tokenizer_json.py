"""tokenizer.json, in which Hugging Face's tokenizers keeps a whole tokenizer: vocabulary, merges and the steps around.

Three kinds are read: byte-level byte-pair encoding (GPT-2, BART, SmolLM2), WordPiece (BERT), and single characters. A
setting that is not known, or that would change the ids in a way that is not supported, is refused, so a tokenizer that
opens gives the ids of the original. What is done after, such as adding [CLS] or cutting to a length, is left to the
caller.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.added import AddedToken, read_added_tokens
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.numbered import NumberedTokenizer, in_order, numbered_tokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell
from minigpt.text.word_piece import WordPieceTokenizer
from minigpt.values import FLAG, LIST, MOST_WHOLE, TABLE, TEXT, read, shown, whole

ID = whole(-MOST_WHOLE)  # `in_order` says which are missing
PARTS = ("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
DIGITS = {"type": "Digits", "individual_digits": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
SPLITS = (([BYTES], False), ([DIGITS, BYTES], True))  # steps before a byte-pair model, whether digits stand alone
BYTE_PAIR = {
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}
BYTE_PAIR_READ = ("type", "vocab", "merges", "dropout", "unk_token", "fuse_unk")
WORD_PIECE = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
DECODERS: dict[
    str, dict[str, tuple[str, ...]]
] = {  # of each kind of tokenizer, the types that put tokens together as we do; none at all is as good
    "byte pairs": {"ByteLevel": ("add_prefix_space", "trim_offsets", "use_regex")},
    "characters": {"Fuse": ()},
    "word pieces": {"WordPiece": ("prefix", "cleanup")},
}
AROUND = ("ByteLevel", "BertProcessing", "RobertaProcessing", "TemplateProcessing", "Sequence")  # for the caller to do
BERT_FLAGS = ("lowercase", "strip_accents", "handle_chinese_chars", "clean_text")


def load_tokenizer_json(path: str | Path) -> CharacterTokenizer | NumberedTokenizer | WordPieceTokenizer:
    """The tokenizer in the file. `UserError` if it is damaged or has a step that is not supported."""
    whole = read_json(path)
    try:
        _only(whole, {"version": "1.0"} if whole.get("version") is not None else {}, (*PARTS, "model"))
        around = whole.get("post_processor")
        if around is not None and read(around, "type", TEXT) not in AROUND:
            raise UserError(f"post_processor = {shown(around)} is not supported, {', '.join(AROUND)} are")
        model = _dict(whole.get("model"), "model")
        kind = model.get("type") or ("BPE" if "merges" in model else "WordPiece")
        if kind == "BPE" and whole.get("pre_tokenizer") is None and model.get("merges") == []:
            return _characters(whole, model)
        if kind == "BPE":
            return _byte_pair(whole, model)
        if kind == "WordPiece":
            return _word_piece(whole, model)
        raise UserError(f"its model is {kind!r}; BPE and WordPiece can be read")
    except UserError as error:
        raise UserError(f"the tokenizer in {path} cannot be used: {error}") from None


def _byte_pair(whole: dict[str, Any], model: dict[str, Any]) -> NumberedTokenizer:
    _only(model, BYTE_PAIR, BYTE_PAIR_READ)
    if model.get("dropout"):  # 0 is as good as none
        raise UserError(f"dropout = {shown(model['dropout'])} is not supported, None is")
    _only(whole, {"normalizer": None}, whole)
    _decoder(whole, "byte pairs")
    digits_alone = _split(_dict(whole.get("pre_tokenizer"), "pre_tokenizer"))
    merges: Any = model.get("merges")
    if not LIST.fits(merges):
        raise UserError("it has no list of merges")
    merges = [" ".join(map(str, merge)) if isinstance(merge, list) else merge for merge in merges]
    added = _added(whole)
    vocabulary = with_added(_vocabulary(model), added)
    lacking = [byte for byte in GPT2_BYTE_ORDER if spell(bytes([byte])) not in vocabulary]
    if model.get("unk_token") and lacking:
        raise UserError(
            f"unk_token = {shown(model['unk_token'])} is not supported where the byte {lacking[0]} has no id"
        )
    return numbered_tokenizer(vocabulary, merges, added, digits_alone=digits_alone)


def _characters(whole: dict[str, Any], model: dict[str, Any]) -> CharacterTokenizer:
    """Byte-pair encoding with nothing to merge and nothing split before: one token a character."""
    _only(model, BYTE_PAIR, BYTE_PAIR_READ)
    _only(whole, {"normalizer": None}, whole)
    _decoder(whole, "characters")
    vocabulary, added = _vocabulary(model), _added(whole)
    tokenizer = CharacterTokenizer(in_order(vocabulary), [token.content for token in added[1:]])
    ids = {character: id_ for id_, character in enumerate(tokenizer.characters)}
    plain = [AddedToken(token, id_, special=True) for token, id_ in tokenizer.special_tokens.items()]
    if ids != vocabulary or plain != added or model.get("unk_token"):
        raise UserError("its characters have other ids than the order of their code points, and so on; not supported")
    return tokenizer


def _split(step: dict[str, Any]) -> bool:
    """Whether the steps before the model set digits apart; `UserError` for steps that are not known."""
    steps = step.get("pretokenizers") if step.get("type") == "Sequence" else [step]
    for form, digits_alone in SPLITS:
        if isinstance(steps, list) and len(steps) == len(form) and all(map(_is_step, steps, form)):
            return digits_alone
    raise UserError(f"its pre_tokenizer {str(step)[:120]} is not supported; ByteLevel, with or without Digits, is")


def _is_step(step: Any, wanted: dict[str, Any]) -> bool:
    """Whether a step is the wanted one; trim_offsets changes no id."""
    if not isinstance(step, dict) or not step.keys() <= {*wanted, "trim_offsets"} or step.get("type") != wanted["type"]:
        return False
    needed = {"individual_digits"} & wanted.keys()
    return needed <= step.keys() and all(
        step.get(key, value) is value or key == "type" for key, value in wanted.items()
    )


def _word_piece(whole: dict[str, Any], model: dict[str, Any]) -> WordPieceTokenizer:
    _only(model, WORD_PIECE, ("type", "vocab"))
    normalizer = _dict(whole.get("normalizer"), "normalizer")
    _only(normalizer, {"type": "BertNormalizer"}, BERT_FLAGS)
    _only(_dict(whole.get("pre_tokenizer"), "pre_tokenizer"), {"type": "BertPreTokenizer"}, ())
    vocabulary, added = _vocabulary(model), _added(whole)
    in_order(with_added(vocabulary, added))
    decoder = _decoder(whole, "word pieces")
    _only(decoder, {"prefix": "##"}, decoder)
    return WordPieceTokenizer(
        in_order(vocabulary),
        lower_case=_flag(normalizer, "lowercase"),
        strip_accents=_flag(normalizer, "strip_accents", None),
        handle_chinese_chars=_flag(normalizer, "handle_chinese_chars"),
        clean_text=_flag(normalizer, "clean_text"),
        clean_up=_flag(decoder, "cleanup", False),
        added=added,
    )


def _decoder(whole: dict[str, Any], kind: str) -> dict[str, Any]:
    """How tokens are put together; empty if the file does not say."""
    found, known = whole.get("decoder"), DECODERS[kind]
    if found is None:
        return {}
    if read(found, "type", TEXT) not in known:
        raise UserError(f"decoder = {shown(found)} is not supported for {kind}, {', '.join(known)} is")
    _only(found, {}, ("type", *known[found["type"]]))
    return found


def _flag(part: dict[str, Any], name: str, default: bool | None = True) -> Any:
    value = part.get(name, default)
    if value is not default and not FLAG.fits(value):
        raise UserError(f"{name} = {shown(value)} is not supported, true and false are")
    return value


def _vocabulary(model: dict[str, Any]) -> dict[str, int]:
    vocabulary = _dict(model.get("vocab"), "vocab")
    wrong = next((token for token, id_ in vocabulary.items() if not ID.fits(id_)), None)
    if wrong is not None:
        raise UserError(f"the id of {shown(wrong)} is {shown(vocabulary[wrong])} and not a whole number")
    return vocabulary


def _added(whole: dict[str, Any]) -> list[AddedToken]:
    return read_added_tokens(whole.get("added_tokens") or [])


def with_added(vocabulary: dict[str, int], added: Collection[AddedToken]) -> dict[str, int]:
    """The vocabulary and the added tokens; `UserError` if they disagree about an id."""
    both = dict(vocabulary)
    for token in added:
        if both.setdefault(token.content, token.id) != token.id:
            raise UserError(f"{shown(token.content)} has the ids {both[token.content]} and {token.id}")
    return both


def _only(part: dict[str, Any], wanted: dict[str, Any], read: Collection[str]) -> None:
    """`UserError` unless `part` says what is wanted, or nothing, and else only what is read elsewhere."""
    for name, said in part.items():
        if name not in wanted and name not in read:
            raise UserError(f"{name} = {shown(said)} is not known, so what it does to the ids is not either")
        value = wanted.get(name, said)
        said = None if said == "" else said  # an empty prefix or suffix is none
        if name in wanted and (said != value or type(said) is not type(value)):
            raise UserError(f"{name} = {shown(said)} is not supported, {value!r} is")


def _dict(value: Any, name: str) -> dict[str, Any]:
    if not TABLE.fits(value):
        raise UserError(f"it has no {name}")
    return value
