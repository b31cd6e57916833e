"""Measures against counts by hand and scikit-learn's definitions; the rival learns what words tell."""

import numpy as np
import pytest
from conftest import optional

from minigpt.measure.classes import calibration_error, class_report, confusion, f1_of_classes
from minigpt.measure.intervals import bootstrap, paired_difference
from minigpt.measure.rivals import STRENGTHS, LogisticRegression, Sparse, TfIdf, chosen_strength, l_bfgs
from minigpt.measure.spans import answer_report, normal, spans_of, tag_report, word_f1


def test_confusion_and_f1_are_counts():
    said, true = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 2, 2, 1])
    matrix = confusion(said, true, 4)
    assert matrix.tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    f1 = f1_of_classes(matrix)
    assert f1[:3] == pytest.approx([2 / 3, 1 / 2, 2 / 3])
    assert np.isnan(f1[3])


def test_calibration_is_the_gap_between_confidence_and_accuracy():
    shares = np.array([[0.9, 0.1]] * 10)
    assert calibration_error(shares, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert calibration_error(shares, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(1)


def test_a_report_has_intervals_around_its_values():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    shares = rng.dirichlet([1, 1, 1], 200)
    shares[:100] = 0.8 * np.eye(3)[targets[:100]] + 0.2 / 3
    report = class_report(shares, targets, ("a", "b", "c"))
    accuracy = (shares.argmax(axis=1) == targets).mean()
    assert report["accuracy"]["value"] == pytest.approx(accuracy)
    error = np.sqrt(accuracy * (1 - accuracy) / 200)
    assert report["accuracy"]["high"] - report["accuracy"]["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert report["macro_f1"]["value"] == pytest.approx(np.mean(list(report["f1"].values())))
    assert sum(map(sum, report["confusion"])) == 200


def test_a_paired_interval_is_narrower_than_two_alone():
    rng = np.random.default_rng(1)
    easy = rng.random(400) < 0.7
    first, second = easy | (rng.random(400) < 0.1), easy
    gap = paired_difference(first, second)
    assert gap.low > 0
    assert gap.value == pytest.approx(first.mean() - second.mean())
    assert gap == paired_difference(first, second)


def test_an_interval_leaves_out_draws_that_are_no_number():
    found = bootstrap(lambda rows: float("nan") if 0 not in rows else 1.0, 5)
    assert found == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-A I-A O", {(1, 3, "A")}),
        ("B-A B-A", {(0, 1, "A"), (1, 2, "A")}),
        ("B-A I-B I-B", {(0, 1, "A"), (1, 3, "B")}),
        ("I-A O I-A", {(0, 1, "A"), (2, 3, "A")}),
        ("O O", set()),
    ],
)
def test_spans_are_those_of_conlleval(tags, spans):
    assert spans_of(tags.split()) == spans


def test_tags_and_answers_are_measured_over_spans_and_words():
    report = tag_report([["B-A", "I-A", "O"], ["O", "B-B"]], [["B-A", "I-A", "O"], ["B-B", "O"]])
    assert (report["precision"]["value"], report["recall"]["value"]) == (0.5, 0.5)
    assert report["accuracy"]["value"] == pytest.approx(3 / 5)
    assert normal("The  cat, a dog!") == "cat dog"
    assert word_f1("the red cat", "A red dog") == pytest.approx(0.5)
    assert word_f1("the", "") == 1.0
    answers = answer_report(["Paris.", "in Rome"], ["paris", "Rome"])
    assert answers["exact_match"]["value"] == 0.5
    assert answers["f1"]["value"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_sparse_matrix_multiplies_as_a_full_one():
    rng = np.random.default_rng(2)
    full = rng.standard_normal((5, 7)) * (rng.random((5, 7)) < 0.4)
    full[3] = 0
    rows = [np.flatnonzero(row) for row in full]
    sparse = Sparse(np.cumsum([0, *map(len, rows)]), np.concatenate(rows), full[full != 0], 7)
    weight, other = rng.standard_normal((7, 3)), rng.standard_normal((5, 3))
    np.testing.assert_allclose(sparse.times(weight), full @ weight, atol=1e-12)
    np.testing.assert_allclose(sparse.transposed_times(other), full.T @ other, atol=1e-12)


def test_the_minimum_of_a_convex_function_is_found():
    rng = np.random.default_rng(3)
    root = rng.standard_normal((9, 9))
    matrix, wanted = root @ root.T + np.eye(9), rng.standard_normal(9)
    found = l_bfgs(lambda x: (0.5 * (x - wanted) @ matrix @ (x - wanted), matrix @ (x - wanted)), np.zeros(9))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


TEXTS = ["good film good", "bad film", "a good story", "such a bad bad story", "good", "bad"]


def test_words_tell_the_class():
    words = TfIdf(TEXTS)
    x = words.matrix(TEXTS)
    assert np.add.reduceat(x.values**2, x.start[:-1]) == pytest.approx(np.ones(6))
    model = LogisticRegression(x, np.array([1, 0, 1, 0, 1, 0]), 2, strength=10.0)
    shares = model.probabilities(words.matrix(["good good story", "bad film", "unheard of"]))
    assert shares[0, 1] > 0.7
    assert shares[1, 0] > 0.7
    assert shares[2] == pytest.approx([0.5, 0.5], abs=0.1)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_rows_are_taken_in_their_order():
    x = TfIdf(TEXTS).matrix([*TEXTS, "unheard"])
    taken, weight = x.take(np.array([4, 6, 1])), np.random.default_rng(0).standard_normal((x.width, 2))
    np.testing.assert_array_equal(taken.times(weight), x.times(weight)[[4, 6, 1]])


def test_the_strength_is_that_which_serves_texts_that_were_not_seen():
    """A tenth of the words tells the class and the rest is chance: of few texts a weak model knows more."""
    rng = np.random.default_rng(0)

    def texts(count, telling):
        targets = rng.integers(0, 2, count)
        own = [f"{'good' if target else 'bad'} " * telling for target in targets]
        return [f"{one}{' '.join(f'word{n}' for n in rng.integers(0, 300, 30))}" for one in own], targets

    for telling in (0, 3):
        training, targets = texts(400, telling)
        words = TfIdf(training)
        x, strength = words.matrix(training), chosen_strength(words.matrix(training), targets, 2)
        assert strength in STRENGTHS and strength == chosen_strength(x, targets, 2)
        asked, truth = texts(400, telling)
        model = LogisticRegression(x, targets, 2, strength=strength)
        right = (model.probabilities(words.matrix(asked)).argmax(axis=1) == truth).mean()
        assert right > 0.99 if telling else 0.4 < right < 0.6
    assert chosen_strength(TfIdf(TEXTS).matrix(TEXTS), np.arange(6) % 2, 2) == STRENGTHS[0]


def test_only_the_grams_of_most_texts_are_kept():
    assert TfIdf(TEXTS).columns.keys() == TfIdf(TEXTS, 100).columns.keys()
    assert list(TfIdf(TEXTS, 3).columns) == ["bad", "film", "good"]
    assert TfIdf(TEXTS, 3).matrix(["a good bad"]).width == 3


def test_the_rival_is_that_of_scikit_learn():
    optional("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression as Theirs

    targets = np.array([1, 0, 2, 0, 1, 2])
    vectors = TfidfVectorizer(ngram_range=(1, 2))
    theirs = Theirs(C=1.0, tol=1e-10, max_iter=10_000).fit(vectors.fit_transform(TEXTS), targets)
    words = TfIdf(TEXTS)
    ours = LogisticRegression(words.matrix(TEXTS), targets, 3)
    expected = theirs.predict_proba(vectors.transform(TEXTS))
    np.testing.assert_allclose(ours.probabilities(words.matrix(TEXTS)), expected, atol=1e-4)
