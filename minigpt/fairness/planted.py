"""A world of invented occupations with a bias of known size, to try every measure where the truth is known.

Four occupations are followed by `he` in a share of their sentences, four others by `she`; names have their pronoun
always. With a share of one half the world is fair by construction; with 0.8 it is not, and the logarithm of
the odds is ln 4. Nobody is meant: the occupations do not exist, so no model brings anything along.
"""

import math
from collections.abc import Sequence
from typing import Any

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
    texts: Sequence[str], *, seed: int, architecture: str = "decoder", steps: int = 300, rows: int = 32, width: int = 32, layers: int = 1, rate: float = 1e-2
) -> OpenedModel:
    """A small model that has read these sentences: a decoder, or an encoder with a masked head.

    Its tokenizer is learnt from all words there are, so that models of different texts have the same.
    """
    tokenizer = BytePairTokenizer.train(_every_word(), 4096, special_tokens=(MASK,), at_most=True)
    head = "language" if architecture == "decoder" else "masked"
    model = Transformer(
        preset(
            "tiny", vocabulary_size=tokenizer.vocabulary_size, context=16, width=width, layers=layers, heads=4,
            architecture=architecture, head=head,
        )  # fmt: skip
    )
    params, rng = model.init(np.random.default_rng(seed)), np.random.default_rng([seed, 1])
    ids = [tokenizer.encode(text) for text in texts]
    batches = (_batch([ids[row] for row in rng.integers(0, len(ids), rows)], tokenizer, rng, architecture)
               for _ in range(steps))  # fmt: skip
    fit(model, params, batches, warmup_cosine(rate, warmup=steps // 10, total=steps))
    return OpenedModel(model, params, tokenizer, "planted")


def _every_word() -> list[str]:
    """Each word with a space before it and often enough to be one token, `the` as sentences begin."""
    words = sum((*OCCUPATIONS, *NAMES, PRONOUNS, VERBS, STATES, THINGS), ()) + ("was", "because", "and", ".")
    return [f"the {' '.join(words)}", *sum(NAMES, ())] * 3


def _batch(some: list[np.ndarray], tokenizer: Any, rng: np.random.Generator, architecture: str) -> Batch:
    """Sentences of their own: after the token between documents for a decoder, with some words masked for an encoder."""
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
        Choice(f"the {who} {verb} because ", (PRONOUNS[of], PRONOUNS[1 - of], thing), f" was {state} .", who, KIND, True)
        for of in (0, 1)
        for who, thing in zip(OCCUPATIONS[of], THINGS, strict=True)
        for verb, state in zip(VERBS, STATES, strict=True)
    ]


def forms() -> list[Pair]:
    """As the two forms of WinoBias: the pronoun differs."""
    return [
        Pair(*(f"{one.before}{filler}{one.after}" for filler in one.fillers[:2]), KIND) for one in choices()
    ]  # fmt: skip


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
