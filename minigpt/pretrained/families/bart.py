"""BART (Lewis et al. 2020): an encoder and a decoder. Its position tables begin with two rows that nothing uses."""

from collections.abc import Iterable

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import HEAD, OURS, Family, HeadClass, Link, Setting, linear, norm

UNUSED_POSITIONS = 2
BIAS = "final_logits_bias"  # zeros in nearly every file, and then no array of ours
PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    copies = tuple(f"{base}{stack}.embed_tokens.weight" for stack in ("encoder", "decoder"))
    yield Link(f"{base}shared.weight", ("token_embedding.weight",), also=copies)
    yield from _stack(f"{base}encoder", "encoder.", config.encoder, {"self_attn": "attention"})
    yield from _stack(f"{base}decoder", "", config, {"self_attn": "attention", "encoder_attn": "cross_attention"})


def _stack(stack: str, prefix: str, config: TransformerConfig, attentions: dict[str, str]) -> Iterable[Link]:
    position = f"{prefix}position_embedding.weight"
    yield Link(f"{stack}.embed_positions.weight", (position,), unused_rows=UNUSED_POSITIONS)
    yield from norm(f"{stack}.layernorm_embedding", f"{prefix}embedding_norm")
    yield from block_links(stack, prefix, config, attentions)


def block_links(stack: str, prefix: str, config: TransformerConfig, attentions: dict[str, str]) -> Iterable[Link]:
    """Their names and ours, of the blocks of a stack. attentions: what theirs are called, and what ours."""
    for layer in range(config.layers):
        theirs, ours = f"{stack}.layers.{layer}", f"{prefix}blocks.{layer}"
        for their_attention, our_attention in attentions.items():
            for our_part, their_part in PARTS.items():
                yield from linear(f"{theirs}.{their_attention}.{their_part}", f"{ours}.{our_attention}.{our_part}")
            yield from norm(f"{theirs}.{their_attention}_layer_norm", f"{ours}.{our_attention}_norm")
        yield from linear(f"{theirs}.fc1", f"{ours}.feed_forward.up")
        yield from linear(f"{theirs}.fc2", f"{ours}.feed_forward.down")
        yield from norm(f"{theirs}.final_layer_norm", f"{ours}.feed_forward_norm")


BART = Family(
    name="bart",
    base="model.",
    classes={
        "BartForConditionalGeneration": HeadClass(
            {"head": "language"},
            (Link("lm_head.weight", (HEAD,), transposed=True), Link(BIAS, ("head.bias",), one_row=True)),
            unused=(BIAS,),
        ),
        "BartForSequenceClassification": HeadClass(
            {"head": "sequence", "pooled": "last"},
            (*linear("classification_head.dense", "pooler"), *linear("classification_head.out_proj", "classifier")),
        ),
        "BartForQuestionAnswering": HeadClass({"head": "span"}, linear("qa_outputs", "classifier")),
        "BartModel": HeadClass({"head": "none"}),
    },
    settings=(
        Setting("vocab_size", "vocabulary_size", 50265),
        Setting("max_position_embeddings", "context", 1024),
        Setting("d_model", "width", 1024),
        Setting("decoder_layers", "layers", 12),
        Setting("decoder_attention_heads", "heads", 16),
        Setting("decoder_ffn_dim", "feed_forward_width", 4096),
        Setting("encoder_layers", "encoder.layers", 12),
        Setting("encoder_attention_heads", "encoder.heads", 16),
        Setting("encoder_ffn_dim", "encoder.feed_forward_width", 4096),
        Setting("activation_function", "activation", "gelu", OURS),
        Setting("scale_embedding", "scale_embedding", False),
        Setting("pad_token_id", "padding", 1),
        Setting("head_bias", "head_bias", None),  # a word of ours: their files tell by the array that it is not zero
        Setting("tie_word_embeddings", "tied", True),
        Setting("init_std", "init_std", 0.02),
    ),
    links=links,
    fixed={"architecture": "encoder-decoder", "norm_place": "post", "embedding_norm": True},
    refused={
        "is_encoder_decoder": True,
        "normalize_before": False,  # these four: in files of 2020, of models that were never BART's
        "normalize_embedding": True,
        "add_final_layer_norm": False,
        "static_position_embeddings": False,
    },
    aliases={
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
    },
    constants={"is_encoder_decoder": True},
    if_not_zero={BIAS: {"head_bias": True}},
    labels=3,
    harmless=(r"(model\.)?(en|de)coder\.version",),  # of the program that wrote the file
)
