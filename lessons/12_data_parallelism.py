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
# **Time.** An hour and a quarter to read; the code runs for about a minute.

# %%
import re
import time
from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig
from minigpt.course import expect, quick, show, show_source, table
from minigpt.machine import blas_threads
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.objectives import causal_lm, loss, loss_and_gradient, scored
from minigpt.ops import IGNORED
from minigpt.optim import adam, adamw, clip_by_global_norm
from minigpt.parallel import launch
from minigpt.parallel.zero import (
    SlicedGradients,
    SlicedOptimizer,
    SlicedParams,
    sum_gradients,
    sum_slices,
)
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from minigpt.text import BatchSampler, load_corpus

# %% [markdown]
# ## Many workers, one step
#
# A loss is a *mean over examples*. So its gradient is a mean too, and a mean can be taken in parts. Give every worker
# a copy of the model and a share of the batch. Each computes the gradient of its share; they add up; each takes the
# same step from the same place, so all copies stay equal. That is data parallelism.
#
# $$\nabla \frac{1}{N} \sum_{i=1}^{N} \ell_i \;=\; \sum_{w=1}^{W} \Big( \frac{1}{N} \sum_{i \in \text{share } w}
# \nabla \ell_i \Big)$$

# %%
figure, axes = plt.subplots(figsize=(7.6, 3.4), layout="constrained")
for worker in range(4):
    left = 2.6 * worker
    for row in range(4):
        axes.add_patch(plt.Rectangle((left + 0.1, 4.0 + 0.28 * row), 1.8, 0.2, color=SKY))
    axes.add_patch(plt.Rectangle((left, 1.9), 2.0, 1.4, facecolor="white", edgecolor=BLUE, lw=2))
    axes.text(left + 1, 2.6, "all the\nparameters", ha="center", va="center", color=BLUE)
    axes.annotate("", (left + 1, 3.35), (left + 1, 3.95), arrowprops={"arrowstyle": "->"})
    axes.annotate("", (left + 1, 1.0), (left + 1, 1.85), arrowprops={"arrowstyle": "<->"})
    axes.text(left + 1, 5.25, f"worker {worker + 1}: its rows", ha="center")
axes.add_patch(plt.Rectangle((0, 0.35), 9.8, 0.6, color=ORANGE))
axes.text(4.9, 0.65, "sum of the four gradients, and everyone gets it", ha="center", va="center")
axes.set(xlim=(-0.1, 9.9), ylim=(0.2, 5.6))
axes.axis("off")
show(figure)

# %% [markdown]
# *The blue boxes are the point of this lesson: the data are shared out, the parameters are not.*
#
# ## The average is exact
#
# Workers here are **ranks**: threads of one process that share nothing but what they send. The same functions run on a
# cluster, as MPI processes. `launch(function, W)` calls `function(comm)` on W ranks at once; `comm.rank` says which one
# you are. The library's sum over all of them:

# %%
show_source(sum_gradients, docstring=False)

# %% [markdown]
# An `Allreduce` takes a vector from everyone and gives everyone the sum. We compare the workers' gradient with that of
# the full batch in one process.
#
# **Prediction.** Equal for W = 2, 4, 8, but for rounding: below 1e-7 in float32, about 1e-16 in float64.

# %%
SIZE, ROWS = 40, 16
config = TransformerConfig(vocabulary_size=SIZE, context=16, width=32, layers=3, heads=4)
model = Transformer(config)
windows = np.random.default_rng(1).integers(0, SIZE, (ROWS, 17))
full = causal_lm(windows)


def share(batch, comm):
    """This worker's rows of a batch."""
    rows = slice(comm.rank * ROWS // comm.size, (comm.rank + 1) * ROWS // comm.size)
    return batch._replace(tokens=batch.tokens[rows], targets=batch.targets[rows])


def gradient_of_workers(workers, model, params, batch):
    """Every worker's gradient after the sum, (W, P). They divide by the targets of *all* workers, so a sum it is."""

    def worker(comm):
        mine = params.copy()
        _, grads = loss_and_gradient(model, mine, share(batch, comm), counts=scored(batch))
        sum_gradients(comm, grads)
        return grads.flat

    return np.stack(launch(worker, workers))


rows, mismatch, apart = [], {}, 0.0
for dtype in (np.float32, np.float64):
    params = model.init(np.random.default_rng(0), dtype=dtype)
    _, alone = loss_and_gradient(model, params, full)
    found = {w: gradient_of_workers(w, model, params, full) for w in (2, 4, 8)}
    differences = [float(np.abs(gradients - alone.flat).max()) for gradients in found.values()]
    mismatch[dtype] = max(differences)
    apart = max(apart, *(np.abs(gradients - gradients[0]).max() for gradients in found.values()))
    rows.append(
        (dtype.__name__, *(f"{d:.0e}" for d in differences), f"{np.abs(alone.flat).max():.2f}")
    )
table(["largest difference", "W = 2", "W = 4", "W = 8", "largest entry"], rows)

# %%
expect("E11.data_mismatch", mismatch[np.float32], below=1e-6)
expect("L12.data_mismatch_float64", mismatch[np.float64], below=1e-14)
expect("L12.workers_apart", apart, equal=0)
# %% [markdown]
# Nothing is lost by sharing. And all workers hold the *same bits*, so their copies never drift apart.
#
# ### The trap: a mean of means
#
# It is tempting to let each worker average over its own targets, and then to average the workers. That is right only if
# all have equally many targets. With padding, or with masked tokens (lesson 08), they have not. The library therefore
# divides by the count of all replicas (`counts=scored(batch)` above) and *sums*.
#
# **Prediction.** Full rows: no error. Masked tokens: some. Padded texts that were sorted by length, as data loaders
# like to do: much, since a worker with short texts then counts as much as one with long texts.


# %%
def mean_of_means(workers, model, params, batch):
    """What you get if every worker divides by its own count, and the workers are averaged: (P,)."""

    def worker(comm):
        _, grads = loss_and_gradient(model, params, share(batch, comm))
        sum_gradients(comm, grads)
        return grads.flat / comm.size

    return launch(worker, workers)[0]


def padded(lengths):
    """The windows, cut off at these lengths: what follows is not asked for."""
    beyond = np.arange(16) >= lengths[:, None]
    return full._replace(targets=np.where(beyond, IGNORED, full.targets))


lengths = np.random.default_rng(2).integers(2, 17, ROWS)
reader = Transformer(replace(config, architecture="encoder"))
coins = np.random.default_rng(3).random((ROWS, 16)) < 0.15
masked = Batch(
    np.where(coins, SIZE - 1, windows[:, :16]),
    np.where(coins, windows[:, :16], IGNORED),
    objective="masked_lm",
)
cases = {
    "next token, full rows": (model, full),
    "masked tokens, by coin": (reader, masked),
    "padded": (model, padded(lengths)),
    "padded, sorted by length": (model, padded(np.sort(lengths))),
}
rows, wrong, right = [], {}, []
for name, (network, batch) in cases.items():
    params = network.init(np.random.default_rng(0), dtype=np.float64)
    _, alone = loss_and_gradient(network, params, batch)
    norm = np.linalg.norm(alone.flat)
    wrong[name] = float(
        np.linalg.norm(mean_of_means(4, network, params, batch) - alone.flat) / norm
    )
    exact = gradient_of_workers(4, network, params, batch)[0]
    right.append(float(np.linalg.norm(exact - alone.flat) / norm))
    asked = (batch.targets != IGNORED).reshape(4, -1).sum(axis=1)
    rows.append((name, str(asked), f"{wrong[name]:.3f}", f"{right[-1]:.0e}"))
table(["four workers", "targets of each", "error, mean of means", "error, divided by all"], rows)

# %%
expect("L12.equal_counts_error", wrong["next token, full rows"], below=1e-12)
expect("L12.masked_error", wrong["masked tokens, by coin"], above=0.03)
expect("L12.sorted_error", wrong["padded, sorted by length"], above=0.1)
expect("L12.counted_error", max(right), below=1e-12)
# %% [markdown]
# The error is relative to the length of the true gradient. (The library's own `masked_lm` hides the same share of every
# row; here a coin was thrown for every token.) It is no rounding error and no crash: training goes on, on another loss,
# in which the tokens of short texts weigh more. Such a mistake can stay for years.
#
# ## What every worker holds
#
# Now the other half of the claim. Does a worker more make room for a larger model?
#
# **Prediction.** No. Each holds 1.00 times the parameters, 1.00 times the gradients and both of Adam's moments, however
# many workers there are.
#
# But the copies are *redundant*, and that can be undone. **ZeRO** (Rajbhandari et al., 2020) cuts the flat vector into
# W slices, and worker w keeps slice w only: at stage 1 of the optimizer's moments, at stage 2 of the gradients too, at
# stage 3 of the parameters too. Whoever needs the rest asks for it. The library's stage 1:

# %%
show_source(SlicedOptimizer, docstring=False)

# %% [markdown]
# We train three steps at every stage with four workers, add up the arrays that are kept, and count every byte that is
# handed over. In this model everything is float32: 4 bytes a parameter, 4 a gradient, 8 for the moments. Sixteen.

# %%
WORKERS, STEPS = 4, 3
params = model.init(np.random.default_rng(0), dtype=np.float64)


def make(decayed):
    return adamw(decayed=decayed)


def arrays_of(state):
    """Bytes of an optimizer's moments."""
    return sum(value.nbytes for value in state.values() if isinstance(value, np.ndarray))


def train_at(comm, stage, params):
    """Three steps. Returns bytes kept (parameters, gradients, moments), bytes handed over, and what was learnt."""
    own = comm if stage > 0 else comm.Split(comm.rank)  # alone, a worker's slice is everything
    optimizer = SlicedOptimizer(make, params, own)
    mine = params.flat[optimizer.mine].copy()
    optimizer.start(mine)
    params = params.copy()
    here = SlicedParams(params, comm, mine) if stage == 3 else params
    for _ in range(STEPS):
        grads = params.zeros_like() if stage < 2 else SlicedGradients(params, comm)
        rows, counts = share(full, comm), scored(full)
        loss_and_gradient(model, here, rows, Call(recompute=stage == 3), counts=counts, grads=grads)
        if stage == 0:
            sum_gradients(comm, grads)
        elif stage == 1:
            sum_slices(comm, grads, optimizer.slices)
        else:
            grads.finish()
        gradient = grads.flat[optimizer.mine] if stage < 2 else grads.mine
        parameters = mine if stage == 3 else params.flat[optimizer.mine]
        optimizer.update(parameters, gradient, learning_rate=0.01)
        if stage == 3:
            here.forget()
        elif stage > 0:
            optimizer.share(params.flat)
    kept = (
        mine.nbytes if stage == 3 else params.flat.nbytes,
        grads.flat.nbytes if stage < 2 else grads.mine.nbytes,
        arrays_of(optimizer.state),
    )
    sent = sum(comm.sent.values()) // STEPS
    if stage == 3:
        params.flat[optimizer.mine] = mine
        optimizer.share(params.flat)
    return kept, sent, params.flat


P = params.flat.size
alone, optimizer = params.copy(), make(params.matrix_size)
state = optimizer.init(params.flat)
for _ in range(STEPS):
    _, grads = loss_and_gradient(model, alone, full)
    optimizer.update(alone.flat, grads.flat, state, learning_rate=0.01)
double = [launch(train_at, WORKERS, stage, params) for stage in range(4)]
learnt = max(np.abs(flat - alone.flat).max() for stage in double for _, _, flat in stage)
single = [launch(train_at, WORKERS, stage, params.astype(np.float32)) for stage in range(4)]
kept = np.array([np.max([kept for kept, _, _ in stage], axis=0) for stage in single]) / P
sent = [stage[0][1] for stage in single]
stages = ["0: plain", "1: moments", "2: and gradients", "3: and parameters"]
table(
    ["stage", "parameters", "gradients", "moments", "bytes per parameter"],
    [(name, *map(float, row), float(row.sum())) for name, row in zip(stages, kept, strict=True)],
    digits=2,
)

# %%
expect("L12.zero_mismatch", learnt, below=1e-8)
expect("L12.plain_bytes", kept[0].sum(), equal=16)
expect("L12.stage_1_bytes", kept[1].sum(), equal=8 + 8 / WORKERS)
expect("L12.stage_2_bytes", kept[2].sum(), equal=4 + 12 / WORKERS)
expect("L12.stage_3_bytes", kept[3].sum(), equal=16 / WORKERS)
# %% [markdown]
# All four learn the same parameters as one process alone; the small difference is rounding, which Adam enlarges where
# a gradient is zero. To the bytes *kept* at stages 2 and 3 come those that are there for a moment: one block at a time
# and what belongs to no block. Our model has three blocks; in one of a hundred that share would be thin.
# (Activations are not in this picture: ZeRO leaves them alone.)

# %%
numbers_of = {}
for record in params.arrays.values():
    numbers_of[record.block] = numbers_of.get(record.block, 0) + int(np.prod(record.shape))
block = max(size for name, size in numbers_of.items() if name)
at_once = (
    4 * (numbers_of[""] + block) / P
)  # of the gradients, or the parameters, bytes per parameter
moment = np.array([0, 0, at_once, 2 * at_once])
figure, axes = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
base = np.zeros(4)
for column, (name, color) in enumerate(
    (("parameters", BLUE), ("gradients", SKY), ("two moments", ORANGE))
):
    axes.barh(range(4), kept[:, column], left=base, color=color, label=name, height=0.6)
    base += kept[:, column]
axes.barh(
    range(4),
    moment,
    left=base,
    facecolor="white",
    edgecolor=GREY,
    hatch="///",
    height=0.6,
    label="for a moment (three blocks only)",
)
for row, total in enumerate(base):
    axes.text(total + moment[row] + 0.2, row, f"{total:g} kept", va="center")
axes.set(yticks=range(4), xlabel="bytes per parameter on each of four workers", xlim=(0, 19))
axes.set_yticklabels(stages)
axes.invert_yaxis()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=4, fontsize=8)
show(figure)

# %% [markdown]
# *Plain data parallelism, the top bar, is as long for four thousand workers as for four. ZeRO's bars shrink with W.*
#
# And what does it cost? Counted is every buffer that a worker hands to its communicator.
#
# **Prediction**, for P parameters. Stage 0: 4 P bytes, once the gradients. Stages 1 and 2: 8 P, the parameters too.
# Stage 3: the parameters come *twice*, before the forward and before the backward of each block; but for the last block,
# with which the backward begins, and for what belongs to no block and stays. All of this to the byte.

# %%
again = P - numbers_of[""] - block  # what the backward gathers a second time
formula = [4 * P, 4 * (P + P), 4 * (P + P), 4 * (P + P + again)]
how = [
    "sum of all gradients",
    "slices of gradients; slices of parameters go round",
    "slices of gradients; slices of parameters go round",
    "slices of gradients; parameters come twice, forward and backward",
]
table(
    ["stage", "what is handed over", "bytes", "formula", "in P numbers"],
    [
        (name, text, measured, wanted, measured / (4 * P))
        for name, text, measured, wanted in zip(stages, how, sent, formula, strict=True)
    ],
    digits=2,
)

# %%
for stage in range(4):
    expect(f"L12.stage_{stage}_handed_over", sent[stage], equal=formula[stage])
# %% [markdown]
# At stage 3 a worker gathers each block when it is needed and drops it again. So memory is *bought with communication*.
#
# On a wire not all of these are alike. Over rings (below), a sum that everyone keeps sends nearly 2 P numbers, a sum of
# which everyone keeps a slice P, and handing slices round P. So stages 1 and 2 are as cheap as stage 0, 2 P; stage 3 with
# its two rounds costs 3 P, half as much again.
#
# Carry this to the article's number. With $10^{12}$ parameters at 16 bytes, parameters, gradients and optimizer states
# take 16 TB on **every** worker of plain data parallelism. That is 200 GPUs of 80 GB for a single copy, before the
# first activation. No number of further copies changes that.

# %%
expect("L12.gpus_for_one_copy", 16 * 10**12 / (80 * 10**9), equal=200)
# %% [markdown]
# ## How to add without a centre
#
# The obvious way to sum: everyone sends n numbers to rank 0, which adds, and sends n numbers back to everyone. Rank 0
# then sends n (r - 1) numbers and receives as many, while the others wait.
#
# **A ring** has no such place (Patarasuk & Yuan, 2009). Cut the vector into r chunks. Everyone sends only to its right
# neighbour. For r - 1 steps, each passes a chunk on, and the neighbour *adds* it: then each rank has one chunk of the
# total. For r - 1 more steps the finished chunks go round, and *replace*.
#
# All send at once, so they use `Isend`, which does not wait: if everyone waited for a neighbour to listen before
# listening, nobody ever would.
#
# **Prediction.** Each rank sends 2 (r - 1) chunks of n / r numbers: 2 n (r - 1) / r. That is less than 2 n for any
# number of ranks.


# %%
def ring_all_reduce(comm, x, watch=lambda step, chunks: None):
    """The sum of everyone's x, (n,), in x, on every rank. watch(step, chunks) sees the chunks before every step."""
    r, chunks = comm.size, np.array_split(x, comm.size)
    incoming = np.empty_like(chunks[0])
    for step in range(2 * (r - 1)):
        watch(step, chunks)
        adding = step < r - 1
        sent = (comm.rank - step) % r  # what I got last, with mine added
        received = (sent - 1) % r
        request = comm.Isend(chunks[sent], (comm.rank + 1) % r)
        place = incoming[: chunks[received].size]
        comm.Recv(place, (comm.rank - 1) % r)
        request.Wait()
        chunks[received][...] = chunks[received] + place if adding else place
    watch(2 * (r - 1), chunks)


def through_rank_0(comm, x):
    """The same, the obvious way."""
    if comm.rank > 0:
        comm.Send(x, 0)
        comm.Recv(x, 0)
        return
    for other in range(1, comm.size):
        part = np.empty_like(x)
        comm.Recv(part, other)
        x += part
    for other in range(1, comm.size):
        comm.Send(x, other)


N = 840  # divisible by 2, 4, 8


def summed_by(comm, method):
    """Largest difference from comm.Allreduce, the result, and how many numbers this rank sent."""
    x = np.random.default_rng(comm.rank).standard_normal(N)
    total = np.empty_like(x)
    comm.Allreduce(x, total)
    method(comm, x)
    numbers = (comm.sent["Send"] + comm.sent["Isend"]) // x.itemsize
    return np.abs(x - total).max(), x, numbers


rows, ring_error, ring_apart = [], 0.0, 0.0
for r in (2, 4, 8):
    ringed, centred = launch(summed_by, r, ring_all_reduce), launch(summed_by, r, through_rank_0)
    ring_error = max(ring_error, *(error for error, _, _ in ringed + centred))
    ring_apart = max(ring_apart, *(np.abs(x - ringed[0][1]).max() for _, x, _ in ringed))
    most = [max(numbers for _, _, numbers in results) / N for results in (ringed, centred)]
    expect(f"L12.ring_sent_{r}", most[0] * N, equal=2 * N * (r - 1) // r)
    expect(f"L12.centre_sent_{r}", most[1] * N, equal=N * (r - 1))
    rows.append((r, most[0], most[1]))
table(["ranks", "ring: sent by each, in n", "through rank 0: sent by rank 0, in n"], rows)

# %%
expect("L12.ring_error", ring_error, below=1e-12)
expect("L12.ring_apart", ring_apart, equal=0)
# %% [markdown]
# The ring's total equals `comm.Allreduce` up to the order of additions, and all ranks hold the same bits: each chunk
# was added up in one place and copied. To see it work, let every rank put in ones; a chunk then shows *how many ranks*
# are in it.


# %%
def watched(comm):
    """What the chunks of this rank hold before every step: (2r - 1, r)."""
    seen = []
    ring_all_reduce(comm, np.ones(4), lambda _, chunks: seen.append([c[0] for c in chunks]))
    return seen


history = np.array(launch(watched, 4)).swapaxes(0, 1)  # (step, rank, chunk)
figure, panels = plt.subplots(1, 7, figsize=(9.6, 2.1), layout="constrained", sharey=True)
for step, (axes, holds) in enumerate(zip(panels, history, strict=True)):
    axes.imshow(holds, cmap="Blues", vmin=0, vmax=6)
    for rank in range(4):
        for chunk in range(4):
            color = "white" if holds[rank, chunk] == 4 else BLACK
            axes.text(
                chunk, rank, f"{holds[rank, chunk]:.0f}", ha="center", va="center", color=color
            )
        if step < 6:
            color = VERMILION if step < 3 else GREEN
            goes = ((rank - step) % 4 - 0.43, rank - 0.43)
            axes.add_patch(
                plt.Rectangle(goes, 0.86, 0.86, fill=False, edgecolor=color, linewidth=2)
            )
    name = f"step {step + 1}:\n{'add' if step < 3 else 'replace'}" if step < 6 else "end"
    axes.set_title(
        name, fontsize=10, color=(VERMILION if step < 3 else GREEN) if step < 6 else BLACK
    )
    axes.set(xticks=range(4), yticks=range(4), xlabel="chunk")
    axes.tick_params(length=0)
panels[0].set_ylabel("rank")
show(figure)

# %% [markdown]
# *The framed chunk of each rank goes to the rank below (from the last to the first). Three steps of adding: each row
# has one 4, the finished total of that chunk. Three steps of replacing: fours everywhere. In every step each rank sends
# exactly one chunk; no wire is ever idle.*
#
# ## Is it faster?
#
# A step takes the computing, which is shared, and the communication, which is not:
#
# $$\text{time}(W) = \frac{\text{computing}}{W} + \text{communication}(W)$$
#
# We time this machine: one rank, and two thread ranks with half the rows each. What comes out depends on its cores and
# on who else uses them. No promise is made; the band below is a floor.

# %%
sizes = {"context": 16, "width": 32, "layers": 2} if quick() else {}
sizes = {"context": 64, "width": 128, "layers": 4, **sizes}
large = Transformer(TransformerConfig(vocabulary_size=64, heads=4, **sizes))
start = large.init(np.random.default_rng(0))
ROWS, REPEATS = 16, 3 if quick() else 9
examples = causal_lm(np.random.default_rng(0).integers(0, 64, (ROWS, sizes["context"] + 1)))


def timed(comm):
    """Median seconds of computing and of communication in a step."""
    mine, counts, times = share(examples, comm), scored(examples), []
    for _ in range(REPEATS):
        comm.Barrier()
        began = time.perf_counter()
        _, grads = loss_and_gradient(large, start, mine, counts=counts)
        computed = time.perf_counter()
        if comm.size > 1:
            sum_gradients(comm, grads)
        times.append((computed - began, time.perf_counter() - computed))
    return np.median(times[1:], axis=0)


with blas_threads(1):
    (one,), two = launch(timed, 1), np.max(launch(timed, 2), axis=0)
speed = float(one[0] / two.sum())
table(
    ["ms per step", "computing", "communication and waiting", "all", "times as fast"],
    [
        ("one rank", 1e3 * one[0], 1e3 * one[1], 1e3 * one.sum(), 1.0),
        ("two ranks", 1e3 * two[0], 1e3 * two[1], 1e3 * two.sum(), speed),
        ("two ranks, were it free", 500 * one[0], 0.0, 500 * one[0], 2.0),
    ],
    digits=2,
)

# %%
expect("L12.speed_of_two", speed, above=0.1)
# %% [markdown]
# Look at the column of computing first. On two idle cores it halves. If it does not, the cores were not free (others
# worked beside us, or one core does for both threads), and a second worker gave nothing: then no statement about
# communication follows from these seconds, and C16's "faster" rests on the literature, not on this table.
#
# What matters beyond that is the **share** of communication. Over a ring it is $2 n (W - 1) / (W \cdot \text{bandwidth})$: nearly
# the same for any W, while the computing shrinks. If the batch stays as it is, the speed-up runs into a ceiling.

# %%
workers = 2.0 ** np.arange(0, 11)
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.loglog(workers, workers, "--", color=GREY, label="no communication")
ceilings = {}
for portion, color in ((0.001, GREEN), (0.01, BLUE), (0.1, VERMILION)):
    speed_up = 1 / (1 / workers + portion * (workers - 1) / workers)
    ceilings[portion] = float(speed_up[-1])
    axes.loglog(workers, speed_up, "o-", color=color, markersize=4, label=f"{100 * portion:g}%")
axes.set(xlabel="workers, the batch being the same", ylabel="times as fast as one")
axes.set_xticks(workers[::2], [f"{w:.0f}" for w in workers[::2]])
axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
axes.minorticks_off()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, title="communication (one worker's computing = 100%)")
show(figure)
expect("L12.ceiling_at_1_percent", ceilings[0.01], above=90, below=100)

# %% [markdown]
# *From the model above, not measured. With one percent, a thousand workers are less than a hundred times as fast.*
#
# The way out is to let the batch grow with the workers: each then computes as long as before. That works, but asks the
# last question of this lesson: what is a larger batch *worth*?
#
# ## The limit: the critical batch size
#
# A gradient of B examples is the true gradient G plus noise, whose variance falls as 1/B. While noise dominates, twice
# the batch is worth twice the steps. Once the gradient is nearly the true one, more examples make it no truer.
# McCandlish et al. (2018) put the border where signal and noise are equal, at the **noise scale**
#
# $$B_\text{simple} = \frac{\operatorname{tr} \Sigma}{|G|^2}, \qquad
# \frac{S}{S_\min} - 1 = \Big( \frac{E}{E_\min} - 1 \Big)^{-1}.$$
#
# $\Sigma$ is the covariance of one example's gradient. $S$ are the steps to a given loss and $E = B S$ the examples;
# the hyperbola is equivalent to $S = S_\min (1 + B_\text{crit} / B)$ with $B_\text{crit} = E_\min / S_\min$.
#
# **Prediction.** Small batches: doubling B halves the steps. Large batches: it hardly changes them. The bend lies at
# the noise scale, give or take a factor of a few.
#
# We measure on real text: Python's documentation in 26 letters and spaces. An example is a window of 16 letters. For
# each batch size a small transformer trains until its validation loss is 2.2 nats, with three learning rates; the
# fastest counts. (The best of three is a rough choice: for small batches it is often the smallest one tried, so a still
# smaller one might have served them better, and the left end of the curve is less sure than the right.) A training that is slower than the best so far is stopped.

# %%
documents = load_corpus("pydocs", progress=False).documents[: 40 if quick() else 200]
letters = re.sub("[^a-z]+", " ", "\n".join(documents).lower())[:600_000]
codes = np.frombuffer(letters.encode(), np.uint8).astype(int)
codes = np.where(codes == ord(" "), 0, codes - ord("a") + 1)
training, held_out = codes[: len(codes) * 9 // 10], codes[len(codes) * 9 // 10 :]
WINDOW = 16
small = Transformer(
    TransformerConfig(
        vocabulary_size=27, context=WINDOW, width=32, layers=1, heads=2, init_std=0.05
    )
)
validation = causal_lm(BatchSampler(held_out, WINDOW, batch=192, seed=9).batch_at(0))
TARGET = 2.7 if quick() else 2.2


def steps_to_target(batch, rate, limit):
    """Steps until the validation loss is TARGET, between two looks by interpolation; infinite beyond `limit`."""
    params = small.init(np.random.default_rng(0))
    optimizer = adam(beta2=0.95)
    state = optimizer.init(params.flat)
    sampler = BatchSampler(training, WINDOW, batch=batch, seed=1)
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
            before, look = (step, now), max(step + 2, int(step * 1.07))
    return np.inf


BATCHES = (2, 8, 32, 64) if quick() else (2, 4, 8, 16, 32, 64, 128, 256, 512)
RATES = (8e-3,) if quick() else (4e-3, 8e-3, 12e-3)
steps, rates = [], []
for batch in BATCHES:
    best, chosen = 8000.0, 0.0
    for rate in RATES:
        best, chosen = min((best, chosen), (steps_to_target(batch, rate, best), rate))
    steps.append(best)
    rates.append(chosen)
steps = np.array(steps)
table(
    ["batch", "best rate", "steps", "times fewer than before", "examples"],
    [
        (b, f"{rate:.3f}", round(s), f"{before / s:.2f}" if before else "", round(b * s))
        for b, rate, s, before in zip(BATCHES, rates, steps, [0, *steps[:-1]], strict=True)
    ],
)

# %%
first, last = steps[0] / steps[1], steps[-2] / steps[-1]
expect("L12.doubling_small", first, above=1.0 if quick() else 1.4, below=5.0 if quick() else 2.6)
expect("L12.doubling_large", last, above=0.7, below=3.0 if quick() else 1.5)
baselines = (uniform_nats(27), unigram_nats(training, held_out, 27))
table(["nats per letter", "uniform", "unigram", "the target"], [("", *baselines, TARGET)])

# %% [markdown]
# At the right end the prediction holds: doubling hardly helps. At the left, doubling helps at least by half; where it
# helps more than twice, the three rates tried did not suit the smallest batch. Now the fit. For a given $B_\text{crit}$ the best $S_\min$ is a mean of logarithms,
# so we need only try many values of one number:

# %%
sizes_tried = np.geomspace(1, 4000, 4000)
predicted = np.log(1 + sizes_tried[:, None] / np.array(BATCHES))  # (candidates, batches)
offsets = np.log(steps) - predicted
errors = offsets.std(axis=1)
critical = float(sizes_tried[errors.argmin()])
fewest = float(np.exp(offsets[errors.argmin()].mean()))
expect("L12.critical_batch", critical, above=1 if quick() else 12, below=4000 if quick() else 250)
expect("L12.fewest_steps", fewest, above=1, below=400)
expect("L12.fit_error", errors.min(), below=0.5 if quick() else 0.25)

# %% [markdown]
# ### The noise scale, from what workers have anyway
#
# A worker has the gradient of a *small* batch, b rows; after the sum all have that of a *large* one, W b rows. On
# average $|G_B|^2 = |G|^2 + \operatorname{tr} \Sigma / B$. Two equations, two unknowns (appendix A.1 of the paper):
#
# $$|G|^2 \approx \frac{B_\text{big} |G_\text{big}|^2 - B_\text{small} |G_\text{small}|^2}{B_\text{big} - B_\text{small}},
# \qquad \operatorname{tr} \Sigma \approx \frac{|G_\text{small}|^2 - |G_\text{big}|^2}{1/B_\text{small} - 1/B_\text{big}}$$
#
# Of one step, both are mostly luck, so each is summed over many steps before they are divided. Eight workers with four
# rows each train together, and write down two squared lengths at every step. It costs nothing but that.
#
# **Prediction.** The noise scale grows during training: early gradients are large and all alike. At the end it is of
# the order of the critical batch.

# %%
WORKERS, EACH, RATE = 8, 4, 4e-3
count = 24 if quick() else 300


def train_watched(comm):
    """Train; returns the mean |G|^2 of one worker and |G|^2 of all together, at every step: (count, 2)."""
    params = small.init(np.random.default_rng(0))
    optimizer = adam(beta2=0.95)
    state = optimizer.init(params.flat)
    sampler = BatchSampler(training, WINDOW, batch=EACH, seed=100 + comm.rank)
    squares = np.empty((count, 2))
    for step in range(count):
        _, grads = loss_and_gradient(small, params, causal_lm(sampler.batch_at(step)))
        alone = np.array([grads.flat @ grads.flat])
        comm.Allreduce(alone.copy(), alone)
        sum_gradients(comm, grads)
        grads.flat /= comm.size  # all have equally many targets
        squares[step] = alone[0] / comm.size, grads.flat @ grads.flat
        clip_by_global_norm(grads.flat, 1.0)
        rate = RATE * min(1.0, (step + 1) / 10)
        optimizer.update(params.flat, grads.flat, state, learning_rate=rate)
    return squares


few, many = launch(train_watched, WORKERS)[0].T
big = WORKERS * EACH
signal = (big * many - EACH * few) / (big - EACH)
noise = (few - many) / (1 / EACH - 1 / big)


def noise_scale(first, last):
    """B_simple in examples, over these steps."""
    return float(noise[first:last].sum() / signal[first:last].sum())


edges = [e for e in (0, 10, 20, 40, 80, 160) if e < count] + [count]
windows = list(pairwise(edges))
noises = [noise_scale(*window) for window in windows]
table(
    ["steps", "noise scale (examples)"],
    [(f"{a} to {b}", value) for (a, b), value in zip(windows, noises, strict=True)],
    digits=0,
)

# %%
at_end = noise_scale(count // 2, count)
expect("L12.noise_scale_first", noises[0], above=1, below=30)
expect("L12.noise_scale", at_end, above=1 if quick() else 20, below=1000 if quick() else 400)
ratio = at_end / critical
expect(
    "L12.noise_over_critical", ratio, above=0.01 if quick() else 0.15, below=100 if quick() else 8
)

# %%
fine = np.geomspace(BATCHES[0] / 1.5, BATCHES[-1] * 1.5, 200)
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.8, 4.2), layout="constrained")
halving = fine[critical / fine > 0.6]
left.loglog(halving, fewest * critical / halving, "--", color=GREY, label="every doubling halves")
left.axhline(fewest, color=GREY, linestyle=":", label="more does not help")
left.loglog(fine, fewest * (1 + critical / fine), color=SKY, linewidth=2, label="fit")
left.loglog(BATCHES, steps, "o", color=BLUE, label="measured")
top = steps.max() * 1.6
left.vlines(critical, fewest * 0.6, top, color=ORANGE, linewidth=1.5)
left.vlines(at_end, fewest * 0.6, top, color=VERMILION, linewidth=1.5, linestyle="-.")
orange, red = ("right", "left") if critical < at_end else ("left", "right")
label = {"rotation": 90, "va": "top", "fontsize": 8}
left.text(critical, top, " critical batch ", color=ORANGE, ha=orange, **label)
left.text(at_end, top, " noise scale ", color=VERMILION, ha=red, **label)
left.set(xlabel="batch size (examples)", ylabel="steps to the target", xlim=(fine[0], fine[-1]))
left.set_ylim(fewest / 8, top * 1.2)
left.set_xticks(BATCHES, [str(b) for b in BATCHES])
left.legend(frameon=False, fontsize=8, loc="lower left")
middle.loglog(fewest * (fine + critical), fewest * (1 + critical / fine), color=SKY, linewidth=2)
middle.loglog(BATCHES * steps, steps, "o", color=BLUE)
for batch, s in zip(BATCHES[::2], steps[::2], strict=True):
    middle.annotate(f"{batch}", (batch * s, s), xytext=(5, 4), textcoords="offset points")
middle.set(xlabel="examples: what it costs", ylabel="steps: how long it takes")
middle.set_xticks([10_000, 30_000], ["10 000", "30 000"])
for (first, last), value in zip(windows, noises, strict=True):
    right.plot([max(first, 1), last], [value, value], color=VERMILION, linewidth=3)
right.axhline(critical, color=ORANGE, linewidth=1.5)
right.text(1, critical * 1.07, "critical batch", color=ORANGE, fontsize=8, va="bottom")
right.set(xlabel="training step", ylabel="noise scale (examples)", xscale="log", yscale="log")
right.set_xticks([1, 10, 100], ["1", "10", "100"])
right.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
for axes in (left, middle, right):
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
show(figure)

# %% [markdown]
# *Left: the points leave the dashed line and turn to the dotted one where the upright lines stand. Middle: the same as
# a bargain; numbers are batch sizes. Further down is faster, further right is dearer. Right: how the noise scale grew.*
#
# So the noise scale, which costs a few additions and no second training, tells the order of magnitude of the batch
# at which more workers stop helping. Not more than that: it changes more than tenfold within one training, with
# scatter, and it knows nothing of Adam. Beyond the bend, workers are better used in another way: to hold parts of a larger model (lesson 11).
#
# ## Verdict
#
# * **C16, data parallelism speeds up training:** supported as a general statement, with a limit. Averaging gradients is
#   exact. The speed-up ends at the critical batch size, and with the cost of communication. Nothing ties data
#   parallelism to "machines" and model parallelism to "GPUs": both span both.
# * **C14, the size is achieved by model and data parallelism:** contradicted in part. Plain data parallelism keeps all
#   parameters on every worker: it adds throughput, not room. Room comes from sharding: tensors and stages
#   (lesson 11), experts, sequences, and ZeRO's slices, which live among data-parallel workers but are more than that.
# * **GPT-5.5:** undisclosed. Only the family of its hardware is public.
#
# ## What this does not show
#
# * What networks do. Our ranks share one memory; counts and formulas carry over to a cluster, seconds do not.
#   Overlapping communication with computing, which large clusters live on, is not in our model of time.
# * Where the critical batch of a large model is. Ours is about a thousand letters. McCandlish et al. find that it grows
#   as the loss falls, and Kaplan et al. (2020) put it at one to two million tokens for their largest language models.
# * That a batch beyond the critical one is *harmful*. It is merely dear. Goyal et al. needed warm-up and larger rates
#   to train with 8,192 images a step; without such care large batches also generalize worse in some tasks.
# * How much another seed would change. One was tried, with three rates; the error given above is the fit's residual.
#
# ## Exercises
#
# Write each function in `lessons/exercises/12_data_parallelism.py`, then
# `minigpt grade lessons/exercises/12_data_parallelism.py`.
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
# * Goyal et al. (2017), *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, arXiv:1706.02677.
# * Rajbhandari, Rasley, Ruwase, He (2020), *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*,
#   arXiv:1910.02054.
# * Patarasuk & Yuan (2009), *Bandwidth optimal all-reduce algorithms for clusters of workstations*, Journal of Parallel
#   and Distributed Computing 69. Sergeev & Del Balso (2018), *Horovod*, arXiv:1802.05799: the ring in deep learning.
