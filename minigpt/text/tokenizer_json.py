"""tokenizer.json, in which Hugging Face's tokenizers keeps a whole tokenizer: vocabulary, merges and the steps around.

Two kinds are read: byte-level byte-pair encoding (GPT-2, BART, SmolLM2) and WordPiece (BERT). A step that would change
the ids and is not known is refused, so a tokenizer that opens gives the ids of the original. What is done after, such
as adding [CLS], is left to the caller.
"""

from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.numbered import NumberedTokenizer, in_order, numbered_tokenizer
from minigpt.text.word_piece import WordPieceTokenizer

DIGITS, BYTES = {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"}
SPLITS = (([BYTES], False), ([DIGITS, BYTES], True))  # steps before a byte-pair model, whether digits stand alone
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None}


def load_tokenizer_json(path: str | Path) -> NumberedTokenizer | WordPieceTokenizer:
    """The tokenizer in the file. `UserError` if it is damaged or has a step that is not supported."""
    whole = read_json(path)
    try:
        model = _dict(whole.get("model"), "model")
        kind = model.get("type") or ("BPE" if "merges" in model else "WordPiece")
        if kind == "BPE":
            return _byte_pair(whole, model)
        if kind == "WordPiece":
            return _word_piece(whole, model)
        raise UserError(f"its model is {kind!r}; BPE and WordPiece can be read")
    except UserError as error:
        raise UserError(f"the tokenizer in {path} cannot be used: {error}") from None


def _byte_pair(whole, model) -> NumberedTokenizer:
    _only(model, dropout=None, continuing_subword_prefix=None, end_of_word_suffix=None, byte_fallback=False)
    _only(whole, normalizer=None)
    step = _dict(whole.get("pre_tokenizer"), "pre_tokenizer")
    steps = step.get("pretokenizers") if step.get("type") == "Sequence" else [step]
    known = [alone for form, alone in SPLITS if _same_steps(steps, form)]
    if not known:
        raise UserError(f"its pre_tokenizer {str(step)[:120]} is not supported; ByteLevel, with or without Digits, is")
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise UserError("it has no list of merges")
    merges = [" ".join(map(str, merge)) if isinstance(merge, list) else merge for merge in merges]
    vocabulary, added = _vocabulary(model), _added(whole)
    return numbered_tokenizer(vocabulary | added, merges, list(added), digits_alone=known[0])


def _word_piece(whole, model) -> WordPieceTokenizer:
    _only(model, unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100)
    normalizer = _dict(whole.get("normalizer"), "normalizer")
    _only(normalizer, **BERT)
    _only(_dict(whole.get("pre_tokenizer"), "pre_tokenizer"), type="BertPreTokenizer")
    return WordPieceTokenizer(
        in_order(_vocabulary(model) | _added(whole)), lower_case=bool(normalizer.get("lowercase", True))
    )


def _same_steps(steps: Any, form: Any) -> bool:
    """Whether the steps are these; what else a ByteLevel step says must be the usual."""
    if not isinstance(steps, list) or len(steps) != len(form) or not all(isinstance(step, dict) for step in steps):
        return False
    usual = {"add_prefix_space": False, "use_regex": True}
    return all(
        all(step.get(key) == value for key, value in wanted.items())
        and (wanted is not BYTES or all(step.get(key, value) == value for key, value in usual.items()))
        for step, wanted in zip(steps, form, strict=True)
    )


def _vocabulary(model) -> dict[str, int]:
    vocabulary = _dict(model.get("vocab"), "vocab")
    wrong = next((token for token, id_ in vocabulary.items() if type(id_) is not int), None)
    if wrong is not None:
        raise UserError(f"the id of {wrong!r:.50} is {vocabulary[wrong]!r:.50} and not a whole number")
    return vocabulary


def _added(whole) -> dict[str, int]:
    """The tokens that stand for themselves, and their ids."""
    added = whole.get("added_tokens") or []
    if not isinstance(added, list) or not all(
        isinstance(token, dict)
        and type(token.get("id")) is int
        and isinstance(token.get("content"), str)
        and token["content"]
        for token in added
    ):
        raise UserError("its added_tokens are damaged")
    return {token["content"]: token["id"] for token in added}


def _only(part: dict[str, Any], **wanted: Any) -> None:
    """`UserError` unless what this part says is what is supported; what it does not say is taken to be so."""
    for name, value in wanted.items():
        said = part.get(name, value)
        said = None if said == "" else said  # an empty prefix or suffix is none
        if said != value or type(said) is not type(value):
            raise UserError(f"{name} = {said!r:.50} is not supported, {value!r} is")


def _dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"it has no {name}")
    return value
