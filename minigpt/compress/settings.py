"""What a compression is asked for."""

from dataclasses import asdict, dataclass
from typing import Any

from minigpt.errors import UserError
from minigpt.pretrained.packed import BITS
from minigpt.values import FLAG, check, choice, whole

NEAREST, ACTIVATION_AWARE, SECOND_ORDER = METHODS = ("nearest", "activation-aware", "second-order")
LEAST_GROUP = 8


@dataclass(frozen=True)
class Compression:
    """How matrices are rounded. `UserError` for choices that do not go together.

    Parameters
    ----------
    bits : int
        8, 6, 4 or 3, of every number of a matrix inside of the blocks.
    method : str
        nearest: each number by itself. activation-aware, AWQ: what meets large inputs is rounded finer. second-order,
        GPTQ: what rounding one number does wrong, the numbers after it make good.
    group : int, optional
        So many numbers of an output share a scale; None: all of them, a scale for each output channel.
    symmetric : bool
        The scale alone, x = d (q - 2^(bits - 1)); otherwise a minimum too, x = d q + m.
    table_bits : int
        Of the token table and of a head's matrix, which are rounded to the nearest.
    activation_order : bool
        second-order begins with the inputs that are largest.

    Examples
    --------
    >>> minigpt.Compression(bits=4, method="second-order").group
    64
    """

    bits: int = 4
    method: str = NEAREST
    group: int | None = 64
    symmetric: bool = False
    table_bits: int = 8
    activation_order: bool = False

    def __post_init__(self) -> None:
        check("bits", self.bits, BITS)
        check("table_bits", self.table_bits, BITS)
        check("method", self.method, choice(*METHODS))
        check("group", self.group, whole(LEAST_GROUP).or_none())
        check("symmetric", self.symmetric, FLAG)
        check("activation_order", self.activation_order, FLAG)
        if self.activation_order and self.method != SECOND_ORDER:
            raise UserError(f"activation order is for {SECOND_ORDER}; {self.method} has no order. Leave it out")
        if self.table_bits < self.bits:
            raise UserError(
                f"the tables would have {self.table_bits} bits and the blocks {self.bits}, but tables suffer most; "
                "give them as many or more"
            )

    @property
    def calibrated(self) -> bool:
        """Whether it needs text."""
        return self.method != NEAREST

    def group_of(self, name: str, columns: int) -> int:
        """The group for rows of so many numbers: the wanted one, or its half, or the half of that, as it divides them.

        `UserError` if none does.
        """
        if self.group is None:
            return columns
        group = min(self.group, columns)
        while group >= LEAST_GROUP:
            if columns % group == 0:
                return group
            group //= 2
        raise UserError(
            f"{name} has rows of {columns} numbers, which neither groups of {self.group} nor their halves, down to "
            f"{LEAST_GROUP}, divide; compress with a scale for each channel (--group none)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
