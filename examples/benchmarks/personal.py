"""Personal information: what is found on labelled text, false alarms on text that only looks personal, and the speed.

    python examples/benchmarks/personal.py
    python examples/benchmarks/personal.py --tagger tagger.safetensors --documents 500
    python examples/benchmarks/personal.py --train tagger.safetensors        the tagger of names, in some three minutes

The labelled text is made of presidio-evaluator's templates and identities, which are fetched through pip. With a tagger
only those templates are used that it was not trained on, and the rules alone are measured on the same documents.
"""

import argparse
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigpt.corpus.personal import KINDS, Span, find
from minigpt.corpus.personal.evaluate import Evaluation, Score, Speed, evaluate, speed
from minigpt.corpus.personal.labelled import Document, labelled_documents, load_templates
from minigpt.corpus.personal.name_text import is_for_training, training_documents
from minigpt.corpus.personal.negatives import hard_negatives
from minigpt.corpus.personal.tagger import new_name_tagger, open_name_tagger, train_name_tagger
from minigpt.text import load_corpus

Finder = Callable[..., list[Span]]


class Measured(NamedTuple):
    """What is shown of a finder."""

    result: Evaluation
    alarms: list
    negatives: int
    speeds: dict[str, tuple[Speed, Speed]]


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--negatives", type=int, default=500)
    parser.add_argument("--prose", type=float, default=1.0, help="megabytes of pydocs to measure the speed on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tagger", type=Path, help="find names with this tagger in place of the rule")
    parser.add_argument("--train", type=Path, help="train a tagger on --documents documents, write it here, and end")
    parser.add_argument("--faults", action="store_true", help="show examples of what was missed or wrong")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.train:
        return train(arguments.train, arguments.documents, arguments.seed)

    templates = load_templates()
    finders = {"rules alone": find}
    if arguments.tagger:
        finders = {**finders, "rules, names by the tagger": partial(find, names=open_name_tagger(arguments.tagger))}
        held_out = [sentence for sentence in templates.sentences if not is_for_training(sentence)]
        templates = templates._replace(sentences=held_out)
    documents = list(labelled_documents(templates, arguments.documents, np.random.default_rng(arguments.seed)))
    measured = {name: measure(finder, documents, arguments) for name, finder in finders.items()}
    if arguments.json:
        print(json.dumps({name: as_json(*results) for name, results in measured.items()}))
        return
    for name, results in measured.items():
        print(f"{name}, {len(documents):,} documents")
        show(*results, faults=arguments.faults)


def measure(finder: Finder, documents: list[Document], arguments: argparse.Namespace) -> Measured:
    """What one finder finds, its false alarms, and its speed."""
    result = evaluate(documents, finder, rng=np.random.default_rng(arguments.seed + 1))
    negatives = list(hard_negatives(arguments.negatives, np.random.default_rng(arguments.seed + 2)))
    alarms = [(text, spans) for text in negatives if (spans := finder(text))]
    prose = "\n".join(load_corpus("pydocs").training)[: int(arguments.prose * 1e6)]
    pieces = [prose[at : at + 10_000] for at in range(0, len(prose), 10_000)]
    texts = [document.text for document in documents]
    speeds = {kind: (speed(pieces, _one(finder, kind)), speed(texts, _one(finder, kind))) for kind in KINDS}
    speeds["all"] = speed(pieces, finder), speed(texts, finder)
    return Measured(result, alarms, len(negatives), speeds)


def _one(finder, kind):
    return lambda text: finder(text, [kind])


def train(path: Path, count: int, seed: int) -> None:
    """Train a tagger of names on text made for it."""
    rng = np.random.default_rng(seed)
    documents = list(training_documents(load_templates(), count, rng))
    tagger = new_name_tagger(rng)
    losses = train_name_tagger(tagger, documents, rng)
    tagger.save(path)
    print(
        f"{len(losses)} steps, {np.mean(losses[:5]):.3f} to {np.mean(losses[-20:]):.3f} nats for each word; see {path}"
    )


def show(
    result: Evaluation, alarms: list, negatives: int, speeds: dict[str, tuple[Speed, Speed]], *, faults: bool
) -> None:
    """The tables."""
    print(
        "kind           labels  precision            recall               F2                   prose MB/s  document ms"
    )
    for kind, score in result.kinds.items():
        cells = "  ".join(_cell(score, name) for name in ("precision", "recall", "f2"))
        print(f"{kind:14} {score.labels:6}  {cells}  {_speed(*speeds[kind])}")
    print(f"{'all':14} {'':6}  {'':64} {_speed(*speeds['all'])}")
    print(f"of all labelled characters {result.covered:.1%} are covered by spans; the others stay in the text")
    print(f"{len(alarms)} of {negatives} texts that only look personal gave an alarm")
    for text, spans in alarms if faults else ():
        print(f"  alarm {[(span.kind, text[span.start : span.end]) for span in spans]} {text!r}")
    for word, examples in (("missed", result.missed), ("wrong", result.wrong)) if faults else ():
        for kind, example in examples:
            print(f"  {word} {kind}: {example!r}")


def _cell(score: Score, name: str) -> str:
    value = getattr(score, name)
    low, high = score.intervals[name]
    return f"{'':19}" if math.isnan(value) else f"{value:.3f} ({low:.3f}-{high:.3f})"


def _speed(prose: Speed, documents: Speed) -> str:
    return f"{prose.megabytes_per_second:10.2f}  {documents.median_ms:.3f} (95%: {documents.slow_ms:.3f})"


def as_json(result: Evaluation, alarms: list, negatives: int, speeds: dict[str, tuple[Speed, Speed]]) -> dict:
    """The same, for programs; NaN is null."""
    kinds = {}
    for kind, score in result.kinds.items():
        values = {name: value for name, value in score._asdict().items() if name != "intervals"}
        known = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}
        intervals = {name: None if math.isnan(pair[0]) else pair for name, pair in score.intervals.items()}
        kinds[kind] = {**known, "intervals": intervals}
    timed = {kind: {"prose": prose._asdict(), "documents": texts._asdict()} for kind, (prose, texts) in speeds.items()}
    return {
        "kinds": kinds,
        "covered": result.covered,
        "false_alarms": {"texts": negatives, "with_alarm": len(alarms)},
        "speed": timed,
    }


if __name__ == "__main__":
    main()
