"""Processes that share the chunks: in order, with their errors, and gone when their parent is."""

import pytest

from minigpt import UserError
from minigpt.corpus.worker import Worker, in_order


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_the_order_of_the_questions(workers):
    assert list(in_order(len, ("x" * n for n in range(30)), workers)) == [*range(30)]
    with pytest.raises(TypeError):
        list(in_order(len, ["x", 5, "xx"], workers))


def test_a_worker_ends_with_its_parent_and_its_own_end_is_a_sentence():
    with Worker(len) as worker:
        assert worker.ask("abc") == 3
        worker._in.close()  # as the system does when the parent is killed
        assert worker._process.wait(120) == 0
    with Worker(len) as worker:
        worker._process.kill()
        with pytest.raises(UserError, match=r"a worker process has ended .*fewer --workers"):
            worker.ask("abc")
