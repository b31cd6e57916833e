"""WEAT: the formula by hand, the published numbers, and files of word vectors."""

import numpy as np
import pytest
from conftest import published

from minigpt.errors import UserError
from minigpt.fairness.association import Association, associate, associations, effect_size, read_lists, read_vectors
from minigpt.fairness.measures import Subject, measure_bias
from minigpt.fairness.subject import WEFE

QUESTION = Association("planted", ("near", "far"), ("one", "other"))
LISTS = {"near": ["a", "b", "c"], "far": ["d", "e", "f"], "one": ["g", "h"], "other": ["i", "j"]}


def test_the_effect_is_the_formula_by_hand():
    rng = np.random.default_rng(0)
    x, y, a, b = (rng.normal(size=(count, 5)) for count in (3, 4, 2, 3))

    def cosine(u, v):
        return u @ v / np.sqrt((u @ u) * (v @ v))

    s = [np.mean([cosine(w, u) for u in a]) - np.mean([cosine(w, u) for u in b]) for w in (*x, *y)]
    near, far = associations(x, y, a, b)
    np.testing.assert_allclose([*near, *far], s)
    assert effect_size(near, far) == pytest.approx((np.mean(s[:3]) - np.mean(s[3:])) / np.std(s, ddof=1))
    assert effect_size(far, near) == pytest.approx(-effect_size(near, far))


def planted_vectors(bias, rng):
    """Targets with so much of the direction of the attributes `one`, or of `other`."""
    noise = {word: rng.normal(size=20) for words in LISTS.values() for word in words}
    signs = dict.fromkeys("abcgh", 1) | dict.fromkeys("defij", -1)
    scale = dict.fromkeys("abcdef", bias) | dict.fromkeys("ghij", 5.0)
    return {word: noise[word] + scale[word] * signs[word] * np.eye(20)[0] for word in noise}


def test_what_is_planted_is_found_and_what_is_not_is_not():
    found = associate(planted_vectors(8.0, np.random.default_rng(1)), LISTS, QUESTION)
    none = [associate(planted_vectors(0.0, np.random.default_rng(seed)), LISTS, QUESTION) for seed in range(20)]
    assert found["effect"]["value"] > 1.7 and found["p"] == pytest.approx(1 / 20)  # 3 of 6
    assert abs(np.mean([one["effect"]["value"] for one in none])) < 0.5
    assert 0.2 < np.mean([one["p"] for one in none]) < 0.8
    assert found["effect"]["low"] <= found["effect"]["value"] <= found["effect"]["high"] <= 2


def test_sentences_of_a_word_count_as_one_word():
    vectors = planted_vectors(8.0, np.random.default_rng(1))
    many = {word: np.repeat(vector[None], 6, axis=0) for word, vector in vectors.items()}
    assert associate(many, LISTS, QUESTION)["p"] == associate(vectors, LISTS, QUESTION)["p"]


def test_words_without_vectors_are_named_and_too_few_are_refused():
    rng = np.random.default_rng(2)
    lists = {name: [f"{name}{n}" for n in range(10)] for name in LISTS}
    vectors = {word: rng.normal(size=4) for words in lists.values() for word in words}
    del vectors["near3"], vectors["far0"]
    vectors["FAR0".lower()] = rng.normal(size=4)
    assert associate(vectors, lists | {"far": ["FAR0", *lists["far"][1:]]}, QUESTION)["missing"] == ["near3"]
    del vectors["near4"], vectors["near5"]
    with pytest.raises(UserError, match="7 of the 10 words of near have vectors, fewer than 80%"):
        associate(vectors, lists, QUESTION)


@pytest.mark.parametrize(("spoil", "says"), [
    (lambda vectors: vectors | {"b": np.zeros(20)}, "the vector of 'b' is zero or not finite"),
    (lambda vectors: vectors | {"g": np.full(20, np.nan)}, "the vector of 'g' is zero or not finite"),
    (lambda vectors: dict.fromkeys(vectors, np.array([0.1, 0.7, 0.3])), "all lie equally near"),
])  # fmt: skip
def test_vectors_that_tell_nothing_are_refused_and_have_no_p(spoil, says):
    with pytest.raises(UserError, match=says):
        associate(spoil(planted_vectors(1.0, np.random.default_rng(1))), LISTS, QUESTION)


def test_lists_are_all_there(tmp_path):
    with pytest.raises(UserError, match="there is no list far"):
        associate({}, {"near": ["a"]}, QUESTION)
    for text in ("[]", '{"near": 1}', '{"near": [1]}', "{"):
        (tmp_path / "lists.json").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="it is fetched again"):
            read_lists(tmp_path / "lists.json")


def test_lists_that_are_compared_share_no_word():
    vectors = planted_vectors(1.0, np.random.default_rng(1))
    for lists in (LISTS | {"far": ["d", "e", "a"]}, LISTS | {"other": ["h", "i", "j"]}):
        with pytest.raises(UserError, match="which are compared"):
            associate(vectors, lists, QUESTION)


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_how_long_a_vector_is_changes_nothing(factor):
    vectors = planted_vectors(8.0, np.random.default_rng(1))
    far = {word: vector * factor / 100 for word, vector in vectors.items()}
    assert associate(far, LISTS, QUESTION)["effect"] == pytest.approx(associate(vectors, LISTS, QUESTION)["effect"])


def test_vectors_are_read_with_and_without_a_first_line(tmp_path):
    path = tmp_path / "v.vec"
    for first in ("3 2\n", ""):
        path.write_text(f"{first}a 1 2\nb 3 4\nc 5 6\n", encoding="utf-8")
        found = read_vectors(path, {"a", "c"})
        assert {word: row.tolist() for word, row in found.items()} == {"a": [1, 2], "c": [5, 6]}


@pytest.mark.parametrize("line", ["b 1", "b 1 x", "b 1 nan", "b 1 2 3", "b", "b 0 0"])
def test_a_line_that_is_no_vector_is_named(line, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text(f"a 1 2\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        read_vectors(path, {"a", "b"})
    with pytest.raises(UserError, match="could not be read"):
        read_vectors(tmp_path, {"a"})


def test_word2vec_has_the_published_effects():
    published(WEFE)
    found = measure_bias(Subject("word2vec"), "weat")
    tests = {test["question"]: test for test in found["tests"]}
    assert tests["flowers and insects"]["effect"]["value"] == pytest.approx(1.539, abs=5e-4)
    assert tests["instruments and weapons"]["effect"]["value"] == pytest.approx(1.628, abs=5e-4)
    assert tests["flowers and insects"]["p"] < 0.001
    assert "9 of the 32 words" in tests["names of two origins, 32 each"]["refused"]
