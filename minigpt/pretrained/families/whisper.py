"""Whisper (Radford et al. 2022): an encoder of sound and a decoder of text. Its keys have no bias.

The encoder's positions are sines and cosines, but they stand in the file as a table; it is read as one, so that the
numbers are those of the file, and `Batch.source` is as many frames as the table has rows, twice.
"""

from collections.abc import Iterable

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.bart import block_links
from minigpt.pretrained.families.family import HEAD, OURS, Family, HeadClass, Link, Setting, linear, norm

CONVOLUTIONS = {"conv1": "convolution_1", "conv2": "convolution_2"}


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}decoder.embed_tokens.weight", ("token_embedding.weight",))
    for theirs, ours in CONVOLUTIONS.items():
        yield from linear(f"{base}encoder.{theirs}", f"encoder.{ours}", transposed=False)
    yield from _stack(f"{base}encoder", "encoder.", config.encoder, {"self_attn": "attention"})
    yield from _stack(f"{base}decoder", "", config, {"self_attn": "attention", "encoder_attn": "cross_attention"})


def _stack(stack: str, prefix: str, config: TransformerConfig, attentions: dict[str, str]) -> Iterable[Link]:
    yield Link(f"{stack}.embed_positions.weight", (f"{prefix}position_embedding.weight",))
    yield from block_links(stack, prefix, config, attentions)
    yield from norm(f"{stack}.layer_norm", f"{prefix}final_norm")


WHISPER = Family(
    name="whisper",
    base="model.",
    classes={
        "WhisperForConditionalGeneration": HeadClass(
            {"head": "language"}, (Link("proj_out.weight", (HEAD,), transposed=True),)
        ),
        "WhisperModel": HeadClass({"head": "none"}),
    },
    settings=(
        Setting("vocab_size", "vocabulary_size", 51865),
        Setting("max_target_positions", "context", 448),
        Setting("d_model", "width", 384),
        Setting("decoder_layers", "layers", 4),
        Setting("decoder_attention_heads", "heads", 6),
        Setting("decoder_ffn_dim", "feed_forward_width", 1536),
        Setting("max_source_positions", "encoder.context", 1500),
        Setting("num_mel_bins", "encoder.input_width", 80),
        Setting("encoder_layers", "encoder.layers", 4),
        Setting("encoder_attention_heads", "encoder.heads", 6),
        Setting("encoder_ffn_dim", "encoder.feed_forward_width", 1536),
        Setting("activation_function", "activation", "gelu", OURS),
        Setting("pad_token_id", "padding", 50256),
        Setting("tie_word_embeddings", "tied", True),
        Setting("init_std", "init_std", 0.02),
    ),
    links=links,
    fixed={"architecture": "encoder-decoder", "key_bias": False, "encoder.input": "frames", "encoder.tied": False},
    refused={
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "apply_spec_augment": False,  # a noise of training that is not made here
        "use_weighted_layer_sum": False,
    },
    aliases={
        "num_key_value_heads": "encoder_attention_heads",
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
    },
    taken=(  # of a classifier, of that noise, of timestamps for words: they change nothing here
        "classifier_proj_size",
        "mask_time_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_feature_prob",
        "mask_feature_length",
        "mask_feature_min_masks",
        "median_filter_width",
        "forced_decoder_ids",
    ),
    constants={"is_encoder_decoder": True},
)
