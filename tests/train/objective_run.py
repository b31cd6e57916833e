"""A run for any objective, small enough to learn something in seconds."""

from pathlib import Path

import numpy as np

from minigpt.text import Corpus
from minigpt.train import RunFolder, TrainSettings, prepare_run

SIZES = {"width": 32, "layers": 2, "heads": 2, "feed_forward_width": 48, "context": 24, "init_std": 0.1}
ANIMALS = ("fox", "hen", "cat", "dog", "pig", "cow")


def story(seed: int, sentences: int = 60) -> str:
    """Sentences whose every word follows from another one: whoever comes first is met again at the end."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, len(ANIMALS), (sentences, 2))
    return "".join(f"{ANIMALS[a]} saw {ANIMALS[b]} and {ANIMALS[b]} saw {ANIMALS[a]}.\n" for a, b in pairs)


def topic(letters: str, seed: int, sentences: int = 120) -> str:
    """Sentences of one topic, whose words are of letters of its own."""
    rng = np.random.default_rng(seed)
    return "".join(" ".join(letters[i] * 3 for i in rng.integers(0, len(letters), 2)) + ".\n" for _ in range(sentences))


def arrival(seed: int) -> str:
    """Two sentences that only make sense in their order."""
    who = ANIMALS[seed % len(ANIMALS)]
    return f"{who} came.\n{who} went.\n"


STORIES = Corpus("stories", tuple(story(n) for n in range(3)), (story(8), story(9)))
TOPICS = Corpus("topics", (topic("abc", 0), topic("xyz", 1)), (topic("abc", 2), topic("xyz", 3)))
ARRIVALS = Corpus("arrivals", tuple(map(arrival, range(30))), tuple(map(arrival, range(30))))
CORPORA = {"next-sentence": TOPICS, "sentence-order": ARRIVALS}


def objective_run(path: Path, objective: str, **settings) -> RunFolder:
    """The run, prepared but not trained."""
    given = {"steps": 20, "batch": 8, "warmup": 5, "validate_every": 10, "log_every": 5, "learning_rate": 5e-3}
    return prepare_run(
        path,
        CORPORA.get(objective, STORIES),
        objective=objective,
        changes=SIZES,
        tokenizer="characters",
        settings=TrainSettings(**{**given, **settings}),
        progress=False,
    )
