"""Marks: the special tokens of a model's folder, which its files name or its class of tokenizer has anyway."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.added import AddedToken, read_added_tokens
from minigpt.values import TABLE, TEXT, Kind, check, read, shown

NAMES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
FURTHER = ("additional_special_tokens", "extra_special_tokens")  # lists of them, or tables of name and token
TOKEN = Kind(
    "a string, or a table with its content",
    lambda value: TEXT.fits(value) or (TABLE.fits(value) and TEXT.fits(value.get("content"))),
)
END = "<|endoftext|>"
BERT = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
GPT2 = dict.fromkeys(("unk_token", "bos_token", "eos_token"), END)
ROBERTA = {"cls_token": "<s>", "bos_token": "<s>", "sep_token": "</s>", "eos_token": "</s>"}
ROBERTA |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
CLASSES = {  # the file of a vocabulary -> classes that read it -> their marks, if no file says otherwise
    "vocab.txt": {"Bert": BERT, "DistilBert": BERT, "Electra": BERT},
    "vocab.json": {"GPT2": GPT2, "Roberta": ROBERTA, "Bart": ROBERTA},
}
ANY_CLASS = ("PreTrained", "")  # names of no class in particular


class Mark(NamedTuple):
    """A token that a file names."""

    name: str  # what it is for, such as pad_token
    token: Any  # its text, or a table with its content and where it is found

    @property
    def content(self) -> str:
        """Its text."""
        return self.token["content"] if TABLE.fits(self.token) else self.token

    def added(self, id_: int) -> AddedToken:
        """The token under this id."""
        flags = {name: said for name, said in self.token.items() if name != "__type"} if TABLE.fits(self.token) else {}
        return read_added_tokens([{**flags, "content": self.content, "id": id_, "special": True}])[0]


def named_marks(settings: Mapping[str, Any]) -> Iterator[Mark]:
    """The marks that tokenizer_config.json or special_tokens_map.json names. `UserError` for what is no token."""
    for name in NAMES:
        token = read(settings, name, TOKEN.or_none(), None)
        if token is not None:
            yield Mark(name, token)
    for name in FURTHER:
        several: Any = settings.get(name) or []
        if not isinstance(several, (list, dict)):
            raise UserError(f"{name} is {shown(several)}, but it must be a list of tokens")
        for place, token in several.items() if isinstance(several, dict) else enumerate(several):
            check(f"{name}[{place}]", token, TOKEN)
            yield Mark(f"{name}[{place}]", token)


def usual_marks(folder: Path, settings: Mapping[str, Any], file: str) -> dict[str, str] | None:
    """The marks of the folder's class of tokenizer, by their names; None if no file says what class it is.

    `UserError` for a class that is not known to read such a `file`, as it may split a text by other rules.
    """
    said = read(settings, "tokenizer_class", TEXT.or_none(), None) or ""
    name = said.removesuffix("Fast").removesuffix("Tokenizer")
    if name in ANY_CLASS:
        config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
        families = {known.lower(): known for classes in CLASSES.values() for known in classes}
        name = families.get(str(config.get("model_type")), "")
        if not name:
            return None
    if name not in CLASSES[file]:
        known = ", ".join(f"{name}Tokenizer" for name in CLASSES[file])
        raise UserError(f"a tokenizer of the class {name:.50} is not supported with a {file}; {known} are")
    return CLASSES[file][name]


def with_marks(
    added: list[AddedToken], said: list[Mark], usual: Mapping[str, str], vocabulary: Mapping[str, int]
) -> list[AddedToken]:
    """The added tokens and those marks that are none yet. `UserError` for a mark that a file names and has no id for.

    usual: of the class of tokenizer, where no file says otherwise; one that has no id is left out.
    """
    ids = {**vocabulary, **{token.content: token.id for token in added}}
    names = {mark.name for mark in said}
    for mark in said:
        if mark.content not in ids:
            raise UserError(f"its {mark.name} is {shown(mark.content)}, which is no token")
    further = [Mark(name, token) for name, token in usual.items() if name not in names and token in ids]
    found = {token.content: token for token in added}
    for mark in (*said, *further):
        found.setdefault(mark.content, mark.added(ids[mark.content]))
    return list(found.values())
