"""The slips that people make most: each is refused, named, and shown with the inputs that show it."""

import re
import textwrap

import pytest
from slips import SLIPS

from minigpt import grade

pytestmark = pytest.mark.usefixtures("patient_grader")


@pytest.mark.parametrize("name", SLIPS)
def test_a_common_slip_is_refused_and_named(tmp_path, name):
    code, message, likely = SLIPS[name]
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    (result,) = grade.grade_file(path, name, seed=4)
    assert not result.passed
    assert re.search(message, result.message), result.message
    assert likely in result.likely


JOINED = {  # how a student puts the shards together again
    "concatenate": "scores = np.concatenate(shards, axis=1)",
    "hstack of exponentials": "scores = np.log(np.hstack([np.exp(s) for s in shards]))",
    "asarray": "scores = np.concatenate([np.asarray(s) for s in shards], axis=1)",
    "array": "scores = np.concatenate([np.array(s) for s in shards], axis=1)",
    "assigned": "scores = np.empty((n, v))\nfor s, b in zip(shards, np.cumsum(w)):\n    scores[:, b - len(s.T):b] = s",
    "tolist": "scores = np.array([sum((s[i].tolist() for s in shards), []) for i in range(n)])",
    "columns": "scores = np.stack([s[:, j] for s in shards for j in range(s.shape[1])], axis=1)",
}


@pytest.mark.parametrize("way", JOINED)
def test_shards_are_not_put_together_again(tmp_path, way):
    lines = [
        "w = [s.shape[1] for s in shards]",
        "n, v = len(targets), sum(w)",
        *JOINED[way].split("\n"),
        "largest = scores.max(axis=1)",
        "total = np.exp(scores - largest[:, None]).sum(axis=1)",
        "return float(np.mean(np.log(total) + largest - scores[np.arange(n), targets]))",
    ]
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\n\ndef sharded_loss(shards, targets):\n    " + "\n    ".join(lines) + "\n", encoding="utf-8"
    )
    (result,) = grade.grade_file(path, seed=4)
    assert not result.passed
    assert re.search(r"raises ValueError in line [68]: the shards may not be put together again", result.message)


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
