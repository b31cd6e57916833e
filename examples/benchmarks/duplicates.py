"""Near duplicates: recall and precision beside all pairs, and the time, on real text with edited copies in it.

Run `python examples/benchmarks/duplicates.py --documents 20000`. Half of the documents are definitions and passages of
named corpora, the other half copies of them with some words changed, so that many pairs lie close to the threshold. A
pair counts as found if its signatures share a band and its true likeness reaches the threshold.
"""

import argparse
import time

import numpy as np

from minigpt.corpus import bands_for, exact_pairs, find_duplicates, jaccard, shingles
from minigpt.text import load_corpus


def passages(names: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """So many different pieces of 40 to 200 words, drawn by chance."""
    found = []
    for name in names:
        for document in load_corpus(name, progress=False).documents:
            words = document.split()
            start = 0
            while start + 40 <= len(words):
                end = start + int(rng.integers(40, 200))
                found.append(" ".join(words[start:end]))
                start = end
    return [found[place] for place in rng.permutation(len(found))[:count]]


def edited(text: str, rng: np.random.Generator) -> str:
    """Some words replaced by others of the same text."""
    words = np.array(text.split())
    changed = rng.random(len(words)) < rng.uniform(0, 0.05)
    words[changed] = rng.permutation(words)[: changed.sum()]
    return " ".join(words)


def proposed_pairs(sets: list[np.ndarray], threshold: float) -> tuple[set[tuple[int, int]], int]:
    """The pairs that share a band and are alike enough; and how many share one."""
    bands = bands_for(threshold)
    keys = np.array([bands.keys(bands.signature(one)) for one in sets])
    proposed: set[tuple[int, int]] = set()
    for band in range(bands.bands):
        order = np.argsort(keys[:, band], kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(keys[order, band])) + 1)
        proposed |= {
            (one, other) for group in groups for one in group.tolist() for other in group.tolist() if one < other
        }
    found = {pair for pair in proposed if jaccard(sets[pair[0]], sets[pair[1]]) >= threshold}
    return found, len(proposed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--corpora", nargs="+", default=["pydocs"])
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    originals = passages(arguments.corpora, arguments.documents // 2, rng)
    copies = [edited(originals[place], rng) for place in rng.integers(0, len(originals), len(originals))]
    texts = [(originals + copies)[place] for place in rng.permutation(2 * len(originals))]

    began = time.perf_counter()
    sets = [shingles(text) for text in texts]
    found, proposed = proposed_pairs(sets, arguments.threshold)
    searched = time.perf_counter() - began
    began = time.perf_counter()
    exact = exact_pairs(sets, arguments.threshold)
    compared = time.perf_counter() - began
    began = time.perf_counter()
    duplicates = find_duplicates(texts, arguments.threshold)
    cleaned = time.perf_counter() - began

    likenesses = [jaccard(sets[one], sets[other]) for one, other in exact]
    print(f"{len(texts):,} documents, {sum(map(len, texts)) / 1e6:.1f} MB")
    print(f"{len(exact):,} pairs have a likeness of {arguments.threshold:g} or more")
    print(
        f"  of these {sum(likeness < arguments.threshold + 0.05 for likeness in likenesses):,} less than 0.05 above it"
    )
    print(f"proposed {proposed:,}, found {len(found):,} in {searched:.1f} s; all exact pairs in {compared:.1f} s")
    print(f"recall {len(found & exact) / len(exact):.4f}, precision {len(found & exact) / max(1, len(found)):.4f}")
    print(f"of what is proposed alone, without comparing shingles: precision {len(found) / max(1, proposed):.4f}")
    print(
        f"find_duplicates keeps {duplicates.kept.sum():,} in {cleaned:.1f} s; it compared {duplicates.compared:,} pairs"
    )
    left = {place for place, stays in enumerate(duplicates.kept) if stays}
    print(f"exact pairs of which both are kept: {sum(one in left and other in left for one, other in exact):,}")


if __name__ == "__main__":
    main()
