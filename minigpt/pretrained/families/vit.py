"""ViT (Dosovitskiy et al. 2021): an encoder of images, which answers from its class token."""

from collections.abc import Iterable
from typing import Any

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import OURS, Family, HeadClass, Link, Setting, linear, norm
from minigpt.values import Kind, read, whole

SIZE = whole(1)
SIZES = Kind(  # of a square, or height and width
    "a whole number of at least 1, or two of them",
    lambda value: SIZE.fits(value) or (isinstance(value, list) and len(value) == 2 and all(map(SIZE.fits, value))),
)
POSITIONS = "image_size and patch_size"  # what in the file says how many positions there are
UNUSED = (r"(vit\.)?pooler\.dense\.(weight|bias)", r"(vit\.)?embeddings\.mask_token")


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}embeddings.cls_token", ("class_token",), one_row=True)
    yield Link(f"{base}embeddings.position_embeddings", ("position_embedding.weight",), one_row=True)
    yield from linear(f"{base}embeddings.patch_embeddings.projection", "patch_embedding", transposed=False)
    for layer in range(config.layers):
        theirs, ours = f"{base}encoder.layer.{layer}", f"blocks.{layer}"
        for part in ("query", "key", "value"):
            yield from linear(f"{theirs}.attention.attention.{part}", f"{ours}.attention.{part}")
        yield from linear(f"{theirs}.attention.output.dense", f"{ours}.attention.output")
        yield from norm(f"{theirs}.layernorm_before", f"{ours}.attention_norm")
        yield from linear(f"{theirs}.intermediate.dense", f"{ours}.feed_forward.up")
        yield from linear(f"{theirs}.output.dense", f"{ours}.feed_forward.down")
        yield from norm(f"{theirs}.layernorm_after", f"{ours}.feed_forward_norm")
    yield from norm(f"{base}layernorm", "final_norm")


def before(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their sizes as ours: of images with channels, of patches, and how many positions these give."""
    channels = read(theirs, "num_channels", SIZE, 3)
    image, patch = (_two(read(theirs, name, SIZES, usual)) for name, usual in (("image_size", 224), ("patch_size", 16)))
    rows, columns = (whole // part for whole, part in zip(image, patch, strict=True))
    sizes = {"image_size": [channels, *image], "patch_size": patch, POSITIONS: rows * columns + 1}
    return {name: value for name, value in theirs.items() if name != "num_channels"} | sizes


def after(theirs: dict[str, Any]) -> dict[str, Any]:
    """The other way round; a square is one number. A model that reads no images has nothing to say of them."""
    names = ("image_size", "patch_size", POSITIONS)
    said = {name: value for name, value in theirs.items() if name not in names}
    if theirs["image_size"] is None:
        return said
    channels, *image = theirs["image_size"]
    sizes = {"image_size": image, "patch_size": list(theirs["patch_size"])}
    squares = {name: value[0] if value[0] == value[1] else value for name, value in sizes.items()}
    return {**said, "num_channels": channels, **squares}


def _two(size: Any) -> list[int]:
    return list(size) if isinstance(size, list) else [size, size]


VIT = Family(
    name="vit",
    base="vit.",
    classes={
        "ViTForImageClassification": HeadClass(
            {"head": "sequence", "pooled": "first", "pooler": False}, linear("classifier", "classifier"), unused=UNUSED
        ),
        "ViTModel": HeadClass({"head": "none"}, unused=UNUSED),
    },
    settings=(
        Setting("image_size", "image", None),
        Setting("patch_size", "patch", None),
        Setting(POSITIONS, "context", None),
        Setting("hidden_size", "width", 768),
        Setting("num_hidden_layers", "layers", 12),
        Setting("num_attention_heads", "heads", 12),
        Setting("intermediate_size", "feed_forward_width", 3072),
        Setting("layer_norm_eps", "norm_epsilon", 1e-12),
        Setting("hidden_act", "activation", "gelu", OURS),
        Setting("initializer_range", "init_std", 0.02),
    ),
    links=links,
    fixed={"architecture": "encoder", "input": "images", "class_token": True, "vocabulary_size": 1, "tied": False},
    refused={"qkv_bias": True},
    # All but the first belong to heads that these classes have not.
    taken=("num_channels", "encoder_stride", "pooler_act", "pooler_output_size", "tie_word_embeddings"),
    renamed={  # as programs of today have them in memory, which some of them save
        "layers.": "encoder.layer.",
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    },
    before=before,
    after=after,
)
