"""Many ranks training one model: communicators, and the ways to split the work among them."""

from minigpt.parallel.communicator import Communicator, Counted
from minigpt.parallel.threads import Broken, ThreadCommunicator, launch

__all__ = ["Broken", "Communicator", "Counted", "ThreadCommunicator", "launch"]
