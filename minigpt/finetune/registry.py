"""All tasks that examples are for; `domain` is about texts, see `minigpt.finetune.domain`."""

from minigpt.errors import UserError
from minigpt.finetune.answer import ANSWER
from minigpt.finetune.chat import CHAT
from minigpt.finetune.classify import CLASSIFY
from minigpt.finetune.tag import TAG
from minigpt.finetune.tasks import Task

TASKS = {task.name: task for task in (CLASSIFY, TAG, ANSWER, CHAT)}


def task_of(name: str) -> Task:
    """The task called `name`. `UserError` if there is none."""
    if name == "domain":
        raise UserError("domain is a task of texts, not of examples; it continues texts, with generate")
    if name not in TASKS:
        raise UserError(f"there is no task {name!r} of examples; choose one of {', '.join(TASKS)}")
    return TASKS[name]
