"""Which pages are free, shared, known and kept: whatever happens, none is lost, and none is taken for another."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.infer.pages import Pages


def words(*tokens):
    """Tokens of one byte each."""
    return bytes(tokens)


def taken(pages, count, table=()):
    """A table with so many new pages at its end."""
    table = [*table]
    for _ in range(count):
        pages.take(table)
    return table


def written(pages, tokens):
    """A sequence that has computed all tokens: its table, full pages known."""
    table = taken(pages, -(-len(tokens) // pages.size))
    for place in range(len(tokens) // pages.size):
        pages.seal(table, place, tokens[place * pages.size : (place + 1) * pages.size])
    return table


def test_a_beginning_is_found_as_far_as_it_is_equal():
    pages = Pages(10, 2)
    table = written(pages, words(1, 2, 3, 4, 5))
    assert pages.find(words(1, 2, 3, 4, 9, 9), 1) == table[:2]
    assert pages.find(words(1, 2, 3), 1) == table[:1]
    assert pages.find(words(1, 2, 9, 4), 1) == table[:1]
    assert pages.find(words(3, 4), 1) == []  # the same tokens, but not at the beginning
    assert pages.find(words(1), 1) == []


def test_equal_hashes_are_no_equality():
    """Tokens that hash alike are told apart: keys of the table are compared in full."""

    class Alike(bytes):
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return bytes(self) == bytes(other)

    pages = Pages(10, 2)
    table = taken(pages, 2)
    pages.seal(table[:1], 0, Alike(words(1, 2)))
    pages.seal(table[1:], 0, Alike(words(3, 4)))
    assert pages._pages[0, Alike(words(1, 2))] == table[0]
    assert pages._pages[0, Alike(words(3, 4))] == table[1]


def test_two_that_computed_the_same_have_one_page():
    pages = Pages(10, 2)
    first, second = written(pages, words(1, 2, 3, 4)), written(pages, words(1, 2, 3, 4))
    assert first == second
    assert pages.used == 2
    pages.release(first)
    assert pages.used == 2 and pages.kept == 0
    pages.release(second)
    assert pages.used == 0 and pages.kept == 2 and pages.available == 10


def test_the_least_recently_used_goes_first_and_the_end_before_the_beginning():
    pages = Pages(4, 1)
    old, new = written(pages, words(1, 2)), written(pages, words(3, 4))
    pages.release(old)
    pages.release(new)
    found = pages.find(words(1), 1)  # used once more, so now it is the newest
    pages.share(found[0])
    pages.release(found)
    assert pages.find(words(1, 2), 1) and len(pages.find(words(3, 4), 1)) == 2
    left = []
    for _ in range(4):
        taken(pages, 1)
        left.append((len(pages.find(words(1, 2), 1)), len(pages.find(words(3, 4), 1))))
    assert left == [(1, 2), (1, 1), (1, 0), (0, 0)]
    with pytest.raises(UserError, match="all 4 pages are in use"):
        taken(pages, 1)


def test_nothing_is_lost_in_a_long_random_life():
    """Against plain bookkeeping: every page has the users that point at it, and what is found was written so."""
    rng = np.random.default_rng(0)
    pages, alive, contents = Pages(20, 2), [], {}
    for _ in range(1500):
        if alive and (rng.random() < 0.5 or pages.available < 4):
            table, _ = alive.pop(rng.integers(len(alive)))
            pages.release(table)
            assert table == []
        elif pages.available >= 4:
            tokens = words(*rng.integers(0, 3, rng.integers(1, 9)))
            table = pages.find(tokens, 1)
            for place, page in enumerate(table):
                assert contents[page] == tokens[: 2 * place + 2]
                pages.share(page)
            found = len(table)
            if -(-len(tokens) // 2) - found <= pages.available:
                table = taken(pages, -(-len(tokens) // 2) - found, table)
                for place in range(found, len(tokens) // 2):
                    pages.seal(table, place, tokens[2 * place : 2 * place + 2])
                    contents[table[place]] = tokens[: 2 * place + 2]
            alive.append((table, tokens))
        users = [0] * 20
        for table, _ in alive:
            for page in table:
                users[page] += 1
        assert pages._users == users
        assert pages.used == sum(count > 0 for count in users)
    while alive:
        pages.release(alive.pop()[0])
    assert pages.used == 0 and pages.available == 20


def test_a_sequence_grows_side_by_side():
    """Sequences that begin in turn and then grow in turn: each in one piece, so that it is read without a copy."""
    pages, tables = Pages(64, 2), [[] for _ in range(4)]
    for _ in range(12):
        for table in tables:
            pages.take(table)
    for table in tables:
        assert table == list(range(table[0], table[0] + 12))
    assert len({page for table in tables for page in table}) == 48
