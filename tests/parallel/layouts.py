"""Every objective, with all that a batch can carry, and the layouts of ranks that train it."""

from dataclasses import replace
from math import prod

import numpy as np

from minigpt import Batch, Transformer, TransformerConfig
from minigpt.objectives import OBJECTIVES, Counts, Texts, loss_and_gradient, masked_lm, scored
from minigpt.ops import IGNORED
from minigpt.train import take_rows

# The last token is the padding: of two tensor-parallel ranks each has fewer tokens than its number.
SPECIAL = {
    "end": 27, "mask": 28, "classify": 29, "separator": 30, "prefix": 31, "suffix": 32, "middle": 33,
    "sentinel0": 34, "sentinel1": 35, "padding": 36,
}  # fmt: skip
PADDING = SPECIAL["padding"]
SIZES = {
    "vocabulary_size": 37,
    "context": 11,
    "width": 16,
    "layers": 4,
    "heads": 4,
    "key_value_heads": 2,
    "head_width": 6,
    "feed_forward_width": 23,
    "init_std": 0.2,
    "segments": 2,
    "padding": PADDING,
}
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary"}
BERT = {"architecture": "encoder", "norm_place": "post", "embedding_norm": True, "activation": "gelu"}
BOTH = {"architecture": "encoder-decoder"}
OBJECTIVE_CONFIGS = {
    name: TransformerConfig(**SIZES, **changes)
    for name, changes in {
        "causal": {"head_bias": True, "attention_bias": False},
        "masked": {**BERT, "head": "masked"},
        "next-sentence": {**BERT, "head": "sequence"},
        "sentence-order": {"architecture": "encoder", "head": "sequence", "pooler": False, "position": "sinusoidal"},
        "prefix": {**MODERN, "bias": False, "tied": False},
        "infilling": {**BOTH, "embedding_norm": True, "encoder": {"layers": 3, "context": 9}},
        "spans": {**BOTH, **MODERN, "tied": False, "scale_embedding": True, "attention_bias": False},
        "fill-in-the-middle": {"position": "none", "scale_embedding": True, "feed_forward_bias": False},
        "mixture": {**MODERN, "tied": False, "head_bias": True},
        # Not of a text alone: two questions at once, a class of a token, of a text, and where an answer stands.
        "pretraining": {**BERT, "head": "pretraining", "tied": False},
        "tied pretraining": {**BERT, "head": "pretraining"},
        "token": {**BERT, "head": "token", "labels": 5},
        "sequence": {**MODERN, "head": "sequence", "labels": 3, "pooled": "last"},
        "span": {"architecture": "encoder", "head": "span", **MODERN},
    }.items()
}  # fmt: skip

LAYOUTS = {
    **{f"data 2, zero {zero}": {"data": 2, "zero": zero} for zero in range(4)},
    "tensor 2": {"tensor": 2},
    "pipeline 2, gpipe": {"pipeline": 2, "order": "gpipe"},
    "pipeline 2, 1f1b, recompute": {"pipeline": 2, "order": "1f1b", "recompute": True},
    "pipeline 4, 1f1b": {"pipeline": 4, "order": "1f1b"},
    "pipeline 4, gpipe, recompute": {"pipeline": 4, "order": "gpipe", "recompute": True},
    "data 2, tensor 2": {"data": 2, "tensor": 2},
    "data 2, pipeline 2": {"data": 2, "pipeline": 2},
    "tensor 2, pipeline 2, recompute": {"tensor": 2, "pipeline": 2, "recompute": True},
    "data 2, tensor 2, zero 3": {"data": 2, "tensor": 2, "zero": 3},
    "data 2, tensor 2, pipeline 2": {"data": 2, "tensor": 2, "pipeline": 2},
}


def ranks_of(layout):
    return prod(LAYOUTS[layout].get(axis, 1) for axis in ("data", "tensor", "pipeline"))


def allowed(kind):
    """The layouts that train it: two stacks make no pipeline."""
    two_stacks = OBJECTIVE_CONFIGS[kind].encoder is not None
    return [layout for layout, axes in LAYOUTS.items() if not (two_stacks and "pipeline" in axes)]


def drawn(seed, each, *, sizes=(2, 4, 8)):
    """(kind, layout): `each` layouts for every kind, as seldom met as can be, chosen by chance where many are.

    sizes: numbers of ranks.
    """
    rng, met, cases = np.random.default_rng(seed), dict.fromkeys(LAYOUTS, 0), []
    for kind in sorted(OBJECTIVE_CONFIGS, key=lambda kind: len(allowed(kind))):
        some = [str(layout) for layout in rng.permutation(allowed(kind)) if ranks_of(layout) in sizes]
        for layout in sorted(some, key=met.get)[:each]:
            met[layout] += 1
            cases.append((kind, layout))
    return cases


def make_batch(kind, rng, rows):
    """A batch of this kind in which texts (and sources) have different lengths, and two segments each."""
    config, length = OBJECTIVE_CONFIGS[kind], 9
    documents = [[rng.integers(0, 27, size) for size in rng.integers(1, 5, 3)] for _ in range(4)]
    texts = Texts(rng.integers(0, 27, (rows, length + 1)), SPECIAL, PADDING, documents)
    of_pairs = "pretraining" in kind
    batch = OBJECTIVES[kind if kind in OBJECTIVES else "next-sentence" if of_pairs else "causal"].make(texts, rng)
    if of_pairs:
        special = tuple(SPECIAL.values())
        hidden = masked_lm(
            batch.tokens, rng, mask=SPECIAL["mask"], vocabulary_size=PADDING, special=special, present=batch.present
        )
        batch = batch._replace(tokens=hidden.tokens, targets=hidden.targets)
    elif kind not in OBJECTIVES:
        batch = Batch(batch.tokens, **_asked(config, rng, batch.tokens))
    return _shorten(batch, rng)


def _asked(config, rng, tokens):
    """What heads are scored against; every third is not asked for."""
    rows = len(tokens)
    if config.head == "token":
        return {"targets": np.where(rng.random(tokens.shape) < 1 / 3, IGNORED, rng.integers(0, 5, tokens.shape))}
    labels = rng.integers(0, 3, (rows, 2) if config.head == "span" else rows)
    labels[::3] = IGNORED
    return {"labels": labels}


def _shorten(batch, rng):
    """The batch without the ends of some texts; which of them are present, and two segments."""
    rows, length = batch.tokens.shape
    places = np.arange(length)
    present = places < rng.integers(3, length + 1, (rows, 1))
    if batch.present is not None:
        present &= batch.present
    segments = (places >= rng.integers(1, 3, (rows, 1))).astype(int) if batch.segments is None else batch.segments
    changes = {"tokens": np.where(present, batch.tokens, PADDING), "present": present, "segments": segments}
    if batch.targets is not None:
        changes["targets"] = np.where(present, batch.targets, IGNORED)
    if batch.source is not None:
        there = np.arange(batch.source.shape[1]) < rng.integers(3, batch.source.shape[1] + 1, (rows, 1))
        there &= batch.source_present
        changes |= {"source": np.where(there, batch.source, PADDING), "source_present": there}
    return batch._replace(**changes)


def trim(batch):
    """The batch without what is padding in all of its texts. Where an answer stands is asked of all places, so those
    stay."""
    if batch.labels is not None and batch.labels.ndim == 2:
        return batch
    fields = {"present": ("tokens", "targets", "present", "segments"), "source_present": ("source", "source_present")}
    for present, trimmed in fields.items():
        if getattr(batch, present) is not None:
            length = int(getattr(batch, present).sum(axis=1).max())
            old = {name: getattr(batch, name) for name in trimmed}
            batch = batch._replace(**{name: old[name][:, :length] for name in trimmed if old[name] is not None})
    return batch


def row_by_row(config, params, batch):
    """Loss and gradient the plain way: text by text, each at its own length, so that nothing knows of padding."""
    if config.head != "span":  # whose padding stays, see `trim`
        encoder = config.encoder and replace(config.encoder, padding=None)
        config = replace(config, padding=None, encoder=encoder)
    model = Transformer(config)
    counts, loss, total = scored(batch), 0.0, params.zeros_like()
    for row in range(len(batch.tokens)):
        one = trim(take_rows(batch, slice(row, row + 1)))
        if one.present.all():
            one = one._replace(present=None)
        if one.source_present is not None:
            one = one._replace(source_present=None)
        loss += _nats(model, params, one, counts)
        _, grads = loss_and_gradient(model, params, one, counts=counts)
        total.flat += grads.flat
    return loss, total


def _nats(model, params, batch, counts: Counts):
    """The loss by its definition, answer by answer."""
    output, _ = model.forward(params, batch)
    loss = 0.0
    for logits in output if isinstance(output, tuple) else (output,):
        of_texts = logits.ndim == 2 or model.config.head == "span"
        wanted, count = (batch.labels, counts.labels) if of_texts else (batch.targets, counts.targets)
        rows = logits.swapaxes(1, 2) if model.config.head == "span" else logits
        for scores, answer in zip(rows.reshape(-1, rows.shape[-1]), wanted.reshape(-1), strict=True):
            if answer != IGNORED:
                loss += (np.log(np.exp(scores).sum()) - scores[answer]) / count
    return loss
