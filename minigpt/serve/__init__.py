"""A model over HTTP, in the form of OpenAI's API: `minigpt serve`."""

from minigpt.serve.app import App
from minigpt.serve.gate import Gate
from minigpt.serve.limits import Limits
from minigpt.serve.refused import Refused
from minigpt.serve.served import Served

__all__ = ["App", "Gate", "Limits", "Refused", "Served"]
