"""The exercises that are plain functions: how to ask, what is right, and what people get wrong.

Each has `draw(rng)`, which gives the arguments of one question; `right`, the reference; and `mistakes`, wrong versions
whose docstrings explain them.
"""

import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np


def draw_hedges(rng):
    words = np.array(["can", "may", "reported to", "described as", "about", "likely", "we", "models", "significant"])
    sides = [" ".join(rng.choice(words, 7)) + rng.choice([".", " CAN.", " About!", " maybe"]) for _ in range(2)]
    return [*sides, ["can", "may", "reported to", "described as", "about", "likely"]], {}


def dropped_hedges(summary, body, hedges):
    def has(text, hedge):
        return re.search(rf"(?<!\w){re.escape(hedge)}(?!\w)", text.lower())

    return [hedge for hedge in hedges if has(summary, hedge) and not has(body, hedge)]


def parts_of_words(summary, body, hedges):
    """You look for the hedge anywhere, even inside of another word: "can" is not in "significant"."""
    return [hedge for hedge in hedges if hedge in summary.lower() and hedge not in body.lower()]


def letter_case(summary, body, hedges):
    """You compare capital letters with small ones; a hedge at the beginning of a sentence is one too."""
    return [h for h in hedges if re.search(rf"(?<!\w){h}(?!\w)", summary) and not re.search(rf"(?<!\w){h}(?!\w)", body)]


def draw_stated(rng):
    facts = set(range(1, 1 + int(rng.integers(0, 6))))
    stated = [set(rng.choice(9, rng.integers(0, 4), replace=False).tolist()) for _ in range(rng.integers(0, 7))]
    return [stated, facts], {}


def precision_recall(stated, facts):
    hits = sum(bool(numbers & facts) for numbers in stated)
    found = facts & set().union(*stated)
    return hits / len(stated) if stated else 0.0, len(found) / len(facts) if facts else 0.0


def exchanged(stated, facts):
    """You returned recall before precision."""
    return precision_recall(stated, facts)[::-1]


def counts_facts_twice(stated, facts):
    """A fact that two claims state counts once in the recall."""
    precision, _ = precision_recall(stated, facts)
    return precision, sum(len(n & facts) for n in stated) / len(facts) if facts else 0.0


def draw_ids(rng):
    return [rng.integers(0, 3, rng.integers(0, 14)).tolist()], {}


def count_pairs(ids):
    return dict(Counter(pairwise(ids)))


def without_overlap(ids):
    """Pairs may overlap: in 5 5 5 the pair (5, 5) occurs twice."""
    return dict(Counter(zip(ids[::2], ids[1::2], strict=False)))


def draw_merge(rng):
    return [rng.integers(0, 3, rng.integers(0, 14)).tolist(), tuple(rng.integers(0, 3, 2).tolist()), 7], {}


def merge_pair(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def merges_twice(ids, pair, new):
    """You use a token that is already part of a merge again: from the left, 5 5 5 becomes new 5."""
    merged = []
    for left, right in zip(ids, [*ids[1:], None], strict=False):
        merged.append(new if (left, right) == tuple(pair) else left)
    return merged


def draw_windows(rng):
    return [rng.integers(0, 99, 30), rng.integers(0, 22, 4), 7], {}


def next_token_batch(tokens, starts, length):
    windows = np.stack([tokens[start : start + length + 1] for start in starts])
    return windows[:, :-1], windows[:, 1:]


def targets_not_moved(tokens, starts, length):
    """Your targets are the inputs themselves; the target of a position is the token after it."""
    inputs, _ = next_token_batch(tokens, starts, length)
    return inputs, inputs


def targets_behind(tokens, starts, length):
    """Your targets are moved the wrong way: the model would be asked for the token before."""
    windows = np.stack([tokens[start : start + length + 1] for start in starts])
    return windows[:, 1:], windows[:, :-1]


def draw_loss(rng):
    return [float(rng.uniform(0.5, 6)), int(rng.integers(10, 99)), int(rng.integers(100, 400))], {}


def bits_per_byte(nats_per_token, tokens, size):
    return nats_per_token / math.log(2) * tokens / size


def in_nats(nats_per_token, tokens, size):
    """Your answer is in nats; a bit is log(2) = 0.693 nats."""
    return nats_per_token * tokens / size


def times_log2(nats_per_token, tokens, size):
    """You multiplied by log(2); nats become bits by dividing by it."""
    return nats_per_token * math.log(2) * tokens / size


def bytes_per_token(nats_per_token, tokens, size):
    """You divided by tokens and multiplied by bytes: it is tokens over bytes."""
    return nats_per_token / math.log(2) * size / tokens


def draw_mask(rng):
    queries = int(rng.integers(1, 6))
    return [queries, queries + int(rng.integers(0, 4))], {}


def causal_mask(queries, keys):
    return np.tri(queries, keys, keys - queries, dtype=bool)


def mask_inverted(queries, keys):
    """Your mask is inverted: True means "may attend", and a position may not attend to what comes later."""
    return ~causal_mask(queries, keys)


def mask_without_diagonal(queries, keys):
    """Your mask hides each position from itself; a token may look at itself."""
    return np.tri(queries, keys, keys - queries - 1, dtype=bool)


def mask_of_the_first(queries, keys):
    """Your queries are the first of the keys' positions; they are the last, as when decoding with a cache."""
    return np.tri(queries, keys, dtype=bool)


def draw_heads(rng):
    heads, width = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    return [rng.standard_normal((2, int(rng.integers(3, 6)), heads * width)), heads], {}


def split_heads(x, heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).swapaxes(1, 2)


def reshape_alone(x, heads):
    """A reshape to (B, H, T, D) mixes tokens: cut the width into heads first, then swap the axes."""
    batch, length, width = x.shape
    return x.reshape(batch, heads, length, width // heads)


def interleaved(x, heads):
    """Your heads take every H-th entry of the width; a head is D entries side by side."""
    batch, length, width = x.shape
    return x.reshape(batch, length, width // heads, heads).transpose(0, 3, 1, 2)


def draw_sizes(rng):
    return [int(size) for size in rng.integers(1, 30, 4)], {}


def parameter_count(layers, width, vocabulary, context):
    block = 12 * width * width + 13 * width
    return layers * block + (vocabulary + context) * width + 2 * width


def without_biases(layers, width, vocabulary, context):
    """You left the biases and gains out: 13 C in each block and 2 C at the end."""
    return layers * 12 * width * width + (vocabulary + context) * width


def head_not_tied(layers, width, vocabulary, context):
    """You counted the head's matrix: it is the token embedding itself."""
    return parameter_count(layers, width, vocabulary, context) + vocabulary * width


def draw_sampling(rng):
    size = int(rng.integers(3, 9))
    logits = rng.integers(-3, 3, size) * 0.7
    return [logits, int(rng.integers(1, size + 1)), float(rng.random())], {}


def sample_top_k(logits, k, uniform):
    kept = np.sort(np.argsort(-logits, kind="stable")[:k])
    p = np.exp(logits[kept] - logits[kept].max())
    cumulative = np.cumsum(p / p.sum())
    return int(kept[min(np.searchsorted(cumulative, uniform, side="right"), k - 1)])


def by_likelihood(logits, k, uniform):
    """You go through the tokens from the likeliest on; the rule here is increasing ids."""
    kept = np.argsort(-logits, kind="stable")[:k]
    p = np.exp(logits[kept] - logits[kept].max())
    return int(kept[min(np.searchsorted(np.cumsum(p / p.sum()), uniform, side="right"), k - 1)])


def not_renormalized(logits, k, uniform):
    """You divide by the sum over all tokens; after the cut, the k that stay must sum to 1."""
    kept = np.sort(np.argsort(-logits, kind="stable")[:k])
    p = np.exp(logits - logits.max())
    return int(kept[min(np.searchsorted(np.cumsum((p / p.sum())[kept]), uniform, side="right"), k - 1)])


def draw_step(rng):
    p, g, m = rng.standard_normal((3, 6))
    settings = {"learning_rate": 0.05, "epsilon": 1e-4, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95}
    return [p, g, 0.1 * m, 0.1 * m * m, int(rng.integers(1, 5))], settings


def adamw_step(p, g, first, second, step, *, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    root = np.sqrt(second / (1 - beta2**step)) + epsilon
    update = first / (1 - beta1**step) / root
    return p - learning_rate * (update + weight_decay * p), first, second


def adamw_uncorrected(p, g, first, second, step, *, learning_rate, weight_decay=0.01, beta1=0.9, beta2=0.999, **rest):
    """You left the bias correction out: the moments start at zero, so the first ones are too small."""
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    update = first / (np.sqrt(second) + rest.get("epsilon", 1e-8))
    return p - learning_rate * (update + weight_decay * p), first, second


def adamw_coupled(p, g, first, second, step, *, weight_decay=0.01, **rest):
    """You added the decay to the gradient, as Adam with L2 does; AdamW takes it from the parameters directly."""
    return adamw_step(p, g + weight_decay * p, first, second, step, weight_decay=0.0, **rest)


def adamw_from_zero(p, g, first, second, step, **rest):
    """Your bias correction counts steps from one too many: `step` is 1 at the first step."""
    return adamw_step(p, g, first, second, step + 1, **rest)


def adamw_without_decay(p, g, first, second, step, **rest):
    """You left the weight decay out."""
    return adamw_step(p, g, first, second, step, **{**rest, "weight_decay": 0.0})


def draw_clip(rng):
    return [rng.standard_normal(7) * 3, float(rng.choice([0.5, 2.0, 100.0]))], {}


def clip_by_global_norm(gradient, maximum):
    norm = math.sqrt(float(np.sum(gradient * gradient)))
    return gradient * min(1.0, maximum / (norm + 1e-6))


def clip_each_entry(gradient, maximum):
    """You clipped each entry; that changes the direction. One factor shortens the whole vector."""
    return np.clip(gradient, -maximum, maximum)


def always_scaled(gradient, maximum):
    """You scale to the maximum always; a shorter gradient stays as it is."""
    return gradient * (maximum / (math.sqrt(float(np.sum(gradient * gradient))) + 1e-6))


def draw_schedule(rng):
    warmup = int(rng.integers(1, 6))
    numbers = {"peak": 0.3, "warmup": warmup, "total": warmup + int(rng.integers(2, 12)), "final": 0.1}
    return [int(rng.integers(0, 20))], numbers


def warmup_cosine(step, *, peak, warmup, total, final=0.1):
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * share)) / 2)


def warmup_from_zero(step, *, peak, warmup, **rest):
    """Your warm-up begins at 0, so that the first step does nothing; step 0 has peak / warmup."""
    return peak * step / warmup if step < warmup else warmup_cosine(step, peak=peak, warmup=warmup, **rest)


def cosine_to_zero(step, *, final=0.1, **rest):
    """Your cosine ends at 0; it ends at final * peak."""
    return warmup_cosine(step, final=0.0, **rest)


def cosine_goes_on(step, *, peak, warmup, total, final=0.1):
    """After `total` steps your rate rises again: it stays at final * peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(1, total - warmup)
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * share)) / 2)
