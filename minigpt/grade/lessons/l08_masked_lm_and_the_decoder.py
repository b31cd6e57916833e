"""The exercises of lesson 08, masked language modelling and the decoder."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_masking(rng: np.random.Generator) -> Question:
    shape = (2, larger(rng, 9))
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


def asks_where_changed(tokens, chosen, fate, random, mask, ignored):
    """You ask only for tokens that look different now; the tenth that stayed as it was is asked for as well."""
    inputs, _ = mask_tokens(tokens, chosen, fate, random, mask, ignored)
    return inputs, np.where(inputs != tokens, tokens, ignored)


def asks_for_everything(tokens, chosen, fate, random, mask, ignored):
    """You ask for every token, chosen or not: most of them can be copied."""
    return mask_tokens(tokens, chosen, fate, random, mask, ignored)[0], tokens.copy()


def asks_for_the_inputs(tokens, chosen, fate, random, mask, ignored):
    """Your targets hold what the model sees instead of what stood there."""
    inputs, _ = mask_tokens(tokens, chosen, fate, random, mask, ignored)
    return inputs, np.where(chosen, inputs, ignored)


def draw_scores(rng: np.random.Generator) -> Question:
    shape = (3, larger(rng, 4))
    targets = np.where(rng.random(shape) < 0.4, rng.integers(0, 6, shape), -100)
    targets[0, 0] = 2
    return [rng.standard_normal((*shape, 6)) * rng.choice([1.0, 1000.0]), targets, -100], {}


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


def mean_of_all_rows(logits, targets, ignored):
    """You divide each text by its own count and take the mean of the texts, those without a question too; all places
    that are asked for count the same."""
    asked = targets != ignored
    return float((np.where(asked, _nats(logits, targets), 0).sum(axis=1) / np.maximum(1, asked.sum(axis=1))).mean())


def rows_without_a_question(logits, targets, ignored):
    """You take the mean of each text first, and a text in which nothing is asked gives 0 / 0, which is NaN; all places
    that are asked for count the same."""
    asked = targets != ignored
    with np.errstate(invalid="ignore"):
        return float((np.where(asked, _nats(logits, targets), 0).sum(axis=1) / asked.sum(axis=1)).mean())


def large_scores_overflow(logits, targets, ignored):
    """Your exp overflows, since scores may be in the thousands: subtract the largest score of each row first."""
    with np.errstate(all="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        picked = np.take_along_axis(p, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
        return float(-np.log(picked)[targets != ignored].mean())


def draw_text(rng: np.random.Generator) -> Question:
    return [rng.integers(0, 50, larger(rng, rng.integers(1, 8))), 99], {}


def one_masked_each(tokens, mask):
    return np.where(np.eye(len(tokens), dtype=bool), mask, tokens)


def future_masked(tokens, mask):
    """You also mask what comes after; then only the left is read, which a decoder does better."""
    return np.where(np.triu(np.ones((len(tokens), len(tokens)), bool)), mask, tokens)


def all_but_one_masked(tokens, mask):
    """You mask everything but the one token; it is the other way round."""
    return np.where(np.eye(len(tokens), dtype=bool), tokens, mask)


def draw_sight(rng: np.random.Generator) -> Question:
    length = larger(rng, rng.integers(3, 7))
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


EXERCISES = (
    Exercise.of(
        mask_tokens,
        points=4,
        draw=draw_masking,
        mistakes=(always_mask, asks_where_masked, asks_where_changed, asks_for_everything, asks_for_the_inputs),
    ),
    Exercise.of(
        masked_loss,
        points=3,
        draw=draw_scores,
        mistakes=(
            mean_over_all,
            loss_summed,
            mean_of_rows,
            mean_of_all_rows,
            rows_without_a_question,
            large_scores_overflow,
        ),
    ),
    Exercise.of(one_masked_each, points=2, draw=draw_text, mistakes=(future_masked, all_but_one_masked)),
    Exercise.of(leaks, points=3, draw=draw_sight, mistakes=(leaks_in_one_layer, leaks_transposed, nowhere_is_last)),
)
