"""Refusing to train an architecture with an objective from which it would learn nothing, with the reason."""

from minigpt.errors import UserError
from minigpt.model import Batch, TransformerConfig
from minigpt.objectives.registry import TRAINS


def check_suits(config: TransformerConfig, batch: Batch) -> None:
    """`UserError`, with the reason, if the objective that made the batch cannot train this architecture or input.

    A batch that was put together by hand (objective None) is taken as it is.
    """
    if batch.objective is None:
        return
    check_trains(batch.objective, config.architecture)
    for stack in (config, config.encoder or config):
        if stack.input != "tokens":
            raise UserError(
                f"{batch.objective} is about tokens, but the model reads {stack.input}; make a batch of "
                "these and their targets or labels"
            )


def check_trains(function: str, architecture: str, *, called: str | None = None) -> None:
    """The same for an objective by the name of its function, such as masked_lm, or as the user has `called` it."""
    reason = TRAINS[function][architecture]
    if reason is not None:
        article = "a" if architecture == "decoder" else "an"
        raise UserError(f"{called or function} cannot train {article} {architecture}: {reason}")
