# %% [markdown]
# # 12  Data parallelism
#
# **The claims.** Share the data out among many machines, and training goes faster (C16). Together with model
# parallelism, this is how the model's size was reached (C14).
#
# **The question.** What does one more worker give, and what does it not give?
#
# **You need.** Lesson 05, gradients; lesson 06, AdamW and its two moments; lesson 11, models cut into parts.
#
# **Time.** 145 minutes to read; the code runs in 21 s and takes 0.3 GB.

# %%
import math
import re
import sysconfig
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Corpus, TrainSettings, Transformer, TransformerConfig
from minigpt.course import (
    expect,
    prediction,
    quick,
    show,
    show_source,
    spread_table,
    table,
)
from minigpt.machine import blas_threads
from minigpt.measure import scale, uniform_nats, unigram_nats
from minigpt.model.size import count_parameters
from minigpt.objectives import causal_lm, loss, loss_and_gradient, scored
from minigpt.ops import IGNORED
from minigpt.optim import adam, adamw, clip_by_global_norm
from minigpt.parallel import launch
from minigpt.parallel.workers import Share, on_workers
from minigpt.parallel.zero import (
    SlicedGradients,
    SlicedOptimizer,
    SlicedParams,
    sum_gradients,
    sum_slices,
)
from minigpt.plot import BLACK, ORANGE
from minigpt.plots_parallel import (
    batch_bargain,
    kept_bytes,
    ring_step,
    shared_batch,
    spans,
    speed_up,
)
from minigpt.text import BatchSampler, load_corpus
from minigpt.train import prepare_run, read_metrics, train

# A quick run reads the files of one package instead, which takes no time.
small_text = Path(sysconfig.get_path("stdlib"), "asyncio")
documents = load_corpus(small_text if quick() else "pydocs", progress=False).documents[:200]
letters = re.sub("[^a-z]+", " ", "\n".join(documents).lower())[:600_000]


def held(name, value, above, below, others):
    """`expect`, where a quick run is too small for the band."""
    against = {} if quick() else others
    expect(name, value, above=above, below=below, against=against, full_only=True)


# %% [markdown]
# ## Four workers, eight sentences
#
# In **data parallelism** every worker has a copy of the whole model and a share of the batch. Each computes the
# gradient of its share. The gradients are added up. Each worker takes the same step from the same place, so all copies
# stay equal.
#
# One example goes with us through this lesson: four workers and eight sentences, two for each worker. The sentences are
# sorted by length, as data loaders like to do.

# %%
SENTENCES = (
    "add it up",
    "all do a part",
    "many hands make light work",
    "a mean can be taken in parts",
    "each worker has all of the model",
    "whoever adds alone lets all others wait",
    "the gradient of a mean is a mean of gradients",
    "in a ring nobody waits for the one in the centre",
)


def letter_codes(text):
    """A space is 0, the letters are 1 to 26."""
    return np.array([" abcdefghijklmnopqrstuvwxyz".index(letter) for letter in text])


ROWS, CONTEXT = len(SENTENCES), max(map(len, SENTENCES)) - 1
lengths = np.array([len(sentence) - 1 for sentence in SENTENCES])  # how many next letters are asked
windows = np.stack([letter_codes(sentence.ljust(CONTEXT + 1)) for sentence in SENTENCES])
unasked = np.arange(CONTEXT) >= lengths[:, None]
full = causal_lm(windows)
full = full._replace(targets=np.where(unasked, IGNORED, full.targets))
config = TransformerConfig(vocabulary_size=27, context=CONTEXT, width=32, layers=3, heads=4)
model = Transformer(config)
params = model.init(np.random.default_rng(0), dtype=np.float64)
P = params.flat.size


def rows_of(rank, size):
    """The rows of worker `rank` of `size`."""
    return slice(rank * ROWS // size, (rank + 1) * ROWS // size)


def share(batch, rank, size):
    """This worker's rows of a batch."""
    mine = rows_of(rank, size)
    return batch._replace(tokens=batch.tokens[mine], targets=batch.targets[mine])


# %%
figure, axes = plt.subplots(figsize=(9.6, 4.2), layout="constrained")
shared_batch(axes, lengths.reshape(4, 2), P, full.tokens[:2].shape)
axes.set_title("The data are shared out, the parameters are not")
show(
    figure,
    "Four workers side by side. Each has two sentences of its own, drawn as bars as long as they are, and a box that "
    "holds all parameters. An arrow with the shape of the gradient goes from each box to one bar below, the sum, and "
    "back. The data are shared out, the parameters are not.",
)

# %% [markdown]
# ## The sum is exact
#
# A loss is a *mean over targets*. So its gradient is a mean too, and a mean can be taken in parts:
#
# $$\nabla \frac{1}{N} \sum_{i=1}^{N} \ell_i \;=\; \sum_{w=1}^{W} \Big( \frac{1}{N} \sum_{i \in \text{share } w}
# \nabla \ell_i \Big)$$
#
# $N$ counts the targets of *all* workers. In NumPy, for a linear model with the loss $\frac{1}{2}(x \cdot w - y)^2$:

# %%
rng = np.random.default_rng(1)
x, y, w = rng.standard_normal((8, 3)), rng.standard_normal(8), rng.standard_normal(3)


def summed_gradient(x, y):
    """Of the *sum* of the losses over these rows, (3,)."""
    return x.T @ (x @ w - y)


whole = summed_gradient(x, y) / 8
parts = [summed_gradient(x[i : i + 2], y[i : i + 2]) / 8 for i in (0, 2, 4, 6)]
expect("L12.linear_mismatch", np.abs(sum(parts) - whole).max(), below=1e-14)
table(
    ["", "dw[0]", "dw[1]", "dw[2]"],
    [(f"worker {i}", *map(float, part)) for i, part in enumerate(parts)]
    + [
        ("sum of the four", *map(float, sum(parts))),
        ("all eight rows at once", *map(float, whole)),
    ],
)

# %% [markdown]
# Workers here are *ranks*, as in lesson 11: threads of one process that share nothing but what they send. The same
# functions run on a cluster, as MPI processes. `launch(function, W)` calls `function(comm)` on W ranks at once;
# `comm.rank` says which one you are. An **all-reduce** takes a vector from every rank and gives every rank the sum. This
# is the library's sum of gradients:

# %%
show_source(sum_gradients, docstring=False)

# %% [markdown]
# **Prediction.** The library's sum equals plain addition of the four parts, bit for bit. It equals the gradient of the
# full batch for 2, 4 and 8 workers, but for rounding: below 1e-7 in float32, about 1e-16 in float64.


# %%
def part_of_gradient(rank, size, model, params, batch):
    """The gradient of one worker's rows, divided by the targets of *all* workers."""
    counts = scored(batch)
    return loss_and_gradient(model, params, share(batch, rank, size), counts=counts)[1]


def gradient_of_workers(size, model, params, batch):
    """What every worker has after the sum, (W, P)."""

    def worker(comm):
        grads = part_of_gradient(comm.rank, comm.size, model, params.copy(), batch)
        sum_gradients(comm, grads)
        return grads.flat

    return np.stack(launch(worker, size))


added = sum(part_of_gradient(rank, 4, model, params, full).flat for rank in range(4))
summed = gradient_of_workers(4, model, params, full)
expect("L12.sum_mismatch", np.abs(summed[0] - added).max(), equal=0)
rows, mismatch, apart = [], {}, 0.0
for dtype in (np.float32, np.float64):
    typed = params.astype(dtype)
    _, alone = loss_and_gradient(model, typed, full)
    found = {w: gradient_of_workers(w, model, typed, full) for w in (2, 4, 8)}
    differences = [float(np.abs(gradients - alone.flat).max()) for gradients in found.values()]
    mismatch[dtype] = max(differences)
    apart = max(apart, *(np.abs(gradients - gradients[0]).max() for gradients in found.values()))
    rows.append(
        (dtype.__name__, *(f"{d:.0e}" for d in differences), f"{np.abs(alone.flat).max():.2f}")
    )
expect("E11.data_mismatch", mismatch[np.float32], below=1e-6)
expect("L12.data_mismatch_float64", mismatch[np.float64], below=1e-14)
expect("L12.workers_apart", apart, equal=0)
prediction(
    "L12.sharing_loses_nothing",
    "the sum is plain addition bit for bit, and the gradient of the full batch but for rounding",
    np.array_equal(summed[0], added)
    and mismatch[np.float32] < 1e-6
    and mismatch[np.float64] < 1e-14,
)
tight = "below" if mismatch[np.float32] < 1e-7 else "not below"
print(f"in float32 the largest difference is {mismatch[np.float32]:.1e}, {tight} 1e-7")
table(["largest difference", "W = 2", "W = 4", "W = 8", "largest entry"], rows)

# %% [markdown]
# Nothing is lost by sharing. The bound in float32 was set too tight: the spacing of these numbers is itself about 1e-7, so
# how the additions are grouped decides on which side of it one lies. All workers hold the *same bits*, so their copies never drift apart.
#
# ### The trap: a mean of means
#
# It is tempting to let each worker average over its own targets, and then to average the workers. That is right only if
# all have equally many targets. With sentences of different lengths, or with masked tokens (lesson 08), they have not.
# The library therefore divides by the count of all workers (`counts=scored(batch)` above) and *sums*.
#
# **Prediction.** Full rows: no error. Masked letters, and our sentences in a random order (the mean of eight orders):
# some. Sorted by length: most, since a worker with short sentences then counts as much as one with long ones.


# %%
def mean_of_means(size, model, params, batch):
    """What you get if every worker divides by its own count, and the workers are averaged: (P,)."""

    def worker(comm):
        _, grads = loss_and_gradient(model, params, share(batch, comm.rank, comm.size))
        sum_gradients(comm, grads)
        return grads.flat / comm.size

    return launch(worker, size)[0]


def relative_error(found, network, params, batch):
    """Length of the error over the length of the true gradient."""
    _, alone = loss_and_gradient(network, params, batch)
    return float(np.linalg.norm(found - alone.flat) / np.linalg.norm(alone.flat))


running = letter_codes(" ".join(SENTENCES * 4)[: ROWS * (CONTEXT + 1)]).reshape(ROWS, CONTEXT + 1)
orders = [np.random.default_rng(seed).permutation(ROWS) for seed in range(1 if quick() else 8)]
reader = Transformer(replace(config, architecture="encoder", vocabulary_size=28))
coins = np.random.default_rng(3).random((ROWS, CONTEXT)) < 0.15
masked = Batch(
    np.where(coins, 27, running[:, :-1]),
    np.where(coins, running[:, :-1], IGNORED),
    objective="masked_lm",
)


def in_order(order):
    return full._replace(tokens=full.tokens[order], targets=full.targets[order])


cases = {
    "running text, full rows": (model, [causal_lm(running)]),
    "masked letters, by coin": (reader, [masked]),
    "sentences, random order": (model, [in_order(order) for order in orders]),
    "sentences, sorted by length": (model, [full]),
}
rows, wrong, right = [], {}, []
for name, (network, batches) in cases.items():
    starts = [
        network.init(np.random.default_rng(seed), dtype=np.float64)
        for seed in range(1 if quick() else 3)
    ]
    errors = [
        [
            relative_error(mean_of_means(4, network, w, batch), network, w, batch)
            for batch in batches
        ]
        for w in starts
    ]
    wrong[name] = np.mean(errors, axis=1)  # (seed,)
    exact = gradient_of_workers(4, network, starts[0], batches[0])[0]
    right.append(relative_error(exact, network, starts[0], batches[0]))
    asked = (batches[0].targets != IGNORED).reshape(4, -1).sum(axis=1)
    numbers = (f"{found(wrong[name]):.3f}" for found in (np.mean, np.min, np.max))
    rows.append((name, str(asked), *numbers, f"{right[-1]:.0e}"))
control = wrong["running text, full rows"].max()
expect("L12.equal_counts_error", control, below=1e-12)
for name, number in (
    ("masked", "masked letters, by coin"),
    ("sorted", "sentences, sorted by length"),
):
    least = wrong[number].min()
    expect(f"L12.{name}_error", least, above=0.03, against={"equal counts": control})
expect("L12.counted_error", max(right), below=1e-12)
some = np.concatenate([wrong["masked letters, by coin"], wrong["sentences, random order"]])
prediction(
    "L12.unequal_counts_err",
    "full rows have no error but rounding; masked letters and sentences in random order more than a hundredth",
    control < 1e-12 and some.min() > 0.01,
)
lowest = wrong.pop("sentences, sorted by length").min()
prediction(
    "L12.sorted_is_worst",
    "sentences that are sorted by length have the largest error, for every start of the model",
    lowest > max(map(np.max, wrong.values())),
)
heading = ("error, mean of means", "lowest of 3 starts", "highest", "error, divided by all")
table(["four workers", "targets of each", *heading], rows)

# %% [markdown]
# (The library's own `masked_lm` hides the same share of every row; here a coin was thrown for every letter. The masked
# row has a model of its own, so its size cannot be compared with the others'.) The error is no rounding error and no
# crash. Training goes on, on another loss, in which the letters of short sentences weigh more. No message tells you.
#
# ## How to add without a centre
#
# The obvious way to sum: every rank sends its n numbers to rank 0. Rank 0 adds them and sends n numbers back to each.
# Rank 0 then sends n (r - 1) numbers and receives as many, while the others wait.
#
# *A ring has no such place* (Patarasuk & Yuan, 2009). Cut the vector into r chunks. Every rank sends only to its
# right neighbour, one chunk at a time, and all send at once. There are two halves:
#
# * A **reduce-scatter** leaves each rank with one chunk of the sum. For r - 1 steps each rank passes a chunk on, and its
#   neighbour *adds* it to its own.
# * An **all-gather** gives every rank all chunks, of which each had one. For r - 1 steps the finished chunks go round, and
#   *replace* what is there.
#
# A **ring all-reduce** is a reduce-scatter followed by an all-gather, both round a ring. In NumPy, with a row for each
# rank:


# %%
def ring_by_hand(x, steps=None):
    """x: (r, n), a row for each rank. Everyone's sum, (r, n), and how many numbers each rank sent, (r,)."""
    r, sent = len(x), np.zeros(len(x), int)
    chunks = x.reshape(r, r, -1).copy()  # (rank, chunk, n / r)
    for step in range(2 * (r - 1) if steps is None else steps):
        for rank in range(r):
            chunk, right = (rank - step) % r, (rank + 1) % r
            adding = step < r - 1
            chunks[right, chunk] = chunks[right, chunk] * adding + chunks[rank, chunk]
            sent[rank] += chunks[rank, chunk].size
    return chunks.reshape(r, -1), sent


# %% [markdown]
# (A loop may stand for "all at once" here: within a step no rank sends the chunk that it receives.) Real ranks send
# messages. They use `Isend`, which does not wait: if every rank waited for its neighbour to listen before it listened
# itself, nobody ever would.


# %%
def passed_on(comm, chunk):
    """Send a chunk to the right, and return the one that comes from the left."""
    request, received = comm.Isend(chunk, (comm.rank + 1) % comm.size), np.empty_like(chunk)
    comm.Recv(received, (comm.rank - 1) % comm.size)
    request.Wait()
    return received


def ring_reduce_scatter(comm, chunks):
    """Chunk rank + 1 of the sum, in `chunks`, (r, n / r)."""
    for step in range(comm.size - 1):
        came = passed_on(comm, chunks[(comm.rank - step) % comm.size])
        chunks[(comm.rank - step - 1) % comm.size] += came


def ring_all_gather(comm, chunks):
    """All chunks, where rank r has chunk r + 1."""
    for step in range(comm.size - 1):
        came = passed_on(comm, chunks[(comm.rank + 1 - step) % comm.size])
        chunks[(comm.rank - step) % comm.size] = came


def through_rank_0(comm, x):
    """The sum, in x, the obvious way."""
    if comm.rank > 0:
        comm.Send(x, 0)
        comm.Recv(x, 0)
        return
    for other in range(1, comm.size):
        came = np.empty_like(x)
        comm.Recv(came, other)
        x += came
    for other in range(1, comm.size):
        comm.Send(x, other)


# %% [markdown]
# What is summed is the example's gradient, one part for each worker.
#
# **Prediction.** Both rings give what the library's `Allreduce` gives, up to the order of additions. Each rank sends
# 2 (r - 1) chunks of n / r numbers, so 2 n (r - 1) / r: the bytes that the library's `scale.ring` says. That is less than
# 2 n for any number of ranks.


# %%
N = P // 8 * 8  # numbers, so that 2, 4 and 8 ranks cut them into equal chunks


def summed_by(comm, gradients):
    """Results of the library's sum and of the two ways, and the bytes that this rank sent: half, ring, rank 0."""
    total, chunks = np.empty(N), gradients[comm.rank].reshape(comm.size, -1).copy()
    comm.Allreduce(gradients[comm.rank], total)
    ring_reduce_scatter(comm, chunks)
    half = comm.sent["Isend"]
    ring_all_gather(comm, chunks)
    ringed = comm.sent["Isend"]
    centred = gradients[comm.rank].copy()
    through_rank_0(comm, centred)
    centre = comm.sent["Isend"] + comm.sent["Send"] - ringed
    return total, chunks.reshape(-1), centred, (half, ringed, centre)


rows, off, apart, to_the_byte = [], 0.0, 0.0, []
for r in (2, 4, 8):
    gradients = np.stack(
        [part_of_gradient(rank, r, model, params, full).flat[:N] for rank in range(r)]
    )
    by_hand, numbers = ring_by_hand(gradients)
    for rank, (total, ringed, centred, _) in enumerate(results := launch(summed_by, r, gradients)):
        off = max(off, *(np.abs(a - total).max() for a in (by_hand[rank], ringed, centred)))
        apart = max(apart, np.abs(ringed - by_hand[rank]).max())
    half, ringed, centre = np.max([sent for *_, sent in results], axis=0)
    expect(f"L12.ring_sent_{r}", ringed, equal=scale.ring(8 * N, r))
    expect(f"L12.half_sent_{r}", half, equal=scale.ring(8 * N, r) / 2)
    expect(f"L12.numbers_by_hand_{r}", 8 * numbers.max(), equal=int(ringed))
    expect(f"L12.centre_sent_{r}", centre, equal=8 * N * (r - 1))
    to_the_byte.append(ringed == scale.ring(8 * N, r) < 2 * 8 * N)
    rows.append((r, half / (8 * N), ringed / (8 * N), centre / (8 * N)))
expect("L12.ring_error", off, below=1e-12)
expect("L12.ring_by_hand_mismatch", apart, equal=0)
prediction(
    "L12.ring_is_exact",
    "both rings give the library's sum up to rounding; each rank sends what the formula says, less than 2 n",
    off < 1e-12 and all(to_the_byte),
)
table(["ranks", "one half of the ring", "the ring", "through rank 0: sent by rank 0"], rows)

# %% [markdown]
# Confirmed. Sent by the rank that sends most, in vectors of n numbers. The ring stays below two; the centre grows with the ranks.
# All ranks of a ring end with the same bits: each chunk was added up in one place and copied. Here it is at work.

# %%
figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.6), layout="constrained")
names = ("reduce-scatter: add", "all-gather: replace")
for axes, step, name in zip(panels, (0, 3), names, strict=True):
    ring_step(axes, ring_by_hand(np.ones((4, 4), int), step)[0], step, N // 4)
    axes.set_title(f"step {step + 1}, {name}")
figure.suptitle("Every rank sends one chunk to its right neighbour, and all send at once")
show(
    figure,
    "Two rings of four ranks. Each rank has a row of four chunks; the number in a chunk says how many ranks are summed "
    "in it. In the first step, left, all hold ones and each passes the chunk with its own number on. In the fourth "
    "step, right, each rank has one finished chunk, with a four, and passes that on. No rank is a centre.",
)

# %% [markdown]
# *The number in a chunk says how many ranks are summed in it.* Left: at first all hold ones. Right: after three steps
# each rank has one chunk with a four, the finished sum, and these go round. No wire is ever idle.
#
# ## What every worker holds
#
# Now the other half of the claim. Does one more worker make room for a larger model?
#
# **Prediction.** No. Each holds 1.00 times the parameters, 1.00 times the gradients and both of Adam's moments, however
# many workers there are.
#
# But the copies are *redundant*, and that can be undone. **ZeRO** (the zero redundancy optimizer) cuts the flat vector
# of parameters into W slices, and each worker keeps its own slice only: at stage 1 of the optimizer's moments, at stage
# 2 of the gradients too, at stage 3 of the parameters too (Rajbhandari et al., 2020). Stage 1 takes one line for each
# of its parts: a reduce-scatter of the gradients, Adam on the slice, an all-gather of the parameters. By hand, with
# Adam's first step and its usual $\beta_1 = 0.9$, $\beta_2 = 0.999$:


# %%
def first_step_by_hand(comm, params, gradient, rate):
    """One worker's part of ZeRO stage 1. gradient: of its rows, (P,). Returns all new parameters."""
    mine = slice(comm.rank * P // comm.size, (comm.rank + 1) * P // comm.size)
    g, new = np.empty(P // comm.size), np.empty(P)
    comm.Reduce_scatter(gradient, g, [P // comm.size] * comm.size)
    m, v = 0.1 * g, 0.001 * g**2  # of this slice alone: two moments that the others do not keep
    step = (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)
    comm.Allgather(params[mine] - rate * step, new)
    return new


def first_step_of_library(comm, params, gradient, rate):
    """The same with the library's SlicedOptimizer."""
    params, grads = params.copy(), params.zeros_like()
    grads.flat[...] = gradient
    optimizer = SlicedOptimizer(lambda decayed: adam(), params, comm)
    optimizer.start(params.flat[optimizer.mine])
    sum_slices(comm, grads, optimizer.slices)
    mine = optimizer.mine
    optimizer.update(params.flat[mine], grads.flat[mine], learning_rate=rate)
    optimizer.share(params.flat)
    return params.flat


def both(comm):
    gradient = part_of_gradient(comm.rank, comm.size, model, params, full).flat
    by_hand = first_step_by_hand(comm, params.flat, gradient, 0.01)
    return np.abs(by_hand - first_step_of_library(comm, params, gradient, 0.01)).max()


expect("L12.by_hand_mismatch", max(launch(both, 4)), below=1e-12)
show_source(SlicedOptimizer, docstring=False)

# %% [markdown]
# Now one step of each stage, with the library's parts. Stage 0 sums everything, and everyone updates everything. (Alone
# in its group, a rank's slice is all.) Stage 1 sums slices, updates a slice of the parameters, and shares it. Stage 2
# differs in one line: the gradients of a block are summed and dropped as soon as the backward has left the block.


# %%
def make(decayed):
    """AdamW that decays the first `decayed` of its parameters."""
    return adamw(decayed=decayed)


RATE = 0.01


class Plain:
    """Stage 0: everything on every worker."""

    def __init__(self, comm, params):
        self.comm, self.params = comm, params.copy()
        self.optimizer = SlicedOptimizer(make, params, comm.Split(comm.rank))
        self.optimizer.start(self.params.flat)

    def step(self):
        grads = part_of_gradient(self.comm.rank, self.comm.size, model, self.params, full)
        sum_gradients(self.comm, grads)
        self.optimizer.update(self.params.flat, grads.flat, learning_rate=RATE)
        return self.params.flat, grads.flat  # what is kept


class Moments(Plain):
    """Stage 1: a slice of the moments."""

    def __init__(self, comm, params):
        self.comm, self.params = comm, params.copy()
        self.optimizer = SlicedOptimizer(make, params, comm)
        self.optimizer.start(self.params.flat[self.optimizer.mine])

    def step(self):
        grads = part_of_gradient(self.comm.rank, self.comm.size, model, self.params, full)
        sum_slices(self.comm, grads, self.optimizer.slices)
        self.update(grads.flat[self.optimizer.mine])
        return self.params.flat, grads.flat

    def update(self, gradient):
        parameters = self.params.flat[self.optimizer.mine]
        self.optimizer.update(parameters, gradient, learning_rate=RATE)
        self.optimizer.share(self.params.flat)


def sliced_gradient(comm, layout, params, call):
    """This worker's slice of the summed gradient, (P / W,)."""
    grads = SlicedGradients(layout, comm)
    rows, counts = share(full, comm.rank, comm.size), scored(full)
    loss_and_gradient(model, params, rows, call, counts=counts, grads=grads)
    grads.finish()
    return grads.mine


class Gradients(Moments):
    """Stage 2: a slice of the gradients, too."""

    def step(self):
        mine = sliced_gradient(self.comm, self.params, self.params, Call())
        self.update(mine)
        return self.params.flat, mine


# %% [markdown]
# At stage 3 a worker has a slice of the parameters. It gathers each block when it is needed and drops it again, and
# computes a block's activations a second time in the backward (*recomputation*, lesson 11).


# %%
class Everything(Moments):
    """Stage 3: a slice of the parameters, too."""

    def __init__(self, comm, params):
        super().__init__(comm, params)
        self.layout, self.mine = params, self.params.flat[self.optimizer.mine].copy()
        self.here = SlicedParams(params, comm, self.mine)
        del self.params

    def step(self):
        mine = sliced_gradient(self.comm, self.layout, self.here, Call(recompute=True))
        self.optimizer.update(self.mine, mine, learning_rate=RATE)
        self.here.forget()
        return self.mine, mine


# %% [markdown]
# We train three steps at every stage with four workers, add up the arrays that are kept, and count every byte that is
# handed over. Here everything is float32: 4 bytes a parameter, 4 a gradient, 8 for the two moments.

# %%
WORKERS, STEPS = 4, 1 if quick() else 3
STAGES = {
    "0: plain": Plain,
    "1: moments": Moments,
    "2: and gradients": Gradients,
    "3: and parameters": Everything,
}


def train_at(comm, stage, params):
    """Three steps. Bytes kept (parameters, gradients, moments), bytes handed over a step, what was learnt."""
    worker = stage(comm, params)
    for _ in range(STEPS):
        parameters, gradients = worker.step()
    sent, state = sum(comm.sent.values()) // STEPS, worker.optimizer.state
    moments = sum(value.nbytes for value in state.values() if isinstance(value, np.ndarray))
    learnt = params.zeros_like().flat
    learnt[worker.optimizer.mine] = (
        parameters if stage is Everything else parameters[worker.optimizer.mine]
    )
    worker.optimizer.share(learnt)
    return (parameters.nbytes, gradients.nbytes, moments), sent, learnt


alone, optimizer = params.copy(), make(params.matrix_size)
state = optimizer.init(params.flat)
for _ in range(STEPS):
    _, grads = loss_and_gradient(model, alone, full)
    optimizer.update(alone.flat, grads.flat, state, learning_rate=RATE)
double = [launch(train_at, WORKERS, stage, params) for stage in STAGES.values()]
learnt = max(np.abs(flat - alone.flat).max() for stage in double for _, _, flat in stage)
single = [launch(train_at, WORKERS, stage, params.astype(np.float32)) for stage in STAGES.values()]
kept = np.array([np.max([kept for kept, _, _ in stage], axis=0) for stage in single]) / P
sent = [stage[0][1] for stage in single]
expect("L12.zero_mismatch", learnt, below=1e-8)
expect("L12.plain_bytes", kept[0].sum(), equal=16)
expect("L12.stage_1_bytes", kept[1].sum(), equal=8 + 8 / WORKERS)
expect("L12.stage_2_bytes", kept[2].sum(), equal=4 + 12 / WORKERS)
expect("L12.stage_3_bytes", kept[3].sum(), equal=16 / WORKERS)
two = np.array([one for one, *_ in launch(train_at, 2, Plain, params.astype(np.float32))]) / P
prediction(
    "L12.copies_make_no_room",
    "on two workers as on four each holds all parameters, gradients and both moments",
    np.array_equal(two, [[4, 4, 8], [4, 4, 8]]) and np.array_equal(kept[0], [4, 4, 8]),
)
table(
    ["stage", "parameters", "gradients", "moments", "bytes per parameter"],
    [(name, *map(float, row), float(row.sum())) for name, row in zip(STAGES, kept, strict=True)],
    digits=2,
)

# %% [markdown]
# The answer is no, as predicted: stage 0 holds everything. All four learn the same parameters as one process alone; the small difference is rounding, which Adam enlarges where
# a gradient is zero. To the bytes *kept* at stages 2 and 3 come those that are there for a moment: one block at a time
# and what belongs to no block. Our model has three blocks; in one of a hundred that share would be thin. Activations are
# not in this picture: ZeRO leaves them alone.

# %%
numbers_of = {}
for record in params.arrays.values():
    numbers_of[record.block] = numbers_of.get(record.block, 0) + math.prod(record.shape)
block = max(size for name, size in numbers_of.items() if name)
at_once = (
    4 * (numbers_of[""] + block) / P
)  # bytes per parameter, of the gradients or the parameters
moment = np.array([0, 0, at_once, 2 * at_once])
figure, axes = plt.subplots(figsize=(8.6, 3.6), layout="constrained")
kept_bytes(axes, dict(zip(("parameters", "gradients", "two moments"), kept.T, strict=True)), moment)
axes.set_yticklabels(STAGES)
axes.set_xlabel("bytes per parameter on each of four workers")
figure.legend(frameon=False, loc="outside lower center", ncols=4, fontsize=9)
axes.set_title("Plain data parallelism keeps everything; slices are what makes room")
show(
    figure,
    "Bars of the bytes that each of four workers keeps for a parameter. Stage 0: 4 for parameters, 4 for gradients, 8 "
    "for moments. At stage 1 the moments shrink to a quarter, at stage 2 the gradients too, at stage 3 all. Hatched "
    "pieces at stages 2 and 3 are there for a moment only. Slices are what makes room.",
)

# %% [markdown]
# *The top bar is as long for four thousand workers as for four. ZeRO's bars shrink with W.*
#
# **Sixteen bytes, in two bookkeepings.** Our library computes with 32-bit numbers: 4 bytes for a parameter, 4 for its
# gradient, 8 for two moments. Large models compute with 16-bit numbers, which are half as long and, on a GPU, faster. A
# **mixed-precision** training keeps a 16-bit copy of the parameters for its matrix products, and the optimizer's own
# copy in 32 bits. That is 2 bytes for a parameter, 2 for its gradient, and 12 for what belongs to the optimizer: a
# 32-bit copy (4) and two moments (8). Both add up to 16 by chance. But they are cut in different places: ZeRO's stage 1
# slices 8 of our 16 bytes, and 12 of theirs. Lesson 11's table of a trillion parameters has the second bookkeeping.

# %%
theirs = (scale.STATES, scale.GRADIENT, scale.WEIGHT)  # in the order in which the stages cut them


def kept_by(parts, stage, workers):
    """Bytes per parameter when the first `stage` of these parts are in slices."""
    return sum(parts[:stage]) / workers + sum(parts[stage:])


rows = [
    (name, *(float(kept_by(parts, stage, w)) for parts in ((8, 4, 4), theirs) for w in (4, 1024)))
    for stage, name in enumerate(STAGES)
]
for stage, row in enumerate(rows):
    expect(f"L12.bookkeeping_off_{stage}", row[1] - kept[stage].sum(), equal=0)
expect("L12.gpus_for_one_copy", sum(theirs) * 10**12 / scale.Cluster().memory, equal=200)
table(
    ["bytes per parameter", "4+4+8, W = 4", "4+4+8, W = 1024", "2+2+12, W = 4", "2+2+12, W = 1024"],
    rows,
    digits=2,
)

# %% [markdown]
# Carry this to the article's number. $10^{12}$ parameters at 16 bytes take 16 TB on *every* worker of plain data
# parallelism: 200 GPUs of 80 GB for a single copy, before the first activation, however many copies there are.
#
# And what does ZeRO cost? Counted is every buffer that a worker hands over to be sent (to `comm`), once for each
# call. An all-reduce is one call for both of its halves; a reduce-scatter and an all-gather are two.
#
# **Prediction.** Take P parameters. Stage 0: 4 P bytes, once the gradients. Stages 1 and 2: 8 P, the parameters too.
# Stage 3: the parameters come *twice*, before the forward and before the backward of each block. Two things come once:
# the last block, with which the backward begins, and what belongs to no block and stays. All of this to the byte.

# %%
again = P - numbers_of[""] - block  # what the backward gathers a second time
formula = [4 * P, 4 * (P + P), 4 * (P + P), 4 * (P + P + again)]
how = {  # and its numbers on a ring of many ranks, in P
    "all-reduce of the gradients": 2,
    "reduce-scatter of the gradients, all-gather of the parameters": 2,
    "the same, block by block": 2,
    "the same, with a second all-gather for the backward": 3,
}
for stage in range(4):
    expect(f"L12.stage_{stage}_handed_over", sent[stage], equal=formula[stage])
prediction(
    "L12.price_of_slices",
    "at every stage the bytes that are handed over are those of the formula, to the byte",
    sent == formula,
)
layout = scale.Layout(data=1024)
on_ring = {
    zero: scale.traffic(config, replace(layout, zero=zero), 1024).data for zero in (0, 1, 2, 3)
}
expect("L12.ring_of_stage_2", on_ring[2] / on_ring[0], equal=1)
expect("L12.ring_of_stage_3", on_ring[3] / on_ring[0], equal=1.5)
table(
    ["stage", "what is said", "bytes handed over", "formula", "on a ring, in P"],
    list(zip(STAGES, how, sent, formula, how.values(), strict=True)),
)

# %% [markdown]
# Confirmed. At stage 3 memory is *bought with communication*. On a wire not all of these are alike. An all-reduce round a ring
# sends nearly 2 P numbers, a reduce-scatter or an all-gather P: we measured the halves above. So stages 1 and 2 are as
# cheap as stage 0; stage 3 with its second all-gather costs 3 P, half as much again.
#
# ## Is it faster?
#
# A step takes the computing, which is shared, and the communication, which is not:
#
# $$\text{time}(W) = \frac{\text{computing}}{W} + \text{communication}(W)$$
#
# So far workers were *threads* of one process; in Python only one of them at a time runs what is not inside NumPy.
# `minigpt train --workers 2` starts *worker processes*: two Pythons that see the same memory, so nothing is sent. Each
# computes the gradient of its rows, then adds up, clips and updates its slice. It is ZeRO stage 1 without messages:

# %%
show_source(Share.gradient, docstring=False)

# %%
show_source(Share.update, docstring=False)

# %% [markdown]
# The control is the same step by one worker. A second control says what the machine had to give: matrix products that
# have nothing to do with each other, on one core and on two at once. All take turns, so that whatever slows the machine
# down slows all.
#
# **Prediction.** By *processor time*, which counts only while a rank computes, each of two threads needs about half of
# what one needs, whether the machine is busy or not. By the clock on the wall, two worker processes are well above once
# as fast as one if two cores are free, and at most twice. (Their speed is that of the run's `metrics.csv`.)

# %%
sizes = {"context": 16, "width": 32, "layers": 2} if quick() else {}
sizes = {"context": 64, "width": 128, "layers": 2, "heads": 4, **sizes}
large = Transformer(TransformerConfig(vocabulary_size=64, **sizes))
large_start = large.init(np.random.default_rng(0))
BATCH, REPEATS, ROUNDS = 16, 3 if quick() else 5, 1 if quick() else 3
examples = causal_lm(np.random.default_rng(0).integers(0, 64, (BATCH, sizes["context"] + 1)))


def timed(comm):
    """Median seconds of processor time that this rank spends on a step."""
    mine = slice(comm.rank * BATCH // comm.size, (comm.rank + 1) * BATCH // comm.size)
    rows = examples._replace(tokens=examples.tokens[mine], targets=examples.targets[mine])
    times = []
    for _ in range(REPEATS):
        comm.Barrier()
        began = time.thread_time()
        _, grads = loss_and_gradient(large, large_start, rows, counts=scored(examples))
        if comm.size > 1:
            sum_gradients(comm, grads)
        times.append(time.thread_time() - began)
    return np.median(times[1:])


def products(comm):
    """Median seconds of a matrix product, which NumPy computes without Python."""
    x, times = np.ones((100, 100) if quick() else (500, 500), np.float32), []
    for _ in range(REPEATS):
        comm.Barrier()
        began = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - began)
    return np.median(times)


corpus = Corpus("letters", (letters[:60_000],), (letters[60_000:65_000],))


def trained(folder, workers):
    """Median seconds of a step of `minigpt train --workers`, and the first loss."""
    settings = TrainSettings(steps=REPEATS + 2, batch=BATCH, workers=workers, log_every=1)
    settings = replace(settings, validation_windows=8)
    run = prepare_run(
        folder, corpus, changes=sizes, tokenizer="characters", settings=settings, progress=False
    )
    train(run, engine=on_workers(run), show_progress=False)
    curves = read_metrics(folder / "metrics.csv")
    speed = np.median([value for _, value in curves["tokens_per_second"][2:]])
    return BATCH * sizes["context"] / speed, curves["loss"][0][1]


took, losses = {name: [] for name in ("products", "threads", "processes")}, {}
with tempfile.TemporaryDirectory() as folder, blas_threads(1):
    for turn in range(ROUNDS):
        took["products"].append([max(launch(products, size)) for size in (1, 2)])
        took["threads"].append([max(launch(timed, size)) for size in (1, 2)])
        found = [trained(Path(folder) / f"{turn}-{size}", size) for size in (1, 2)]
        took["processes"].append([seconds for seconds, _ in found])
        losses[turn] = [first for _, first in found]
took = {name: np.array(values) for name, values in took.items()}  # (turn, workers)
speeds = {
    "what two cores gave (products)": 2 * took["products"][:, 0] / took["products"][:, 1],
    "two threads, by processor time": took["threads"][:, 0] / took["threads"][:, 1],
    "two worker processes": took["processes"][:, 0] / took["processes"][:, 1],
}
table(
    ["times as fast as one", f"mean of {ROUNDS} turns", "lowest", "highest"],
    [(name, np.mean(v), np.min(v), np.max(v)) for name, v in speeds.items()],
    digits=2,
)

# %%
expect("L12.first_loss_of_processes", np.abs(np.diff(list(losses.values()))).max(), below=1e-6)
given, by_processor, of_processes = (float(np.median(v)) for v in speeds.values())
held("L12.processor_time_of_two", by_processor, 1.4, 2.6, {"one worker": 1.0})
FREE = 1.6  # below this, the second core was not ours
prediction(
    "L12.threads_need_half",
    "by processor time each of two threads needs nearer to half of what one needs than to all of it",
    1 / 2 / 1.5 < 1 / by_processor < 3 / 4,
)
if given > FREE:
    print(f"by the clock two worker processes are {of_processes:.2f} times as fast as one")
    print("well above once, at most twice:", "yes" if 1.5 < of_processes <= 2 else "no")
else:
    print(f"the two cores gave {given:.2f} times one: others worked on them, so nothing follows")
print(f"a thread of two needs {1 / by_processor:.2f} of the processor time of one")

# %% [markdown]
# By processor time the prediction holds, but not closely. A rank of two needs more than half of what one needs, as the
# last line says, since smaller matrices are less efficient and the adding up comes on top.
#
# By the clock, look at the first row first. Where two cores give matrix products less than 1.6 times what one gives,
# others work on the machine, and the clock decides nothing; the cell then says so. Else it says how much faster two
# worker processes were. Since this depends on the machine and on who else is on it, it is printed and held to no band:
# C16's "faster" rests on processor time and on the literature (Goyal et al., 2017).
#
# ## The ceiling
#
# What matters beyond two workers is how communication *grows*. A **bandwidth** is how many bytes a second a connection
# carries. A **latency** is the time that a message takes however short it is. A ring of W workers sends 2 (W - 1)
# messages one after another, so with n bytes
#
# $$\text{communication}(W) = \frac{2 n (W - 1)}{W \cdot \text{bandwidth}} + 2 (W - 1) \cdot \text{latency}$$
#
# The first part is nearly the same for any W. The second grows with W. Other algorithms need only
# $2 \log_2 W$ messages in a row: recursive halving and doubling, and trees, which NVIDIA's library NCCL has had since
# version 2.4.
#
# Take GPT-2's smallest model, half a million tokens in a batch, and the cluster of lesson 11: 25 GB/s between machines,
# 16-bit gradients. Five microseconds of latency, gradients in ten pieces, and that a small share of the batch is
# computed as efficiently as a large one, are *assumptions*.
#
# **Prediction.** Without latency the speed-up climbs towards a ceiling. With it, a ring has a best number of workers,
# and more workers make it *slower*.

# %%
gpt2 = TransformerConfig(vocabulary_size=50257, context=1024, width=768, layers=12, heads=12)
cluster, SEQUENCES, LATENCY, PIECES = scale.Cluster(), 512, 5e-6, 10
computing = scale.step_flops(gpt2, SEQUENCES, recompute=False) / (cluster.peak * cluster.efficiency)
gradient_bytes = scale.GRADIENT * count_parameters(gpt2)
workers = 2 ** np.arange(10)
carrying = scale.ring(gradient_bytes, workers) / cluster.bandwidth_between
in_a_row = {"ring": 2 * (workers - 1), "halving and doubling": 2 * np.log2(workers)}
speed_ups = {"no communication": workers.astype(float)}
speed_ups["bandwidth alone"] = computing / (computing / workers + carrying)
for name, messages in in_a_row.items():
    took = computing / workers + carrying + PIECES * messages * LATENCY
    speed_ups[f"{name}, with latency"] = computing / took
ceiling = computing / (2 * gradient_bytes / cluster.bandwidth_between)
figure, axes = plt.subplots(figsize=(8.2, 4), layout="constrained")
speed_up(axes, workers, speed_ups, ceiling)
axes.set_title("For a ring, latency turns the ceiling into a peak")
show(
    figure,
    "Speed-up against the number of workers, on logarithmic axes. Without communication it is a straight line. With "
    "bandwidth alone it bends towards a horizontal ceiling. A ring with latency rises, has a peak, and falls; halving "
    "and doubling with latency stays close below the line of bandwidth alone. For a ring, latency turns the ceiling into "
    "a peak.",
)

# %%
best = int(workers[np.argmax(speed_ups["ring, with latency"])])
print(
    f"computing on one worker {computing:.2f} s; ceiling {ceiling:.0f}; best for a ring: {best} workers"
)
expect(
    *("L12.best_of_ring", best),
    above=2,
    below=256,
    against={"more is always faster": float(workers[-1])},
)
alone, with_latency = speed_ups["bandwidth alone"], speed_ups["ring, with latency"]
prediction(
    "L12.a_ring_has_a_peak",
    "without latency every doubling gains and stays below the ceiling; with it a ring has a peak, then loses",
    np.diff(alone).min() > 0
    and alone.max() < ceiling
    and 1 < best < workers[-1]
    and np.diff(with_latency)[workers[:-1] >= best].max() < 0,
)

# %% [markdown]
# Confirmed, *by the formula above*: nothing was measured. The way out is to let the batch grow with the workers: each then computes as
# long as before. That works, but asks the last question of this lesson: what is a larger batch *worth*?
#
# ## The limit: the critical batch size
#
# A gradient of B examples is the true gradient G plus noise, whose variance falls as 1/B. While noise dominates, twice
# the batch is worth twice the steps. Once the gradient is nearly the true one, more examples make it no truer.
# McCandlish et al. (2018) put the border where signal and noise are equal. The **noise scale** is the batch size at
# which the noise in a gradient is as long as the gradient itself.
#
# $$B_\text{simple} = \frac{\operatorname{tr} \Sigma}{|G|^2}, \qquad
# \frac{S}{S_\min} - 1 = \Big( \frac{E}{E_\min} - 1 \Big)^{-1}.$$
#
# $\Sigma$ is the covariance of one example's gradient, and $\operatorname{tr}$, the trace, adds up the variances of all its
# entries. $S$ are the steps to a given loss and $E = B S$ the examples; $S_\min$ are the fewest steps with any batch,
# $E_\min$ the fewest examples. The hyperbola is equivalent to $S = S_\min (1 + B_\text{crit} / B)$ with
# $B_\text{crit} = E_\min / S_\min$. The **critical batch size** is the one at which a training takes twice as many steps
# as with an endless batch.
#
# **Prediction.** Small batches: doubling B halves the steps, and never more than that. Large batches: it hardly changes
# them. The bend lies at the noise scale, give or take a factor of a few.
#
# We measure on Python's documentation in 26 letters and spaces. An example is a window of 16 letters. For each batch size
# a small transformer trains until its validation loss is 2.3 nats, with a learning rate of its own: we go up and down in
# factors of two until the best rate has a slower one on *both* sides. Then two more seeds run with the chosen rate.

# %%
codes = letter_codes(letters)
training, held_out = codes[: len(codes) * 9 // 10], codes[len(codes) * 9 // 10 :]
WINDOW = 16
small = Transformer(
    TransformerConfig(
        vocabulary_size=27, context=WINDOW, width=32, layers=1, heads=2, init_std=0.05
    )
)
validation = causal_lm(BatchSampler(held_out, WINDOW, batch=192, seed=9).batch_at(0))
TARGET = 2.8 if quick() else 2.3
baselines = (uniform_nats(27), unigram_nats(training, held_out, 27))
table(["nats per letter", "uniform", "unigram", "the target"], [("", *baselines, TARGET)])


# %%
def steps_to_target(batch, rate, *, seed=0, limit=8000.0):
    """Steps until the validation loss is TARGET, between two looks by interpolation; infinite beyond `limit`."""
    params = small.init(np.random.default_rng(seed))
    optimizer = adam(beta2=0.95)
    state = optimizer.init(params.flat)
    sampler = BatchSampler(training, WINDOW, batch=batch, seed=1 + seed)
    before, look, step = (0, np.inf), 8, 0
    while step < limit:
        _, grads = loss_and_gradient(small, params, causal_lm(sampler.batch_at(step)))
        clip_by_global_norm(grads.flat, 1.0)
        step += 1
        optimizer.update(params.flat, grads.flat, state, learning_rate=rate * min(1.0, step / 10))
        if step >= look:
            now = loss(small, params, validation)
            if now < TARGET:
                way = (before[1] - TARGET) / (before[1] - now) if before[0] else 1.0
                return before[0] + way * (step - before[0])
            before, look = (step, now), max(step + 2, int(step * 1.1))
    return math.inf


def best_rate(batch, start):
    """The rate that is faster than half of it and twice it, and its steps."""
    tried = {start: steps_to_target(batch, start)}
    while True:
        best = min(tried, key=tried.get)
        untried = [rate for rate in (2 * best, best / 2) if rate not in tried]
        if not untried:
            return best, tried[best]
        tried[untried[0]] = steps_to_target(batch, untried[0], limit=tried[best])


SEEDS = 1 if quick() else 3
BATCHES = (8, 64) if quick() else (2, 4, 16, 64, 256)
rate, rates, found = 2e-3, [], []
for batch in BATCHES:
    rate, first = (8e-3, steps_to_target(batch, 8e-3)) if quick() else best_rate(batch, rate)
    rates.append(rate)
    found.append([first, *(steps_to_target(batch, rate, seed=seed) for seed in range(1, SEEDS))])
found = np.array(found)  # (batch, seed)
steps = np.exp(np.log(found).mean(axis=1))
kept_share = -np.diff(np.log(found), axis=0) / np.diff(np.log(BATCHES))[:, None]
first, last = 2 ** kept_share.mean(axis=1)[[0, -1]]
held("L12.doubling_small", first, 1.6, 2.1, {"no gain": 1.0})
held("L12.doubling_large", last, 0.9, 1.5, {"every example counts": 2.0})
prediction(
    "L12.doublings_wear_out",
    "the first doublings are worth nearly two, none more than two, and the last less than a third of that gain",
    first > 1.7 and 2 ** kept_share.mean(axis=1).max() <= 2 and last < 1 + 1 / 3,
)
table(
    ["batch", "best rate", "steps, mean", "lowest", "highest", "examples", "worth of a doubling"],
    [
        (b, f"{rate:g}", *(round(s) for s in (mean, *seeds)), round(b * mean), worth)
        for b, rate, mean, seeds, worth in zip(
            *(BATCHES, rates, steps, np.stack([found.min(axis=1), found.max(axis=1)], axis=1)),
            ["", *(f"{2**value:.2f}" for value in kept_share.mean(axis=1))],
            strict=True,
        )
    ],
)

# %% [markdown]
# Confirmed. At the left a doubling is worth nearly two, and nowhere more than that; at the right it hardly helps. Each
# rate has slower ones on both sides, so no batch size looks bad for want of a rate.
#
# Now the fit, with two others beside it: that every doubling halves the steps, and a power law, by which every doubling
# is worth the same. For a given $B_\text{crit}$ the best $S_\min$ is a mean of logarithms, so we need only try many values of
# one number. Each seed has its own fit.

# %%
sizes_tried = np.geomspace(1, 4000, 4000)
predicted = np.log(1 + sizes_tried[:, None] / np.array(BATCHES))  # (candidates, batches)


def fitted(steps):
    """The critical batch, the fewest steps, and the standard deviation of what the fit leaves, in logarithms."""
    offsets = np.log(steps) - predicted
    best = offsets.std(axis=1).argmin()
    return float(sizes_tried[best]), float(np.exp(offsets[best].mean())), float(offsets[best].std())


critical, fewest, error = fitted(steps)
criticals = [fitted(column)[0] for column in found.T]
ends = {"the smallest batch": float(BATCHES[0]), "the largest batch": float(BATCHES[-1])}
held("L12.critical_batch", critical, 12, 250, ends)
logs = np.log(BATCHES), np.log(steps)
power = np.polyfit(*logs, 1)  # if every doubling were worth the same share
others = {
    "every doubling halves": np.sum(logs, axis=0).std(),
    "a power law": (logs[1] - np.polyval(power, logs[0])).std(),
}
print({name: round(float(value), 3) for name, value in others.items()})
held("L12.fit_error", error, None, 0.08, others)
spread_table({"critical batch (examples)": criticals}, digits=0)

# %% [markdown]
# ### The noise scale, from what workers have anyway
#
# A worker has the gradient of a *small* batch, b rows; after the sum all have that of a *large* one, W b rows. On
# average $|G_B|^2 = |G|^2 + \operatorname{tr} \Sigma / B$. Two equations, two unknowns (appendix A.1 of the paper):
#
# $$|G|^2 \approx \frac{B_\text{big} |G_\text{big}|^2 - B_\text{small} |G_\text{small}|^2}{B_\text{big} - B_\text{small}},
# \qquad \operatorname{tr} \Sigma \approx \frac{|G_\text{small}|^2 - |G_\text{big}|^2}{1/B_\text{small} - 1/B_\text{big}}$$
#
# Of one step, both are mostly luck, so each is summed over many steps before they are divided. Four workers with eight
# rows each train together, and write down two squared lengths at every step. It costs nothing but that.
#
# **Prediction.** The noise scale grows during training: early gradients are large and all alike. Where the loss comes to
# the target, it is of the order of the critical batch.

# %%
EACH, TOGETHER, count = 8, 4, 12 if quick() else 160


def train_watched(comm, seed):
    """Train; returns the mean |G|^2 of one worker and |G|^2 of all together, at every step: (count, 2)."""
    params = small.init(np.random.default_rng(seed))
    optimizer = adam(beta2=0.95)
    state = optimizer.init(params.flat)
    sampler = BatchSampler(training, WINDOW, batch=EACH, seed=100 * (1 + seed) + comm.rank)
    squares = np.empty((count, 2))
    for step in range(count):
        _, grads = loss_and_gradient(small, params, causal_lm(sampler.batch_at(step)))
        alone = np.array([grads.flat @ grads.flat])
        comm.Allreduce(alone.copy(), alone)
        sum_gradients(comm, grads)
        grads.flat /= comm.size  # all have equally many targets
        squares[step] = alone[0] / comm.size, grads.flat @ grads.flat
        clip_by_global_norm(grads.flat, 1.0)
        rate = 4e-3 * min(1.0, (step + 1) / 10)
        optimizer.update(params.flat, grads.flat, state, learning_rate=rate)
    return squares


few, many = np.array([launch(train_watched, TOGETHER, seed)[0] for seed in range(SEEDS)]).transpose(
    2, 0, 1
)
big = TOGETHER * EACH
signal = (big * many - EACH * few) / (big - EACH)  # (seed, step)
noise = (few - many) / (1 / EACH - 1 / big)


def noise_scale(first, last):
    """B_simple in examples over these steps, (seed,)."""
    return noise[:, first:last].sum(axis=1) / signal[:, first:last].sum(axis=1)


edges = list(pairwise([e for e in (0, 10, 20, 40, 80) if e < count] + [count]))
noises = np.array([noise_scale(*span) for span in edges])  # (span, seed)
at_end, early = noises[-1], noises[0]
print(f"{big} rows reach the target after {fewest * (1 + critical / big):.0f} steps, by the fit")
start, ratio = float(early.mean()), float(at_end.mean()) / critical
held("L12.noise_scale", at_end.mean(), 20, 400, {"at the beginning": start})
held("L12.noise_over_critical", ratio, 0.2, 5, {"at the beginning": start / critical})
prediction(
    "L12.bend_at_the_noise_scale",
    "the bend lies at the noise scale near the target, within a factor of three",
    1 / 3 < ratio < 3,
)
prediction(
    "L12.noise_grows",
    "on every seed the noise scale grows threefold or more",
    (at_end > 3 * early).all(),
)
spread_table(
    {f"{a} to {b}": row for (a, b), row in zip(edges, noises, strict=True)}, name="steps", digits=0
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
batch_bargain(left, right, BATCHES, found, critical, fewest)
figure.suptitle("Beyond the critical batch, more workers cost more and save little")
show(
    figure,
    "Left: steps to the target against the batch size. For small batches the points follow the dashed line on which "
    "every doubling halves the steps; beyond the critical batch they turn to a horizontal line. Right: the same as a "
    "bargain, steps against examples, with batch sizes at the points: first down, then only to the right.",
)

# %% [markdown]
# *Left: at the upright line a training takes twice the steps of the dotted line. Right: the same as a bargain; numbers
# are batch sizes. Further down is faster, further right is dearer.*

# %%
figure, axes = plt.subplots(figsize=(7.6, 3.6), layout="constrained")
spans(axes, dict(zip(edges, noises, strict=True)))
axes.axhspan(min(criticals), max(criticals), color=ORANGE, alpha=0.3)
axes.text(
    1, max(criticals) * 1.08, "critical batch, lowest to highest seed", color=BLACK, fontsize=9
)
axes.set_ylabel("noise scale (examples)")
axes.set_title("The noise scale grows to the order of the critical batch")
show(
    figure,
    "The noise scale against the training step, a thick line for the mean of a span of steps and thin lines for each "
    "seed. It begins below ten examples and grows about tenfold, to the order of the critical batch, a horizontal line.",
)

# %% [markdown]
# Both came true. So the noise scale, which costs a few additions and no second training, tells the order of magnitude of the batch
# at which more workers stop helping. It tells no more than that: it changes about tenfold within one training, with
# scatter. The critical batch belongs to the whole way to the target, so it has to lie between the first spans and the
# last. And the noise scale knows nothing of Adam. Beyond the bend, workers are better used in another way: to hold parts
# of a larger model (lesson 11).
#
# ## The strongest objection
#
# **"Sharded data parallelism is data parallelism".** With ZeRO stage 3 (PyTorch: fully sharded data parallel) one more
# worker does make room. So the article would be right (C14). The counts above answer: what makes room is that
# parameters, gradients and moments are *cut*. Stage 0 shares the same data, and keeps all 16 bytes. The article speaks of
# sharing data and does not mention slices. Whoever reads them into its words must also read in the second all-gather.
#
# **"Large batches are free if they are tuned".** Shallue et al. (2019) trained 168,160 models and found no evidence that
# larger batches hurt what is learnt; disagreements came from the tuning. That is why each batch size above has its own
# rate. But they also found an end to the gain on every workload, at batch sizes that differ extremely from one to another.
#
# ## Verdict
#
# * **C16, data parallelism speeds up training:** supported as a general statement, with a limit. Adding gradients is
#   exact. The speed-up ends at the critical batch size, and with the cost of communication. Nothing ties data
#   parallelism to "machines" and model parallelism to "GPUs": both span both.
# * **C14, the size is achieved by model and data parallelism:** contradicted in part. Plain data parallelism keeps all
#   parameters on every worker: it adds throughput, not room. Room comes from cutting: tensors, stages (lesson 11),
#   and ZeRO's slices.
# * **GPT-5.5:** undisclosed. Only the family of its hardware is public.
#
# ## What this does not show
#
# * What networks do. Our workers share one memory; counts and formulas carry over to a cluster, seconds do not.
#   Large clusters live on sending while they compute; that is not in our model of time.
# * Where the critical batch of a large model is. McCandlish et al. find that it grows as the loss falls, and Kaplan et
#   al. (2020) put it at one to two million tokens for their largest language models, at convergence.
# * That a batch beyond the critical one is *harmful*. It is merely dear.
# * Much about the spread. Three seeds ran with a rate that one of them had chosen. Warm-up and Adam's $\beta$ were the same
#   for every batch size.
#
# ## Exercises
#
# Write each function in `exercises/12_data_parallelism.py`, in this notebook's folder, then run there
# `minigpt grade exercises/12_data_parallelism.py`.
#
# 1. `average_gradients(gradients, counts)` (3 points): the gradient of the full batch from those of workers that each
#    divided by their own count.
# 2. `ring_chunks(rank, ranks, step)` (3 points): the ring, the other way round. What is sent, what comes, is it added?
# 3. `noise_scale(gradients, rows)` (3 points): B_simple from what the workers of one step have.
#
# ## Further reading
#
# * McCandlish, Kaplan, Amodei et al. (2018), *An Empirical Model of Large-Batch Training*, arXiv:1812.06162: sections 2
#   and 5, appendix A.1. Kaplan et al. (2020), *Scaling Laws for Neural Language Models*, arXiv:2001.08361, section 5.
# * Shallue et al. (2019), *Measuring the Effects of Data Parallelism on Neural Network Training*, Journal of Machine
#   Learning Research 20, arXiv:1811.03600. Goyal et al. (2017), *Accurate, Large Minibatch SGD: Training ImageNet in 1
#   Hour*, arXiv:1706.02677.
# * Rajbhandari, Rasley, Ruwase, He (2020), *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*,
#   arXiv:1910.02054.
# * Patarasuk & Yuan (2009), *Bandwidth optimal all-reduce algorithms for clusters of workstations*, Journal of Parallel
#   and Distributed Computing 69. Sergeev & Del Balso (2018), *Horovod*, arXiv:1802.05799: the ring in deep learning.
# * Thakur, Rabenseifner, Gropp (2005), *Optimization of Collective Communication Operations in MPICH*, International
#   Journal of High Performance Computing Applications 19: halving and doubling. NCCL's trees: S. Jeaugey (2019),
#   developer.nvidia.com/blog/massively-scale-deep-learning-training-nccl-2-4.
