"""Many tasks, one model: tasks named by a prefix, what they share, whether they help or hinder each other."""

from minigpt.multitask.conflict import cosines, project_conflicts, task_gradients
from minigpt.multitask.joint import Joint
from minigpt.multitask.matrix import Trained, train_tasks, transfer_matrix
from minigpt.multitask.mixing import mixing_shares, rows_of_tasks
from minigpt.multitask.sequences import MAPS, ORDERS, Sequences
from minigpt.multitask.task import Asked, Task, exact_match

__all__ = [
    "MAPS",
    "ORDERS",
    "Asked",
    "Joint",
    "Sequences",
    "Task",
    "Trained",
    "cosines",
    "exact_match",
    "mixing_shares",
    "project_conflicts",
    "rows_of_tasks",
    "task_gradients",
    "train_tasks",
    "transfer_matrix",
]
