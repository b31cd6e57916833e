"""The exercises of lesson 14, an anonymized corpus."""

import math
from collections import Counter

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_exposure(rng: np.random.Generator) -> Question:
    others = np.round(rng.gamma(4.0, 2.0, larger(rng, rng.integers(3, 30))), 1)
    secret = rng.choice(others) if rng.random() < 0.4 else np.round(rng.gamma(3.0, 2.0), 1)
    return [float(secret), others], {}


def exposure_bits(secret, others):
    return _bits(1 + int(np.sum(others <= secret)), len(others))


def likelier_last(secret, others):
    """You counted the numbers with a *higher* loss; the lower the loss, the better the rank."""
    return _bits(1 + int(np.sum(others >= secret)), len(others))


def ties_won(secret, others):
    """You let the secret win where another number has the same loss; of equal ones the secret comes last."""
    return _bits(1 + int(np.sum(others < secret)), len(others))


def in_nats(secret, others):
    """You took natural logarithms; exposure is in bits."""
    return exposure_bits(secret, others) * math.log(2)


def without_the_secret(secret, others):
    """You took log2(N); with the secret there are N + 1 numbers."""
    return exposure_bits(secret, others) - math.log2(len(others) + 1) + math.log2(len(others))


def rank_from_zero(secret, others):
    """You count ranks from 0: the likeliest number has rank 1, whose logarithm is 0."""
    with np.errstate(divide="ignore"):
        return float(np.log2(len(others) + 1) - np.log2(np.sum(others <= secret)))


def rank_in_bits(secret, others):
    """This is log2 of the rank; exposure is what is left of log2(N + 1) when it is taken off."""
    return math.log2(len(others) + 1) - exposure_bits(secret, others)


def _bits(rank, others):
    return math.log2(others + 1) - math.log2(rank)


def draw_area(rng: np.random.Generator) -> Question:
    count, other = larger(rng, rng.integers(2, 7)), int(rng.integers(2, 9))
    return [np.round(0.5 + rng.standard_normal(count), 1), np.round(rng.standard_normal(other), 1)], {}


def membership_area(seen, unseen):
    return float((seen[:, None] > unseen).mean() + (seen[:, None] == unseen).mean() / 2)


def the_other_way(seen, unseen):
    """You have the chance that an *unseen* text scores higher."""
    return 1 - membership_area(seen, unseen)


def ties_lost(seen, unseen):
    """You count equal scores as nothing; half of them counts."""
    return float((seen[:, None] > unseen).mean())


def ties_whole(seen, unseen):
    """You count equal scores as won; half of them counts."""
    return float((seen[:, None] >= unseen).mean())


def against_the_mean(seen, unseen):
    """You compared each seen text with the *mean* of the others; compare it with each of them."""
    return float((seen > unseen.mean()).mean())


def over_the_seen_alone(seen, unseen):
    """You divide by the number of seen texts alone; there are N * M pairs."""
    return membership_area(seen, unseen) * len(unseen)


def over_the_unseen_alone(seen, unseen):
    """You divide by the number of unseen texts alone; there are N * M pairs."""
    return membership_area(seen, unseen) * len(seen)


def all_pairs_added(seen, unseen):
    """You add up the pairs; divide by how many there are, N * M."""
    return membership_area(seen, unseen) * len(seen) * len(unseen)


def draw_records(rng: np.random.Generator) -> Question:
    kinds = [int(rng.integers(2, 5)) for _ in range(rng.integers(1, 4))]
    people = larger(rng, rng.integers(2, 12))
    return [[tuple(int(rng.integers(kind)) for kind in kinds) for _ in range(people)]], {}


def shared_records(records):
    sizes = Counter(records)
    return min(sizes.values()), sum(size == 1 for size in sizes.values()) / len(records), len(sizes) / len(records)


def largest_group(records):
    """Your k is the largest group; k-anonymity is as weak as its smallest."""
    return max(Counter(records).values()), *shared_records(records)[1:]


def mean_group(records):
    """Your k is people over groups, the mean size of a group; k-anonymity is as weak as the smallest."""
    return len(records) / len(set(records)), *shared_records(records)[1:]


def group_of_a_person(records):
    """Your k is the mean over people of how many share their tuple; k is the size of the smallest group."""
    sizes = Counter(records)
    return sum(size * size for size in sizes.values()) / len(records), *shared_records(records)[1:]


def one_over_k(records):
    """Your share of the named is 1 / k, which is so in the smallest group; take 1 / size, as a mean over people."""
    k, unique, _ = shared_records(records)
    return k, unique, 1 / k


def number_of_groups(records):
    """Your k is the number of groups; it is the size of the smallest one."""
    return len(set(records)), *shared_records(records)[1:]


def different_for_unique(records):
    """Your unique people are the different tuples; unique is who is alone in theirs."""
    k, _, named = shared_records(records)
    return k, named, named


def share_of_groups(records):
    """Your share of unique people is a share of *groups*; divide by the number of people."""
    sizes = Counter(records)
    k, unique, named = shared_records(records)
    return k, unique * len(records) / len(sizes), named


def only_the_unique(records):
    """You took those who share for never named; of a group of m, a guess names one in m."""
    k, unique, _ = shared_records(records)
    return k, unique, unique


def mean_of_groups(records):
    """You took 1 / size as a mean over groups; take it over people."""
    sizes = Counter(records)
    return *shared_records(records)[:2], sum(1 / size for size in sizes.values()) / len(sizes)


def draw_private(rng: np.random.Generator) -> Question:
    rows, width = larger(rng, rng.integers(2, 6)), int(rng.integers(2, 6))
    gradients = rng.standard_normal((rows, width)) * rng.gamma(1.0, 1.5, (rows, 1))
    numbers = [float(rng.uniform(0.5, 2)), float(rng.uniform(0.5, 2)), float(rng.uniform(1, 9))]
    return [gradients, rng.standard_normal(width), *numbers], {}


def private_gradient(gradients, noise, longest, sigma, expected):
    return (_shortened(gradients, longest).sum(axis=0) + sigma * longest * noise) / expected


def without_noise(gradients, noise, longest, sigma, expected):
    """You left the noise out: without it nothing is hidden, however short the gradients are."""
    return _shortened(gradients, longest).sum(axis=0) / expected


def not_shortened(gradients, noise, longest, sigma, expected):
    """You shortened nothing: one long gradient then stands out of the noise. Each is shortened to `longest` at most."""
    return (gradients.sum(axis=0) + sigma * longest * noise) / expected


def square_for_length(gradients, noise, longest, sigma, expected):
    """You took the sum of the squares for the length; take its root."""
    squares = (gradients**2).sum(axis=1, keepdims=True)
    shortened = gradients * np.minimum(1.0, longest / np.maximum(squares, 1e-30))
    return (shortened.sum(axis=0) + sigma * longest * noise) / expected


def short_ones_stretched(gradients, noise, longest, sigma, expected):
    """You have a maximum where a minimum belongs: short gradients are stretched, and long ones stay."""
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    stretched = gradients * np.maximum(1.0, longest / np.maximum(lengths, 1e-30))
    return (stretched.sum(axis=0) + sigma * longest * noise) / expected


def lengths_of_columns(gradients, noise, longest, sigma, expected):
    """Your lengths are those of the columns; each example is a row."""
    return (_shortened(gradients.T, longest).T.sum(axis=0) + sigma * longest * noise) / expected


def sum_is_shortened(gradients, noise, longest, sigma, expected):
    """You shortened the sum; each example's gradient is shortened by itself, before they are added."""
    return (_shortened(gradients.sum(axis=0, keepdims=True), longest)[0] + sigma * longest * noise) / expected


def all_as_long(gradients, noise, longest, sigma, expected):
    """You gave every gradient the length `longest`; those that are shorter stay as they are."""
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return (longest * unit.sum(axis=0) + sigma * longest * noise) / expected


def noise_of_one(gradients, noise, longest, sigma, expected):
    """Your noise has the standard deviation sigma; it is sigma times `longest`."""
    return (_shortened(gradients, longest).sum(axis=0) + sigma * noise) / expected


def noise_each_time(gradients, noise, longest, sigma, expected):
    """You added the noise to each example; it is added once, to the sum."""
    return (_shortened(gradients, longest).sum(axis=0) + len(gradients) * sigma * longest * noise) / expected


def noise_after_dividing(gradients, noise, longest, sigma, expected):
    """You divided before you added the noise; the noise is divided as well."""
    return _shortened(gradients, longest).sum(axis=0) / expected + sigma * longest * noise


def divided_by_rows(gradients, noise, longest, sigma, expected):
    """You divided by the number of rows, which tells how many were drawn; divide by `expected`."""
    return private_gradient(gradients, noise, longest, sigma, len(gradients))


def entries_cut(gradients, noise, longest, sigma, expected):
    """You cut every entry; what is bounded is the length of the whole gradient, and its direction stays."""
    return (np.clip(gradients, -longest, longest).sum(axis=0) + sigma * longest * noise) / expected


def _shortened(gradients, longest):
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients * np.minimum(1.0, longest / np.maximum(lengths, 1e-30))


EXERCISES = (
    Exercise.of(
        exposure_bits,
        points=2,
        draw=draw_exposure,
        mistakes=(likelier_last, ties_won, in_nats, without_the_secret, rank_from_zero, rank_in_bits),
    ),
    Exercise.of(
        membership_area,
        points=2,
        draw=draw_area,
        mistakes=(
            the_other_way,
            ties_lost,
            ties_whole,
            against_the_mean,
            over_the_seen_alone,
            over_the_unseen_alone,
            all_pairs_added,
        ),
    ),
    Exercise.of(
        shared_records,
        points=3,
        draw=draw_records,
        mistakes=(
            largest_group,
            mean_group,
            number_of_groups,
            different_for_unique,
            group_of_a_person,
            share_of_groups,
            only_the_unique,
            mean_of_groups,
            one_over_k,
        ),
    ),
    Exercise.of(
        private_gradient,
        points=3,
        draw=draw_private,
        mistakes=(
            without_noise,
            not_shortened,
            square_for_length,
            short_ones_stretched,
            lengths_of_columns,
            sum_is_shortened,
            all_as_long,
            noise_of_one,
            noise_each_time,
            noise_after_dividing,
            divided_by_rows,
            entries_cut,
        ),
    ),
)
