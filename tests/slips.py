"""What tests of grading share: the slips that people make most, and what `minigpt grade` prints of a file."""

import contextlib
import io
import re
import textwrap

from minigpt.cli import main

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

SLIP_OF_LESSON = {
    "02_self_attention": "attention",
    "06_optimizers": "adamw_step",
    "08_masked_lm_and_the_decoder": "masked_loss",
}


def slip_of(lesson):
    """A function of the lesson's exercises as it is often written wrongly, and words of the likely mistake."""
    code, _, likely = SLIPS[SLIP_OF_LESSON[lesson]]
    return textwrap.dedent(code), likely


def told_by_the_command(source, lesson, seed, folder):
    """Whether `minigpt grade` passes this text of an exercise's file, and all that it prints. folder: where to try."""
    path = folder / "exercises" / f"{lesson}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, encoding="utf-8")
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        patient = ["--seconds", "600"]  # however slow the machine is
        code = main(["grade", f"exercises/{lesson}.py", "--lesson", lesson, "--seed", str(seed), *patient])
    return code == 0, printed.getvalue()


def without_warnings(text):
    """The text without NumPy's warnings of infinity and NaN, which WebAssembly has no flags for."""
    text = re.sub(r"^ *\| .*RuntimeWarning: .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^ *your code printed:\n(?! *\| )", "", text, flags=re.MULTILINE)
