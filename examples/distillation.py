"""A small model learns from a large one: does it learn more than from the text alone?

A teacher reads plays of Shakespeare, letter by letter. Then students with half its layers, heads and width train for
equally many steps on the same windows: from the text alone, from the text and what the teacher says (soft targets), and
from the teacher's hidden states too. Three seeds each. About two minutes on one core.
Run: python examples/distillation.py [--quick]
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from minigpt import Corpus, TrainSettings, load_corpus, open_model, prepare_run
from minigpt.machine import blas_threads
from minigpt.train import Distillation, Distiller, prepare_student, train

SEEDS = (0, 1, 2)
STUDENT_T = 4.303  # 97.5% of Student's distribution with two degrees of freedom
ARMS = {
    "alone": Distillation(soft=0.0),
    "soft targets": Distillation(soft=0.7, temperature=2.0),
    "and hidden states": Distillation(soft=0.7, temperature=2.0, hidden=0.1),
}


def main():
    """The teacher, the students, and the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    quick = parser.parse_args().quick
    settings = TrainSettings(steps=150 if quick else 600, warmup=50, validate_every=10_000, validation_windows=64)
    changes = {"layers": 2, "width": 64, "heads": 4, "context": 64}
    plays = load_corpus("shakespeare")
    corpus = Corpus("plays of Shakespeare", plays.training[:12], plays.validation[:2])
    with TemporaryDirectory() as root, blas_threads(1):
        teacher = prepare_run(
            Path(root) / "teacher",
            corpus,
            tokenizer="characters",
            changes=changes,
            settings=settings,
            progress=False,
        )
        print(f"teacher: {train(teacher, show_progress=False)[1].best_loss:.4f} nats a letter", flush=True)
        opened = open_model(teacher.path)
        settings = replace(settings, steps=settings.steps // 2)
        losses = {arm: [student(root, corpus, opened, arm, seed, settings) for seed in SEEDS] for arm in ARMS}
    for arm, found in losses.items():
        difference = np.array(losses["alone"]) - found
        half = STUDENT_T * difference.std(ddof=1) / np.sqrt(len(SEEDS))
        said = "" if arm == "alone" else f", better by {difference.mean():.4f} +- {half:.4f} (95%, paired by seed)"
        print(f"{arm:18} {np.mean(found):.4f}{said}   {' '.join(f'{one:.4f}' for one in found)}")


def student(root, corpus, opened, arm, seed, settings):
    """The held-out loss of a student, in nats a letter."""
    settings = replace(settings, seed=seed)
    path = Path(root) / f"{arm}-{seed}".replace(" ", "-")
    folder = prepare_student(path, opened, corpus, ARMS[arm], settings=settings, progress=False)
    return train(folder, engine=Distiller(folder, opened), show_progress=False)[1].best_loss


if __name__ == "__main__":
    main()
