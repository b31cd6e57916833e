"""Fine-tuning: from a model and examples of a task to a model that does the task."""

from minigpt.finetune.domain import DomainTuning, prepare_domain
from minigpt.finetune.prepare import Tuning, prepare
from minigpt.finetune.registry import TASKS
from minigpt.finetune.tune import Tuned, go_on, tune
from minigpt.finetune.wishes import Wishes
from minigpt.text.records import Record, read_records

__all__ = [
    "TASKS",
    "DomainTuning",
    "Record",
    "Tuned",
    "Tuning",
    "Wishes",
    "go_on",
    "prepare",
    "prepare_domain",
    "read_records",
    "tune",
]
