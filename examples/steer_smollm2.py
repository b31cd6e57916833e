"""Can SmolLM2 be steered from blame to praise by one direction, and after which layer does it decide between the two?

"I really loved the film. It was" and the same with *hated*: the mean difference of their residual streams at the last
position is a direction (Turner et al. 2023, arXiv:2308.10248). It is made with twelve things and tried on eleven
others, after "Yesterday we talked about the concert. It was": by how many nats does it move *great* over *terrible*?
Beside it stand random directions of the same length, which should do nothing in particular, and the same direction
taken away, which should do the opposite. Then the logit lens (nostalgebraist 2020): how does each layer decide between
*great* and *terrible* after praise, after blame, and where neither was said? Intervals by drawing things again.
Run: python examples/steer_smollm2.py        a minute and a half of one core; SmolLM2 is fetched the first time
"""

import argparse

import numpy as np

from minigpt import OpenedModel, open_model
from minigpt.explain import ask, direction_between, steering
from minigpt.explain.lens import lens_logits, streams_of
from minigpt.explain.question import Question
from minigpt.machine import blas_threads
from minigpt.measure.intervals import Interval, bootstrapped_mean

LEARNT = ["film", "book", "play", "song", "hotel", "soup", "teacher", "game", "car", "phone", "garden", "painting"]
ASKED = [
    "concert",
    "novel",
    "museum",
    "restaurant",
    "meal",
    "lecture",
    "match",
    "bicycle",
    "camera",
    "park",
    "statue",
    "show",
]
PRAISE, BLAME, NEITHER = "I really loved the {}. It was", "I really hated the {}. It was", (
    "Yesterday we talked about the {}. It was"
)  # fmt: skip
GOOD, BAD, LAYERS, RANDOM = " great", " terrible", (9, 15, 21, 27), 5


def main() -> None:
    """Steer after several layers; then look after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    opened, rng = open_model("smollm2"), np.random.default_rng(0)
    with blas_threads(1):
        steer(opened, rng)
        look(opened)


def questions(opened: OpenedModel, prompt: str, things: list[str]) -> list[Question]:
    """Of each thing: the score of *great* less that of *terrible*."""
    good, bad = (int(opened.tokenizer.encode(word)[0]) for word in (GOOD, BAD))
    texts = [opened.tokenizer.encode(prompt.format(thing))[None] for thing in things]
    return [ask(opened.model, opened.params, text, good, against=bad) for text in texts]


def steer(opened: OpenedModel, rng: np.random.Generator) -> None:
    """How far a direction moves the answer, added and taken away, beside random ones."""
    asked = questions(opened, NEITHER, ASKED)
    before = np.array([one.value() for one in asked])
    print(f"great over terrible, nats, unsteered: {_said(bootstrapped_mean(before))}")
    print(f"{'moved, after layer':>20}{'added':>26}{'taken away':>26}{f'random, {RANDOM}: least to most':>32}")
    for layer in LAYERS:
        direction = direction_between(questions(opened, PRAISE, LEARNT), questions(opened, BLAME, LEARNT), layer)

        def moved(along: np.ndarray, layer: int = layer) -> np.ndarray:
            return np.array([one.value(steering(along, layer, positions=[-1])) for one in asked]) - before

        drawn = rng.standard_normal((RANDOM, len(direction)))
        drawn *= np.linalg.norm(direction) / np.linalg.norm(drawn, axis=1, keepdims=True)
        control = [moved(one).mean() for one in drawn]
        added, away = (_said(bootstrapped_mean(moved(sign * direction))) for sign in (1, -1))
        print(f"{layer:20}{added:>26}{away:>26}{f'{min(control):+.2f} to {max(control):+.2f}':>32}", flush=True)


def look(opened: OpenedModel) -> None:
    """What each layer says of great over terrible at the last position."""
    print(f"\n{'great over terrible':>20}" + "".join(f"{name:>26}" for name in ("after praise", "blame", "neither")))
    good, bad = (int(opened.tokenizer.encode(word)[0]) for word in (GOOD, BAD))
    columns = []
    for prompt in (PRAISE, BLAME, NEITHER):
        rows = []
        for one in questions(opened, prompt, ASKED):
            streams = streams_of(opened.model, opened.params, one.batch)
            logits = [lens_logits(opened.model, opened.params, x, one.batch)[0, -1] for x in streams.values()]
            rows.append([float(each[good] - each[bad]) for each in logits])
        columns.append(np.array(rows))
    for row, name in enumerate(streams):
        if row % 3 == 0:
            cells = [_said(bootstrapped_mean(column[:, row])) for column in columns]
            print(f"{name:>20}" + "".join(f"{cell:>26}" for cell in cells), flush=True)


def _said(found: Interval) -> str:
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


if __name__ == "__main__":
    main()
