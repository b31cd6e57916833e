"""Names of people by a tagger of our own: MiniLM with a class for each token, fine-tuned on generated text.

The classes are those of Ramshaw & Marcus (1995), arXiv:cmp-lg/9505040: outside, beginning, inside. MiniLM's vocabulary
forgets capitals, so its segments tell them: 1 for the pieces of a word that begins with one. MiniLM itself stays as it
is; low-rank adapters, the embedding of segments and the classifier learn, and are kept in a small file of their own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.adapt import ATTENTION, low_rank_adapters
from minigpt.corpus.personal.labelled import Document, Label
from minigpt.corpus.personal.names import find_names
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span
from minigpt.errors import UserError
from minigpt.files import check_is_file, replacing
from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.ops import IGNORED, softmax_forward
from minigpt.optim import warmup_cosine
from minigpt.pretrained import open_model
from minigpt.pretrained.named import is_fetched
from minigpt.text.fetch import cache_folder
from minigpt.text.word_piece import WordPieceTokenizer
from minigpt.train import fit

OUTSIDE, BEGIN, INSIDE = range(3)
WORDS = re.compile(r"\w+|[^\w\s]")
LONGEST = 96  # word pieces that are read at once, with [CLS] and [SEP]
END = re.compile(r"[.!?\n]")
LAYERS = 4  # of MiniLM's six: what names need is known by then, in two thirds of the time
RANK = 8
SEGMENTS, CLASSIFIER = "segment_embedding.weight", ("classifier.weight", "classifier.bias")
BASE = "minilm"
FILE = "name_tagger.safetensors"
SHIPPED = Path(__file__).with_name(FILE)
SURE = 0.7  # the score of a name that the tagger is certain of, so that addresses and cards come first


class Piece(NamedTuple):
    """Words that are read at once: their places in the text, and their word pieces."""

    words: list[tuple[int, int]]
    ids: np.ndarray  # (T,) with [CLS] and [SEP]
    segments: np.ndarray  # (T,) 1: of a word with a capital
    first: np.ndarray  # (words,) where each word's first piece is


class NameTagger:
    """Finds names in text. `find(text, names=tagger)` uses one in place of the rule."""

    def __init__(self, model: Transformer, params: Overlay, tokenizer: WordPieceTokenizer):
        """model: an encoder with a token head of three labels, two segments. params: of it."""
        self.model, self.params, self.tokenizer = model, params, tokenizer
        begin, end = tokenizer.encode_pair("")[0]
        self._marks = int(begin), int(end)
        self._pieces: dict[str, list[int]] = {}  # of words met before; the same for everyone

    def __call__(self, source: Source) -> Iterator[Span]:
        """The names in a text."""
        pieces = [piece for piece in self.split(source.text) if piece.segments.any()]
        for at in range(0, len(pieces), 16):
            some = pieces[at : at + 16]
            for piece, probabilities in zip(some, self._probabilities(some), strict=True):
                yield from _names(source.text, piece, probabilities)

    def split(self, text: str) -> Iterator[Piece]:
        """The text in pieces of at most `LONGEST` word pieces, cut behind sentences where that can be."""
        words: list[tuple[int, int]] = []
        lengths: list[int] = []
        for match in WORDS.finditer(text):
            lengths.append(min(len(self._word(match[0])), LONGEST - 2))
            words.append(match.span())
            while sum(lengths) > LONGEST - 2:
                cut = next(
                    (at for at in range(len(words) - 1, 0, -1) if END.match(text, words[at - 1][0])), len(words) - 1
                )
                yield self._piece(text, words[:cut])
                words, lengths = words[cut:], lengths[cut:]
        if words:
            yield self._piece(text, words)

    def _word(self, word: str) -> list[int]:
        if len(self._pieces) > 100_000:
            self._pieces.clear()
        return self._pieces.setdefault(word, self.tokenizer.encode(word).tolist() or [self._marks[1]])

    def _piece(self, text: str, words: Sequence[tuple[int, int]]) -> Piece:
        ids, segments, first = [self._marks[0]], [0], []
        for start, end in words:
            first.append(len(ids))
            pieces = self._word(text[start:end])[: LONGEST - 2]
            ids += pieces
            segments += [int(text[start].isupper())] * len(pieces)
        return Piece(list(words), np.array([*ids, self._marks[1]]), np.array([*segments, 0]), np.array(first))

    def batch(self, pieces: Sequence[Piece]) -> Batch:
        """Pieces side by side, padded to the longest: (B, T)."""
        length = max(len(piece.ids) for piece in pieces)
        ids, segments = (np.zeros((len(pieces), length), np.int64) for _ in range(2))
        present = np.zeros((len(pieces), length), bool)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece.ids)], segments[row, : len(piece.ids)] = piece.ids, piece.segments
            present[row, : len(piece.ids)] = True
        return Batch(ids, present=present, segments=segments)

    def _probabilities(self, pieces: Sequence[Piece]) -> Iterator[np.ndarray]:
        """(words, 3) of each piece."""
        logits, _ = self.model.forward(self.params, self.batch(pieces), Call().forward_only())
        for piece, row in zip(pieces, logits, strict=True):
            yield softmax_forward(row[piece.first].astype(np.float64))[0]

    def save(self, path: str | Path) -> None:
        """Write what was trained, in float16, as safetensors; MiniLM is not in it."""
        from safetensors.numpy import save

        arrays = {name: array.astype(np.float16) for name, array in self.params.trained.items()}
        with replacing(path) as part:
            part.write_bytes(save(arrays))


def _names(text: str, piece: Piece, probabilities: np.ndarray) -> Iterator[Span]:
    """Rows of words that are likelier names than not; one begins where a beginning is likelier than an inside."""
    start, end = -1, -1
    chances: list[float] = []
    for (word_start, word_end), chance in zip(piece.words, probabilities, strict=True):
        is_name = chance[OUTSIDE] < 0.5
        if start >= 0 and (not is_name or (chance[BEGIN] > chance[INSIDE] and text[end:word_start] != "")):
            yield Span(start, end, "name", SURE * float(np.mean(chances)))
            start = -1
        if is_name:
            start, chances = (word_start, []) if start < 0 else (start, chances)
            end = word_end
            chances.append(1 - float(chance[OUTSIDE]))
    if start >= 0:
        yield Span(start, end, "name", SURE * float(np.mean(chances)))


class NameFinder(NamedTuple):
    """What finds names, for `find(text, names=...)`, and a sentence that says what it is."""

    find: Callable[[Source], Iterable[Span]]
    says: str


def best_name_finder() -> NameFinder:
    """The tagger, where MiniLM is fetched and a tagger was trained; otherwise the rule, which finds less, and says so.

    Nothing is fetched. A tagger is looked for in the cache folder, as `tagger_path` says, and then in the package.
    """
    trained = [path for path in (tagger_path(), SHIPPED) if path.exists()]
    if trained and is_fetched(BASE):
        return NameFinder(open_name_tagger(trained[0]), f"names are found by the tagger {trained[0].name} on {BASE}")
    lacks = f"{BASE} is not fetched" if trained else "no tagger was trained"
    return NameFinder(
        find_names, f"names are found by lists and context, which find fewer than the tagger does: {lacks}"
    )


def tagger_path() -> Path:
    """Where a tagger that was trained on this machine is kept, in the cache folder."""
    return cache_folder() / FILE


def new_name_tagger(rng: np.random.Generator, *, base: str = BASE) -> NameTagger:
    """A tagger that knows nothing yet, on top of an encoder in whose vocabulary capitals make no difference."""
    opened = open_model(base)
    tokenizer = opened.tokenizer
    if not isinstance(tokenizer, WordPieceTokenizer) or opened.model.config.segments != 2:
        raise UserError(
            f"{base} is no BERT with word pieces and two segments, which the tagger is made for; take minilm"
        )
    model = Transformer(
        replace(opened.model.config, layers=LAYERS, head="token", labels=3, pooler=False, head_bias=True)
    )
    arrays = model.arrays()
    adapters = low_rank_adapters(model, rng, rank=RANK, layers=ATTENTION)
    records = {name: arrays[name] for name in (SEGMENTS, *CLASSIFIER)} | adapters.arrays
    trained = Params(records)
    for name in adapters:
        trained[name] = adapters[name]
    trained[SEGMENTS] = opened.params[SEGMENTS]
    trained[CLASSIFIER[0]] = 0.02 * rng.standard_normal(arrays[CLASSIFIER[0]].shape)
    return NameTagger(model, Overlay(opened.params, trained), tokenizer)


def train_name_tagger(
    tagger: NameTagger, documents: Sequence[Document], rng: np.random.Generator, *, batch: int = 24, rate: float = 2e-3
) -> list[float]:
    """Train in place, each document once, those of like length together. Returns the loss of every step, in nats."""
    pairs = [(piece, document.labels) for document in documents for piece in tagger.split(document.text)]
    pairs = [pairs[row] for row in rng.permutation(len(pairs))]
    batches = []
    for at in range(0, len(pairs), 16 * batch):
        some = sorted(pairs[at : at + 16 * batch], key=lambda pair: len(pair[0].ids))
        groups = [some[row : row + batch] for row in range(0, len(some), batch)]
        batches += [groups[row] for row in rng.permutation(len(groups))]
    made = (_targets(tagger.batch([piece for piece, _ in group]), group) for group in batches)
    schedule = warmup_cosine(rate, warmup=max(1, len(batches) // 20), total=len(batches))
    return fit(tagger.model, tagger.params, made, schedule)


def _targets(batch: Batch, group: Sequence[tuple[Piece, Sequence[Label]]]) -> Batch:
    """The batch with the class of each word at its first piece; the other pieces are not scored."""
    targets = np.full(batch.tokens.shape, IGNORED)
    for row, (piece, labels) in enumerate(group):
        names = [label for label in labels if label.kind == "name"]
        for (start, end), at in zip(piece.words, piece.first, strict=True):
            inside = next((name for name in names if start < name.end and name.start < end), None)
            targets[row, at] = OUTSIDE if inside is None else BEGIN if start <= inside.start else INSIDE
    return batch._replace(targets=targets)


def open_name_tagger(path: str | Path, *, base: str = BASE) -> NameTagger:
    """The tagger that `NameTagger.save` wrote. `UserError` if the file is damaged or another's."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    check_is_file(path)
    tagger = new_name_tagger(np.random.default_rng(0), base=base)
    trained: Any = tagger.params.trained
    try:
        arrays = load(Path(path).read_bytes())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is no file of a tagger ({error}); train one anew") from None
    shapes = {name: array.shape for name, array in trained.items()}
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise UserError(f"{path} does not hold the {len(shapes)} arrays of a tagger on {base}; train one anew")
    for name, array in arrays.items():
        trained[name] = array
    return tagger
