"""Lesson 20: patches, the blind baseline, the power of frames, and CLIP's loss."""

import numpy as np


def patches_of(images: np.ndarray, side: int) -> np.ndarray:
    """Cut pictures into squares, as a vision transformer reads them.

    images: (B, Y, X, Z), height before width, Z channels last. side: of the squares; it divides Y and X.

    Returns (B, N, side * side * Z), N = Y X / side^2: the squares of each picture from left to right, row after row; of
    each the pixels in the same order, and of each pixel its channels.
    """
    raise NotImplementedError("write patches_of")


def blind_answers(questions: np.ndarray, answers: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """What somebody answers who never looks at the pictures: the most frequent answer to the same question.

    questions, answers: (N,) integers, which question was asked of each training picture and what the answer was. asked:
    (M,) integers, the questions of the test. Of answers that are equally frequent the smallest number counts. A
    question that was never asked in training gets the most frequent of all answers.

    Returns (M,) integers.
    """
    raise NotImplementedError("write blind_answers")


def frame_powers(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    """How much of each frequency is in each short piece of a sound.

    samples: (N,), N >= window. A piece begins every `hop` samples and has `window` of them; only whole pieces count. It
    is multiplied with Hann's window, 0.5 - 0.5 cos(2 pi n / window) for n = 0 ... window - 1.

    Returns (F, window // 2 + 1): the squared absolute values of its Fourier transform, for frequencies from 0 up.
    """
    raise NotImplementedError("write frame_powers")


def clip_loss(images: np.ndarray, texts: np.ndarray, factor: float) -> float:
    """CLIP's loss: each picture chooses its text among all, and each text its picture.

    images, texts: (N, D), vectors of any length, row by row what belongs together. factor: what cosines are multiplied
    with before the softmax.

    Returns the mean of two cross-entropies, in nats, each a mean over N.
    """
    raise NotImplementedError("write clip_loss")
