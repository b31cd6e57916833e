"""What a transformer is made of: one frozen description, checked when it is made."""

import math
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from minigpt.errors import UserError
from minigpt.model.head import HEADS, ties_tokens
from minigpt.model.inputs import INPUTS
from minigpt.model.inputs.images import check_areas, check_sizes
from minigpt.model.scaling import RotaryScaling, scaling_of
from minigpt.ops import ACTIVATIONS
from minigpt.values import FLAG, Kind, check, choice, number, shown, whole

CHOICES = {
    "architecture": ("decoder", "encoder", "encoder-decoder"),
    "input": tuple(INPUTS),
    "head": tuple(HEADS),
    "pooled": ("first", "last", "mean"),
    "norm": ("layer", "rms"),
    "norm_place": ("pre", "post"),
    "activation": tuple(ACTIVATIONS),
    "position": ("learned", "sinusoidal", "sinusoidal_2d", "rotary", "alibi", "none"),
}
SIZE = whole(1)


def _sizes(count: int, what: str) -> Kind:
    """So many sizes in a row."""
    return Kind(
        f"{count} whole numbers of at least 1, {what}",
        lambda value: isinstance(value, tuple | list) and len(value) == count and all(map(SIZE.fits, value)),
    )


KINDS = {  # of every field that is neither a flag nor one of `CHOICES`; see `field_kind`
    **dict.fromkeys(("vocabulary_size", "context", "width", "layers", "heads", "labels", "experts_per_token"), SIZE),
    "encoder_areas": SIZE,
    **dict.fromkeys(("key_value_heads", "head_width", "feed_forward_width", "input_width", "experts"), SIZE),
    **dict.fromkeys(("segments", "padding", "sinks"), whole(0)),
    "window": SIZE,
    "image": _sizes(3, "channels, height and width"),
    "patch": _sizes(2, "height and width"),
    **dict.fromkeys(("norm_epsilon", "load_balancing", "init_std"), number(0.0)),
    "rotary_theta": number(1.0),
    "rotary_scaling": Kind(
        "a RotaryScaling, or a table of its fields", lambda value: isinstance(value, RotaryScaling | dict)
    ),
    "dropout": number(0.0, 1.0),
    "encoder": Kind(
        "a configuration, or the fields that differ", lambda value: isinstance(value, TransformerConfig | dict)
    ),
}
DERIVED: Any = None  # the default of a size that follows from the others; a finished configuration holds the number
FORMER = {  # names in files of version 0.1 -> now
    "head_size": "head_width",
    "hidden": "feed_forward_width",
    "balance": "load_balancing",
}
HEADLESS: dict[str, Any] = {  # an encoder beside a decoder says nothing itself
    "architecture": "encoder",
    "encoder": None,
    "head": "none",
    "labels": 2,
    "pooled": "first",
    "pooler": True,
    "head_bias": None,
    "encoder_ahead": False,
    "encoder_areas": None,
}
FORMER_ENCODER = {"encoder_layers": "layers", "encoder_heads": "heads", "encoder_hidden": "feed_forward_width"}


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The sizes and choices of a transformer. The defaults are GPT-2's recipe.

    Three architectures come from one stack. A decoder sees the past only (GPT). An encoder sees both sides (BERT).
    An encoder-decoder has one of each, and its decoder also looks at what the encoder made of another text (BART).
    `UserError` names any field that does not fit. Letters: V, C, T, L, H, G, D, F as in `minigpt.ops`.

    Parameters
    ----------
    vocabulary_size, context, width, layers, heads : int
        V, the longest T, C, L (of the decoder when there are two stacks), H.
    key_value_heads, head_width, feed_forward_width : int, optional
        G, D and F. None: H, C / H, and 4 C, or 8/3 C up to a multiple of 32 when gated.
    architecture, input, head, pooled, norm, norm_place, activation, position : str
        One of `minigpt.model.config.CHOICES`.
    encoder : TransformerConfig or dict, optional
        Of an encoder-decoder: its encoder's configuration, or the fields in which that differs.
    encoder_ahead : bool
        Whether what the encoder made stands before the decoder's tokens, through a linear layer, in place of
        cross-attention.
    encoder_areas : int, optional
        Of an image ahead: the vectors of its patches are averaged over so many areas below and beside each other, and
        their means stand there. None: those of all patches.
    input_width, class_token : int, bool
        Numbers in a patch, or bands in a frame; whether a learnt vector comes before the patches.
    image, patch : tuple of int
        Of images: channels, height and width (Z, Y, X); height and width of the patches that they are cut into.
    labels, pooler, head_bias : int, bool, bool
        Of the heads: classes; tanh(linear(x)) of the pooled token before them; a bias of the last layer.
    norm_epsilon, rotary_theta : float
        Of the norm, and of rotary positions.
    rotary_scaling : RotaryScaling or dict, optional
        Rotary positions for longer texts than those of training.
    window, sinks : int
        A position sees the last `window` ones, itself among them, and the first `sinks`; None: all.
    gated : bool
        down(activation(gate(x)) * up(x)) instead of down(activation(up(x))).
    segments, embedding_norm, scale_embedding, padding : int, bool, bool, int
        Of the embeddings: kinds of segment; a norm of their sum; a factor sqrt(C); a token that learns nothing.
    padding_positions : bool
        Whether that token takes a position of its own; in RoBERTa it does not.
    experts, experts_per_token, load_balancing : int, int, float
        Feed-forward networks in each block; those that a token uses; how much training minds uneven use.
    bias, attention_bias, feed_forward_bias, key_bias : bool
        Of linear layers and layer norms; in attention and in the feed-forward network, None: as `bias`; of the key.
    tied : bool
        The output head is the token embedding.
    dropout, init_std : float
        The share of activations that training drops; the standard deviation of fresh matrices.

    Examples
    --------
    >>> config = minigpt.TransformerConfig(vocabulary_size=50, context=16, width=24, layers=2, heads=3)
    >>> config.head_width, config.feed_forward_width  # follow from the others
    (8, 96)
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
    encoder: Any = None  # of an encoder-decoder: its encoder's configuration, or the fields in which that differs
    encoder_ahead: bool = False  # what it made stands before the tokens; False: cross-attention looks at it
    encoder_areas: int | None = None  # areas of an image, a side, whose means stand there; None: all patches
    input: str = "tokens"  # what it reads: one of `minigpt.model.inputs.INPUTS`
    input_width: int | None = None  # numbers in a patch, bands in a frame
    class_token: bool = False  # a learnt vector before the patches
    image: Any = None  # (Z, Y, X) of the images that it reads: channels, height, width
    patch: Any = None  # (K, L) of the patches that they are cut into: height, width
    head: str = "language"  # what it says at its end: one of `minigpt.model.head.HEADS`
    labels: int = 2  # classes of a sequence or token head
    pooled: str = "first"  # what stands for the sequence: first | last (token) | mean (of all)
    pooler: bool = True  # tanh(linear(x)) of that token, before the classes
    head_bias: bool | None = None  # None: not for a language head, yes for the others
    norm: str = "layer"  # layer | rms
    norm_place: str = "pre"  # pre: x + f(norm(x)) | post: norm(x + f(x))
    norm_epsilon: float = 1e-5
    activation: str = "gelu_tanh"  # one of `minigpt.ops.ACTIVATIONS`
    gated: bool = False  # down(activation(gate(x)) * up(x)) instead of down(activation(up(x)))
    position: str = "learned"  # learned | sinusoidal | sinusoidal_2d | rotary | alibi | none
    rotary_theta: float = 10000.0
    rotary_scaling: Any = None  # a `RotaryScaling`, or a table of its fields
    window: int | None = None  # how many positions one sees, itself among them; None: all
    sinks: int = 0  # beside the window, the first so many (Xiao et al. 2023, arXiv:2309.17453)
    segments: int = 0  # kinds of segment embedding (BERT has 2)
    embedding_norm: bool = False  # normalize the sum of the embeddings, as BERT and BART do
    experts: int | None = None  # feed-forward networks in each block, of which each token uses some; None: just one
    experts_per_token: int = 2
    load_balancing: float = 0.01  # how much training minds that experts are used unevenly
    bias: bool = True  # of linear layers and layer norms
    attention_bias: bool | None = None  # of the linear layers in attention; None: as `bias`
    key_bias: bool = True  # of the key, where attention has biases; Whisper has none: softmax would not see it
    feed_forward_bias: bool | None = None  # of the linear layers in the feed-forward network; None: as `bias`
    tied: bool = True  # the output head is the token embedding
    scale_embedding: bool = False  # multiply token embeddings by sqrt(C), as the 2017 transformer does
    padding: int | None = None  # a token whose embedding learns nothing from standing in the input
    padding_positions: bool = True  # it takes a position; False: learned positions are counted among the other tokens
    dropout: float = 0.0
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for field in fields(self):
            check(field.name, getattr(self, field.name), field_kind(field.name))
        if self.head_width is None and self.width % self.heads:
            raise UserError(f"{self.heads} heads do not divide the width {self.width}; choose heads that do")
        object.__setattr__(self, "rotary_scaling", scaling_of(self.rotary_scaling, self.context))
        for name in ("image", "patch"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        object.__setattr__(self, "encoder", self._encoder())
        self._derive()
        self._check_positions()
        self._check_input()
        check_areas(self)
        if self.heads % self.key_value_heads:
            raise UserError(
                f"{self.key_value_heads} key-value heads do not divide the {self.heads} heads; choose a divisor"
            )
        if self.experts is not None and self.experts_per_token > self.experts:
            raise UserError(f"a token uses {self.experts_per_token} experts, but there are {self.experts}; use fewer")
        if self.padding is not None and not 0 <= self.padding < self.vocabulary_size:
            raise UserError(f"the padding token {self.padding} is outside the vocabulary of {self.vocabulary_size}")

    def _encoder(self) -> "TransformerConfig | None":
        """The encoder beside a decoder: as the decoder, but for the fields that were given."""
        given = self.encoder
        if self.architecture != "encoder-decoder":
            if given is not None:
                raise UserError(f"{self.architecture} models have no second encoder; use architecture encoder-decoder")
            if self.encoder_ahead:
                raise UserError(f"encoder_ahead is for an encoder-decoder, not for {self.architecture}; leave it out")
            return None
        if self.encoder_ahead and (self.input != "tokens" or self.segments):
            raise UserError("encoder_ahead is for a decoder of tokens without segments; leave one of the two out")
        if isinstance(given, TransformerConfig):
            encoder = given
        else:
            changes = {**HEADLESS, **(given or {})}
            if "heads" in changes:
                changes.setdefault("key_value_heads", None)
            _check_names(changes, "an encoder's configuration has no field {!r}; check its name")
            encoder = replace(self, **changes)
        if encoder.head != "none":
            raise UserError(f"an encoder beside a decoder says nothing, but its head is {encoder.head}; give it none")
        width = encoder.width if self.encoder_ahead else self.width  # a projector takes any width
        if (encoder.architecture, encoder.width) != ("encoder", width):
            raise UserError(
                f"the encoder is {encoder.architecture} of width {encoder.width}, but what a decoder of width "
                f"{self.width} looks at is made by an encoder of that width"
            )
        if encoder.input == self.input == "tokens" and encoder.vocabulary_size != self.vocabulary_size:
            raise UserError(
                f"the encoder has {encoder.vocabulary_size} tokens and the decoder {self.vocabulary_size}, but both "
                "read one table; make them equal"
            )
        return encoder

    def _check_positions(self) -> None:
        if self.position == "rotary" and self.head_width % 2:
            raise UserError(f"rotary positions need an even head width, not {self.width} / {self.heads}; change heads")
        if self.rotary_scaling is not None and self.position != "rotary":
            raise UserError(f"rotary_scaling is for rotary positions, but they are {self.position}; leave it out")
        if self.rotary_scaling is not None and self.rotary_scaling.kind == "yarn" and self.rotary_theta == 1:
            raise UserError("rotary_theta is 1, so no pair turns faster than another, which yarn needs; choose more")
        if self.sinks and self.window is None:
            raise UserError(f"{self.sinks} sinks stand beside a window, but there is none; give one, or no sinks")
        if self.position == "sinusoidal" and self.width % 2:
            raise UserError(f"sinusoidal positions need an even width, not {self.width}")
        counted = (self.padding is not None, self.architecture, self.input, self.position)
        if not self.padding_positions and counted != (True, "encoder", "tokens", "learned"):
            raise UserError("padding_positions is False only for encoders of tokens with padding and learned positions")

    def _check_input(self) -> None:
        if (self.input in ("patches", "frames")) != (self.input_width is not None):
            raise UserError(
                f"input_width is {self.input_width} for {self.input}; patches and frames need one, others not"
            )
        if self.class_token and self.input not in ("patches", "images"):
            raise UserError(f"class_token is for patches; {self.input} have no need of it")
        check_sizes(self)
        if self.input != "tokens" and ties_tokens(self):
            raise UserError(f"a tied head needs a token table, which {self.input} have not; set tied to False")

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

    @property
    def has_head_bias(self) -> bool:
        """Whether the last linear layer of the head has a bias."""
        return self.head != "language" if self.head_bias is None else self.head_bias

    @property
    def vectors_ahead(self) -> int:
        """How many positions an encoder takes ahead of the tokens, at most."""
        if not self.encoder_ahead:
            return 0
        return int(self.encoder.context) if self.encoder_areas is None else self.encoder_areas**2

    @property
    def endless(self) -> bool:
        """Whether a text may be longer than the context: nobody looks further back than a window (but at the sinks),
        and a position's number itself says nothing."""
        relative = self.position in ("rotary", "alibi", "none")
        moves = self.rotary_scaling is not None and self.rotary_scaling.follows_length
        return self.window is not None and self.window <= self.context and relative and not moves

    @property
    def residual_std(self) -> float:
        """Of the matrices that write into the residual stream: smaller by sqrt(2 L), so that the sum of 2 L such writes
        does not grow with depth (Radford et al. 2019, section 2.3)."""
        return self.init_std / math.sqrt(2 * self.layers)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TransformerConfig":
        """The configuration that `to_dict` wrote; `UserError` for unknown or missing fields."""
        if not isinstance(values, dict):
            raise UserError(f"a configuration is a table of fields, not {shown(values)}; check the file")
        former = {new: values[old] for old, new in FORMER_ENCODER.items() if values.get(old) is not None}
        values = {FORMER.get(name, name): value for name, value in values.items() if name not in FORMER_ENCODER}
        if former and "encoder" not in values:
            values["encoder"] = former
        _check_names(values, "unknown configuration field {!r}; this minigpt is older than the file?")
        missing = [field.name for field in fields(cls) if field.default is MISSING and field.name not in values]
        if missing:
            raise UserError(f"the configuration is incomplete: it has no {' and no '.join(missing)}")
        return cls(**values)


def field_kind(name: str) -> Kind:
    """What a field of `TransformerConfig` may be."""
    kind = choice(*CHOICES[name]) if name in CHOICES else KINDS.get(name, FLAG)
    return kind.or_none() if getattr(TransformerConfig, name, ...) is None else kind


def _check_names(values: dict[str, Any], message: str) -> None:
    known = {field.name for field in fields(TransformerConfig)}
    for name in values:
        if name not in known:
            raise UserError(message.format(name))
