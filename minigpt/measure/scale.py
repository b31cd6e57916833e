"""What a model of any size needs: parameters, operations, memory, communication, time. Every assumption is a field.

Sources: Narayanan et al. (2021), arXiv:2104.04473, section 5.1 and appendix (operations), section 3 (communication);
Korthikanti et al. (2022), arXiv:2205.05198, sections 4 and 5 (activations); Rajbhandari et al. (2020),
arXiv:1910.02054, section 3 (16 bytes per parameter).
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.model.size import count_parameters

DAY = 86_400  # seconds


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The machines. The defaults are the A100 cluster of Narayanan et al. (2021): DGX nodes of eight."""

    gpus: int = 1
    gpus_per_node: int = 8
    memory: float = 80e9  # bytes of one GPU
    peak: float = 312e12  # FLOP/s of one GPU, 16-bit matrix products
    efficiency: float = 0.65  # of the peak, which large matrix products alone reach
    memory_bandwidth: float = 2.0e12  # bytes/s, GPU to its own memory: what element-wise operations wait for
    bandwidth_within: float = 300e9  # bytes/s of one GPU to others in its node (NVLink, one way)
    bandwidth_between: float = 25e9  # bytes/s of one GPU to other nodes (200 Gb/s InfiniBand for each)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the work is shared: tensor * pipeline * data ranks."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    micro_batch: int = 1  # sequences that go through a pipeline stage at once
    zero: int = 0  # ZeRO stage among the data-parallel ranks
    recompute: bool = True  # activations of a block are computed again in the backward

    @property
    def ranks(self) -> int:
        """GPUs in all."""
        return self.tensor * self.pipeline * self.data


class Memory(NamedTuple):
    """Bytes on one GPU."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


class Traffic(NamedTuple):
    """Bytes that one GPU sends in one step."""

    tensor: float
    pipeline: float
    data: float


class StepTime(NamedTuple):
    """Seconds of one step, by what they are spent on."""

    products: float  # matrix products
    element_wise: float
    tensor: float  # waiting for other tensor-parallel ranks
    pipeline: float
    data: float
    bubble: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


WEIGHT, GRADIENT, STATES = 2, 2, 12  # bytes per parameter: 16-bit copy, 16-bit gradient; 32-bit copy and two moments
HALF = 2  # bytes of an activation


def formula_parameters(layers: int, width: int, vocabulary: int, context: int) -> float:
    """P = 12 l h^2 (1 + 13 / (12 h) + (V + s) / (12 l h)), equation 2 of Narayanan et al."""
    return 12 * layers * width**2 * (1 + 13 / (12 * width) + (vocabulary + context) / (12 * layers * width))


def step_flops(config: TransformerConfig, batch: int, *, recompute: bool = True) -> float:
    """Operations of one step over `batch` sequences of the whole context, matrix products only.

    A product of (m, k) and (k, n) is 2 m k n. The backward costs twice the forward, and recomputation one forward more.
    With recomputation this is equation 3 of Narayanan et al., 96 B s l h^2 (1 + s / (6 h) + V / (16 l h)), where the
    head, which is not computed again, counts three times the forward.
    """
    tokens = batch * config.context
    attention = config.heads * config.head_width
    weights = 2 * config.width * attention + 2 * config.width * config.key_value_heads * config.head_width
    weights += (3 if config.gated else 2) * config.width * config.feed_forward_width
    block = 2 * weights + 4 * config.context * attention  # of one token: scores and their weighted sum are 2 s h each
    head = 2 * config.width * config.vocabulary_size
    return tokens * (config.layers * block * (4 if recompute else 3) + head * 3)


def memory(config: TransformerConfig, layout: Layout, batch: int, *, count: int | None = None) -> Memory:
    """Bytes on the fullest GPU, that of the first pipeline stage, which waits for the most micro-batches (1F1B).

    batch: sequences in one step, of all replicas. count: of parameters, where it is known already.
    `UserError` if it cannot be shared out.
    """
    micros = micro_batches(layout, batch)
    parameters = stage_parameters(config, layout, count)
    shared = [layout.data if layout.zero > stage else 1 for stage in range(3)]  # optimizer, gradients, weights
    waiting = min(layout.pipeline, micros)
    layers = config.layers / layout.pipeline
    stored = kept = layer_activations(config, layout)
    if layout.recompute:
        kept = HALF * config.context * layout.micro_batch * config.width
        activations = layers * kept * waiting + stored
    else:
        activations = layers * kept * waiting
    return Memory(
        WEIGHT * parameters / shared[2], GRADIENT * parameters / shared[1], STATES * parameters / shared[0], activations
    )


def layer_activations(config: TransformerConfig, layout: Layout) -> float:
    """Bytes that one block keeps for its backward: s b h (10 + 24/t + 5 a s / (h t)) (Korthikanti et al., eq. 2)."""
    size = config.context * layout.micro_batch * config.width
    scores = 5 * config.heads * config.context / (config.width * layout.tensor)
    return size * (10 + 24 / layout.tensor + scores)


def stage_parameters(config: TransformerConfig, layout: Layout, count: int | None = None) -> float:
    """Parameters of the first pipeline stage on one tensor-parallel rank, with the token table. count: as `memory`."""
    total = count_parameters(config) if count is None else count
    table = config.vocabulary_size * config.width
    return ((total - table) / layout.pipeline + table) / layout.tensor


def micro_batches(layout: Layout, batch: int) -> int:
    """How many micro-batches every pipeline works on in one step."""
    each = layout.data * layout.micro_batch
    if batch % each:
        raise UserError(
            f"a batch of {batch} cannot be shared among {layout.data} replicas in micro-batches of "
            f"{layout.micro_batch}; use a multiple of {each}"
        )
    return batch // each


def traffic(config: TransformerConfig, layout: Layout, batch: int, *, count: int | None = None) -> Traffic:
    """Bytes that one GPU sends in a step. A ring all-reduce of n bytes among r ranks sends 2 n (r - 1) / r.

    Tensor: two all-reduces of (b, s, h) in the forward of a block, two in its backward, two more when it is recomputed.
    Pipeline: (b, s, h) forward and back at each border. Data: one all-reduce of the gradients, or, with ZeRO, a
    reduce-scatter and one (stage 3: two) all-gathers of the parameters, which is as much (stage 3: 1.5 times).
    """
    micros, layers = micro_batches(layout, batch), config.layers / layout.pipeline
    piece = HALF * layout.micro_batch * config.context * config.width
    rounds = 6 if layout.recompute else 4
    tensor = micros * layers * rounds * ring(piece, layout.tensor)
    pipeline = 0.0 if layout.pipeline == 1 else 2 * micros * piece / layout.tensor
    data = ring(GRADIENT * stage_parameters(config, layout, count), layout.data) * (1.5 if layout.zero == 3 else 1)
    return Traffic(tensor, pipeline, data)


def ring(size: float, ranks: int) -> float:
    """Bytes that each rank sends in a ring all-reduce of `size` bytes."""
    return 2 * size * (ranks - 1) / ranks


def idle_share(layout: Layout, micros: int) -> float:
    """The share of the time that a pipeline stage stands idle: (p - 1) / (m + p - 1)."""
    return (layout.pipeline - 1) / (micros + layout.pipeline - 1)


def step_time(
    config: TransformerConfig, layout: Layout, batch: int, cluster: Cluster, *, count: int | None = None
) -> StepTime:
    """Seconds of one step. count: as `memory`.

    Assumed: products run at `efficiency` of the peak; each activation that a block keeps is written and read once in
    the forward, once in the backward, and once more when recomputed, at the memory's bandwidth; tensor-parallel ranks
    are in one node, the others are not; nothing overlaps.
    """
    micros = micro_batches(layout, batch)
    sent = traffic(config, layout, batch, count=count)
    products = (
        step_flops(config, batch, recompute=layout.recompute) / layout.ranks / (cluster.peak * cluster.efficiency)
    )
    passes = 2 * (3 if layout.recompute else 2)
    moved = passes * layer_activations(config, layout) * micros * config.layers / layout.pipeline
    times = (
        products,
        moved / cluster.memory_bandwidth,
        sent.tensor
        / (cluster.bandwidth_within if layout.tensor <= cluster.gpus_per_node else cluster.bandwidth_between),
        sent.pipeline / cluster.bandwidth_between,
        sent.data / (cluster.bandwidth_within if layout.ranks <= cluster.gpus_per_node else cluster.bandwidth_between),
    )
    idle = idle_share(layout, micros)
    return StepTime(*times, sum(times[:4]) * idle / (1 - idle))


def layouts(config: TransformerConfig, batch: int, cluster: Cluster, *, zero: int = 1) -> list[tuple[Layout, StepTime]]:
    """Every layout of the whole cluster that fits its memory, fastest first.

    Tensor-parallel ranks stay within a node and divide the heads; pipeline stages divide the layers; micro-batches are
    1, 2, 4 or 8; activations are kept or computed again. zero: the ZeRO stage among replicas. Empty if nothing fits.
    """
    found, count = [], count_parameters(config)
    for tensor in divisors(math.gcd(config.key_value_heads, cluster.gpus_per_node)):
        for pipeline in divisors(config.layers):
            data, rest = divmod(cluster.gpus, tensor * pipeline)
            if rest or not data:
                continue
            for micro, recompute in itertools.product((1, 2, 4, 8), (False, True)):
                layout = Layout(
                    tensor=tensor, pipeline=pipeline, data=data, micro_batch=micro, zero=zero, recompute=recompute
                )
                if batch % (data * micro) == 0 and memory(config, layout, batch, count=count).total <= cluster.memory:
                    found.append((layout, step_time(config, layout, batch, cluster, count=count)))
    return sorted(found, key=lambda pair: pair[1].total)


def training_days(tokens: float, seconds_per_step: float, batch: int, context: int) -> float:
    """Days to see so many tokens."""
    return tokens / (batch * context) * seconds_per_step / DAY


def divisors(number: int) -> list[int]:
    """1, ..., number."""
    low = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return low + [number // d for d in reversed(low) if d * d != number]
