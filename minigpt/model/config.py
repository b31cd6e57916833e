"""What a transformer is made of: one frozen description, checked when it is made."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from minigpt.errors import UserError
from minigpt.ops import ACTIVATIONS

CHOICES = {
    "norm": ("layer", "rms"),
    "norm_place": ("pre", "post"),
    "activation": tuple(ACTIVATIONS),
    "position": ("learned", "sinusoidal", "rotary"),
}


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The sizes and choices of a decoder-only transformer. The defaults are GPT-2's recipe.

    `UserError` names any field that does not fit. Letters: V, C, T, L, H, G, F as in `minigpt.ops`.
    """

    vocabulary_size: int  # V
    context: int  # the longest sequence, T
    width: int  # C
    layers: int  # L
    heads: int  # H, divides width
    key_value_heads: int | None = None  # G, divides heads; None: as many as heads
    hidden: int | None = None  # F; None: 4 C, or 8/3 C rounded up to a multiple of 32 when gated (equal parameters)
    norm: str = "layer"  # layer | rms
    norm_place: str = "pre"  # pre: x + f(norm(x)) | post: norm(x + f(x))
    norm_epsilon: float = 1e-5
    activation: str = "gelu_tanh"  # relu | gelu | gelu_tanh | silu
    gated: bool = False  # down(activation(gate(x)) * up(x)) instead of down(activation(up(x)))
    position: str = "learned"  # learned | sinusoidal | rotary
    rotary_theta: float = 10000.0
    bias: bool = True  # of linear layers and layer norms
    tied: bool = True  # the output head is the token embedding
    scale_embedding: bool = False  # multiply token embeddings by sqrt(C), as the 2017 transformer does
    dropout: float = 0.0
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "context", "width", "layers", "heads", "key_value_heads", "hidden"):
            value = getattr(self, name)
            optional = name in ("key_value_heads", "hidden")
            if not (optional and value is None) and (not isinstance(value, int) or value < 1):
                raise UserError(f"{name} is {value!r}, but it must be a whole number of at least 1")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"{name} is {getattr(self, name)!r}, but it must be one of {', '.join(choices)}")
        if self.width % self.heads:
            raise UserError(f"{self.heads} heads do not divide the width {self.width}; choose heads that do")
        if self.heads % self.groups:
            raise UserError(f"{self.groups} key-value heads do not divide the {self.heads} heads; choose a divisor")
        if self.position == "rotary" and self.head_width % 2:
            raise UserError(f"rotary positions need an even head width, not {self.width} / {self.heads}; change heads")
        if self.position == "sinusoidal" and self.width % 2:
            raise UserError(f"sinusoidal positions need an even width, not {self.width}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}, but it must be at least 0 and less than 1")

    @property
    def groups(self) -> int:
        """G, the number of key-value heads."""
        return self.heads if self.key_value_heads is None else self.key_value_heads

    @property
    def head_width(self) -> int:
        """D, the width of one head."""
        return self.width // self.heads

    @property
    def hidden_width(self) -> int:
        """F, the width inside the feed-forward network."""
        if self.hidden is not None:
            return self.hidden
        return -(-8 * self.width // (3 * 32)) * 32 if self.gated else 4 * self.width

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TransformerConfig":
        """The configuration that `to_dict` wrote; `UserError` for unknown or missing fields."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise UserError(f"unknown configuration field {sorted(unknown)[0]!r}; this minigpt is older than the file?")
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"the configuration is incomplete: {error}") from None
