"""Lesson 20: patches, the blind baseline, the power of frames, and CLIP's loss."""

import numpy as np


def patches_of(images: np.ndarray, side: int) -> np.ndarray:
    """Cut pictures into squares, as a vision transformer reads them.

    images: (B, Y, X, Z), height before width, Z channels last. side: of the squares; it divides Y and X.

    Returns (B, N, side * side * Z), N = Y X / side^2: the squares of each picture from left to right, row after row; of
    each the pixels in the same order, and of each pixel its channels.
    """
    # answer
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // side, side, width // side, side, channels)
    return squares.swapaxes(2, 3).reshape(batch, -1, side * side * channels)
    # end of answer


def blind_answers(questions: np.ndarray, answers: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """What somebody answers who never looks at the pictures: the most frequent answer to the same question.

    questions, answers: (N,) integers, which question was asked of each training picture and what the answer was. asked:
    (M,) integers, the questions of the test. Of answers that are equally frequent the smallest number counts. A
    question that was never asked in training gets the most frequent of all answers.

    Returns (M,) integers.
    """
    # answer
    found = []
    for question in asked:
        known = answers[questions == question]
        found.append(np.bincount(known if len(known) else answers).argmax())
    return np.array(found)
    # end of answer


def frame_powers(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    """How much of each frequency is in each short piece of a sound.

    samples: (N,), N >= window. A piece begins every `hop` samples and has `window` of them; only whole pieces count. It
    is multiplied with Hann's window, 0.5 - 0.5 cos(2 pi n / window) for n = 0 ... window - 1.

    Returns (F, window // 2 + 1): the squared absolute values of its Fourier transform, for frequencies from 0 up.
    """
    # answer
    count = 1 + (len(samples) - window) // hop
    pieces = np.stack([samples[hop * f : hop * f + window] for f in range(count)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.abs(np.fft.rfft(pieces * hann)) ** 2
    # end of answer


def clip_loss(images: np.ndarray, texts: np.ndarray, factor: float) -> float:
    """CLIP's loss: each picture chooses its text among all, and each text its picture.

    images, texts: (N, D), vectors of any length, row by row what belongs together. factor: what cosines are multiplied
    with before the softmax.

    Returns the mean of two cross-entropies, in nats, each a mean over N.
    """
    # answer
    u = images / np.linalg.norm(images, axis=1, keepdims=True)
    v = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    scores = factor * u @ v.T  # (N, N)
    scores = scores - scores.max()  # changes nothing, and exp cannot overflow
    of_rows = np.log(np.exp(scores).sum(axis=1)) - np.diag(scores)
    of_columns = np.log(np.exp(scores).sum(axis=0)) - np.diag(scores)
    return float((of_rows.mean() + of_columns.mean()) / 2)
    # end of answer
