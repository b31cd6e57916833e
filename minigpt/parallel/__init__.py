"""Many ranks training one model: communicators, and the ways to split the work among them."""

from minigpt.parallel.communicator import Communicator, Counted
from minigpt.parallel.threads import Broken, ThreadCommunicator, run

__all__ = ["Broken", "Communicator", "Counted", "ThreadCommunicator", "run"]
