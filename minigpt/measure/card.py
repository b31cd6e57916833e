"""Model cards in which every number is what a listed command says (Mitchell et al. 2019, arXiv:1810.03993).

A card begins with the header that Hugging Face reads (YAML), names its commands, and has tables whose rows end in the
command and the place in its JSON output that the number is from. What is not a number is for people to write.
`minigpt.measure.card_check` runs the commands again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from minigpt.errors import UserError

LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "gpl-3.0", "other", "unknown")
CLOSE = 1e-5  # of what is measured, a share of it: other processors add up in another order


class Row(NamedTuple):
    """One number of a card, or one word that a command says."""

    section: str
    label: str
    place: str  # in the JSON output, names with dots between
    kind: str  # one of `WRITTEN` or `MEASURED`


def _rounded(value: float, digits: int) -> str:
    """digits: after the point; where they end before it, as 1.25e+04, which says how many there are."""
    if digits >= 0:
        return f"{value:,.{digits}f}"
    return f"{value:.{max(0, len(f'{value:.0f}') - 1 + digits)}e}"


WRITTEN: dict[str, Callable[[Any], str]] = {  # kind -> how a value that is counted or recorded is written
    "count": lambda value: f"{value:,.0f}",
    "text": str,
    "rate": lambda value: f"{value:g}",
    "power": lambda value: f"{value:.3e}",
    "three": lambda value: f"{value:,.3f}",
    "four": lambda value: f"{value:,.4f}",
    "percent": lambda value: f"{100 * value:.1f} %",
    "percents": lambda found: f"{100 * found['low']:.1f} to {100 * found['high']:.1f} %",
}
MEASURED: dict[str, tuple[int, Callable[[Any, int], str]]] = {  # kind -> digits after the point, and how it is written
    "about two": (2, _rounded),
    "about three": (3, _rounded),
    "about interval": (
        3,
        lambda found, digits: f"{_rounded(found['low'], digits)} to {_rounded(found['high'], digits)}",
    ),
}
DETAILS, DATA, TRAINING, ENERGY = "Model details", "Training data", "Training", "Energy of the training"
TEXT, TASK, LEAKS, BIAS = "How well it predicts", "How well it chooses", "What it gives away", "What it prefers"
ROWS = {  # kind of command -> what a card takes from its output
    "facts": (
        Row(DETAILS, "architecture", "model.architecture", "text"),
        Row(DETAILS, "parameters", "model.parameters", "count"),
        Row(DETAILS, "layers", "model.layers", "count"),
        Row(DETAILS, "width", "model.width", "count"),
        Row(DETAILS, "heads", "model.heads", "count"),
        Row(DETAILS, "context, tokens", "model.context", "count"),
        Row(DETAILS, "vocabulary, tokens", "model.vocabulary", "count"),
        Row(DETAILS, "operations to read a token", "model.operations_per_token", "power"),
        Row(DETAILS, "SHA-256 of the weights", "model.sha256", "text"),
        Row(DATA, "corpus", "training.corpus", "text"),
        Row(DATA, "SHA-256 of its text, as recorded", "training.corpus_sha256", "text"),
        Row(DATA, "examples to learn from", "training.training_examples", "count"),
        Row(DATA, "SHA-256 of training.npy", "training.tokens_file_sha256", "text"),
        Row(DATA, "tokens", "training.training_tokens", "count"),
        Row(TRAINING, "command", "training.command", "text"),
        Row(TRAINING, "began with", "training.start", "text"),
        Row(TRAINING, "SHA-256 of the weights that it began with", "training.start_sha256", "text"),
        Row(TRAINING, "task", "training.task", "text"),
        Row(TRAINING, "what of it learnt", "training.learns", "text"),
        Row(TRAINING, "objective", "training.objective", "text"),
        Row(TRAINING, "optimizer", "training.optimizer", "text"),
        Row(TRAINING, "highest learning rate", "training.learning_rate", "rate"),
        Row(TRAINING, "batch: windows of text, or examples", "training.batch", "count"),
        Row(TRAINING, "steps", "training.steps", "count"),
        Row(TRAINING, "seed", "training.seed", "text"),
        Row(TRAINING, "tokens read", "training.tokens_read", "count"),
        Row(TRAINING, "operations", "training.operations", "power"),
        Row(
            TRAINING,
            "lowest validation loss, nats a token or example, as recorded",
            "training.validation_loss",
            "three",
        ),
        Row(TRAINING, "minigpt", "training.minigpt", "text"),
        Row(TRAINING, "Python", "training.python", "text"),
        Row(TRAINING, "NumPy", "training.numpy", "text"),
        Row(TRAINING, "system", "training.system", "text"),
        Row(TRAINING, "processor", "training.processor", "text"),
        Row(ENERGY, "seconds, as recorded", "training.seconds", "three"),
        Row(ENERGY, "cores", "training.cores", "count"),
        Row(ENERGY, "watts of a core, assumed", "energy.watts_per_core", "rate"),
        Row(ENERGY, "overhead of the building, assumed", "energy.overhead", "rate"),
        Row(ENERGY, "grams of CO2 for a kWh, assumed", "energy.grams_per_kilowatt_hour", "rate"),
        Row(ENERGY, "kWh", "energy.kilowatt_hours", "four"),
        Row(ENERGY, "grams of CO2", "energy.grams_of_co2", "three"),
    ),
    "text": (
        Row(TEXT, "bytes", "bytes", "count"),
        Row(TEXT, "tokens", "tokens", "count"),
        Row(TEXT, "SHA-256 of the text", "hashes.data", "text"),
        Row(TEXT, "loss, nats per token", "nats_per_token", "about three"),
        Row(TEXT, "its interval (95 %)", "interval", "about interval"),
        Row(TEXT, "perplexity", "perplexity", "about two"),
        Row(TEXT, "bits per byte", "bits_per_byte", "about three"),
        Row(TEXT, "bits per byte of who knows nothing", "baseline_bits_per_byte.uniform", "about three"),
        Row(TEXT, "calibration error", "calibration.error", "about three"),
    ),
    "task": (
        Row(TASK, "questions", "questions", "count"),
        Row(TASK, "SHA-256 of the prompts", "hashes.prompts", "text"),
        Row(TASK, "right", "accuracy.value", "percent"),
        Row(TASK, "its interval (95 %)", "accuracy", "percents"),
        Row(TASK, "chance", "chance", "percent"),
        Row(TASK, "smallest difference between two models that it shows", "smallest_gain", "percent"),
    ),
    "audit": (
        Row(LEAKS, "pieces of its training text, and as many held out", "pieces", "count"),
        Row(LEAKS, "tokens of a piece", "length", "count"),
        Row(LEAKS, "written on to the last token, of the training text", "extraction.seen.whole.value", "percent"),
        Row(LEAKS, "its interval (95 %)", "extraction.seen.whole", "percents"),
        Row(LEAKS, "the same of the held-out text, the control", "extraction.unseen.whole.value", "percent"),
        Row(LEAKS, "held-out pieces that stand in the training text", "held_out_in_training", "percent"),
    ),
    "bias": (
        Row(BIAS, "pairs of sentences (CrowS-Pairs)", "measures.crows-pairs.asked", "count"),
        Row(BIAS, "the stereotype is preferred; a half is neutral", "measures.crows-pairs.prefers.value", "percent"),
        Row(BIAS, "its interval (95 %)", "measures.crows-pairs.prefers", "percents"),
        Row(BIAS, "p, if either sentence of a pair might be called the first", "measures.crows-pairs.p", "three"),
    ),
}
HEADER = {"text": (("perplexity", "perplexity"), ("bits_per_byte", "bits per byte")), "task": (("accuracy", "right"),)}
PROSE = {  # what stands under a heading until somebody writes more; no number stands in prose but in these lines
    "Intended use": (
        "For study: to see what a transformer of this size does, and to measure it. Not for advice, not for decisions "
        "about people, and not for texts whose truth matters: it writes what is likely, and of nothing knows whether "
        "it is true."
    ),
    DATA: (
        "What the files of a model do not say stands here in words, and is then not checked. A hash names a text; it "
        "does not say what is in it, nor that its authors agreed."
    ),
    ENERGY: (
        "Nobody read a meter. Time is measured; power, overhead and the grid are assumed, and the result is no better "
        "than they are. Operations count matrix products alone."
    ),
    "Limits": (
        "A loss on one text says nothing of another kind of text. Removing names does not make a corpus anonymous: "
        "what a model was trained on often enough it may write again (Carlini et al. 2019). A model repeats the "
        "preferences of its text, and always taking the likeliest word turns a preference into a rule. A measure of "
        "bias that finds nothing has not shown that nothing is there (Blodgett et al. 2021)."
    ),
    "How this card is checked": (
        "`minigpt card --verify` runs the commands again, in the folder in which this was written, and compares every "
        "number; one that no command gives is refused. The form is that of Mitchell et al. (2019)."
    ),
}
ORDER = (DETAILS, "Intended use", DATA, TRAINING, ENERGY, TEXT, TASK, LEAKS, BIAS, "Limits", "How this card is checked")
TRAINED = {  # task of a fine-tuned model, or of one of images
    "classify": "text-classification",
    "tag": "token-classification",
    "answer": "question-answering",
    "classify images": "image-classification",
    "ask images": "visual-question-answering",
}
TASKS = {"decoder": "text-generation", "encoder": "feature-extraction", "encoder-decoder": "text2text-generation"}


class Command(NamedTuple):
    """A command of a card, and what it said."""

    kind: str
    words: tuple[str, ...]  # without `minigpt` itself
    found: Mapping[str, Any]


class Statement(NamedTuple):
    """A row of a card with its value."""

    row: Row
    letter: str  # of its command
    written: str
    ways: tuple[str, ...]  # how it may be written: more than one where another processor may round it otherwise

    def line(self, written: str | None = None) -> str:
        """As it stands in the card."""
        return f"| {self.row.label} | {written or self.written} | {self.letter} `{self.row.place}` |"


def letter_of(place: int) -> str:
    """A, B, C ..."""
    return chr(ord("A") + place)


def statements_of(commands: Sequence[Command]) -> list[Statement]:
    """Every number that the commands give. What one does not know, such as a published model's corpus, is left out."""
    statements = []
    for place, command in enumerate(commands):
        for row in ROWS[command.kind]:
            value = value_at(command.found, row.place)
            unknown = None in value.values() if isinstance(value, Mapping) else value is None
            if not unknown:
                statements.append(Statement(row, letter_of(place), *_written(row, value)))
    return statements


def value_at(found: Any, place: str) -> Any:
    """What stands at a place in a command's output; None if nothing does."""
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _written(row: Row, value: Any) -> tuple[str, tuple[str, ...]]:
    """How a value is written, and all ways that are true of it.

    What is measured has as many digits as two processors agree on: one less where the value stands at the border of two
    roundings. A writer reckons with twice the distance of a checker, so what it writes is true to every checker, and of
    all numbers with so many digits it is the only one.
    """
    try:
        if row.kind not in MEASURED:
            only = _line(WRITTEN[row.kind](value))
            return only, (only,)
        most, write = MEASURED[row.kind]
        written, ways = "", []
        for digits in range(most, most - 20, -1):
            near, far, farther = (
                len({write(_moved(value, 1 + factor), digits) for factor in (-times * CLOSE, 0.0, times * CLOSE)}) == 1
                for times in (1, 2, 3)
            )
            ways += [write(value, digits)] if near else []
            written = written or (write(value, digits) if far else "")
            if farther:
                break
    except (TypeError, ValueError, KeyError, OverflowError):
        raise UserError(f"{row.place} is {value!r:.60}, which cannot stand in a card as {row.label!r}") from None
    return written, tuple(ways)


def _line(written: str) -> str:
    """On one line of a table."""
    return " ".join(written.split()).replace("|", "/")


def _moved(value: Any, factor: float) -> Any:
    """The same value as another processor might have it."""
    return {name: one * factor for name, one in value.items()} if isinstance(value, Mapping) else value * factor


def header_of(commands: Sequence[Command], licence: str, language: str | None) -> list[tuple[str, Statement | None]]:
    """The lines of the YAML header, each with the statement whose value it repeats, if it does.

    Fields: https://github.com/huggingface/hub-docs/blob/main/modelcard.md, which `model-index` is a part of.
    """
    facts = next(command for command in commands if command.kind == "facts")
    task = _task(facts.found)
    name = facts.words[1]
    lines: list[tuple[str, Statement | None]] = [("---", None)]
    lines += [(f"language: {language}", None)] if language else []
    lines += [(f"license: {licence}", None), ("library_name: minigpt", None), (f"pipeline_tag: {task}", None)]
    lines += [("tags:", None), ("- minigpt", None), ("model-index:", None), (f'- name: "{name}"', None)]
    lines.append(("  results:", None))
    statements = statements_of(commands)
    for place, command in enumerate(commands):
        if command.kind not in HEADER:
            continue
        lines += [("  - task:", None), (f"      type: {task}", None), ("    dataset:", None)]
        lines += [("      type: text", None), (f'      name: "{command.words[2]}"', None), ("    metrics:", None)]
        by_label = {one.row.label: one for one in statements if one.letter == letter_of(place)}
        for kind, label in HEADER[command.kind]:
            lines += [(f"    - type: {kind}", None), ("      value: {}", by_label[label])]
    if not any(command.kind in HEADER for command in commands):
        lines[-1] = ("  results: []", None)
    return [*lines, ("---", None)]


def _task(facts: Mapping[str, Any]) -> str:
    """What the model does, in the words of Hugging Face's pages: its architecture's, unless its training says more."""
    kind = value_at(facts, "training.task") or ""
    kind = f"{kind} images" if value_at(facts, "model.input") in ("patches", "images") else kind
    return TRAINED.get(kind, TASKS[value_at(facts, "model.architecture")])


def number_of(written: str) -> str:
    """A value as YAML's number."""
    return written.replace(",", "").removesuffix(" %")


def write_card(commands: Sequence[Command], *, licence: str, language: str | None = None) -> str:
    """The Markdown of a card. commands: the first gives the facts."""
    header = [
        line if one is None else line.format(number_of(one.written))
        for line, one in header_of(commands, licence, language)
    ]
    lines = [*header, "", title_of(commands), ""]
    lines += ["Each number below is what one of these commands says, at the place that stands beside it:", ""]
    lines += [command_line(place, command.words) for place, command in enumerate(commands)]
    by_section: dict[str, list[Statement]] = {}
    for one in statements_of(commands):
        by_section.setdefault(one.row.section, []).append(one)
    for section in ORDER:
        if (section not in by_section and section not in PROSE) or (section == ENERGY and section not in by_section):
            continue
        lines += ["", f"## {section}", ""]
        if section in PROSE:
            lines.append(PROSE[section])
        if section in by_section:
            lines += [""] if section in PROSE else []
            lines += [*TABLE_HEAD, *(one.line() for one in by_section[section])]
    return "\n".join(lines) + "\n"


TABLE_HEAD = ("| what | value | from |", "| :--- | ---: | :--- |")


def title_of(commands: Sequence[Command]) -> str:
    """The heading."""
    return f"# Model card of {commands[0].words[1]}"


def command_line(place: int, words: Sequence[str]) -> str:
    """A command as it stands in the card."""
    return f"- {letter_of(place)}: `minigpt {' '.join(words)}`"
