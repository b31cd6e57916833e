"""All objectives. To add one: its function and record in a file, its record here, its test."""

from minigpt.errors import UserError
from minigpt.objectives.causal import CAUSAL, FILL_IN_THE_MIDDLE, PREFIX
from minigpt.objectives.denoising import INFILLING, SEQUENCE_TO_SEQUENCE, SPANS
from minigpt.objectives.masked import MASKED
from minigpt.objectives.mixture import MIXTURE
from minigpt.objectives.record import Objective
from minigpt.objectives.sentences import NEXT_SENTENCE, SENTENCE_ORDER

RECORDS: tuple[Objective, ...] = (
    CAUSAL,
    MASKED,
    NEXT_SENTENCE,
    SENTENCE_ORDER,
    PREFIX,
    INFILLING,
    SPANS,
    FILL_IN_THE_MIDDLE,
    MIXTURE,
    SEQUENCE_TO_SEQUENCE,
)
OBJECTIVES = {record.name: record for record in RECORDS if record.make is not None}  # those that a text is enough for

# objective, as its function is called -> architecture -> None if it can train it, else the reason why not
TRAINS: dict[str, dict[str, str | None]] = {record.function: record.trains for record in RECORDS}


def objective_of(name: str) -> Objective:
    """The record of the objective called `name`, as on the command line. `UserError` if there is none."""
    if name not in OBJECTIVES:
        raise UserError(f"there is no objective {name!r}; choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
