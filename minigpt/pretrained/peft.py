"""Adapters as PEFT keeps them: adapter_config.json and adapter_model.safetensors, which its programs open too.

Of a linear layer with (outputs, inputs) weights W it stores A, (r, inputs), and B, (outputs, r), and computes
x W^T + (alpha / r) x A^T B^T. Here `down` is A^T and `up` is (alpha / r) B^T. Where one of their layers holds several
of ours, as GPT-2's c_attn does, theirs has the sum of the ranks, and B is zero where a part has no adapter.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from minigpt.adapt.adapters import DOWN, UP, WEIGHT
from minigpt.errors import UserError
from minigpt.files import check_is_file, read_json, replacing, write_json
from minigpt.model import Params, Transformer
from minigpt.model.arrays import MATRIX, ArrayRecord
from minigpt.model.head import head_arrays
from minigpt.pretrained.families import Family, HeadClass, family_of, read_params, write_params
from minigpt.pretrained.families.family import Link
from minigpt.pretrained.folder import ADAPTER
from minigpt.values import FLAG, TEXT, Kind, about, choice, list_of, number, read, shown, table_of, whole

TENSORS = "adapter_model.safetensors"
PREFIX = "base_model.model."  # before every name
TASKS = {"language": "CAUSAL_LM", "sequence": "SEQ_CLS", "token": "TOKEN_CLS", "span": "QUESTION_ANS"}
# How arrays began that were trained since. Others, such as PiSSA, begin by changing the matrices of the model below.
INITIAL = Kind(
    "True, False, gaussian, eva or orthogonal", lambda value: value in (True, False, "gaussian", "eva", "orthogonal")
)
READ = {  # settings that are read
    "peft_type": choice("LORA"),
    "r": whole(1),
    "lora_alpha": number(),
    "use_rslora": FLAG.or_none(),
    "rank_pattern": table_of(whole(1)).or_none(),
    "alpha_pattern": table_of(number()).or_none(),
    "modules_to_save": list_of(TEXT).or_none(),
    "bias": choice("none"),
    "init_lora_weights": INITIAL,
}
NEEDED = ("peft_type", "r", "lora_alpha")
SAID = {  # settings that change nothing of what it computes, or repeat what the arrays say
    *("auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode"),
    *("lora_dropout", "target_modules", "fan_in_fan_out", "peft_version", "loftq_config", "eva_config", "corda_config"),
    *("megatron_core", "runtime_config", "ephemeral_gpu_offload", "qalora_group_size", "lora_bias", "arrow_config"),
}


def save_adapter(
    folder: str | Path, model: Transformer, trained: Params, family: str, cls: str, *, below: str, dropout: float = 0.0
) -> None:
    """Write low-rank adapters, and a head that was trained beside them, as a folder that PEFT opens.

    trained: what `minigpt.low_rank_adapters` made, with or without the arrays of the head. family, cls: what
    transformers calls the model below (see `minigpt.pretrained.fitting_class`). below: its name or path, for whoever
    opens it. dropout: on what goes into the adapters, for whoever trains on. `UserError` for an array that is neither,
    before anything is written.
    """
    words = family_of(family)
    links = _links(model, words, words.head_class(cls))
    heads = set(head_arrays(model.config))
    adapted = {name.removesuffix(DOWN) for name in trained if name.endswith(DOWN)}
    for name in trained:
        if name not in heads and name.removesuffix(DOWN).removesuffix(UP) not in adapted:
            raise UserError(f"{name} is no low-rank adapter and not of the head, so PEFT's layout has no place for it")
    tensors: dict[str, np.ndarray] = {}
    ranks: dict[str, int] = {}
    for link in links:
        layers = [name.removesuffix(WEIGHT) for name in link.ours if name.endswith(WEIGHT)]
        if adapted.intersection(layers):
            module = link.theirs.removesuffix(".weight")
            a, b = _side_by_side(trained, layers, [model.shapes()[f"{layer}{WEIGHT}"] for layer in layers])
            tensors |= {f"{PREFIX}{module}.lora_A.weight": a, f"{PREFIX}{module}.lora_B.weight": b}
            ranks[module] = len(a)
    own = [link for link in links if link.ours[0] in heads and link.ours[0] in trained]
    tensors |= {f"{PREFIX}{name}": array for name, array in write_params(trained, own).items()}
    most = max(ranks.values())
    others = {module: rank for module, rank in ranks.items() if rank != most}
    config = {
        "peft_type": "LORA",
        "task_type": TASKS.get(model.config.head),
        "base_model_name_or_path": below,
        "r": most,
        "lora_alpha": most,
        "lora_dropout": dropout,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": sorted(ranks),
        "modules_to_save": sorted({link.theirs.rsplit(".", 1)[0] for link in own}) or None,
        "fan_in_fan_out": not any(link.transposed for link in links if link.theirs.removesuffix(".weight") in ranks),
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
    }
    with replacing(Path(folder) / TENSORS) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_json(Path(folder) / ADAPTER, config)


def load_adapter(folder: str | Path, model: Transformer, family: str, cls: str, *, dtype: Any = np.float32) -> Params:
    """The adapters, and the arrays of a head, in a folder that PEFT or `save_adapter` wrote, for `Overlay`.

    `UserError` names a setting or an array that would not be applied, or does not fit the model.
    """
    folder, words = Path(folder), family_of(family)
    with about(folder / ADAPTER):
        config = read_json(folder / ADAPTER)
        _check_settings(config)
    tensors = _read_tensors(folder / TENSORS)
    links = _links(model, words, words.head_class(cls))
    found: dict[str, np.ndarray] = {}
    with about(folder):
        for link in links:
            module = link.theirs.removesuffix(".weight")
            names = [f"{PREFIX}{module}.lora_{letter}.weight" for letter in "AB"]
            if link.theirs.endswith(".weight") and any(name in tensors for name in names):
                pair = [tensors.pop(name) if name in tensors else _missing(name) for name in names]
                found |= _apart(link, model, pair[0], pair[1], _scale(config, module, len(pair[0])), names)
        heads = {name: record for name, record in model.arrays().items() if name in head_arrays(model.config)}
        own = [link for link in links if link.ours[0] in heads and PREFIX + link.theirs in tensors]
        kept = {name.removeprefix(PREFIX): array for name, array in tensors.items()}
        head = read_params({name: heads[name] for link in own for name in link.ours}, own, kept, dtype=dtype)
    records = {name: _record(model, name, array) for name, array in found.items()}
    trained = Params({**records, **head.arrays}, dtype=dtype)
    for name, array in (*found.items(), *head.items()):
        trained[name] = array
    return trained


def _links(model: Transformer, words: Family, cls: HeadClass) -> list[Link]:
    base = "" if model.config.head == "none" else cls.base or words.base
    return list(words.all_links(model.config, cls, base))


def _side_by_side(trained: Params, layers: list[str], shapes: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """A, (sum of ranks, inputs), and B, (sum of outputs, sum of ranks), of layers that are one of theirs."""
    downs = [trained.get(f"{layer}{DOWN}") for layer in layers]
    rank, outputs = sum(down.shape[1] for down in downs if down is not None), sum(shape[1] for shape in shapes)
    a = np.concatenate([down.T for down in downs if down is not None])
    b = np.zeros((outputs, rank), a.dtype)
    row = column = 0
    for layer, down, shape in zip(layers, downs, shapes, strict=True):
        if down is not None:
            b[row : row + shape[1], column : column + down.shape[1]] = trained[f"{layer}{UP}"].T
            column += down.shape[1]
        row += shape[1]
    return np.ascontiguousarray(a), b


def _apart(
    link: Link, model: Transformer, a: np.ndarray, b: np.ndarray, scale: float, names: list[str]
) -> dict[str, np.ndarray]:
    """Our adapters of one of their layers: each has A, and its own rows of B."""
    shapes = [model.shapes()[name] for name in link.ours]
    inputs, outputs = shapes[0][0], sum(shape[1] for shape in shapes)
    for name, array, expected in zip(names, (a, b), ((len(a), inputs), (outputs, len(a))), strict=True):
        if array.shape != expected:
            raise UserError(f"{name} has the shape {array.shape}, but this model needs {expected}")
    found: dict[str, np.ndarray] = {}
    row = 0
    for ours, shape in zip(link.ours, shapes, strict=True):
        layer = ours.removesuffix(WEIGHT)
        found |= {f"{layer}{DOWN}": a.T, f"{layer}{UP}": scale * b[row : row + shape[1]].T}
        row += shape[1]
    return found


def _record(model: Transformer, name: str, array: np.ndarray) -> ArrayRecord:
    layer = name.removesuffix(DOWN).removesuffix(UP)
    return ArrayRecord(array.shape, MATRIX, block=model.arrays()[f"{layer}{WEIGHT}"].block)


def _scale(config: dict[str, Any], module: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r), of a layer."""
    said = _pattern(config.get("rank_pattern"), module, config["r"])
    if said != rank:
        raise UserError(f"{module} has rank {rank} in its arrays, but {said} in {ADAPTER}")
    alpha = _pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _pattern(patterns: dict[str, Any] | None, module: str, usual: Any) -> Any:
    """The value of the first name that is the module's, or the end of it after a point."""
    found = [value for name, value in (patterns or {}).items() if f".{module}".endswith(f".{name.lstrip('^')}")]
    return found[0] if found else usual


def _check_settings(config: dict[str, Any]) -> None:
    """`UserError` names a setting that is of another kind of adapter, or not known and not empty."""
    for name, kind in READ.items():
        if name in config or name in NEEDED:
            read(config, name, kind)
    for name in (*(config.get("rank_pattern") or ()), *(config.get("alpha_pattern") or ())):
        if not re.fullmatch(r"\^?[\w.]+", name):
            raise UserError(f"the adapter has a pattern {shown(name)}, which is more than a name; write names out")
    for name, value in config.items():
        if name not in READ and name not in SAID and value not in (None, False, [], {}, ""):
            raise UserError(f"the adapter has {name} = {shown(value)}, which is not supported here")


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    check_is_file(path)
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"there is no {path}; an adapter of PEFT is kept as safetensors, save it so") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged or holds arrays that cannot be read ({error})") from None


def _missing(name: str) -> np.ndarray:
    raise UserError(f"there is no array {name!r}, though the other half of the adapter is there")
