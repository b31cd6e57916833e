"""The fields of a request: each is read, or refused by name."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from minigpt.errors import UserError
from minigpt.serve.refused import Refused, unfit
from minigpt.values import REQUIRED, Kind, check, is_finite, shown

NEUTRAL = {  # fields of OpenAI's that change nothing here, and the values with which they would change nothing there
    "audio": None,
    "best_of": 1,
    "frequency_penalty": 0,
    "function_call": "none",
    "functions": [],
    "logit_bias": {},
    "metadata": {},
    "modalities": ["text"],
    "parallel_tool_calls": True,
    "prediction": None,
    "presence_penalty": 0,
    "prompt_cache_key": None,
    "reasoning_effort": None,
    "response_format": {"type": "text"},
    "safety_identifier": None,
    "service_tier": "auto",
    "store": False,
    "suffix": "",
    "tool_choice": "none",
    "tools": [],
    "user": None,
    "verbosity": None,
    "web_search_options": None,
}
LONGEST_NAME = 64  # of a field, in an answer


class Field(NamedTuple):
    """What a field must be, and what it is where it is absent or null."""

    kind: Kind
    default: Any = None


def _is_unicode(value: Any) -> bool:
    """Whether a value is a string without halves of surrogate pairs, which no encoding can write."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


TEXT = Kind("a string of Unicode characters", _is_unicode)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))  # in JSON's words
SHARE = Kind("a number above 0 and at most 1", lambda value: is_finite(value) and 0 < value <= 1)


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object in the body of a request.

    `Refused` for what is no UTF-8, no JSON or no object, for NaN and Infinity, which JSON does not have, and for a key
    that stands there twice.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unlike_keys)
    except UnicodeDecodeError as error:
        raise unfit(f"the body is not UTF-8: byte {error.start} is wrong; encode it so") from None
    except RecursionError:
        raise unfit("the body is nested too deeply; send what the reference of the API shows") from None
    except json.JSONDecodeError as error:
        raise unfit(f"the body is no JSON: {error}; send one object") from None
    except ValueError:  # thousands of digits, which Python does not turn into a number
        raise unfit("the body holds a number with too many digits; send a smaller one") from None
    if not isinstance(value, dict):
        raise unfit(f"the body is {shown(value)}, but it must be an object with the fields of the request")
    return value


def _no_constant(word: str) -> NoReturn:
    raise unfit(f"the body holds {word}, which JSON does not have; send a number")


def _unlike_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place][-999:])
        raise unfit(f"the body has the field {shown(twice)} twice; send it once", twice[:LONGEST_NAME])
    return table


def read_fields(body: Mapping[str, Any], fields: Mapping[str, Field], where: str = "") -> dict[str, Any]:
    """The values of all `fields`, by name. where: of what they are part, for a message, such as `messages[0].`.

    `Refused` for a field that is not known, not supported, not there or not of its kind.
    """
    for name, value in body.items():
        if name not in fields:
            _check_neutral(name, value, fields, where)
    values = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is None and field.default is not REQUIRED:
            values[name] = field.default
            continue
        if name not in body:
            raise unfit(
                f"{where}{name} must be {field.kind.wanted}, but it is not there", where + name, "missing_field"
            )
        check_field(where + name, value, field.kind)
        values[name] = value
    return values


def check_field(name: str, value: Any, kind: Kind) -> None:
    """`Refused` unless the value of the field is of that kind."""
    try:
        check(name, value, kind)
    except UserError as error:
        raise unfit(str(error), name, "invalid_value") from None


def _check_neutral(name: str, value: Any, fields: Mapping[str, Field], where: str) -> None:
    """`Refused` unless the field is one of OpenAI's, with a value that changes nothing."""
    param = (where + name)[:LONGEST_NAME]
    if where or name not in NEUTRAL:
        raise unfit(
            f"there is no field {where}{shown(name)[1:-1]}; the fields are {', '.join(fields)}", param, "unknown_field"
        )
    neutral = NEUTRAL[name]
    if value is not None and not (_same_type(value, neutral) and value == neutral):
        raise unfit(
            f"{name} is {shown(value)}, but this server does not do what it asks for; leave it out",
            param,
            "unsupported_field",
        )


def _same_type(value: Any, other: Any) -> bool:
    """Whether both are of one type of JSON's, which takes 0.0 and 0 for one and knows that true is not 1."""
    numbers = [isinstance(one, (int, float)) and not isinstance(one, bool) for one in (value, other)]
    return all(numbers) or type(value) is type(other)


def finite(value: float) -> float | None:
    """A number as JSON can write it: what is not finite is null."""
    return value if math.isfinite(value) else None


__all__ = ["FLAG", "NEUTRAL", "SHARE", "TEXT", "Field", "Refused", "check_field", "finite", "parse", "read_fields"]
