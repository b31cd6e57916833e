"""Ranks as threads: they say what MPI would say, and none waits for ever."""

import time

import numpy as np
import pytest

from minigpt import UserError
from minigpt.parallel import Broken, launch


def test_collectives():
    def rank(comm):
        mine = np.arange(6.0).reshape(2, 3) + 10 * comm.rank
        total, gathered = np.empty((2, 3)), np.empty((comm.size, 2, 3))
        comm.Allreduce(mine, total)
        comm.Allgather(mine, gathered)
        part = np.zeros((2, 3))
        comm.Reduce(mine, part if comm.rank == 2 else None, root=2)
        shares = np.zeros(comm.rank + 1)
        comm.Reduce_scatter(mine, shares, [1, 2, 3])
        assert np.array_equal(shares, total.ravel()[[0, 1, 3][comm.rank] :][: comm.rank + 1])
        said = np.full(4, comm.rank)
        comm.Bcast(said, root=1)
        comm.Allreduce(mine, mine)  # in place
        return total, gathered, part, said, mine

    for number, (total, gathered, part, said, mine) in enumerate(launch(rank, 3)):
        assert np.array_equal(total, 3 * np.arange(6.0).reshape(2, 3) + 30)
        assert np.array_equal(gathered[2], np.arange(6.0).reshape(2, 3) + 20)
        assert np.array_equal(part, total if number == 2 else np.zeros((2, 3)))
        assert np.array_equal(said, [1, 1, 1, 1])
        assert np.array_equal(mine, total)


def test_a_ring_of_messages():
    def rank(comm):
        got = np.empty(3, int)
        to, source = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        if comm.rank == 0:
            comm.Send(np.arange(3), to)
            comm.Recv(got, source)
        else:
            comm.Recv(got, source)
            comm.Send(got + 1, to)
        return got.tolist()

    assert launch(rank, 4) == [[3, 4, 5], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_tags_and_order():
    def rank(comm):
        a, b, c = (np.zeros(1, int) for _ in range(3))
        if comm.rank == 0:
            sent = [(np.array([n]), tag) for n, tag in ((1, 7), (2, 7), (3, 8))]
            for letter, tag in sent:
                comm.Send(letter, 1, tag)
            return None
        comm.Recv(a, 0, 7)
        comm.Recv(b, 0, 7)
        comm.Recv(c, 0, 8)
        return [int(x[0]) for x in (a, b, c)]

    assert launch(rank, 2)[1] == [1, 2, 3]


def test_split_into_a_grid():
    def rank(comm):
        rows, columns = comm.Split(comm.rank // 2, comm.rank), comm.Split(comm.rank % 2, -comm.rank)
        total = np.empty(1)
        rows.Allreduce(np.array([float(comm.rank)]), total)
        return rows.rank, rows.size, total[0], columns.rank, columns.size

    found = launch(rank, 6)
    assert [row[:3] for row in found] == [(0, 2, 1), (1, 2, 1), (0, 2, 5), (1, 2, 5), (0, 2, 9), (1, 2, 9)]
    assert [row[3:] for row in found] == [(2, 3), (2, 3), (1, 3), (1, 3), (0, 3), (0, 3)]


def test_what_is_carried_is_counted():
    def rank(comm):
        comm.Allreduce(np.zeros(10, np.float32), np.zeros(10, np.float32))
        comm.Split(0, comm.rank).Allgather(np.zeros(3), np.zeros(6))
        return dict(comm.messages), dict(comm.sent)

    assert launch(rank, 2) == [({"Allreduce": 1, "Allgather": 1}, {"Allreduce": 40, "Allgather": 24})] * 2


def test_the_sum_is_the_same_to_the_bit_every_time():
    def rank(comm):
        mine, total = np.random.default_rng(comm.rank).standard_normal(10_000).astype(np.float32), np.empty(10_000, "f")
        comm.Allreduce(mine, total)
        return total

    totals = [total for _ in range(5) for total in launch(rank, 4)]
    assert all(np.array_equal(total, totals[0]) for total in totals)


@pytest.mark.parametrize("waiting", ["Barrier", "Recv", "Send", "part"])
def test_a_dead_rank_ends_those_who_wait_for_it(waiting):
    def rank(comm):
        part = comm.Split(0, comm.rank)
        if comm.rank == 2:
            raise ValueError("lost")
        if waiting == "Recv":
            comm.Recv(np.empty(1), 2)
        elif waiting == "Send":
            comm.Send(np.empty(1), 2)
        else:
            (part if waiting == "part" else comm).Barrier()

    start = time.monotonic()
    with pytest.raises(ValueError, match="lost"):
        launch(rank, 3, seconds=600)
    assert time.monotonic() - start < 300


def test_a_message_that_nobody_sends_is_given_up():
    def rank(comm):
        if comm.rank == 0:
            comm.Recv(np.empty(1), 1)

    with pytest.raises(Broken, match="from rank 1 to rank 0"):
        launch(rank, 2, seconds=0.2)


def test_buffers_that_mpi_would_refuse_are_refused():
    with pytest.raises(UserError, match="contiguous"):
        launch(lambda comm: comm.Allreduce(np.zeros((4, 4))[:, 1], np.zeros(4)), 2)
    with pytest.raises(UserError, match="does not fit a buffer of 3"):
        launch(lambda comm: comm.Allreduce(np.zeros(4), np.zeros(3)), 2)
    with pytest.raises(UserError, match="of 4 float64 values does not fit a buffer of 4 float32"):
        launch(lambda comm: comm.Allreduce(np.zeros(4), np.zeros(4, np.float32)), 2)
    with pytest.raises(UserError, match="at least 1"):
        launch(lambda comm: None, 0)


def test_numpys_error_handling_reaches_the_ranks():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        launch(lambda comm: np.ones(1) / np.zeros(1), 2)
