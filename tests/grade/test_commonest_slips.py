"""The slips that people make most: each is refused, named, and shown with the inputs that show it."""

import re
import textwrap

import pytest
from slips import SLIPS

from minigpt import grade


@pytest.mark.parametrize("name", SLIPS)
def test_a_common_slip_is_refused_and_named(tmp_path, name):
    code, message, likely = SLIPS[name]
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    (result,) = grade.grade_file(path, name, seed=4)
    assert not result.passed
    assert re.search(message, result.message), result.message
    assert likely in result.likely


@pytest.mark.parametrize("joined", [
    "np.concatenate(shards, axis=1)",
    "np.hstack(shards)",
    "np.concatenate([np.exp(shard) for shard in shards], axis=1)",
    "np.column_stack([shard - 1 for shard in shards])",
    "np.concatenate([shard.T for shard in shards]).T",
])  # fmt: skip
def test_shards_are_not_put_together_again(tmp_path, joined):
    path = tmp_path / "mine.py"
    path.write_text(
        f"import numpy as np\n\ndef sharded_loss(shards, targets):\n    return {joined}.sum()\n", encoding="utf-8"
    )
    (result,) = grade.grade_file(path, seed=4)
    assert not result.passed
    assert "raises ValueError in line 4: the shards may not be put together again" in result.message


def test_three_numbers_of_each_shard_are_enough(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\n\ndef sharded_loss(shards, targets):\n"
        "    largest = np.concatenate([s.max(axis=1, keepdims=True) for s in shards], axis=1).max(axis=1)\n"
        "    sums = np.stack([np.exp(s - largest[:, None]).sum(axis=1) for s in shards])\n"
        "    wanted, first = 0, 0\n"
        "    for s in shards:\n"
        "        local = np.clip(targets - first, 0, s.shape[1] - 1)\n"
        "        here = (targets >= first) & (targets < first + s.shape[1])\n"
        "        wanted = wanted + np.where(here, np.take_along_axis(s, local[:, None], axis=1)[:, 0], 0)\n"
        "        first += s.shape[1]\n"
        "    return np.mean(np.log(sums.sum(axis=0)) + largest - wanted)\n",
        encoding="utf-8",
    )
    (result,) = grade.grade_file(path, seed=4)
    assert result.passed, result
