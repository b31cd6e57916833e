"""What tells one family of published models from another: their words for our fields, classes and arrays.

A family is a record. Reading and writing follow from the same tables, so what one can read the other can write.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from minigpt.errors import UserError
from minigpt.model import Transformer, TransformerConfig
from minigpt.model.config import field_kind
from minigpt.model.head import HEADS
from minigpt.model.inputs import TOKENS
from minigpt.ops import ACTIVATIONS
from minigpt.pretrained.families.harmless import check_known
from minigpt.values import TABLE, read, shown, whole

HEAD = "head.weight"  # the array that a tied model does not have
OURS = {theirs: ours for ours, record in ACTIVATIONS.items() for theirs in record.published}  # names of activations


class Link(NamedTuple):
    """One of their arrays and the arrays of ours that it holds, side by side along the last axis."""

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False  # their linear layers hold (outputs, inputs)
    unused_rows: int = 0  # at the beginning of theirs
    one_row: bool = False  # theirs is (1, N) where ours is (N,)
    also: tuple[str, ...] = ()  # other names under which a file may hold the same array, instead or as well


ENCODER = "encoder."


class Setting(NamedTuple):
    """One of their settings, and the field of ours that says the same."""

    theirs: str
    ours: str  # encoder.NAME: of an encoder-decoder's encoder
    default: Any  # what they mean by leaving it out
    words: Mapping[Any, Any] | None = None  # their value -> ours, where the two differ

    def read(self, theirs: Mapping[str, Any]) -> Any:
        """Our value. `UserError` if theirs is of the wrong kind, or not one that we have."""
        value = theirs.get(self.theirs, self.default)
        if self.words is None:
            kind = field_kind(self.ours.removeprefix(ENCODER))
            if not kind.fits(value):
                raise UserError(
                    f"{self.ours} is {shown(value)} ({self.theirs} in the file), but it must be {kind.wanted}"
                )
            return value
        if not isinstance(value, str) or value not in self.words:
            raise UserError(f"the {self.ours} {value!r:.50} is not supported; {', '.join(map(str, self.words))} are")
        return self.words[value]

    def write(self, value: Any) -> Any:
        """Their value. `UserError` if they have no word for it."""
        if self.words is None:
            return value
        found = [theirs for theirs, ours in self.words.items() if ours == value]
        if not found:
            raise UserError(f"there is no word in {self.theirs} for the {self.ours} {value!r}")
        return found[0]


class HeadClass(NamedTuple):
    """One of their classes: a body with this head."""

    fields: dict[str, Any]  # what its head is in our configuration
    links: tuple[Link, ...] = ()  # the head's arrays; one that our model does not have is left out
    base: str | None = None  # before the names of its body's arrays, where not as in the rest of the family
    unused: tuple[str, ...] = ()  # patterns of arrays that its files may hold and its answer does not need


@dataclass(frozen=True)
class Family:
    """How to read and write the models of one family."""

    name: str  # `model_type` in config.json
    base: str  # before the names of all that is not the head, in files of models that have a head
    classes: Mapping[str, HeadClass]  # class in config.json; the first is meant where config.json names none
    settings: tuple[Setting, ...]
    links: Callable[[TransformerConfig, str], Iterable[Link]]  # of the body, under a base name
    kin: str | None = None  # the family that it is a kind of
    fixed: Mapping[str, Any] = field(default_factory=dict)  # our fields that are so in the whole family
    refused: Mapping[str, Any] = field(default_factory=dict)  # their settings -> the one value that is supported
    aliases: Mapping[str, str] = field(default_factory=dict)  # other names of settings -> the usual one
    labels: int = 2  # of a classifier, where config.json does not say
    taken: tuple[str, ...] = ()  # further settings that `before` reads
    constants: Mapping[str, Any] = field(default_factory=dict)  # their settings that are written and not read
    if_not_zero: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # their array -> our fields, if it is not 0
    renamed: Mapping[str, str] = field(default_factory=dict)  # parts of names in old files -> in those of today
    harmless: tuple[str, ...] = ()  # patterns of arrays that follow from the configuration
    before: Callable[[dict[str, Any]], dict[str, Any]] = dict  # their config.json, so that `settings` says it all
    after: Callable[[dict[str, Any]], dict[str, Any]] = dict  # the other way round

    def head_class(self, name: Any) -> HeadClass:
        """The class called `name`. `UserError` if there is none."""
        if name not in self.classes:
            known = ", ".join(self.classes)
            raise UserError(f"{name} is not supported, no class of {self.name} that is known here; {known} are")
        return self.classes[name]

    def check_known(self, theirs: dict[str, Any]) -> None:
        """`UserError` names a setting that is not understood."""
        check_known(theirs, {setting.theirs for setting in self.settings} | {*self.refused, *self.aliases, *self.taken})

    def under_one_name(self, theirs: dict[str, Any]) -> dict[str, Any]:
        """Their configuration without aliases. `UserError` where two names of one setting differ."""
        found = {name: value for name, value in theirs.items() if name not in self.aliases}
        for alias, name in self.aliases.items():
            if alias in theirs and found.setdefault(name, theirs[alias]) != theirs[alias]:
                raise UserError(
                    f"{alias} is {shown(theirs[alias])} and {name} {shown(found[name])}, but they are one setting"
                )
        return found

    def read_config(self, theirs: dict[str, Any], cls: HeadClass) -> dict[str, Any]:
        """Their configuration, of a model of this class, as fields of ours."""
        theirs = self.under_one_name(theirs)
        for name, value in self.refused.items():
            if theirs.get(name, value) != value:
                raise UserError(f"models with {name} = {shown(theirs[name])} are not supported; it must be {value!r}")
        theirs = self.before(theirs)
        ours = {setting.ours: setting.read(theirs) for setting in self.settings}
        ours |= {**self.fixed, **cls.fields}
        inner = {name: ours.pop(name) for name in list(ours) if name.startswith(ENCODER)}
        if inner:
            ours["encoder"] = {name.removeprefix(ENCODER): value for name, value in inner.items()}
        if "labels" in HEADS[ours["head"]].fields and "labels" not in ours:
            names = read(theirs, "id2label", TABLE.or_none(), None) or {}
            ours["labels"] = read(theirs, "num_labels", whole(1).or_none(), None) or len(names) or self.labels
        return ours

    def write_config(self, config: TransformerConfig) -> dict[str, Any]:
        """Our configuration in their words."""
        known = resolved(config)
        said = [setting for setting in self.settings if setting.ours in known]  # no encoder, nothing to say of it
        theirs = {setting.theirs: setting.write(known[setting.ours]) for setting in said}
        if "labels" in HEADS[config.head].fields:
            theirs |= {"num_labels": config.labels, "id2label": {str(i): f"LABEL_{i}" for i in range(config.labels)}}
        return self.after({**theirs, **self.constants})

    def all_links(self, config: TransformerConfig, cls: HeadClass, base: str) -> list[Link]:
        """Their names and ours, of body and head. base: before the body's names, in files that have one."""
        shapes = Transformer(config).shapes()
        found = [*self.links(config, base), *cls.links]
        if config.tied and HEAD not in shapes:  # then their head, if it is in the file, is the token table
            heads = tuple(link.theirs for link in found if link.ours == (HEAD,))
            found = [link._replace(also=link.also + heads) if link.ours == (TOKENS,) else link for link in found]
        return [link for link in found if all(name in shapes for name in link.ours)]


def linear(theirs: str, ours: str, *, transposed: bool = True) -> tuple[Link, Link]:
    """The links of a linear layer; the second is left out of models without the bias."""
    return Link(f"{theirs}.weight", (f"{ours}.weight",), transposed), Link(f"{theirs}.bias", (f"{ours}.bias",))


def norm(theirs: str, ours: str) -> tuple[Link, Link]:
    """The links of a normalization."""
    return Link(f"{theirs}.weight", (f"{ours}.gain",)), Link(f"{theirs}.bias", (f"{ours}.bias",))


def resolved(config: TransformerConfig) -> dict[str, Any]:
    """All fields, those that follow from others as what follows."""
    values = vars(config) | {"head_bias": config.has_head_bias}
    for name in ("attention_bias", "feed_forward_bias"):
        values[name] = config.bias if values[name] is None else values[name]
    values["key_bias"] = values["attention_bias"] and config.key_bias
    encoder = values.pop("encoder")
    if encoder is not None:
        values |= {f"{ENCODER}{name}": value for name, value in resolved(encoder).items()}
    return values
