"""Using a trained model: sampling, the key-value cache, streaming, beam search, sentence vectors."""

from minigpt.infer.beam import Beam, beam_search
from minigpt.infer.drafts import DraftModel, PromptLookup, early_exit
from minigpt.infer.embed import embed
from minigpt.infer.engine import Engine
from minigpt.infer.generate import generate, generate_text
from minigpt.infer.past import KeyValuePast
from minigpt.infer.request import Event, Request
from minigpt.infer.rewrite import rewrite
from minigpt.infer.sampling import GREEDY, PURE, Sampling, next_tokens
from minigpt.infer.speculative import Speculation
from minigpt.infer.window import Window

__all__ = [
    "GREEDY",
    "PURE",
    "Beam",
    "DraftModel",
    "Engine",
    "Event",
    "KeyValuePast",
    "PromptLookup",
    "Request",
    "Sampling",
    "Speculation",
    "Window",
    "beam_search",
    "early_exit",
    "embed",
    "generate",
    "generate_text",
    "next_tokens",
    "rewrite",
]
