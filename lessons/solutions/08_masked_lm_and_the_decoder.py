"""Lesson 08: masking tokens, scoring what is asked for, reading a text token by token, and finding leaks."""

import numpy as np


def mask_tokens(
    tokens: np.ndarray,
    chosen: np.ndarray,
    fate: np.ndarray,
    random: np.ndarray,
    mask: int,
    ignored: int,
) -> tuple[np.ndarray, np.ndarray]:
    """BERT's masking, the dice having been thrown.

    tokens: (B, T) integers. chosen: (B, T) booleans, the tokens that will be asked for. fate: (B, T) numbers in [0, 1):
    of the chosen tokens those with fate < 0.8 become `mask`; those with 0.8 <= fate < 0.9 become the token that stands
    at their place in `random`, (B, T) integers; the others stay as they are. mask, ignored: integers.

    Returns (inputs, targets), both (B, T) integers: what the model sees; and what it is asked for, `ignored` where
    nothing is asked. All of the chosen tokens are asked for, whatever became of them.
    """
    # answer
    inputs = np.where(chosen & (fate < 0.8), mask, tokens)
    inputs = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random, inputs)
    return inputs, np.where(chosen, tokens, ignored)
    # end of answer


def masked_loss(logits: np.ndarray, targets: np.ndarray, ignored: int) -> float:
    """Cross-entropy over what was asked for, and over nothing else, in nats per token.

    logits: (B, T, V), as large as they like (do not overflow); targets: (B, T) integers, `ignored` where nothing is
    asked. Something is asked somewhere.

    Returns the mean of -log softmax(logits)[target] over the places where something is asked.
    """
    # answer
    asked = targets != ignored
    rows = logits[asked]  # (N, V)
    rows = rows - rows.max(axis=1, keepdims=True)
    log_p = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(rows)), targets[asked]].mean())
    # end of answer


def one_masked_each(tokens: np.ndarray, mask: int) -> np.ndarray:
    """What an encoder has to read to say how likely a text is, token by token.

    A decoder scores a text of T tokens in one pass. An encoder must hide each token in turn, and read the rest.
    tokens: (T,) integers; mask: the id of the mask.

    Returns (T, T) integers: row t is the text with token t masked, and nothing else changed.
    """
    # answer
    return np.where(np.eye(len(tokens), dtype=bool), mask, tokens)
    # end of answer


def leaks(sight: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Which outputs can cheat, in a model of many layers?

    sight: (T, T) booleans, True at (i, j) if, in each layer, position i may look at position j; every position sees
    itself. What j has gathered in one layer can be passed on in the next, so i also reaches whatever j reaches, and so
    on, through as many layers as it takes.
    answers: (T,) integers, the place in the input where the answer to output i stands; -1 where it stands nowhere.

    Returns (T,) booleans: True where the answer can reach its output.
    """
    # answer
    reach = sight.astype(int)
    for _ in range(len(sight)):
        reach = (reach @ reach > 0).astype(int)
    return np.array([place >= 0 and bool(reach[i, place]) for i, place in enumerate(answers)])
    # end of answer
