"""Continuous batching: many texts are written at once, and each joins and leaves when it will.

Every step is one forward over all running sequences: one token of those that write, and a piece of the prompt of those
that begin (Yu et al. 2022, "Orca", OSDI, section 3; the pieces: Agrawal et al. 2023, "SARATHI", arXiv:2308.16369,
section 4). A product with 16 rows reads every weight once, where 16 products with one row read it 16 times, and reading
is what one row costs.
"""

import sys
from bisect import insort
from collections import Counter

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.paged import STORES, PagedPast
from minigpt.infer.pages import Pages
from minigpt.infer.request import Event, Request, Sequence
from minigpt.infer.sampling import likeliest, log_sum, next_tokens
from minigpt.infer.tables import Tables, most_pages
from minigpt.infer.window import check_writes
from minigpt.machine import available_memory
from minigpt.model import Call, Transformer
from minigpt.model.inputs import TOKENS
from minigpt.model.params import Weights
from minigpt.values import check, whole

PAGE = 16  # positions; Kwon et al. (2023), section 7.2, find 16 good
MEMORY = 1 << 30  # bytes of pages, unless more is asked for
PIECE = 256  # tokens of prompts in one step, so that those that write need not wait long


class Engine:
    """Writes the texts of many requests at once, each the same as if it were alone.

    The tokens are those of `minigpt.generate` for the request's seed, also beyond the context. A sequence that runs
    alone, its prompt computed in one piece, has the same scores to the bit, unless a window forgets. Among others it
    has them but for rounding, since a matrix product of several rows adds in another order than that of one: SmolLM2's
    scores, of up to 30, differ by up to 0.00005. So a token can differ only where it hangs on as little: greedy at a
    tie of the two likeliest, or drawn where the random number falls that close to the border between two tokens. From
    there on the text is another.

    Not for several threads: one of them calls all methods.

    Parameters
    ----------
    model, params : Transformer, Params
        A decoder, as `open_model` gives it; its weights may be quantized.
    slots : int
        How many sequences are written at once at most; others wait.
    memory : int, optional
        Bytes for keys and values. None: what all slots need for a whole context, or for what a window reaches, but at
        most 1 GB, or what one slot needs, and never more than half of what is free. See `longest`.
    page : int
        Positions in a page of the cache.
    piece : int
        How many tokens of prompts one step computes at most, beside the texts that are being written.
    cache_bits : int, optional
        8: keep keys and values in 8 bits, in about a quarter of the memory; the texts are then no longer the same.

    Raises
    ------
    UserError
        For a model that cannot write, an encoder-decoder, or more memory than there is.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> engine = minigpt.Engine(model, model.init(np.random.default_rng(0)), slots=2)
    >>> ids = [engine.submit(minigpt.Request(np.array([5, seed]), 3, seed=seed)) for seed in range(4)]
    >>> events = []
    >>> while engine.pending or engine.running:
    ...     events += engine.step()
    >>> len(events), events[-1].finish_reason
    (12, 'length')
    """

    def __init__(
        self,
        model: Transformer,
        params: Weights,
        *,
        slots: int = 16,
        memory: int | None = None,
        page: int = PAGE,
        piece: int = PIECE,
        cache_bits: int | None = None,
    ):
        check_writes(model)
        if model.two_stacks:
            raise UserError(
                "an encoder-decoder reads a text of its own for every answer; write one at a time, by generate"
            )
        scaling = model.config.rotary_scaling
        if scaling is not None and scaling.follows_length:
            raise UserError(
                "with dynamic rotary scaling every token beyond the original context turns all keys anew, so the pages "
                "of a text would hold nothing that its next token can use; write one at a time, by generate"
            )
        for name, value in (("slots", slots), ("page", page), ("piece", piece)):
            check(name, value, whole(1))
        check("memory", memory, whole(1).or_none())
        if cache_bits not in STORES:
            raise UserError(f"cache_bits is {cache_bits}, but a cache has 8 or, with None, what the model has")
        self.model, self.params, self.slots, self.piece = model, params, slots, piece
        self.context = sys.maxsize if model.config.endless else model.config.context  # see `minigpt.infer.window`
        numbers = params[TOKENS].dtype, cache_bits
        self._page_bytes = PagedPast.page_bytes(model.config, page, *numbers)
        slot = min(-(-model.config.context // page), most_pages(model.config, page, piece))
        count = _count_pages(slot, page, slots, memory, self._page_bytes)
        self.pages, self.past = Pages(count, page), PagedPast(model.config, count, page, *numbers)
        self._tables = Tables(model.config, self.pages, self.past, piece)
        self._waiting: list[Sequence] = []  # in order
        self._running: list[Sequence] = []  # in order
        self._ids = 0
        self._counts: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """How many sequences wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many sequences are being written."""
        return len(self._running)

    @property
    def longest(self) -> int | None:
        """How many tokens a text may have, its prompt and the new ones; None: any number, all pages hold a context."""
        if self._tables.pages_for(self.context) <= self.pages.count:
            return None
        return self.pages.count * self.pages.size + 1  # nothing is kept of the last one

    @property
    def statistics(self) -> dict[str, int]:
        """prompt_computed, prompt_reused: tokens of prompts that were computed, and that were found in the cache;
        written: tokens; steps; preempted: sequences that had to make room and were computed again; pages, pages_used,
        pages_kept: all, in use, and kept for later prompts; page_bytes: what each takes."""
        names = ("prompt_computed", "prompt_reused", "written", "steps", "preempted")
        pages = {"pages": self.pages.count, "pages_used": self.pages.used, "pages_kept": self.pages.kept}
        return {name: self._counts[name] for name in names} | pages | {"page_bytes": self._page_bytes}

    def submit(self, request: Request) -> int:
        """Queue a request; its events carry the id that is returned. `UserError` if it cannot be written."""
        vocabulary = self.model.config.vocabulary_size
        outside = request.prompt[(request.prompt < 0) | (request.prompt >= vocabulary)]
        if outside.size:
            raise UserError(f"the prompt has token {outside[0]}, but the vocabulary ends at {vocabulary - 1}")
        if request.vocabulary_size is not None and request.vocabulary_size > vocabulary:
            raise UserError(f"vocabulary_size is {request.vocabulary_size}, but the model has {vocabulary} tokens")
        needed = self._tables.pages_for(min(self.context, len(request.prompt) + request.max_new_tokens - 1))
        if needed > self.pages.count:
            raise UserError(
                f"{len(request.prompt)} tokens and {request.max_new_tokens} new ones need {needed} pages, but the "
                f"cache has {self.pages.count}; shorten them, or give the engine more memory"
            )
        self._ids += 1
        tokens = request.prompt[-self.context :].tolist()
        self._waiting.append(Sequence(self._ids, 0, request, tokens, np.random.default_rng(request.seed)))
        return self._ids

    def cancel(self, request: int, sample: int | None = None) -> None:
        """Write no more of a request, or of one of its samples; nothing happens if it has ended."""

        def goes(one: Sequence) -> bool:
            if one.id == request and sample is not None and one.waits_to_split:
                one.unwanted.add(sample)
                return one.unwanted.issuperset(range(one.request.samples))
            return one.id == request and sample in (None, one.sample)

        self._waiting = [one for one in self._waiting if not goes(one)]
        for one in [one for one in self._running if goes(one)]:
            self._leave(one)

    def step(self) -> list[Event]:
        """One forward over all that run, after those that wait have joined as far as there is room.

        Returns a token of each sequence whose prompt is computed; the last one of a text says why it ended. `UserError`
        if the scores are no numbers: the model is damaged, and the engine of no more use.
        """
        self._join()
        work = self._plan()
        if not work:
            return []
        self._counts["steps"] += 1
        self.past.see([self._tables.stretch(sequence, count) for sequence, count in work])
        tokens = [one.tokens[one.computed : one.computed + count] for one, count in work]
        x, _ = self.model.hidden_states(self.params, np.concatenate(tokens)[None], Call(past=self.past))  # (1, N, C)
        ready, last = self._advance(work)
        if not ready:
            return []
        logits, _ = self.model.logits(self.params, x[0, last])  # (n, V)
        events = [event for one, row in zip(ready, logits, strict=True) for event in self._write(one, row)]
        for one in self._running[self.slots :]:  # samples that began with the first of them, and have no slot
            self._preempt(one)
        return events

    def _join(self) -> None:
        """Sequences that wait get a slot, in order, while there is room for what they and those that run have."""
        while self._waiting and len(self._running) < self.slots:
            sequence = self._waiting[0]
            wanted = sum(map(self._tables.missing, [*self._running, sequence]))
            if wanted > self.pages.available and self._running:
                return
            insort(self._running, self._waiting.pop(0), key=lambda one: one.order)

    def _plan(self) -> list[tuple[Sequence, int]]:
        """Who computes how many tokens, the pages for them at hand. Earlier sequences go first."""
        work, left = [], self.piece
        for sequence in list(self._running):
            if sequence not in self._running:  # it had to make room
                continue
            if not sequence.table:
                self._tables.begin(sequence)
                self._counts["prompt_reused"] += 0 if sequence.written else sequence.computed
            missing = len(sequence.tokens) - sequence.computed
            count = 1 if missing == 1 else min(missing, left)
            if count and self._make_room(sequence, count):
                left -= count if missing > 1 else 0
                work.append((sequence, count))
        return work

    def _make_room(self, sequence: Sequence, count: int) -> bool:
        """Pages for `count` tokens more; False if it had to leave itself."""
        while not self._tables.fits(sequence, count):
            last = self._running[-1]
            self._preempt(last)
            if last is sequence:
                return False
        self._tables.extend(sequence, count)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        """Give its pages to others; it waits and is computed again (Kwon et al. 2023, section 4.5, recomputation)."""
        self._leave(sequence)
        self._counts["preempted"] += 1
        insort(self._waiting, sequence, key=lambda one: one.order)

    def _leave(self, sequence: Sequence) -> None:
        self._running = [one for one in self._running if one is not sequence]
        self._tables.forget(sequence)

    def _advance(self, work: list[tuple[Sequence, int]]) -> tuple[list[Sequence], list[int]]:
        """Note what was computed. Returns whose tokens are all computed, and the row of the last one of each."""
        ready, last, row = [], [], -1
        for sequence, count in work:
            row += count
            self._tables.advance(sequence, count)
            if not sequence.written:
                self._counts["prompt_computed"] += count
            if sequence.computed == len(sequence.tokens):
                ready.append(sequence)
                last.append(row)
        return ready, last

    def _write(self, sequence: Sequence, logits: np.ndarray) -> list[Event]:
        """Choose the next token of a sequence by logits: (V,), and of all samples if they begin here."""
        samples = [sequence, *self._split(sequence)] if sequence.waits_to_split else [sequence]
        if sequence.sample in sequence.unwanted:
            self._leave(samples.pop(0))
        logits = logits[: sequence.request.vocabulary_size]
        tokens = [int(next_tokens(logits[None], one.request.sampling, one.rng)[0]) for one in samples]
        total = log_sum(logits)
        best = tuple((token, float(logits[token]) - total) for token in likeliest(logits, sequence.request.logprobs))
        return [
            Event(one.id, one.sample, token, float(logits[token]) - total, best, self._append(one, token))
            for one, token in zip(samples, tokens, strict=True)
        ]

    def _split(self, first: Sequence) -> list[Sequence]:
        """The other samples, which begin with the pages of the first. What they write differs, so writing copies."""
        others = []
        for sample in sorted({*range(1, first.request.samples)} - first.unwanted):
            rng = np.random.default_rng(first.request.seed + sample)
            other = Sequence(first.id, sample, first.request, [*first.tokens], rng)
            self._tables.share(first, other)
            insort(self._running, other, key=lambda one: one.order)
            others.append(other)
        return others

    def _append(self, sequence: Sequence, token: int) -> str | None:
        """Add a token; slide as `minigpt.infer.window.Window` does. Returns why the text ends, or None."""
        sequence.written += 1
        self._counts["written"] += 1
        reason = "length" if sequence.written == sequence.request.max_new_tokens else None
        reason = "stop" if token in sequence.request.stop_tokens else reason
        if reason is not None:
            self._leave(sequence)
            return reason
        if len(sequence.tokens) == self.context:
            self._tables.forget(sequence)
            sequence.tokens = sequence.tokens[self.context - max(0, self.context // 2 - 1) :]
        sequence.tokens.append(token)
        return None


def _count_pages(slot: int, page: int, slots: int, memory: int | None, size: int) -> int:
    """How many pages of `size` bytes fit the memory. `UserError` if that is none, or more than the machine has.

    slot: how many a sequence takes at most.
    """
    free = available_memory()
    if memory is None:
        half = MEMORY if free is None else free // 2
        memory = min(half, max(MEMORY, slot * size), slots * slot * size)
    count = memory // size
    if not count:
        raise UserError(f"memory is {memory:,} bytes, but one page of {page} positions takes {size:,}; give more")
    if free is not None and count * size > free:
        raise UserError(
            f"the cache would take {count * size:,} bytes, but {free:,} are free; give the engine less memory, "
            "or fewer slots"
        )
    return count
