"""Writing a model as a folder that transformers opens. What is written describes the same arrays when it is read."""

from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.head import HEAD_FIELDS, HEADS
from minigpt.pretrained.families import FAMILIES, Family, HeadClass, family_of, resolved, write_params
from minigpt.pretrained.folder import write_folder
from minigpt.text.tokenizer_json_write import save_tokenizer_json

TRAINING = ("dropout", "init_std", "load_balancing")  # fields that change nothing of a trained model


def save_pretrained(
    folder: str | Path, model: Transformer, params: Params, family: str, cls: str, *, tokenizer: Any = None
) -> None:
    """Write a folder that transformers opens: config.json, model.safetensors and the tokenizer's files.

    Parameters
    ----------
    folder : str or Path
        Where to.
    model, params : Transformer, Params
        What is written.
    family, cls : str
        What transformers calls it, such as `gpt2` and `GPT2LMHeadModel`; `minigpt.pretrained.fitting_class` finds them.
    tokenizer : Tokenizer, optional
        Written too, as tokenizer.json, unless None.

    Returns
    -------
    None
        The folder is what it gives.

    Raises
    ------
    UserError
        Before anything is written, for a model that the class cannot describe: it names the field.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("gpt2", vocabulary_size=50, width=24, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> minigpt.save_pretrained("my-model", model, params, "gpt2", "GPT2LMHeadModel")
    """
    config, words = model.config, family_of(family)
    head_class = words.head_class(cls)
    wrong = differences(config, words, head_class)
    if wrong:
        raise UserError(f"{cls} cannot describe this model: {wrong[0]}; choose another class, or train such a model")
    base = "" if config.head == "none" else head_class.base or words.base
    links = words.all_links(config, head_class, base)
    missing = set(model.shapes()) - {name for link in links for name in link.ours}
    if missing:
        raise UserError(f"{cls} has no place for the array {sorted(missing)[0]!r}; choose another class")
    theirs = {"model_type": family, "architectures": [cls], **words.write_config(config)}
    if tokenizer is not None:
        theirs |= _marks(tokenizer, config)
        save_tokenizer_json(tokenizer, folder, longest=config.context)
    write_folder(folder, theirs, write_params(params, links, also=not config.tied))


def _marks(tokenizer: Any, config: TransformerConfig) -> dict[str, int]:
    """The ids at which their programs begin and end a text."""
    end = tokenizer.end_of_text
    names = ["bos_token_id", "eos_token_id"]
    if config.architecture == "encoder-decoder":
        names += ["decoder_start_token_id", "forced_eos_token_id"]
    return {} if end is None else dict.fromkeys(names, end)


def fitting_class(config: TransformerConfig) -> tuple[str, str]:
    """The family and the class that describe a model of this configuration. `UserError` names what no class has."""
    found = {
        (family.name, name): differences(config, family, cls)
        for family in FAMILIES.values()
        for name, cls in family.classes.items()
    }
    best = min(found, key=lambda names: len(found[names]))
    if found[best]:
        raise UserError(
            f"no published family ({', '.join(FAMILIES)}) describes this model; the nearest is {best[1]}, "
            f"but {found[best][0]}; only a model with a family's own settings can be written for transformers"
        )
    return best


def differences(config: TransformerConfig, family: Family, cls: HeadClass) -> list[str]:
    """What a model of this class, written and read again, would be otherwise: one sentence for each field."""
    wanted = resolved(config)
    try:
        again = resolved(TransformerConfig(**family.read_config(family.write_config(config), cls)))
    except UserError as error:
        return [str(error)]
    names = [name for name in wanted if name not in without_effect(config) and wanted[name] != again.get(name)]
    return [f"its {name} is {wanted[name]!r}, not {again.get(name)!r}" for name in names]


def without_effect(config: TransformerConfig) -> set[str]:
    """The fields that say nothing about a model of this kind."""
    said = {
        **{name: name in HEADS[config.head].fields for name in HEAD_FIELDS},
        "rotary_theta": config.position == "rotary",
        "experts_per_token": config.experts is not None,
        "bias": config.norm == "layer",
        "class_token": config.input in ("patches", "images"),
        "vocabulary_size": config.input == "tokens",
    }
    inner = {f"encoder.{name}" for name in without_effect(config.encoder)} if config.encoder else set()
    return {name for name, has_effect in said.items() if not has_effect}.union(TRAINING) | inner
