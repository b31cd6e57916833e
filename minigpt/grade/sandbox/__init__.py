"""Where a student's code runs: in a process of its own, with limits on time and memory.

`process.py` starts it and speaks to it; `keeper.py`, `worker.py`, `guard.py` and `frames.py` are copied and run there;
`values.py` says what may be an answer.
"""

from minigpt.grade.sandbox.direct import Direct
from minigpt.grade.sandbox.frames import Unknown
from minigpt.grade.sandbox.process import MEGABYTES, SECONDS, Limits, Submission
from minigpt.grade.sandbox.values import Caller, Failed, demand_array
from minigpt.grade.sandbox.worker import parameters

__all__ = [
    "MEGABYTES",
    "SECONDS",
    "Caller",
    "Direct",
    "Failed",
    "Limits",
    "Submission",
    "Unknown",
    "demand_array",
    "parameters",
]
