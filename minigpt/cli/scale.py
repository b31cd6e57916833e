"""`minigpt scale`: the bill for a model of any size, on any cluster."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from minigpt.cli.options import add_command, positive, print_json
from minigpt.errors import UserError
from minigpt.measure import scale
from minigpt.model import TransformerConfig, preset

SIZES = {"layers": "layers", "heads": "heads", "width": "width", "vocab": "vocabulary_size", "context": "context"}
CLUSTER = {  # option -> field, factor, unit, meaning
    "gpus": ("gpus", 1, "N", "how many GPUs"),
    "gpus-per-node": ("gpus_per_node", 1, "N", "in one machine"),
    "memory": ("memory", 1e9, "GB", "of one GPU"),
    "peak": ("peak", 1e12, "TFLOPS", "of one GPU, 16-bit matrix products"),
    "efficiency": ("efficiency", 1, "SHARE", "of the peak that large matrix products reach"),
    "memory-bandwidth": ("memory_bandwidth", 1e9, "GB/S", "of a GPU to its own memory"),
    "bandwidth-within": ("bandwidth_within", 1e9, "GB/S", "of a GPU to others in its node"),
    "bandwidth-between": ("bandwidth_between", 1e9, "GB/S", "of a GPU to other nodes"),
}
EXAMPLES = """  minigpt scale --preset gpt2
  minigpt scale --layers 128 --heads 160 --width 25600 --vocab 51200 --context 2048 --gpus 3072 --batch 3072
  minigpt scale --layers 96 --heads 96 --width 12288 --gpus 1024 --batch 1536 --tokens 3e11 --json"""


LARGEST, MOST_NUMBER = 10**9, 1e30
MOST = {"layers": 10**6, "gpus-per-node": 1024}  # their divisors are gone through
UNITS = {
    field: (factor, unit.replace("/S", "/s"))
    for field, factor, unit, _ in CLUSTER.values()
    if unit not in ("N", "SHARE")
}


def size_of(most: int) -> Callable[[str], int]:
    """A whole number from 1 to `most`, for argparse."""

    def size(text: str) -> int:
        if positive(text) > most:
            raise argparse.ArgumentTypeError(f"{text} is more than {most:,}, beyond anything that was ever built")
        return int(text)

    return size


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "scale",
        execute,
        EXAMPLES,
    )
    parser.add_argument("--preset", default="gpt2", help="where the sizes start from (default gpt2)")
    for option, field in SIZES.items():
        parser.add_argument(
            f"--{option}",
            type=size_of(MOST.get(option, LARGEST)),
            metavar="N",
            help=f"{field.replace('_', ' ')} of the model",
        )
    parser.add_argument(
        "--batch", type=size_of(LARGEST), default=512, metavar="N", help="sequences in a step (default 512)"
    )
    parser.add_argument(
        "--tokens",
        type=float,
        metavar="N",
        help="to train on (default 20 for each parameter, Hoffmann et al. 2022)",
    )
    parser.add_argument("--zero", type=int, choices=range(4), default=1, help="ZeRO stage among replicas (default 1)")
    for option, (field, factor, unit, meaning) in CLUSTER.items():
        default = getattr(scale.Cluster(), field) / factor
        kind = size_of(MOST.get(option, LARGEST)) if unit == "N" else float
        parser.add_argument(f"--{option}", type=kind, metavar=unit, help=f"{meaning} (default {default:g})")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of text")


def execute(arguments) -> int:
    """Print the bill."""
    given = {field: getattr(arguments, option) for option, field in SIZES.items()}
    config = preset(arguments.preset, **{field: value for field, value in given.items() if value is not None})
    cluster = _cluster(arguments)
    bill = _bill(config, cluster, arguments)
    if arguments.json:
        print_json(bill)
    else:
        print(_page(bill))
    return 0


def _cluster(arguments) -> scale.Cluster:
    values = {}
    for option, (field, factor, unit, _meaning) in CLUSTER.items():
        value = getattr(arguments, option.replace("-", "_"))
        if value is not None:
            _check_number(f"--{option}", value, 1.0 if unit == "SHARE" else MOST_NUMBER)
            values[field] = value * factor
    return scale.Cluster(**values)


def _check_number(flag: str, value: float, most: float) -> None:
    """`UserError` for a number that nothing can have; NaN among them."""
    if not 0 < value <= most:
        raise UserError(f"{flag} is {value:g}, but it must be above 0" + (" and at most 1" if most == 1 else ""))


def _bill(config: TransformerConfig, cluster: scale.Cluster, arguments) -> dict[str, Any]:
    """Everything, as plain values."""
    parameters, batch = scale.count_parameters(config), arguments.batch
    tokens = 20.0 * parameters if arguments.tokens is None else arguments.tokens
    _check_number("--tokens", tokens, MOST_NUMBER)
    bill: dict[str, Any] = {
        "parameters": parameters,
        "flops_per_step": scale.step_flops(config, batch),
        "flops_per_step_without_recomputation": scale.step_flops(config, batch, recompute=False),
        "batch": batch,
        "tokens": tokens,
        "bytes": {
            "weights": scale.WEIGHT * parameters,
            "gradients": scale.GRADIENT * parameters,
            "optimizer": scale.STATES * parameters,
        },
        "assumptions": {**asdict(cluster), "zero": arguments.zero, "bytes_per_parameter": 16, **_sizes(config)},
        "layout": None,
    }
    fitting = scale.layouts(config, batch, cluster, zero=arguments.zero)
    if fitting:
        layout, seconds = fitting[0]
        bill |= {
            "layout": asdict(layout),
            "layouts_that_fit": len(fitting),
            "memory_of_a_gpu": _plain(scale.memory(config, layout, batch)),
            "activations_of_a_gpu": {
                name: scale.memory(config, replace(layout, recompute=recompute), batch).activations
                for name, recompute in (("kept", False), ("recomputed", True))
            },
            "bytes_sent_by_a_gpu": _plain(scale.traffic(config, layout, batch)),
            "idle_share": scale.idle_share(layout, scale.micro_batches(layout, batch)),
            "seconds_per_step": _plain(seconds) | {"total": seconds.total},
            "days": scale.training_days(tokens, seconds.total, batch, config.context),
        }
    return bill


def _sizes(config: TransformerConfig) -> dict[str, Any]:
    names = ("layers", "heads", "width", "feed_forward_width", "vocabulary_size", "context")
    return {name: getattr(config, name) for name in names}


def _plain(values) -> dict[str, float]:
    return {name: float(value) for name, value in values._asdict().items()}


def _page(bill: dict[str, Any]) -> str:
    """The bill as text."""
    size = bill["bytes"]
    lines = [
        f"parameters             {bill['parameters']:,}",
        f"states                 {sum(size.values()) / 1e9:,.1f} GB: weights {size['weights'] / 1e9:,.1f}, "
        f"gradients {size['gradients'] / 1e9:,.1f}, optimizer {size['optimizer'] / 1e9:,.1f}",
        f"operations of a step   {bill['flops_per_step_without_recomputation']:.3g}, with recomputation "
        f"{bill['flops_per_step']:.3g}; batch {bill['batch']:,}",
    ]
    if bill["layout"] is None:
        lines.append(
            "layout                 none fits: more GPUs, more memory or a batch that more layouts divide would help"
        )
    else:
        lines += _layout_lines(bill)
    lines += ["", "assumed:"]
    for name, value in bill["assumptions"].items():
        factor, unit = UNITS.get(name, (1, ""))
        shown = f"{value / factor:,.4g} {unit}" if isinstance(value, float) else f"{value:,}"
        lines.append(f"  {name.replace('_', ' '):20} {shown.strip()}")
    return "\n".join(lines)


def _layout_lines(bill: dict[str, Any]) -> list[str]:
    layout, seconds, room = bill["layout"], bill["seconds_per_step"], bill["memory_of_a_gpu"]
    stored = bill["activations_of_a_gpu"]
    parts = ", ".join(f"{name.replace('_', '-')} {seconds[name]:.3g}" for name in seconds if name != "total")
    sent = ", ".join(f"{name} {value / 1e9:,.3g}" for name, value in bill["bytes_sent_by_a_gpu"].items())
    used = ", ".join(f"{name} {value / 1e9:,.3g}" for name, value in room.items())
    return [
        f"fastest that fits      tensor {layout['tensor']} x pipeline {layout['pipeline']} x data {layout['data']}, "
        f"micro-batch {layout['micro_batch']}, activations {'recomputed' if layout['recompute'] else 'kept'} "
        f"({bill['layouts_that_fit']} layouts fit)",
        f"memory of a GPU        {sum(room.values()) / 1e9:,.1f} GB: {used}",
        f"activations would be   {stored['kept'] / 1e9:,.3g} GB kept, {stored['recomputed'] / 1e9:,.3g} GB recomputed",
        f"sent by a GPU, GB      {sent}",
        f"pipeline stands idle   {bill['idle_share']:.1%}",
        f"seconds of a step      {seconds['total']:.4g}: {parts}",
        f"days                   {bill['days']:,.1f} for {bill['tokens']:.3g} tokens",
    ]
