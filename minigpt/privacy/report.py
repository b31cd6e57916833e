"""An audit as lines for people."""

import math
from typing import Any


def lines_of(report: dict[str, Any]) -> str:
    """What was measured, each with its interval and its control."""
    extraction = report["extraction"]
    lines = [
        f"{report['pieces']:,} pieces of {report['length']} tokens of its training text, and as many that were held "
        "out (95% intervals)",
        f"Training has read {report['times_read']:.2f} times as many tokens as that text has, at random places: "
        f"{-math.expm1(-report['times_read']):.0%} of it at all.",
        "",
        f"Was a piece in the training text?{'right':>12}{'hits at 1% false alarms':>33}",
    ]
    for name, found in report["membership"].items():
        lines.append(f"  {name:28}{_interval(found['area'])}{_interval(found['hits'], percent=True):>28}")
    lines += [
        "  right: how often a seen piece looks more like one than an unseen piece; 0.5 is chance. If `without the",
        "  model` is not at chance, the two texts differ by themselves, and nothing above shows memory. At chance they",
        "  may still differ: it knows how well a piece can be compressed, not what it is about. Intervals take pieces",
        "  for independent; pieces of one document are not quite, so the true ones are wider.",
        "",
        f"After {report['given']} tokens, does it write the rest?{'to the last token':>25}{'each token':>25}",
        *(
            f"  {name:28}{_interval(extraction[key]['whole'], percent=True):>28}"
            f"{_interval(extraction[key]['tokens'], percent=True):>28}"
            for key, name in (("seen", "trained on"), ("unseen", "held out: the control"))
        ),
        f"  {100 * report['held_out_in_training']:.1f}% of the held-out pieces stand in the training text as well.",
    ]
    if "canaries" in report:
        lines += ["", "Canaries, planted so many times            exposure in bits"]
        lines += [
            f"  {row['times']:>6} ({row['in_training']:g} in its text)          {_interval(row['exposure'])}"
            for row in report["canaries"]
        ]
        if any(row["times"] for row in report["canaries"]) and not any(
            row["in_training"] for row in report["canaries"]
        ):
            lines.append("  None stands in the training text: they were cleaned away, or planted into another text.")
        lines.append(f"  Whatever was never planted has {report['canaries_chance']:.2f} bits on average.")
    return "\n".join(lines)


def _interval(found: dict[str, float], *, percent: bool = False) -> str:
    if percent:
        return f"{100 * found['value']:.1f}% ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
