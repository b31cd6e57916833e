"""What a transformer is made of: one frozen description, checked when it is made."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from minigpt.errors import UserError
from minigpt.ops import ACTIVATIONS

CHOICES = {
    "architecture": ("decoder", "encoder", "encoder-decoder"),
    "head": ("language", "masked", "pretraining", "sequence", "token", "span", "none"),
    "pooled": ("first", "last"),
    "norm": ("layer", "rms"),
    "norm_place": ("pre", "post"),
    "activation": tuple(ACTIVATIONS),
    "position": ("learned", "sinusoidal", "rotary"),
}
WHOLE = ("vocabulary_size", "context", "width", "layers", "heads", "labels", "experts_per_token")
OPTIONAL = (
    "key_value_heads",
    "head_width",
    "feed_forward_width",
    "encoder_layers",
    "encoder_heads",
    "encoder_feed_forward_width",
    "experts",
)


DERIVED: Any = None  # the default of a size that follows from the others; a finished configuration holds the number
FORMER = {  # names in files of version 0.1 -> now
    "head_size": "head_width",
    "hidden": "feed_forward_width",
    "encoder_hidden": "encoder_feed_forward_width",
    "balance": "load_balancing",
}


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The sizes and choices of a transformer. The defaults are GPT-2's recipe.

    Three architectures come from one stack. A decoder sees the past only (GPT). An encoder sees both sides (BERT).
    An encoder-decoder has one of each, and its decoder also looks at what the encoder made of another text (BART).
    `UserError` names any field that does not fit. Letters: V, C, T, L, H, G, D, F as in `minigpt.ops`.
    """

    vocabulary_size: int  # V
    context: int  # the longest sequence, T
    width: int  # C
    layers: int  # L, of the decoder when there are two stacks
    heads: int  # H
    key_value_heads: int = DERIVED  # G, divides heads; None: as many as heads
    head_width: int = DERIVED  # D; None: C / H
    feed_forward_width: int = DERIVED  # F; None: 4 C, or 8/3 C up to a multiple of 32 when gated (equal parameters)
    architecture: str = "decoder"  # decoder | encoder | encoder-decoder
    encoder_layers: int | None = None  # of an encoder-decoder's encoder; None, here and below: as in its decoder
    encoder_heads: int | None = None
    encoder_feed_forward_width: int | None = None
    head: str = "language"  # language | masked | pretraining | sequence | token | span | none: see `model.head`
    labels: int = 2  # classes of a sequence or token head
    pooled: str = "first"  # which token stands for the sequence: first | last
    pooler: bool = True  # tanh(linear(x)) of that token, before the classes
    head_bias: bool | None = None  # None: not for a language head, yes for the others
    norm: str = "layer"  # layer | rms
    norm_place: str = "pre"  # pre: x + f(norm(x)) | post: norm(x + f(x))
    norm_epsilon: float = 1e-5
    activation: str = "gelu_tanh"  # one of `minigpt.ops.ACTIVATIONS`
    gated: bool = False  # down(activation(gate(x)) * up(x)) instead of down(activation(up(x)))
    position: str = "learned"  # learned | sinusoidal | rotary
    rotary_theta: float = 10000.0
    segments: int = 0  # kinds of segment embedding (BERT has 2)
    embedding_norm: bool = False  # normalize the sum of the embeddings, as BERT and BART do
    experts: int | None = None  # feed-forward networks in each block, of which each token uses some; None: just one
    experts_per_token: int = 2
    load_balancing: float = 0.01  # how much training minds that experts are used unevenly
    bias: bool = True  # of linear layers and layer norms
    attention_bias: bool | None = None  # of the linear layers in attention; None: as `bias`
    feed_forward_bias: bool | None = None  # of the linear layers in the feed-forward network; None: as `bias`
    tied: bool = True  # the output head is the token embedding
    scale_embedding: bool = False  # multiply token embeddings by sqrt(C), as the 2017 transformer does
    padding: int | None = None  # a token whose embedding learns nothing from standing in the input
    dropout: float = 0.0
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name in WHOLE + OPTIONAL:
            value = getattr(self, name)
            if not (name in OPTIONAL and value is None) and (not isinstance(value, int) or value < 1):
                raise UserError(f"{name} is {value!r}, but it must be a whole number of at least 1")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"{name} is {getattr(self, name)!r}, but it must be one of {', '.join(choices)}")
        for heads in {self.heads, self.encoder_heads or self.heads}:
            if self.head_width is None and self.width % heads:
                raise UserError(f"{heads} heads do not divide the width {self.width}; choose heads that do")
        self._derive()
        if self.heads % self.key_value_heads:
            raise UserError(
                f"{self.key_value_heads} key-value heads do not divide {self.heads} heads; choose a divisor"
            )
        if self.position == "rotary" and self.head_width % 2:
            raise UserError(f"rotary positions need an even head width, not {self.width} / {self.heads}; change heads")
        if self.position == "sinusoidal" and self.width % 2:
            raise UserError(f"sinusoidal positions need an even width, not {self.width}")
        if self.experts is not None:
            self._check_experts()
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}, but it must be at least 0 and less than 1")
        if self.padding is not None and not 0 <= self.padding < self.vocabulary_size:
            raise UserError(f"the padding token {self.padding} is outside the vocabulary of {self.vocabulary_size}")

    def _derive(self) -> None:
        """Fill in the sizes that were left to follow from the others."""
        gated_width = -(-8 * self.width // (3 * 32)) * 32
        derived = {
            "key_value_heads": self.heads,
            "head_width": self.width // self.heads,
            "feed_forward_width": gated_width if self.gated else 4 * self.width,
        }
        for name, value in derived.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def _check_experts(self) -> None:
        if self.experts_per_token > (self.experts or 0):
            raise UserError(f"a token uses {self.experts_per_token} experts, but there are {self.experts}; use fewer")
        if not 0 <= self.load_balancing < float("inf"):
            raise UserError(f"load_balancing is {self.load_balancing}, but it must be a number of at least 0")

    @property
    def has_head_bias(self) -> bool:
        """Whether the last linear layer of the head has a bias."""
        return self.head != "language" if self.head_bias is None else self.head_bias

    def encoder(self) -> "TransformerConfig":
        """The configuration of an encoder-decoder's encoder, alone."""
        return replace(
            self,
            architecture="encoder",
            layers=self.encoder_layers or self.layers,
            heads=self.encoder_heads or self.heads,
            key_value_heads=DERIVED if self.encoder_heads else self.key_value_heads,
            head_width=DERIVED if self.encoder_heads else self.head_width,
            feed_forward_width=self.encoder_feed_forward_width or self.feed_forward_width,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TransformerConfig":
        """The configuration that `to_dict` wrote; `UserError` for unknown or missing fields."""
        values = {FORMER.get(name, name): value for name, value in values.items()}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise UserError(f"unknown configuration field {sorted(unknown)[0]!r}; this minigpt is older than the file?")
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"the configuration is incomplete: {error}") from None
