"""What came of an assembled GPT, in words and as plain values."""

from typing import Any

from minigpt.errors import visible
from minigpt.grade.assembled.assemble import Assembled
from minigpt.grade.assembled.parts import Piece

SAME = 0.01  # nats, the most between two curves that differ by rounding alone


def as_words(found: Assembled) -> str:
    """All of it, for a reader."""
    lines = [line for piece in found.pieces for line in _of_piece(piece)]
    own = sum(piece.work is not None for piece in found.pieces)
    lines += ["", f"{own} of {len(found.pieces)} pieces are yours."]
    wrong = [piece.name for piece in found.pieces if piece.wrong]
    if wrong:
        follows = "" if found.gradient is None else " What follows was made with them as they are."
        lines.append(f"Not right: {', '.join(wrong)}.{follows}")
    if found.gradient is not None:
        lines.append(_gradient(found.gradient, wrong))
    if found.problem:
        lines.append(f"Put together, it does not run to its end: {found.problem}")
    elif found.yours:
        lines += ["", *_curves(found), "", "It goes on with the beginning of its text:", "", visible(found.text)]
    return "\n".join(lines)


def _of_piece(piece: Piece) -> list[str]:
    sign = "WRONG" if piece.wrong else "right" if piece.work is not None else "-"
    lines = [f"{sign:6} {piece.name:20} {piece.origin}"]
    if piece.wrong and piece.result is not None:
        lines.append(f"       {piece.result.message}")
        lines += [f"       likely: {piece.result.likely}"] if piece.result.likely else []
    return lines


def _gradient(problem: str, wrong: list[str]) -> str:
    if not problem:
        return "The gradient of the whole, all arrays of two blocks, is right: it equals central differences."
    whose = (
        f" The piece to look at: {', '.join(wrong)}." if wrong else " Each piece alone is right: do they fit together?"
    )
    return f"{problem[0].upper()}{problem[1:]}. {whose}"


def _curves(found: Assembled) -> list[str]:
    steps, yours, library = len(found.yours), _end(found.yours), _end(found.library)
    beside = ", ".join(f"{name} {value:.2f}" for name, value in found.baselines.items())
    lines = [
        f"After {steps} steps, in nats per character ({beside}):",
        f"  yours        {yours:.3f}",
        f"  the library  {library:.3f}",
    ]
    if found.apart < SAME:
        most = f"never more than {found.apart:.1e} nats apart"
        if found.gradient:
            return [
                *lines,
                f"The curves are {most}, and yet the gradient is wrong: a loss does not show every mistake.",
            ]
        return [*lines, f"The curves are the same to rounding: {most}."]
    gap = yours - library
    which = f"ends {gap:.3f} nats above" if gap > 0 else f"ends {-gap:.3f} nats below"
    return [*lines, f"Your curve is not the library's: it {which} it, and they are up to {found.apart:.3f} apart."]


def _end(losses: list[float]) -> float:
    """The mean of the last steps: one step's loss depends on its windows."""
    last = losses[-min(20, len(losses)) :]
    return sum(last) / len(last)


def as_values(found: Assembled) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    pieces = [
        {
            "piece": piece.name,
            "from": piece.work.path if piece.work is not None else None,
            "right": piece.result.passed if piece.work is not None and piece.result is not None else None,
            "message": piece.result.message if piece.result is not None else None,
            "likely": piece.result.likely if piece.result is not None else None,
        }
        for piece in found.pieces
    ]
    return {
        "passed": found.passed,
        "pieces": pieces,
        "problem": found.problem or None,
        "gradient": found.gradient,
        "losses": found.yours,
        "library_losses": found.library,
        "baselines": found.baselines,
        "text": found.text,
        "seed": found.seed,
    }
