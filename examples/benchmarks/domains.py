"""Domains: what a model gains on medicine or law, what it forgets of its old text, and what replay gives back.

Run `python examples/benchmarks/domains.py --seeds 3`. A small run is trained on pydocs first, into --out, once. Each
arm then goes on from it for the same number of steps: the whole model, or adapters beside every matrix, with and
without a quarter of the rows from the old text. Bits per byte of held-out texts; what is done is not done again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from minigpt import TrainSettings, open_model, prepare_run
from minigpt.adapt import Learns
from minigpt.course.seeds import difference, spread_table
from minigpt.finetune import Wishes, prepare_domain, tune
from minigpt.text import Corpus, load_corpus
from minigpt.train import train

OLD = "pydocs"
ATTENTION = tuple(f"attention.{name}" for name in ("query", "key", "value", "output"))
MATRICES = (*ATTENTION, "feed_forward.up", "feed_forward.down")
ARMS = {  # what learns, at which rate: full and adapters each at a rate that suits it
    "whole model": (Learns("all"), 1e-3),
    "rank 16": (Learns("low-rank", rank=16, layers=MATRICES), 5e-3),
    "rank 4": (Learns("low-rank", rank=4, layers=MATRICES), 5e-3),
}


def cut(name: str) -> Corpus:
    """The first million characters to train on, and 30,000 that are held out."""
    corpus = load_corpus(name, progress=False)
    return Corpus(name, ("\n".join(corpus.training)[:1_000_000],), ("\n".join(corpus.validation)[:30_000],))


def first_run(path: Path, old: Corpus, steps: int) -> None:
    """The model that all arms go on with."""
    if not path.exists():
        settings = TrainSettings(steps=steps, batch=16, validate_every=200, validation_windows=100)
        sizes = {"width": 96, "layers": 2, "heads": 4, "context": 64}
        train(prepare_run(path, old, vocabulary=512, changes=sizes, settings=settings, progress=False))


def adapted(base: Path, path: Path, arm: str, share: float, new: Corpus, old: Corpus, steps: int, seed: int) -> Any:
    """(before, after): bits per byte of the domain and of the old text."""
    result = path.with_suffix(".json")
    if not result.exists():
        learns, rate = ARMS[arm]
        wishes = Wishes(
            task="domain",
            learns=learns,
            steps=steps,
            batch=16,
            learning_rate=rate,
            context=64,
            replay=share,
            seed=seed,
            validations=1,
        )
        folder = tune(prepare_domain(path, open_model(base), wishes, new, old, progress=False), show_progress=False)
        result.write_text(json.dumps([folder.corpus["before"], folder.measured]), encoding="utf-8")
    before, after = json.loads(result.read_text(encoding="utf-8"))
    return [[text[part]["bits_per_byte"] for part in ("domain", "old")] for text in (before, after)]


def report(base: Path, domain: str, old: Corpus, arguments: argparse.Namespace) -> None:
    """All arms on one domain."""
    new, found = cut(domain), {}
    for arm in ARMS:
        for share in (0.0, 0.25):
            name = f"{arm}, a quarter replayed" if share else arm
            found[name] = [
                adapted(base, arguments.out / f"{domain}-{name}-{seed}", arm, share, new, old, arguments.steps, seed)
                for seed in range(arguments.seeds)
            ]
    before = found["whole model"][0][0]
    for part, text in enumerate((domain, OLD)):
        after = {name: [one[1][part] for one in seeds] for name, seeds in found.items()}
        print(f"\n{text}: {before[part]:.3f} bits per byte; {arguments.steps} steps on {domain} later\n")
        print(spread_table(after, digits=3))
        for arm in ARMS if arguments.seeds > 1 else ():
            print(f"{arm}: a quarter replayed less none {difference(after[f'{arm}, a quarter replayed'], after[arm])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--domains", nargs="+", default=["medicine", "law"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--first-steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("runs/domains"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    old, base = cut(OLD), arguments.out / "base"
    first_run(base, old, arguments.first_steps)
    for domain in arguments.domains:
        report(base, domain, old, arguments)


if __name__ == "__main__":
    main()
