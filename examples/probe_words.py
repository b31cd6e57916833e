"""Do MiniLM's hidden states hold whether a word is a noun or a verb here? A linear probe of each layer, with control.

`walk` is a noun in "we went for a walk" and a verb in "they walk every day". The vector that goes into the first layer
knows the word and its place, and nothing around it. The control task (Hewitt & Liang 2019, arXiv:1909.03368) gives each
word one label at random, whatever stands around it: a probe that reads it has learned the words by heart. Asked is in
sentences that the probe did not learn from, of words that it knows and of words that it does not.

python examples/probe_words.py          about a minute of one core; MiniLM is fetched the first time
"""

import argparse

import numpy as np

from minigpt import Batch, open_model
from minigpt.explain import probed
from minigpt.explain.watch import activations
from minigpt.text.frame import frame_of

EITHER = """
walk run talk call help look play rest sleep smile visit work dance drink fall kiss laugh need offer paint
plan race report ride search shout step stop study swim taste test touch turn wash watch wish answer attack
change climb cook cut drive fight guess jump move vote win
"""
WORDS = EITHER.split()
NOUNS = (
    "we thought about the {} again .",
    "it was a very long {} today .",
    "his {} was not what she wanted .",
    "that {} made all of them happy .",
    "after the {} everybody was tired .",
    "they had one more {} before the night .",
    "the {} of the old man was good .",
    "nobody liked her {} at first .",
)
VERBS = (
    "we wanted to {} again .",
    "it was hard to {} all day .",
    "he and she {} when they can .",
    "that will {} all of them soon .",
    "after that they {} with everybody .",
    "they must {} once more before the night .",
    "the old men {} very often .",
    "nobody could {} at first .",
)


def states(opened, layers: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states (L + 1, N, C) of each word in each sentence; whether it is a noun; which word; which sentence."""
    frame, mark = frame_of(opened.tokenizer), "\0"
    rows, nouns, kinds, sentences = [], [], [], []
    for number, (template, noun) in enumerate([*((one, 1) for one in NOUNS), *((one, 0) for one in VERBS)]):
        before = template.replace("{}", mark).split(mark)[0]
        for kind, word in enumerate(WORDS):
            ids, segments = frame.row(opened.tokenizer.encode(template.format(word)))
            place = len(frame.begin) + len(opened.tokenizer.encode(before))
            assert opened.tokenizer.decode(ids[place : place + 1]).strip() == word, f"{word} is not one token"
            rows.append((ids, segments, place))
            nouns.append(noun)
            kinds.append(kind)
            sentences.append(number)
    names = ["embedding", *(f"blocks.{layer}.residual_post" for layer in range(layers))]
    found = np.empty((len(names), len(rows), opened.model.config.width), np.float32)
    for row, (ids, segments, place) in enumerate(rows):
        batch = Batch(ids[None], segments=None if segments is None else segments[None])
        seen = activations(opened.model, opened.params, batch, lambda name: name in names)
        for layer, name in enumerate(names):
            found[layer, row] = seen[name][0, place]
    return found, np.array(nouns), np.array(kinds), np.array(sentences)


def main() -> None:
    """Read, learn, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="minilm", help="an encoder (default minilm)")
    parser.add_argument("--strength", type=float, default=0.1, help="how freely a probe's weights grow (default 0.1)")
    arguments = parser.parse_args()
    opened = open_model(arguments.model)
    found, nouns, kinds, sentences = states(opened, opened.model.config.layers)
    asked = np.isin(sentences % len(NOUNS), range(len(NOUNS) - 3, len(NOUNS)))  # three of each
    new = kinds % 3 == 0
    print(f"{len(nouns)} words in sentences, {int(asked.sum())} of them asked; 95 % intervals")
    print(f"{'layer':10}{'asked of':14}{'noun or verb':26}{'control task':26}selectivity")
    for layer, rows in enumerate(found):
        for what, of in (("known words", ~asked), ("new words", ~asked & ~new)):
            some = of | (asked if what == "known words" else asked & new)
            read = probed(
                rows[some], nouns[some], kinds[some], of[some], np.random.default_rng(0), strength=arguments.strength
            )
            cells = [f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in read[:3]]
            name = "goes in" if layer == 0 else f"after {layer}"
            print(f"{name:10}{what:14}" + "".join(f"{cell:26}" for cell in cells).rstrip(), flush=True)


if __name__ == "__main__":
    main()
