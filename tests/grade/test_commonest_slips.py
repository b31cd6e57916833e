"""The slips that people make most: each is refused, named, and shown with the inputs that show it."""

import re
import textwrap

import pytest

from minigpt import grade

pytestmark = pytest.mark.usefixtures("patient_grader")
SLIPS = {  # exercise -> the file, words of the message, words of the likely mistake
    "attention": (
        """
        import math
        import numpy as np

        def attention_forward(query, key, value, *, mask=None):
            scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
            if mask is not None:
                scores = np.where(mask, scores, -np.inf)
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            return weights / weights.sum(axis=-1, keepdims=True) @ value, None
        """,
        r"NaN or infinity\), the first at \[0, 0, 1, 0\] \(one head each, nothing to attend to\); asked with query=an",
        "softmax then takes -inf from -inf",
    ),
    "gated": (
        """
        import numpy as np

        def gated_forward(gate, up):
            sigmoid = 1 / (1 + np.exp(-gate))
            return gate * sigmoid * up, (gate, up, sigmoid)

        def gated_backward(dy, cache):
            gate, up, sigmoid = cache
            return dy * up * (sigmoid + gate * sigmoid * (1 - sigmoid)), dy * sigmoid
        """,
        r"the gradient of up is wrong.*; asked with gate=\[\[",
        "dup is dy times the sigmoid alone",
    ),
    "adamw_step": (
        """
        import numpy as np

        def adamw_step(parameters, gradient, first, second, step, *, learning_rate, beta1=0.9, beta2=0.999,
                       epsilon=1e-8, weight_decay=0.01):
            first = beta1 * first + (1 - beta1) * gradient
            second = beta2 * second + (1 - beta2) * gradient * gradient
            size = np.sqrt(second / (1 - beta2**step) + epsilon)
            corrected = first / (1 - beta1**step)
            return parameters - learning_rate * (corrected / size + weight_decay * parameters), first, second
        """,
        r"adamw_step\(parameters=\[.*, gradient=\[.*, step=\d, learning_rate=0.05",
        "added epsilon before the square root",
    ),
    "next_token_batch": (
        """
        import numpy as np

        def next_token_batch(tokens, starts, length):
            inputs = tokens[starts[:, None] + np.arange(length)]
            return inputs, np.roll(inputs, -1, axis=1)
        """,
        r"next_token_batch\(tokens=.*, starts=\[.*, length=7\): result 2: first wrong at \[0, 6\]",
        "np.roll",
    ),
    "mask_tokens": (
        """
        import numpy as np

        def mask_tokens(tokens, chosen, fate, random, mask, ignored):
            inputs = np.where(chosen & (fate < 0.8), mask, tokens)
            inputs = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random, inputs)
            return inputs, np.where(inputs != tokens, tokens, ignored)
        """,
        r"mask_tokens\(tokens=\[\[.*fate=\[\[.*mask=99, ignored=-100\)",
        "the tenth that stayed as it was is asked for as well",
    ),
    "masked_loss": (
        """
        import numpy as np

        def masked_loss(logits, targets, ignored):
            z = logits - logits.max(axis=-1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
            asked = targets != ignored
            nats = -np.take_along_axis(log_p, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
            return float(np.mean([row[some].mean() for row, some in zip(nats, asked) if some.any()]))
        """,
        r"masked_loss\(logits=an array of shape .*, targets=\[\[",
        "mean of each text first",
    ),
    "cross_attention": (
        """
        import numpy as np

        def cross_attention(x, memory, present, query, key, value):
            scores = (x @ query) @ (memory @ key).T / np.sqrt(query.shape[1])
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True) * present @ (memory @ value)
        """,
        r"cross_attention\(x=.*, memory=.*, present=\[",
        "no longer sum to 1",
    ),
    "compute_optimal": (
        """
        def compute_optimal(flops, a, alpha, b, beta):
            return (flops / 6) ** 0.5, (flops / 6) ** 0.5
        """,
        r"compute_optimal\(flops=\d.*, a=\d.*, alpha=\d.*, b=\d",
        "as many parameters as tokens",
    ),
    "sharded_loss": (
        """
        import numpy as np

        def sharded_loss(shards, targets):
            total = sum(np.exp(shard).sum(axis=1) for shard in shards)
            wanted, first = np.zeros(len(targets)), 0
            for shard in shards:
                rows = np.flatnonzero((targets >= first) & (targets < first + shard.shape[1]))
                wanted[rows] = shard[rows, targets[rows] - first]
                first += shard.shape[1]
            return float(np.mean(np.log(total) - wanted))
        """,
        r"sharded_loss\(shards=\[\[\[.*yours is (inf|-inf|nan)",
        "Your exp overflows, or is 0 for every token",
    ),
}  # fmt: skip


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
