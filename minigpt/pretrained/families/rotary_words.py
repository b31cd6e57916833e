"""How config.json says rotary positions: `rope_parameters` of today, `rope_scaling` and `rope_theta` of before."""

from typing import Any

from minigpt.errors import UserError
from minigpt.model.scaling import RotaryScaling, fields_of
from minigpt.values import TABLE, check, is_finite, read, shown, whole

PLACES = ("rope_scaling", "rope_parameters")
KINDS = ("linear", "dynamic", "yarn", "llama3")  # called so in both
NAMES = {  # theirs -> ours
    "factor": "factor",
    "original_max_position_embeddings": "original_context",
    "attention_factor": "attention_factor",
    "mscale": "mscale",
    "mscale_all_dim": "mscale_all_dim",
    "beta_fast": "beta_fast",
    "beta_slow": "beta_slow",
    "truncate": "truncate",
    "low_freq_factor": "low_frequency_factor",
    "high_freq_factor": "high_frequency_factor",
}
COMMON = ("rope_type", "type", "rope_theta", "partial_rotary_factor")
LENGTH, ORIGINAL = "max_position_embeddings", "original_max_position_embeddings"


def lift_rotary(theirs: dict[str, Any]) -> dict[str, Any]:
    """rope_theta, and the scaling as a table of our fields under rope_scaling. `UserError` for what we do not have.

    Which of the two places counts depends on the program, so where both say a kind it must be the same.
    """
    thetas = [theirs["rope_theta"]] if "rope_theta" in theirs else []
    found: list[tuple[str, dict[str, Any]]] = []
    for where in PLACES:
        rope = read(theirs, where, TABLE.or_none(), None) or {}
        _check_kind(rope, where)
        if rope.get("partial_rotary_factor", 1.0) != 1.0:
            raise _unsupported("partial_rotary_factor", rope["partial_rotary_factor"], where, "only 1.0 is")
        thetas += [rope["rope_theta"]] if "rope_theta" in rope else []
        if "rope_type" in rope or "type" in rope:
            found.append((where, _ours(rope, where, theirs)))
    for where, scaling in found[1:]:
        if scaling != found[0][1]:
            first = found[0][1].get("kind", "default")
            says = f"another than {scaling.get('kind', 'default')!r} or other numbers stand in {where}; make them equal"
            raise _unsupported("rope_type", first, found[0][0], says)
    if any(theta != thetas[0] for theta in thetas):
        raise UserError(f"rope_theta is {shown(thetas[0])} and {shown(thetas[-1])} in one file; make them equal")
    theta = thetas[0] if thetas else 10000.0
    if theta == 0:
        raise UserError("rope_theta is 0, but it must be a positive number")
    return _longer({**theirs, "rope_theta": theta, "rope_scaling": (found[0][1] if found else {}) or None})


def sink_rotary(theirs: dict[str, Any]) -> dict[str, Any]:
    """The same where both older and newer programs look for it. `UserError` for a kind that they do not have."""
    scaling: RotaryScaling | None = theirs.pop("rope_scaling")
    rope: dict[str, Any] = {"rope_type": "default"}
    if scaling is not None:
        if scaling.kind not in KINDS:
            raise UserError(f"transformers has no rotary scaling called {scaling.kind}; {', '.join(KINDS)} it has")
        own = {theirs_: getattr(scaling, ours) for theirs_, ours in NAMES.items() if ours in fields_of(scaling.kind)}
        rope = {"rope_type": scaling.kind, **{name: value for name, value in own.items() if value is not None}}
        if scaling.kind == "dynamic":
            _check_longer(scaling, theirs[LENGTH])
            theirs[LENGTH] = rope.pop(ORIGINAL)
        theirs["rope_scaling"] = rope
    return {**theirs, "rope_parameters": {**rope, "rope_theta": theirs["rope_theta"]}}


def _check_longer(scaling: RotaryScaling, context: int) -> None:
    longest = int((scaling.original_context or context) * scaling.factor)
    if context != longest:
        raise UserError(
            f"with dynamic scaling its context would be original_context x factor = {longest:,}, not {context:,}"
        )


def _check_kind(rope: dict[str, Any], where: str) -> None:
    kinds = [rope[name] for name in ("rope_type", "type") if name in rope]
    for kind in kinds:
        if kind not in ("default", *KINDS) or kind != kinds[0]:
            raise _unsupported("rope_type", kind, where, f"'default', {', '.join(KINDS)} are")


def _ours(rope: dict[str, Any], where: str, theirs: dict[str, Any]) -> dict[str, Any]:
    """A table of our fields; an empty one for plain positions."""
    kind = str(rope.get("rope_type", rope.get("type")))
    if kind == "default":
        return {}
    fields: dict[str, Any] = {"kind": kind}
    for name, value in rope.items():
        if name in COMMON or value is None:
            continue
        if NAMES.get(name) not in fields_of(kind):
            raise _unsupported(name, value, where, f"{kind} has no such setting; leave it out")
        fields[NAMES[name]] = float(value) if type(value) is int and name != ORIGINAL else value
    length = theirs.get(LENGTH, 2048)
    check(LENGTH, length, whole(1))
    if kind in ("yarn", "llama3"):
        fields["original_context"] = theirs.get(ORIGINAL) or fields.get("original_context") or length
    if kind == "yarn" and "factor" not in fields and is_finite(fields["original_context"]):
        fields["factor"] = length / fields["original_context"]
    if kind == "dynamic":  # their length is that of training
        fields["original_context"] = length
    return fields


def _longer(theirs: dict[str, Any]) -> dict[str, Any]:
    """With dynamic scaling their length is that of training; ours is how far the texts may go."""
    scaling = theirs["rope_scaling"] or {}
    factor: Any = scaling.get("factor")
    if scaling.get("kind") == "dynamic" and is_finite(factor) and factor >= 1:
        return {**theirs, LENGTH: int(scaling["original_context"] * factor)}
    return theirs


def _unsupported(name: str, value: Any, where: str, instead: str) -> UserError:
    return UserError(
        f"rotary positions with {name} = {shown(value)} ({where} in the file) are not supported; {instead}"
    )
