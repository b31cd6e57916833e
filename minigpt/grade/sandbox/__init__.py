"""Where a student's code runs: in a process of its own, with limits on time and memory.

`process.py` starts it and speaks to it, `worker.py` is what runs there, `values.py` says what may pass between the two.
"""

from minigpt.grade.sandbox.direct import Direct
from minigpt.grade.sandbox.process import MEGABYTES, SECONDS, Submission
from minigpt.grade.sandbox.values import Caller, Failed, demand_array
from minigpt.grade.sandbox.worker import Unknown, parameters

__all__ = ["MEGABYTES", "SECONDS", "Caller", "Direct", "Failed", "Submission", "Unknown", "demand_array", "parameters"]
