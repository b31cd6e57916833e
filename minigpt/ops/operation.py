"""What an operation is to everything that looks at all of them: the checks, the grader, the parity tests."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """A forward and its backward: `y, cache = forward(*arrays, **options)`, `gradients = backward(dy, cache)`."""

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., Any]


def find_operations(namespace: Mapping[str, Any]) -> dict[str, Operation]:
    """Every pair NAME_forward, NAME_backward in a module's namespace, by NAME."""
    names = [name.removesuffix("_forward") for name in namespace if name.endswith("_forward")]
    return {name: Operation(namespace[f"{name}_forward"], namespace[f"{name}_backward"]) for name in names}
