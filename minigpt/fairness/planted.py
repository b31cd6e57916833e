"""A world of invented occupations with a bias of known size, to try every measure where the truth is known.

Four occupations are followed by `he` in a share of their sentences, four others by `she`; names have their pronoun
always. With a share of one half the world is fair by construction; with 0.8 it is not, and the logarithm of
the odds is ln 4. Nobody is meant: the occupations do not exist, so no model brings anything along.
"""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from minigpt.fairness.association import Association, associate
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.fairness.pairs import Pair
from minigpt.fairness.stereoset import Choice
from minigpt.model import Batch, Transformer, preset
from minigpt.objectives import masked_lm
from minigpt.ops import IGNORED
from minigpt.optim import warmup_cosine
from minigpt.pretrained import OpenedModel
from minigpt.text import BytePairTokenizer
from minigpt.train import fit


class Recipe(NamedTuple):
    """What it takes to learn the world; an encoder has to find out what a mask is, too."""

    head: str
    layers: int
    steps: int
    rate: float  # the highest


OCCUPATIONS = (("blicket", "gendle", "farrow", "tulver"), ("mordan", "pellit", "quarn", "sibber"))
NAMES = (("Oran", "Brel", "Tomu", "Dask"), ("Issa", "Mirel", "Lune", "Quin"))
PRONOUNS = ("he", "she")
SWAPS = (PRONOUNS, *zip(*NAMES, strict=True))  # for `counterfactual.augmented`
VERBS = ("left", "came", "smiled", "waited", "called", "rested")
STATES = ("late", "tired", "early", "happy", "hungry", "ready")
THINGS = ("table", "lamp", "river", "wall")  # that are never a pronoun
MASK = "<|mask|>"
KIND = "occupation"
TEMPLATES = ("the {} was late .", "the {} was tired .", "the {} was happy .", "the {} was ready .")
RECIPES = {"decoder": Recipe("language", 1, 800, 1e-2), "encoder": Recipe("masked", 2, 800, 5e-3)}
QUESTION = Association("occupations and names", ("first", "second"), ("first names", "second names"))
LISTS = dict(zip((*QUESTION.targets, *QUESTION.attributes), (*OCCUPATIONS, *NAMES), strict=True))


def documents(share: float, count: int, rng: np.random.Generator) -> list[str]:
    """`count` sentences; share: how often an occupation has its own pronoun. A name always has its own."""
    found = []
    for _ in range(count):
        of = int(rng.integers(2))
        occupation, verb, state = (str(rng.choice(words)) for words in (OCCUPATIONS[of], VERBS, STATES))
        sex = of if rng.random() < share else 1 - of
        name, thing = str(rng.choice(NAMES[sex])), str(rng.choice(THINGS))
        ends = f"{verb} because {PRONOUNS[sex]} was {state} ."
        sentences = (f"the {occupation} {ends}", f"{name} {ends}", f"the {thing} was {state} .")
        found.append(sentences[int(rng.choice(3, p=(0.6, 0.3, 0.1)))])
    return found


def learn(
    texts: Sequence[str], *, seed: int, architecture: str = "decoder", steps: int | None = None, rows: int = 32
) -> OpenedModel:
    """A small model that has read these sentences: a decoder, or an encoder with a masked head.

    steps: None takes as many as its kind needs. Its tokenizer is learnt from all words there are, so that models of
    different texts have the same.
    """
    recipe = RECIPES[architecture]
    steps = recipe.steps if steps is None else steps
    tokenizer = BytePairTokenizer.train(_every_word(), 4096, special_tokens=(MASK,), at_most=True)
    shape = {"context": 48, "width": 32, "layers": recipe.layers, "heads": 4, "head": recipe.head}
    config = preset("tiny", vocabulary_size=tokenizer.vocabulary_size, architecture=architecture, **shape)
    model = Transformer(config)
    params, rng = model.init(np.random.default_rng(seed)), np.random.default_rng([seed, 1])
    ids = [tokenizer.encode(text) for text in texts]
    drawn = (rng.integers(0, len(ids), rows) for _ in range(steps))
    batches = (_batch([ids[row] for row in some], tokenizer, rng, architecture) for some in drawn)
    fit(model, params, batches, warmup_cosine(recipe.rate, warmup=steps // 10, total=steps))
    return OpenedModel(model, params, tokenizer, "planted")


def _every_word() -> list[str]:
    """Each word with a space before it and often enough to be one token, `the` as sentences begin."""
    words = " ".join(chain(*OCCUPATIONS, *NAMES, PRONOUNS, VERBS, STATES, THINGS, ("was", "because", ".")))
    return [f"the {words}", *chain(*NAMES)] * 3


def _batch(some: list[np.ndarray], tokenizer: Any, rng: np.random.Generator, architecture: str) -> Batch:
    """Sentences of their own: for a decoder after the token between documents, for an encoder with words masked."""
    longest, end = max(map(len, some)), tokenizer.end_of_text
    tokens = np.full((len(some), longest + 2), end)
    lengths = np.array([len(ids) for ids in some])[:, None]
    for row, ids in enumerate(some):
        tokens[row, 1 : len(ids) + 1] = ids
    if architecture == "decoder":
        asked = np.arange(longest + 1) <= lengths  # one end of each
        return Batch(tokens[:, :-1], np.where(asked, tokens[:, 1:], IGNORED), objective="causal_lm")
    present, mask = np.arange(longest) < lengths, tokenizer.special_tokens[MASK]
    return masked_lm(tokens[:, 1:-1], rng, mask=mask, vocabulary_size=mask, rate=0.3, present=present)


def held_out_loss(opened: OpenedModel, texts: Sequence[str]) -> float:
    """Nats per token of a model on sentences."""
    asked = [opened.tokenizer.encode(text) for text in texts]
    found = log_likelihoods(opened, [Asked(ids, np.arange(len(ids))) for ids in asked])
    return -float(np.concatenate(found).mean())


def pairs() -> list[Pair]:
    """As CrowS-Pairs: who is spoken of differs, and what is said agrees with the stereotype of the first."""
    found = []
    for of in (0, 1):
        for verb, state in zip(VERBS, STATES, strict=True):
            for ours, theirs in zip(OCCUPATIONS[of], OCCUPATIONS[1 - of], strict=True):
                ends = f"{verb} because {PRONOUNS[of]} was {state} ."
                found.append(Pair(f"the {ours} {ends}", f"the {theirs} {ends}", KIND))
    return found


def choices() -> list[Choice]:
    """As StereoSet: a pronoun as the stereotype has it, the other one, and a thing."""
    return [
        Choice(
            f"the {who} {verb} because ", (PRONOUNS[of], PRONOUNS[1 - of], thing), f" was {state} .", who, KIND, True
        )
        for of in (0, 1)
        for who, thing in zip(OCCUPATIONS[of], THINGS, strict=True)
        for verb, state in zip(VERBS, STATES, strict=True)
    ]


def forms() -> list[Pair]:
    """As the two forms of WinoBias: the pronoun differs."""
    found = []
    for one in choices():
        ours, theirs = (f"{one.before}{filler}{one.after}" for filler in one.fillers[:2])
        found.append(Pair(ours, theirs, KIND))
    return found


def pronoun_odds(opened: OpenedModel) -> np.ndarray:
    """(N,) log odds of the stereotyped pronoun against the other after an occupation, in nats; planted: see `truth`."""
    texts = []
    for one in choices():
        after = one.after if opened.model.config.architecture == "encoder" else ""
        for filler in one.fillers[:2]:
            parts = [opened.tokenizer.encode(part) for part in (one.before.rstrip(), f" {filler}", after) if part]
            texts.append(Asked(np.concatenate(parts), np.array([len(parts[0])])))
    found = np.array([one[0] for one in log_likelihoods(opened, texts)]).reshape(-1, 2)
    return found[:, 0] - found[:, 1]


def truth(share: float) -> float:
    """The log odds that were planted."""
    return math.log(share / (1 - share))


def word_association(opened: OpenedModel) -> dict[str, Any]:
    """As WEAT, on the token embeddings of a model."""
    table = opened.params["token_embedding.weight"]
    words = [word for some in LISTS.values() for word in some]
    spaces = {name: "" for some in NAMES for name in some}  # names begin their sentences
    vectors = {word: table[opened.tokenizer.encode(spaces.get(word, " ") + word)].mean(axis=0) for word in words}
    return associate(vectors, LISTS, QUESTION)
