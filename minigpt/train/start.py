"""Beginning with parameters that are there already: those of a published model, or of another run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.train.checkpoint import save_checkpoint
from minigpt.train.engine import Progress
from minigpt.train.folder import RunFolder

# Parameters by name (whatever the start lacks begins fresh), or a function that makes all of them.
Start = Mapping[str, np.ndarray] | Params | Callable[[TransformerConfig], Params]


def first_checkpoint(folder: RunFolder, start: Start) -> None:
    """Write the checkpoint of step 0, so that a run that is killed before its first validation resumes from there.

    `UserError` names an array of `start` that the run's model does not have, or has in another shape.
    """
    params = start(folder.config) if callable(start) else first_parameters(folder.config, start, folder.settings.seed)
    state = folder.settings.make_optimizer(params).init(params.flat)
    save_checkpoint(folder.checkpoint("last"), folder.config, params, state, asdict(Progress()))


def first_parameters(config: TransformerConfig, start: Mapping[str, np.ndarray] | Params, seed: int) -> Params:
    """The parameters of `start`; fresh ones, as `Transformer.init` makes them, where it has none."""
    model = Transformer(config)
    params, make = Params(model.arrays()), model.maker(np.random.default_rng(seed))
    for name, array in start.items():
        if name not in params:
            raise UserError(f"the start has an array {name}, but the model of this run has none; leave it out")
        if array.shape != params[name].shape:
            raise UserError(
                f"{name} of the start has shape {array.shape}, but the model of this run needs {params[name].shape}; "
                "use the configuration that the start belongs to"
            )
        params[name][...] = array
    for name in params:
        if name not in start:
            params[name] = make(name)
    return params
