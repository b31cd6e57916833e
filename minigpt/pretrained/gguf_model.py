"""The model in a GGUF file: read with its matrices as floats or as they are stored, and written."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.params import Weights
from minigpt.pretrained.families import check_all_read, resolved
from minigpt.pretrained.gguf import GGUF, Tensor
from minigpt.pretrained.gguf_places import (
    Architecture,
    Place,
    apart,
    check_place,
    decoded,
    stored,
    their_shape,
    together,
)
from minigpt.pretrained.gguf_rotary import FREQUENCIES, same_angles
from minigpt.pretrained.gguf_settings import check_one_model
from minigpt.pretrained.gguf_write import Entry, write_gguf
from minigpt.pretrained.gpt2_gguf import GPT2
from minigpt.pretrained.llama_gguf import LLAMA
from minigpt.pretrained.quantized import KINDS, NUMBERS, WRITTEN, Kind
from minigpt.pretrained.quantized_matrix import StoredWeights
from minigpt.pretrained.save import fitting_class, without_effect
from minigpt.text.gguf_tokenizer import gguf_of_tokenizer
from minigpt.values import check as check_value
from minigpt.values import choice

ARCHITECTURES = {one.name: one for one in (LLAMA, GPT2)}
CLASSES = {"LlamaForCausalLM": LLAMA, "GPT2LMHeadModel": GPT2}
FRACTIONS = ("norm_epsilon", "rotary_theta")
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7}  # general.file_type


def model_of_gguf(file: GGUF, *, dtype: Any, quantized: bool = False) -> tuple[Transformer, Any]:
    """The model in the file. `UserError` for what is missing or does not fit, and for what we cannot do, by name.

    quantized: matrices stay as they are stored, and are decoded when they are multiplied. Nothing is made before
    everything fits.
    """
    architecture = _architecture(file)
    config = architecture.config(file)
    layers, count = config.layers, len(file.tensors)
    if layers > count:
        raise UserError(f"the file says {layers} layers, but there are {count} arrays; the file is damaged")
    model = Transformer(config)
    shapes, places = model.shapes(), list(architecture.places(config))
    for place in places:
        check_place(place, file, shapes)
    check_all_read(file.tensors, [place.theirs for place in places], [re.escape(FREQUENCIES)])
    if quantized:
        weights = StoredWeights()
        for place in places:
            weights |= stored(place, file, config, shapes)
        return model, weights
    params = Params(model.arrays(), dtype=dtype)
    for place in places:
        if place.theirs in file.tensors:
            for name, array in apart(place, decoded(place, file, config), shapes).items():
                params[name] = array
    return model, params


def save_gguf(path: str | Path, model: Transformer, params: Weights, tokenizer: Any, *, kind: str = "F16") -> None:
    """Write a model as a GGUF file, which llama.cpp opens.

    Parameters
    ----------
    path : str or Path
        Of the file.
    model, params, tokenizer
        As `open_model` gives them: a Llama or GPT-2 with a byte-pair tokenizer.
    kind : str
        How matrices are stored: F32, F16, Q8_0, Q4_0 or Q4_1. Vectors, and GPT-2's positions, are F32 always.

    Returns
    -------
    None
        The file is what it gives.

    Raises
    ------
    UserError
        Before anything is written, for what such a file cannot say, by name.

    Examples
    --------
    >>> tokenizer = minigpt.BytePairTokenizer([])
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=257, layers=1))
    >>> minigpt.save_gguf("my.gguf", model, model.init(np.random.default_rng(0)), tokenizer, kind="Q8_0")
    >>> minigpt.open_model("my.gguf").model.config.layers
    1
    """
    check_value("kind", kind, choice(*WRITTEN))
    config = model.config
    if not isinstance(params, Params) and kind != "F32":
        raise UserError(f"these weights are in few bits already, and {kind} would round them again; choose F32")
    architecture = _architecture_for(config)
    said = {theirs: _said(config, ours) for theirs, ours in architecture.sizes.items()}
    settings = {f"{architecture.name}.{name}": value for name, value in {**said, **architecture.said(config)}.items()}
    metadata: dict[str, Any] = {
        "general.architecture": architecture.name,
        "general.file_type": FILE_TYPES[kind],
        "general.quantization_version": 2,
        **settings,
        **gguf_of_tokenizer(tokenizer, config.vocabulary_size),
    }
    shapes = model.shapes()
    places = {place.theirs: place for place in architecture.places(config)}
    made = architecture.made(config)
    entries = [Entry(name, their_shape(place, shapes), _kind(place, shapes, kind)) for name, place in places.items()]
    entries += [Entry(name, array.shape, KINDS[NUMBERS["F32"]]) for name, array in made.items()]
    _check_said(architecture, config, metadata, entries)
    for entry in entries:
        _check_rows(entry)

    def array(name: str) -> np.ndarray:
        return made[name] if name in made else together(places[name], params, config)

    write_gguf(path, metadata, entries, array)


def _said(config: TransformerConfig, field: str) -> Any:
    """The value of a field; one that may have a fraction is written with one, as programs read it."""
    value = getattr(config, field)
    return float(value) if field in FRACTIONS else value


def _architecture(file: GGUF) -> Architecture:
    check_one_model(file.metadata)
    name = file.metadata.get("general.architecture")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        known = " and ".join(map(repr, ARCHITECTURES))
        raise UserError(f"GGUF files of {name!r:.50} are not supported; {known} are")
    return ARCHITECTURES[name]


def _architecture_for(config: TransformerConfig) -> Architecture:
    """Of a model of this configuration. `UserError` if none is written here."""
    _, cls = fitting_class(replace(config, rotary_scaling=None))  # which is a word of its own in these files
    if cls not in CLASSES:
        raise UserError(
            f"this model is a {cls}, which is not written as GGUF; {' and '.join(CLASSES)} are. Export it as a folder"
        )
    return CLASSES[cls]


def _check_said(
    architecture: Architecture, config: TransformerConfig, metadata: dict[str, Any], entries: list[Entry]
) -> None:
    """`UserError` names a field of the model that the file would say otherwise, read again."""
    raw = {name: array.view(np.uint8) for name, array in architecture.made(config).items()}
    nothing = np.zeros(0, np.uint8)
    tensors = {one.name: Tensor(one.name, one.shape, one.kind, 0, raw.get(one.name, nothing)) for one in entries}
    read = architecture.config(GGUF(metadata, tensors))
    again, wanted = resolved(read), resolved(config)
    same = {"rotary_scaling"} if same_angles(read, config) else set()
    for name in wanted.keys() - without_effect(config) - same:
        if wanted[name] != again.get(name):
            raise UserError(
                f"a GGUF file of {architecture.name} cannot say that the model's {name} is {wanted[name]!r}; "
                "export it as a folder"
            )


def _kind(place: Place, shapes: dict[str, tuple[int, ...]], kind: str) -> Kind:
    matrix = len(shapes[place.ours[0]]) == 2 and not place.whole
    return KINDS[NUMBERS[kind if matrix else "F32"]]


def _check_rows(entry: Entry) -> None:
    if entry.shape[-1] % entry.kind.block:
        raise UserError(
            f"{entry.name} has rows of {entry.shape[-1]} numbers, no whole blocks of the {entry.kind.block} that "
            f"{entry.kind.name} has; choose F16"
        )
    assert math.prod(entry.shape), "every array of a model holds something"
