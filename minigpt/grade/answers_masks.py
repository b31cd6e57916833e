"""More plain functions: the exercises about encoders, decoders and masks. See `minigpt.grade.answers`."""

import numpy as np


def draw_prefix(rng):
    length = int(rng.integers(2, 9))
    return [length, int(rng.integers(0, length + 1))], {}


def prefix_mask(length, prefix):
    positions = np.arange(length)
    return (positions <= positions[:, None]) | (positions < prefix)


def prefix_ignored(length, prefix):
    """This is a causal mask: inside the prefix, earlier tokens see later ones too."""
    return np.tri(length, dtype=bool)


def prefix_to_itself(length, prefix):
    """Inside the prefix it is right, but tokens after it must be causal, and see the prefix and themselves."""
    inside = np.arange(length) < prefix
    return inside & inside[:, None]


def prefix_sees_all(length, prefix):
    """Your prefix sees the whole text, and what is to be written with it; its tokens see each other only."""
    return np.tri(length, dtype=bool) | (np.arange(length) < prefix)[:, None]


def prefix_inverted(length, prefix):
    """Your mask is inverted: True means that a position may be looked at."""
    return ~prefix_mask(length, prefix)


def draw_targets(rng):
    return [rng.integers(0, 50, (int(rng.integers(1, 4)), int(rng.integers(2, 7)))), 99], {}


def shift_right(targets, start):
    return np.concatenate([np.full((len(targets), 1), start), targets[:, :-1]], axis=1)


def not_shifted(targets, start):
    """Your decoder sees the very token that it is asked for; at place t it has seen those before t."""
    return np.concatenate([np.full((len(targets), 1), start), targets[:, 1:]], axis=1)


def shift_left(targets, start):
    """You moved the targets to the left: the decoder would see the future."""
    return np.concatenate([targets[:, 1:], np.full((len(targets), 1), start)], axis=1)


def start_dropped(targets, start):
    """You rolled the targets round, so that the decoder begins with the last of them instead of `start`."""
    return np.roll(targets, 1, axis=1)


def draw_crossing(rng):
    written, read, width, head = (int(n) for n in rng.permutation([3, 4, 5, 6]))
    present = rng.random(read) < 0.6
    present[rng.integers(read)] = True
    matrices = [rng.standard_normal((width, head)) for _ in range(3)]
    return [rng.standard_normal((written, width)), rng.standard_normal((read, width)), present, *matrices], {}


def cross_attention(x, memory, present, query, key, value, *, divide=True, masked=True):
    scores = (x @ query) @ (memory @ key).T / (np.sqrt(query.shape[1]) if divide else 1)
    scores = np.where(present | (not masked), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ (memory @ value)


def padding_attended(x, memory, present, query, key, value):
    """You look at the padding too; where `present` is False the weight must be 0."""
    return cross_attention(x, memory, present, query, key, value, masked=False)


def scores_not_divided(x, memory, present, query, key, value):
    """You left 1/sqrt(D) out."""
    return cross_attention(x, memory, present, query, key, value, divide=False)


def looks_at_itself(x, memory, present, query, key, value):
    """You took keys and values from the text being written: that is self-attention; they come from the memory."""
    return cross_attention(x, x, np.ones(len(x), bool), query, key, value)


def padding_zeroed(x, memory, present, query, key, value):
    """You set the scores of the padding to 0, and exp(0) = 1: take them out before the softmax, with -inf."""
    scores = np.where(present, (x @ query) @ (memory @ key).T / np.sqrt(query.shape[1]), 0)
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True) @ (memory @ value)


def draw_masking(rng):
    shape = (2, 9)
    tokens, random = rng.integers(0, 50, (2, *shape))
    return [tokens, rng.random(shape) < 0.6, rng.random(shape), random, 99, -100], {}


def mask_tokens(tokens, chosen, fate, random, mask, ignored):
    inputs = np.where(chosen & (fate < 0.8), mask, tokens)
    inputs = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random, inputs)
    return inputs, np.where(chosen, tokens, ignored)


def always_mask(tokens, chosen, fate, random, mask, ignored):
    """You mask every chosen token; a tenth of them becomes a random one, and a tenth stays."""
    return np.where(chosen, mask, tokens), np.where(chosen, tokens, ignored)


def asks_where_masked(tokens, chosen, fate, random, mask, ignored):
    """You ask only for tokens that became the mask; those that were exchanged or stayed are asked for as well."""
    inputs, targets = mask_tokens(tokens, chosen, fate, random, mask, ignored)
    return inputs, np.where(inputs == mask, targets, ignored)


def asks_for_everything(tokens, chosen, fate, random, mask, ignored):
    """You ask for every token, chosen or not: most of them can be copied."""
    return mask_tokens(tokens, chosen, fate, random, mask, ignored)[0], tokens.copy()


def asks_for_the_inputs(tokens, chosen, fate, random, mask, ignored):
    """Your targets hold what the model sees instead of what stood there."""
    inputs, _ = mask_tokens(tokens, chosen, fate, random, mask, ignored)
    return inputs, np.where(chosen, inputs, ignored)


def draw_scores(rng):
    targets = np.where(rng.random((3, 4)) < 0.4, rng.integers(0, 6, (3, 4)), -100)
    targets[0, 0] = 2
    return [rng.standard_normal((3, 4, 6)) * rng.choice([1.0, 1000.0]), targets, -100], {}


def masked_loss(logits, targets, ignored):
    asked = targets != ignored
    return float(_nats(logits, targets)[asked].mean())


def _nats(logits, targets):
    """(B, T) nats; what is nobody's target counts as token 0."""
    z = logits - logits.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_p, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]


def mean_over_all(logits, targets, ignored):
    """You divide by all places; divide by the number of those that are asked for."""
    return float(np.where(targets != ignored, _nats(logits, targets), 0).mean())


def loss_summed(logits, targets, ignored):
    """You return the sum; the loss is the mean over what is asked for."""
    return float(_nats(logits, targets)[targets != ignored].sum())


def mean_of_rows(logits, targets, ignored):
    """You take the mean of each text first; all places that are asked for count the same."""
    rows = [
        n[t != ignored].mean() for n, t in zip(_nats(logits, targets), targets, strict=True) if (t != ignored).any()
    ]
    return float(np.mean(rows))


def draw_text(rng):
    return [rng.integers(0, 50, int(rng.integers(1, 8))), 99], {}


def one_masked_each(tokens, mask):
    return np.where(np.eye(len(tokens), dtype=bool), mask, tokens)


def future_masked(tokens, mask):
    """You also mask what comes after; then only the left is read, which a decoder does better."""
    return np.where(np.triu(np.ones((len(tokens), len(tokens)), bool)), mask, tokens)


def all_but_one_masked(tokens, mask):
    """You mask everything but the one token; it is the other way round."""
    return np.where(np.eye(len(tokens), dtype=bool), tokens, mask)


def draw_sight(rng):
    length = int(rng.integers(3, 7))
    sight = (rng.random((length, length)) < 0.3) | np.eye(length, dtype=bool)
    return [sight, rng.integers(-1, length, length)], {}


def leaks(sight, answers):
    reach = sight.astype(int)
    for _ in range(len(sight)):
        reach = (reach @ reach > 0).astype(int)
    return np.array([place >= 0 and bool(reach[i, place]) for i, place in enumerate(answers)])


def leaks_in_one_layer(sight, answers):
    """You look at a single layer; in the next one, what a neighbour has seen can be passed on."""
    return np.array([place >= 0 and bool(sight[i, place]) for i, place in enumerate(answers)])


def leaks_transposed(sight, answers):
    """You exchanged rows and columns: sight[i, j] says that i sees j."""
    return leaks(sight.T, answers)


def nowhere_is_last(sight, answers):
    """An answer at -1 stands nowhere, so it cannot leak; you took the last position."""
    return leaks(sight, np.where(answers < 0, len(answers) - 1, answers))
