"""BERT (Devlin et al. 2018): an encoder, with the norm after each part."""

from collections.abc import Iterable

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import HEAD, OURS, Family, HeadClass, Link, Setting, linear, norm

MASKED = (
    *linear("cls.predictions.transform.dense", "masked_head.dense"),
    *norm("cls.predictions.transform.LayerNorm", "masked_head.norm"),
    Link("cls.predictions.decoder.bias", ("head.bias",), also=("cls.predictions.bias",)),
    Link("cls.predictions.decoder.weight", (HEAD,), transposed=True),
)
NEXT_SENTENCE = linear("cls.seq_relationship", "classifier")
# The first published files hold everything that BERT was pretrained with, whatever class they are opened as.
POOLER, NEXT, WORDS = r"(bert\.)?pooler\.dense\.(weight|bias)", r"cls\.seq_relationship\..*", r"cls\.predictions\..*"


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield from body(config, base)
    yield from linear(f"{base}pooler.dense", "pooler")


def body(config: TransformerConfig, base: str) -> Iterable[Link]:
    """All but the pooler."""
    embeddings = f"{base}embeddings"
    yield Link(f"{embeddings}.word_embeddings.weight", ("token_embedding.weight",))
    yield Link(f"{embeddings}.position_embeddings.weight", ("position_embedding.weight",))
    yield Link(f"{embeddings}.token_type_embeddings.weight", ("segment_embedding.weight",))
    yield from norm(f"{embeddings}.LayerNorm", "embedding_norm")
    for layer in range(config.layers):
        theirs, ours = f"{base}encoder.layer.{layer}", f"blocks.{layer}"
        for part in ("query", "key", "value"):
            yield from linear(f"{theirs}.attention.self.{part}", f"{ours}.attention.{part}")
        yield from linear(f"{theirs}.attention.output.dense", f"{ours}.attention.output")
        yield from norm(f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norm")
        yield from linear(f"{theirs}.intermediate.dense", f"{ours}.feed_forward.up")
        yield from linear(f"{theirs}.output.dense", f"{ours}.feed_forward.down")
        yield from norm(f"{theirs}.output.LayerNorm", f"{ours}.feed_forward_norm")


BERT = Family(
    name="bert",
    base="bert.",
    classes={
        "BertForPreTraining": HeadClass({"head": "pretraining"}, (*MASKED, *NEXT_SENTENCE)),
        "BertForMaskedLM": HeadClass({"head": "masked"}, MASKED, unused=(POOLER, NEXT)),
        "BertForSequenceClassification": HeadClass({"head": "sequence"}, linear("classifier", "classifier")),
        "BertForTokenClassification": HeadClass({"head": "token"}, linear("classifier", "classifier")),
        "BertForQuestionAnswering": HeadClass({"head": "span"}, linear("qa_outputs", "classifier"), unused=(POOLER,)),
        "BertForNextSentencePrediction": HeadClass({"head": "sequence", "labels": 2}, NEXT_SENTENCE, unused=(WORDS,)),
        "BertModel": HeadClass({"head": "none"}, unused=(POOLER, NEXT, WORDS)),
    },
    settings=(
        Setting("vocab_size", "vocabulary_size", 30522),
        Setting("max_position_embeddings", "context", 512),
        Setting("hidden_size", "width", 768),
        Setting("num_hidden_layers", "layers", 12),
        Setting("num_attention_heads", "heads", 12),
        Setting("intermediate_size", "feed_forward_width", 3072),
        Setting("type_vocab_size", "segments", 2),
        Setting("layer_norm_eps", "norm_epsilon", 1e-12),
        Setting("hidden_act", "activation", "gelu", OURS),
        Setting("pad_token_id", "padding", 0),
        Setting("tie_word_embeddings", "tied", True),
        Setting("initializer_range", "init_std", 0.02),
    ),
    links=links,
    fixed={"architecture": "encoder", "norm_place": "post", "embedding_norm": True},
    refused={"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False},
    renamed={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    harmless=(r"(bert\.)?embeddings\.(position|token_type)_ids",),  # 0, 1, 2, ... and zeros
)
