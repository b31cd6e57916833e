"""The exercises of lesson 15, data quality."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger

PRIMES = (10007, 65537, 1000003)
WORDS = ("a", "new", "page", "anew", "pages", "of")  # some are inside of others


def draw_shingles(rng: np.random.Generator) -> Question:
    prime, count = int(rng.choice(PRIMES)), int(rng.integers(3, 9))
    shingles = rng.choice(prime, larger(rng, rng.integers(2, 9)), replace=False)
    return [shingles, rng.integers(1, prime, count), rng.integers(0, prime, count), prime], {}


def minhash_signature(shingles, multipliers, addends, prime):
    return _hashes(shingles, multipliers, addends, prime).min(axis=1)


def least_of_each_element(shingles, multipliers, addends, prime):
    """You took the smallest value of each *element* over the functions; take that of each function over the set."""
    return _hashes(shingles, multipliers, addends, prime).min(axis=0)


def largest(shingles, multipliers, addends, prime):
    """You took the largest value; MinHash takes the smallest."""
    return _hashes(shingles, multipliers, addends, prime).max(axis=1)


def hash_of_the_least(shingles, multipliers, addends, prime):
    """This is the hash of the smallest element: hash all elements, modulus included, then take the smallest value."""
    return (multipliers * shingles.min() + addends) % prime


def place_of_the_least(shingles, multipliers, addends, prime):
    """You give the place of the smallest value; give the value."""
    return _hashes(shingles, multipliers, addends, prime).argmin(axis=1)


def element_of_the_least(shingles, multipliers, addends, prime):
    """You give the element that has the smallest value; give the value."""
    return shingles[_hashes(shingles, multipliers, addends, prime).argmin(axis=1)]


def without_modulo(shingles, multipliers, addends, prime):
    """You left the modulus out: without it every function keeps the order of the elements, and all agree."""
    return (multipliers[:, None] * shingles + addends[:, None]).min(axis=1)


def _hashes(shingles, multipliers, addends, prime):
    return (multipliers[:, None] * shingles + addends[:, None]) % prime


def draw_signatures(rng: np.random.Generator) -> Question:
    bands, rows, texts = int(rng.integers(2, 5)), int(rng.integers(2, 4)), larger(rng, rng.integers(2, 6))
    signatures = rng.integers(0, 40, (texts, bands * rows))
    for _ in range(2 * texts):
        one, other = rng.integers(0, texts, 2)
        start = rng.integers(0, bands * rows)
        stop = start + rng.integers(1, 2 * rows)
        signatures[one, start:stop] = signatures[other, start:stop]
    return [signatures, rows], {}


def candidate_pairs(signatures, rows):
    bands = signatures.reshape(len(signatures), -1, rows)
    return _pairs((bands[:, None] == bands).all(axis=3).any(axis=2))


def any_value(signatures, rows):
    """One equal value is enough for you; all rows of a band have to agree."""
    return _pairs((signatures[:, None] == signatures).any(axis=2))


def every_band(signatures, rows):
    """All bands have to agree for you; one is enough."""
    return _pairs((signatures[:, None] == signatures).all(axis=2))


def enough_values(signatures, rows):
    """You count equal values wherever they stand; those of one band have to agree."""
    return _pairs((signatures[:, None] == signatures).sum(axis=2) >= rows)


def sliding_bands(signatures, rows):
    """Your bands overlap: a band begins at every multiple of `rows`, and nowhere else."""
    equal = np.equal(signatures[:, None], signatures)  # (N, N, values)
    windows = np.lib.stride_tricks.sliding_window_view(equal, rows, axis=2)
    return _pairs(np.any(windows.all(axis=3), axis=2))


def interleaved_bands(signatures, rows):
    """Your bands take every second or third value; a band is `rows` values in a row."""
    bands = signatures.reshape(len(signatures), rows, -1).swapaxes(1, 2)
    return _pairs((bands[:, None] == bands).all(axis=3).any(axis=2))


def first_band_alone(signatures, rows):
    """You compare the first band alone; any band will do."""
    return candidate_pairs(signatures[:, :rows], rows)


def bands_of_any_place(signatures, rows):
    """You compare each band with those at other places as well; a band meets the one at its own place."""
    bands = signatures.reshape(len(signatures), -1, rows)
    return _pairs((bands[:, None, :, None] == bands[None, :, None]).all(axis=4).any(axis=(2, 3)))


def as_many_bands(signatures, rows):
    """You cut into `rows` bands; a band has `rows` values."""
    return candidate_pairs(signatures, signatures.shape[1] // rows)


def larger_first(signatures, rows):
    """Your pairs are (j, i); only i below j is wanted."""
    return {(j, i) for i, j in candidate_pairs(signatures, rows)}


def both_orders(signatures, rows):
    """You give each pair in both orders; only i below j is wanted."""
    found = candidate_pairs(signatures, rows)
    return found | {(j, i) for i, j in found}


def with_itself(signatures, rows):
    """You pair each text with itself."""
    return candidate_pairs(signatures, rows) | {(i, i) for i in range(len(signatures))}


def _pairs(same):
    return {(int(i), int(j)) for i, j in np.argwhere(same) if i < j}


def draw_tests(rng: np.random.Generator) -> Question:
    n = int(rng.integers(2, 5))
    documents = [_text(rng, rng.integers(3, 12)) for _ in range(rng.integers(1, 4))]
    tests = [_text(rng, rng.integers(1, 7)) for _ in range(larger(rng, rng.integers(2, 5)))]
    source = documents[0]
    tests.append(["what", *source[:n]])
    tests.append(source[-n:])
    return [tests, documents, n], {}


def held_tests(tests, documents, n):
    seen = {gram for words in documents for gram in _grams(words, n)}
    return [any(gram in seen for gram in _grams(words, n)) for words in tests]


def whole_text(tests, documents, n):
    """You look for the whole text of the test; n of its words in a row are enough."""
    return [any(tuple(words) in _grams(document, len(words)) for document in documents) for words in tests]


def all_grams(tests, documents, n):
    """You want all n words in a row to be found; one is enough."""
    seen = {gram for words in documents for gram in _grams(words, n)}
    return [all(gram in seen for gram in _grams(words, n)) for words in tests]


def as_sets(tests, documents, n):
    """You count words that both have, wherever they stand; they have to stand in a row."""
    seen = [set(words) for words in documents]
    return [any(len(set(words) & other) >= n for other in seen) for words in tests]


def last_left_out(tests, documents, n):
    """You leave out the last n words of each text: there are W - n + 1 places to begin at."""
    seen = {gram for words in documents for gram in _grams(words, n)[:-1]}
    return [any(gram in seen for gram in _grams(words, n)[:-1]) for words in tests]


def in_the_joined_text(tests, documents, n):
    """You look in joined texts, where a word is found inside another: "new page" in "anew pages". Compare words."""
    joined = [" ".join(words) for words in documents]
    return [any(" ".join(gram) in text for gram in _grams(words, n) for text in joined) for words in tests]


def short_ends_count(tests, documents, n):
    """Your last runs have fewer than n words: there are W - n + 1 places to begin at."""
    seen = {tuple(words[i : i + n]) for words in documents for i in range(len(words))}
    return [any(tuple(words[i : i + n]) in seen for i in range(len(words))) for words in tests]


def first_words_alone(tests, documents, n):
    """You look for the first n words of a test alone; any n in a row will do."""
    return [any(tuple(words[:n]) in _grams(document, n) for document in documents) for words in tests]


def across_documents(tests, documents, n):
    """You joined the documents: n words in a row may not begin in one and end in the next."""
    return held_tests(tests, [[word for document in documents for word in document]], n)


def _text(rng, length):
    return [str(word) for word in rng.choice(WORDS, length)]


def _grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def draw_noisy(rng: np.random.Generator) -> Question:
    rows, size, share = larger(rng, rng.integers(1, 4)), int(rng.integers(3, 8)), float(rng.uniform(0.05, 0.6))
    clean = rng.dirichlet(np.full(size, 0.3), rows)
    guess = (1 - share) * clean + share / size
    guess *= np.exp(0.3 * rng.standard_normal(guess.shape))
    return [guess / guess.sum(axis=1, keepdims=True), share], {}


def without_noise(probabilities, share):
    return _normal(np.maximum((probabilities - share / probabilities.shape[1]) / (1 - share), 1e-6))


def whole_share(probabilities, share):
    """You took the whole share off every token; each of the V tokens has share / V of it."""
    return _normal(np.maximum((probabilities - share) / (1 - share), 1e-6))


def not_normal(probabilities, share):
    """Your rows do not sum to 1: divide by the sum after what is too small was lifted."""
    return np.maximum((probabilities - share / probabilities.shape[1]) / (1 - share), 1e-6)


def lifted_to_zero(probabilities, share):
    """You lift what is negative to 0; lift it to 1e-6, or its logarithm is infinite."""
    return _normal(np.maximum((probabilities - share / probabilities.shape[1]) / (1 - share), 0.0))


def share_of_the_rows(probabilities, share):
    """You divide the share by the number of rows; each of the V tokens has share / V of it."""
    return _normal(np.maximum((probabilities - share / len(probabilities)) / (1 - share), 1e-6))


def not_divided(probabilities, share):
    """You did not divide by 1 - share before you lifted what is too small; 1e-6 then weighs too much."""
    return _normal(np.maximum(probabilities - share / probabilities.shape[1], 1e-6))


def sum_of_all(probabilities, share):
    """You divide by the sum of all rows; each row is divided by its own."""
    clean = not_normal(probabilities, share)
    return clean / clean.sum()


def below_zero(probabilities, share):
    """You left negative probabilities in; lift them to 1e-6 first."""
    return _normal((probabilities - share / probabilities.shape[1]) / (1 - share))


def only_divided(probabilities, share):
    """You divided by 1 - share, which changes nothing but the sum; the noise has to be taken off before."""
    return _normal(np.maximum(probabilities / (1 - share), 1e-6))


def added(probabilities, share):
    """You added the noise once more; take it off."""
    return _normal((1 - share) * probabilities + share / probabilities.shape[1])


def _normal(values):
    return values / values.sum(axis=1, keepdims=True)


EXERCISES = (
    Exercise.of(
        minhash_signature,
        points=2,
        draw=draw_shingles,
        mistakes=(
            least_of_each_element,
            largest,
            hash_of_the_least,
            without_modulo,
            place_of_the_least,
            element_of_the_least,
        ),
    ),
    Exercise.of(
        candidate_pairs,
        points=3,
        draw=draw_signatures,
        mistakes=(
            any_value,
            every_band,
            enough_values,
            sliding_bands,
            interleaved_bands,
            first_band_alone,
            bands_of_any_place,
            as_many_bands,
            larger_first,
            both_orders,
            with_itself,
        ),
    ),
    Exercise.of(
        held_tests,
        points=3,
        draw=draw_tests,
        mistakes=(
            whole_text,
            all_grams,
            as_sets,
            last_left_out,
            across_documents,
            in_the_joined_text,
            short_ends_count,
            first_words_alone,
        ),
    ),
    Exercise.of(
        without_noise,
        points=2,
        draw=draw_noisy,
        mistakes=(
            whole_share,
            not_normal,
            below_zero,
            lifted_to_zero,
            share_of_the_rows,
            not_divided,
            sum_of_all,
            only_divided,
            added,
        ),
    ),
)
