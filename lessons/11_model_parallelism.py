# %% [markdown]
# # 11  Model parallelism
#
# **The claims.** The model's size is reached by model parallelism and data parallelism together (C14); model parallelism
# is splitting a model over several GPUs (C15).
#
# **The question.** Along which lines can a model be cut, so that the parts compute what the whole would? What has to be
# sent, who waits for whom, and which cut makes room for a larger model?
#
# **You need.** Lesson 04, the decoder; lesson 05, backpropagation; lesson 10, the bill.
#
# **Time.** An hour to read; the code runs for a few seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.course import expect, show, show_source, table
from minigpt.measure import ledger, scale
from minigpt.model.arrays import part
from minigpt.model.parts import apply_row_linear, sum_over_ranks
from minigpt.objectives import causal_lm, loss_and_gradient, scored
from minigpt.objectives.sharded import sharded_cross_entropy_forward
from minigpt.ops import gelu_forward, linear_forward
from minigpt.parallel import launch
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.schedule import (
    gpipe,
    idle_share,
    one_forward_one_backward,
    schedule,
    timeline,
)
from minigpt.parallel.tensor import check_tensor, shard_call, shard_params
from minigpt.plot import BLUE, GREEN, ORANGE, VERMILION, pipeline_timeline

# %% [markdown]
# ## Four ways to cut
#
# A model as a rectangle: layers from top to bottom, the width of its matrices from left to right. A colour is a worker.

# %%
COLORS = (BLUE, ORANGE, GREEN, VERMILION)
figure, panels = plt.subplots(1, 4, figsize=(9.6, 2.6), layout="constrained")
cuts = (
    ("data parallel:\neach has all of it", lambda layer, column: 0),
    ("tensor parallel:\na part of each matrix", lambda layer, column: column),
    ("pipeline parallel:\nsome of the layers", lambda layer, column: layer),
    ("both", lambda layer, column: 2 * (layer // 2) + column // 2),
)
for axes, (title, owner) in zip(panels, cuts, strict=True):
    for layer in range(4):
        for column in range(4):
            axes.add_patch(
                plt.Rectangle((column, layer), 0.96, 0.92, color=COLORS[owner(layer, column)])
            )
    axes.set(xlim=(-0.1, 4.1), ylim=(4.1, -0.1), title=title)
    axes.title.set_fontsize(10)
    axes.axis("off")
panels[0].text(
    *(2, 2, "worker 1 of 4;\nthe others hold\nthe same"),
    color="white",
    ha="center",
    va="center",
    bbox={"color": BLUE},
)
show(figure)

# %% [markdown]
# *The first picture is the odd one out: it is not cut at all.* Data parallelism cuts the **texts** (lesson 12). The
# others cut the model, and that is what makes room.
#
# We run all of them, each worker being a **rank**: here a thread that shares nothing with the others but what it sends,
# under `mpiexec` a process, on a cluster a machine. The function that a rank runs is the same.

# %%
config = TransformerConfig(
    vocabulary_size=37, context=16, width=32, layers=4, heads=8, feed_forward_width=72, init_std=0.2
)
model = Transformer(config)
params = model.init(np.random.default_rng(0), dtype=np.float64)
BATCH = 8
text = causal_lm(np.random.default_rng(1).integers(0, 37, (BATCH, 17)))
whole_loss, whole = loss_and_gradient(model, params, text)


def share_of_each_worker(data=1, tensor=1, pipeline=1):
    """The most parameters that any worker holds, as a share of the model's."""

    def rank(comm):
        grid = make_grid(comm, data=data, tensor=tensor, pipeline=pipeline)
        return Part(config, grid).params(params).flat.size

    return max(launch(rank, data * tensor * pipeline)) / params.flat.size


shares = {
    "data 4": share_of_each_worker(data=4),
    "tensor 4": share_of_each_worker(tensor=4),
    "pipeline 4": share_of_each_worker(pipeline=4),
    "data 2, tensor 2, pipeline 2": share_of_each_worker(data=2, tensor=2, pipeline=2),
}
table(["workers", "parameters on each, as a share of the model's"], list(shares.items()))

# %%
expect("E11.data_parameters_per_worker", shares["data 4"], equal=1)
expect("E11.tensor_parameters_per_worker", shares["tensor 4"], above=0.25, below=0.3)
expect("E11.pipeline_parameters_per_worker", shares["pipeline 4"], above=0.25, below=0.4)

# %% [markdown]
# Four data-parallel workers hold four whole models: **1.00**. With data parallelism alone the largest model is the one
# that fits a single worker, however many workers there are.
#
# ## Tensor parallelism: within a layer
#
# The feed-forward network is $y = \mathrm{GELU}(x A)\, B$. Cut $A$ into columns and $B$ into rows, one of each to a
# worker:
#
# $$A = [A_1 \; A_2], \quad B = \begin{bmatrix} B_1 \\ B_2 \end{bmatrix}, \qquad
#   y = \mathrm{GELU}(x A_1)\, B_1 + \mathrm{GELU}(x A_2)\, B_2$$
#
# A column of $A$ makes one hidden unit, and the activation acts on each hidden unit alone. So nothing has to be said
# between the two products; at the end the parts are summed, once (Shoeybi et al. 2019).
#
# **Why not the other way round?** Cut $A$ into *rows*, and each worker has only a part of the sum *inside* GELU. But
# $\mathrm{GELU}(a + b)$ is not $\mathrm{GELU}(a) + \mathrm{GELU}(b)$.
#
# **Prediction.** Columns, then rows: equal to rounding (float32). Rows first, GELU on each part: plainly wrong.

# %%
rng = np.random.default_rng(2)
WIDTH, HIDDEN, WORKERS = 64, 256, 4
x = rng.standard_normal((100, WIDTH)).astype(np.float32)
A = (rng.standard_normal((WIDTH, HIDDEN)) / np.sqrt(WIDTH)).astype(np.float32)
B = (rng.standard_normal((HIDDEN, WIDTH)) / np.sqrt(HIDDEN)).astype(np.float32)


def feed_forward(x, a, b):
    hidden, _ = gelu_forward(linear_forward(x, a)[0])
    return linear_forward(hidden, b)[0]


def columns_then_rows(comm):
    mine = part(HIDDEN, comm.rank, comm.size)
    total = np.empty_like(x)
    comm.Allreduce(feed_forward(x, np.ascontiguousarray(A[:, mine]), B[mine]), total)
    return total


def rows_first(comm):
    mine = part(WIDTH, comm.rank, comm.size)
    hidden, _ = gelu_forward(linear_forward(np.ascontiguousarray(x[:, mine]), A[mine])[0])
    total = np.empty_like(hidden)
    comm.Allreduce(hidden, total)  # too late: GELU has been applied to each part
    return linear_forward(total, B)[0]


y = feed_forward(x, A, B)
right, wrong = launch(columns_then_rows, WORKERS)[0], launch(rows_first, WORKERS)[0]
expect("E11.tensor_mismatch", np.abs(right - y).max(), below=1e-5)
expect("E11.rows_first_error", np.linalg.norm(wrong - y) / np.linalg.norm(y), above=0.1)

# %% [markdown]
# (Rows first *can* be made right: sum before the activation. That is one more exchange in every layer.)
#
# Attention is cut by **heads**: the columns of the query, key and value matrices that belong to a head go to one worker,
# and so do the rows of the output matrix that read it. Each half of a block ends in one sum in the forward, and begins,
# in the backward, with one: the same function.

# %%
show_source(sum_over_ranks)

# %%
show_source(apply_row_linear)

# %% [markdown]
# (The output's bias is added after the sum, or it would be added once for each worker.)
#
# The vocabulary is cut as well: each worker has the scores of some tokens. The loss needs $\log \sum_v e^{z_v}$ over all
# of them, which takes three numbers from each worker for a row, instead of its scores.

# %%
show_source(sharded_cross_entropy_forward, docstring=False)

# %% [markdown]
# **Prediction.** The whole model on 2 and 4 workers: loss and gradients equal to one worker's, up to rounding in
# float64. Bytes: four sums of all activations for each layer, and one each for the embedding and the head.


# %%
def on_tensor_ranks(comm):
    """Loss, gradients and bytes handed over, of one rank."""
    shard = shard_params(params, comm.rank, comm.size)
    value, grads = loss_and_gradient(model, shard, text, shard_call(config, comm))
    return value, grads, dict(comm.sent)


def largest_difference(results, size):
    """Over all ranks and arrays, from this rank's part of the whole gradient."""
    parts = [shard_params(whole, rank, size) for rank in range(size)]
    return max(
        np.abs(mine[1].flat - theirs.flat).max()
        for mine, theirs in zip(results, parts, strict=True)
    )


rows = []
for size in (2, 4):
    results = launch(on_tensor_ranks, size)
    difference = largest_difference(results, size)
    activations = text.tokens.size * config.width * 8  # bytes, float64
    formula = (4 * config.layers + 2) * activations + 2 * text.tokens.size * 8
    bytes_summed = results[0][2]["Allreduce"]
    expect(f"E11.tensor_{size}_gradient_difference", difference, below=1e-12)
    expect(f"E11.tensor_{size}_bytes_off", bytes_summed - formula, equal=0)
    rows.append((size, f"{difference:.1e}", f"{bytes_summed:,}", f"{formula:,}"))
table(["workers", "largest difference of a gradient", "bytes summed, counted", "formula"], rows)

# %% [markdown]
# The bytes do not fall with the number of workers, while each has less to compute. And nobody can go on before the sum
# is there. That is why tensor parallelism stays within one machine, where connections are fastest, and why it ends at
# the number of heads:

# %%
try:
    check_tensor(config, 16)
except UserError as error:
    print(error)

# %% [markdown]
# ## Pipeline parallelism: between layers
#
# Give the first layers to one worker, the next to another. All that has to be sent is the residual stream at the
# border, forward, and its gradient, backward. But a worker cannot begin before the one ahead has finished: with one
# batch, only one works at a time.
#
# So the batch is cut into $m$ **micro-batches** that follow each other. **GPipe** (Huang et al. 2019) does all forwards,
# then all backwards. **1F1B** (Narayanan et al. 2019) alternates as soon as it can.

# %%
show_source(one_forward_one_backward)

# %% [markdown]
# **Prediction.** With $p$ stages, the first micro-batch reaches the last stage after $p - 1$ turns, and as long it takes
# to come back. So the stages stand idle for a share $(p - 1)/(m + p - 1)$ of the time, under *both* schedules. What 1F1B
# saves is memory: a stage that has begun as early as it can need never keep more than $p$ micro-batches' activations,
# GPipe keeps all $m$.
#
# We run both for real, record what each stage did in which order, and draw it. A forward takes one unit of time, a
# backward two.

# %%
micros = [Batch(text.tokens[i : i + 1], text.targets[i : i + 1]) for i in range(BATCH)]


def on_pipeline_ranks(comm, order, micros):
    """Loss, gradients, what was done, bytes handed over."""
    stage = Part(config, make_grid(comm, pipeline=comm.size))
    found = stage.gradient(stage.params(params), micros, counts=scored(text), order=order)
    return *found, dict(comm.sent)


STAGES = 4
orders = {"GPipe": "gpipe", "1F1B": "1f1b"}
figure, panels = plt.subplots(2, 1, figsize=(9.6, 4.2), layout="constrained", sharex=True)
events = {}
for axes, (name, order) in zip(panels, orders.items(), strict=True):
    results = launch(on_pipeline_ranks, STAGES, order, micros)
    worst = max(
        np.abs(grads[name_] - whole[name_]).max() for _, grads, *_ in results for name_ in grads
    )
    expect(f"E11.pipeline_{order}_gradient_difference", worst, below=1e-12)
    events[order] = timeline([executed for _, _, executed, _ in results])
    pipeline_timeline(axes, events[order])
    axes.set_title(f"{name}: idle {idle_share(events[order]):.0%} of the time", fontsize=10)
panels[1].set_xlabel("time (forwards)")
show(figure)

# %% [markdown]
# *Light: forward; dark: backward; white: idle. The number is that of the micro-batch.* The two are equally long.

# %%
makers = {"GPipe": gpipe, "1F1B": one_forward_one_backward}
formula = (STAGES - 1) / (BATCH + STAGES - 1)
for order in orders.values():
    expect(f"E11.bubble_{order}_off", abs(idle_share(events[order]) - formula), below=1e-12)


def most_waiting(actions):
    """The most micro-batches that have gone forward and not yet come back."""
    return int(np.max(np.cumsum([1 if action == "forward" else -1 for action, _ in actions])))


table(
    ["micro-batches waiting, at most", *(f"stage {stage + 1}" for stage in range(STAGES))],
    [
        (name, *(most_waiting(make(stage, STAGES, BATCH)) for stage in range(STAGES)))
        for name, make in makers.items()
    ],
)

# %%
expect("E11.gpipe_waiting", most_waiting(gpipe(0, STAGES, BATCH)), equal=BATCH)
expect("E11.1f1b_waiting", most_waiting(one_forward_one_backward(0, STAGES, BATCH)), equal=STAGES)

# %%
counts = (1, 2, 4, 8, 16, 32, 64)
idle = [
    idle_share(timeline([schedule("1f1b", s, STAGES, m) for s in range(STAGES)])) for m in counts
]
WIDE = TransformerConfig(vocabulary_size=512, context=256, width=256, layers=8, heads=8)


def first_stage_megabytes(make, m):
    """Activations that wait on the first stage, for a batch of 64 in m micro-batches."""
    layout = scale.Layout(pipeline=STAGES, micro_batch=64 // m, recompute=False)
    each = ledger.predict(WIDE, layout, 64).activations / min(STAGES, m)  # it assumes 1F1B
    return each * most_waiting(make(0, STAGES, m)) / 1e6


held = {name: [first_stage_megabytes(make, m) for m in counts] for name, make in makers.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.2), layout="constrained")
left.plot(counts, idle, "o-", color=BLUE)
for m, value in zip(counts[::2], idle[::2], strict=True):
    left.annotate(f"{value:.2f}", (m, value), xytext=(6, 4), textcoords="offset points")
left.set(
    xscale="log",
    xlabel="micro-batches",
    ylabel="share of the time",
    title="four stages stand idle",
    ylim=(0, 0.85),
)
for (name, values), color in zip(held.items(), (ORANGE, BLUE), strict=True):
    right.plot(counts, values, "o-", color=color, label=name)
right.set(
    xscale="log",
    xlabel="micro-batches of a batch of 64",
    ylabel="megabytes",
    title="activations on the first stage",
    ylim=(0, None),
)
right.legend(frameon=False)
for axes in (left, right):
    axes.set_xticks(counts, counts)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
show(figure)
for m, value in zip((1, 4, 16, 64), (0.75, 3 / 7, 3 / 19, 3 / 67), strict=True):
    expect(f"E11.bubble_of_{m}", idle[counts.index(m)], above=value - 1e-3, below=value + 1e-3)

# %% [markdown]
# *Many micro-batches cure the idleness; only with 1F1B do they also save memory.* They have to be small to be many, and
# a small micro-batch makes small matrices (lesson 10): nothing is free.
#
# **Bytes.** At each border every micro-batch sends its residual stream once forward and once back.

# %%
results = launch(on_pipeline_ranks, STAGES, "1f1b", micros)
stream = text.tokens.size * config.width * 8  # of all micro-batches together
table_bytes = params[
    "token_embedding.weight"
].nbytes  # tied: the first and the last stage exchange its gradient
formulas = [stream + table_bytes, 2 * stream, 2 * stream, stream + table_bytes]
counted = [sent["Isend"] for *_, sent in results]
table(
    ["stage", "bytes sent, counted", "formula"],
    [
        (f"{i + 1}", f"{a:,}", f"{b:,}")
        for i, (a, b) in enumerate(zip(counted, formulas, strict=True))
    ],
)

# %%
expect("E11.pipeline_bytes_off", np.abs(np.subtract(counted, formulas)).max(), equal=0)
expect("E11.tensor_over_pipeline_bytes", bytes_summed / counted[1], above=4)

# %% [markdown]
# Here a tensor-parallel worker hands over nine times what a worker in the middle of the pipeline does. So large machines
# put tensor parallelism inside a node and pipelines between nodes.
#
# ## All of them at once
#
# The cuts are independent, so they multiply. Eight ranks, two ways each: two replicas of a pipeline of two stages, each
# stage cut in two. **Prediction.** The same gradient once more, and every rank holds about a quarter of the model.

# %%
show_source(make_grid)


# %%
def on_a_grid(comm):
    """The largest difference of this rank's gradients, and what it handed over in each direction, in bytes."""
    grid = make_grid(comm, data=2, tensor=2, pipeline=2)
    mine = Part(config, grid)
    rows = mine.rows(text)
    micros = [
        Batch(rows.tokens[i : i + 1], rows.targets[i : i + 1]) for i in range(len(rows.tokens))
    ]
    before = comm.sent.total()
    value, grads, _ = mine.gradient(mine.params(params), micros, counts=scored(text))
    wanted = mine.params(whole)
    difference = max(np.abs(grads[name] - wanted[name]).max() for name in grads)
    return value, difference, comm.sent.total() - before


grid_results = launch(on_a_grid, 8)
expect("E11.grid_gradient_difference", max(result[1] for result in grid_results), below=1e-12)
expect(
    "E11.grid_loss_difference",
    max(abs(result[0] - whole_loss) for result in grid_results),
    below=1e-12,
)

# %% [markdown]
# ## A trillion parameters
#
# Now the claim itself. 3,072 GPUs of 80 GB, a model of 1,008 billion parameters (the last row of lesson 10's table).
# Which layouts fit?
#
# **Prediction.** Data parallelism alone: none, at any number of GPUs. Tensor parallelism within a node of eight: none,
# 16 TB in eight parts is 2 TB each. With a pipeline: some.

# %%
trillion = TransformerConfig(
    vocabulary_size=51200, context=2048, width=25600, layers=128, heads=160
)
cluster = scale.Cluster(gpus=3072)
ways = {
    "data alone": {"data": 3072},
    "data and ZeRO 1 (Adam's states in slices)": {"data": 3072, "zero": 1},
    "data and tensor 8": {"data": 384, "tensor": 8},
    "data, tensor 8, pipeline 64 (as published)": {"data": 6, "tensor": 8, "pipeline": 64},
    "data and ZeRO 3 (everything in slices)": {"data": 3072, "zero": 3},
}
rooms = {
    name: scale.memory(trillion, scale.Layout(**way), 3072).total / 1e9
    for name, way in ways.items()
}
table(
    ["3,072 GPUs of 80 GB", "GB on each", "fits"],
    [(name, room, "yes" if room <= 80 else "no") for name, room in rooms.items()],
    digits=0,
)

# %%
expect("E11.gigabytes_data_alone", rooms["data alone"], above=16_000)
expect("E11.gigabytes_as_published", rooms["data, tensor 8, pipeline 64 (as published)"], below=80)
expect("E11.gigabytes_zero_3", rooms["data and ZeRO 3 (everything in slices)"], below=80)
found = scale.layouts(trillion, 3072, cluster)
layout, seconds = found[0]
expect("E11.layouts_that_fit", len(found), above=1)
expect("E11.fewest_stages", min(way.pipeline for way, _ in found), above=8)
print(f"fastest of {len(found)} that fit: {layout}, {seconds.total:.0f} s for a step")

# %% [markdown]
# The last row of the table is the exception that the article's sentence does not see: *sharded* data parallelism (ZeRO-3,
# FSDP) also makes room, since it no longer keeps a copy on each worker. It is in lesson 12.
#
# ## Verdict
#
# * **C15, model parallelism is splitting the model over GPUs: supported, in general.** But there are several ways, which
#   differ in what is sent, who waits and how far they go: within layers, between layers, over experts, along the
#   sequence (the last two are not built here).
# * **C14, size through model *and* data parallelism: contradicted in part.** Plain data parallelism keeps 1.00 of the
#   parameters on every worker. It adds speed, not room. Room comes from cutting the model, or from slicing its states.
# * Which of these serve GPT-5.5 is undisclosed; only the hardware is public.
#
# ## What this does not show
#
# * Speed. Threads of one machine share its memory; what a real network costs is in the ledger's assumptions, not
#   measured here. `examples/benchmarks/parallel.py` measures two processes on this machine.
# * That cutting is always worth it. A model that fits one worker is best left whole.
# * Expert and context parallelism, interleaved schedules, zero-bubble schedules, and overlap of sending and computing.
#
# ## Exercises
#
# Write each function in `lessons/exercises/11_model_parallelism.py`, then
# `minigpt grade lessons/exercises/11_model_parallelism.py`.
#
# 1. `shard_feed_forward(up, bias, down, rank, size)` (3 points): one rank's part of the two matrices.
# 2. `sharded_loss(shards, targets)` (4 points): cross-entropy from parts of the vocabulary.
# 3. `one_forward_one_backward(stage, stages, micros)` (4 points): the order of a stage's work.
# 4. `idle_share(stages, micros)` (1 point): the bubble.
#
# ## Further reading
#
# * Shoeybi et al. (2019), *Megatron-LM*, arXiv:1909.08053, section 3.
# * Huang et al. (2019), *GPipe*, arXiv:1811.06965. Narayanan et al. (2019), *PipeDream*, SOSP; (2021), *Memory-Efficient
#   Pipeline-Parallel DNN Training*, arXiv:2006.09503.
# * Narayanan et al. (2021), *Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM*,
#   arXiv:2104.04473, sections 2 and 3.
# * Korthikanti et al. (2022), *Reducing Activation Recomputation in Large Transformer Models*, arXiv:2205.05198.
# * Qi et al. (2023), *Zero Bubble Pipeline Parallelism*, arXiv:2401.10241.
