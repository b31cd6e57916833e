"""Models that read different things and share their weights: what they call alike is one array.

A stack of blocks does not know what it reads. A model of tokens, one of image patches and one of sound frames differ
in the first layer, which each has under a name of its own; their blocks and their head have the same names and shapes,
so that one set of parameters serves all of them (Kaiser et al. 2017, "One Model To Learn Them All", arXiv:1706.05137).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Call, Params, Transformer
from minigpt.model.arrays import Arrays
from minigpt.multitask.task import Asked, Task
from minigpt.objectives import Counts, loss_and_gradient, scored


class Joint:
    """Some models with common parameters.

    Parameters
    ----------
    models : dict of str to Transformer
        By the name that tasks call their reader.

    Raises
    ------
    UserError
        If two have an array of one name and of different shapes.

    Examples
    --------
    >>> sizes = {"vocabulary_size": 9, "context": 8, "width": 8, "layers": 1, "heads": 2, "position": "sinusoidal"}
    >>> sizes |= {"architecture": "encoder", "head": "sequence", "labels": 3, "pooled": "mean", "tied": False}
    >>> text = minigpt.Transformer(minigpt.TransformerConfig(**sizes))
    >>> eye = minigpt.Transformer(minigpt.TransformerConfig(**sizes, input="patches", input_width=4))
    >>> joint = minigpt.multitask.Joint({"text": text, "image": eye})
    >>> sorted(set(joint.arrays()) - set(joint.shared))
    ['patch_embedding.bias', 'patch_embedding.weight', 'token_embedding.weight']
    """

    def __init__(self, models: Mapping[str, Transformer]):
        if not models:
            raise UserError("there are no models to join; give one at least")
        self.models = dict(models)
        self._arrays: Arrays = {}
        owners: dict[str, str] = {}
        for owner, model in self.models.items():
            for name, record in model.arrays().items():
                first = self._arrays.setdefault(name, record)
                if first.shape != record.shape:
                    raise UserError(
                        f"{name} is {first.shape} in {owners[name]} and {record.shape} in {owner}; what is called "
                        "alike is shared and needs one shape"
                    )
                owners.setdefault(name, owner)

    def arrays(self) -> Arrays:
        """Name and record of every array, each once."""
        return dict(self._arrays)

    @property
    def shared(self) -> list[str]:
        """The arrays that all the models use."""
        return [name for name in self._arrays if all(name in model.arrays() for model in self.models.values())]

    def model(self, task: Task) -> Transformer:
        """The one that reads a task. `UserError` if there is none."""
        if task.reader not in self.models:
            raise UserError(
                f"{task.name} is for the reader {task.reader!r}; there are {', '.join(map(repr, self.models))}"
            )
        return self.models[task.reader]

    def init(self, rng: np.random.Generator) -> Params:
        """Fresh parameters. Each model's own arrays begin as they would in it alone, and so do the shared ones."""
        params, seed = Params(self._arrays), int(rng.integers(1 << 63))
        for model in self.models.values():
            make = model.maker(np.random.default_rng(seed))
            for name in model.arrays():
                params[name] = make(name)
        return params

    def loss_and_gradient(
        self,
        params: Params,
        asked: Sequence[Asked],
        call: Call = Call(),
        *,
        grads: Params | None = None,
        losses: dict[str, float] | None = None,
    ) -> tuple[float, Params]:
        """The loss of a step, its batches together: a mean over all that is scored in them; and the gradient.

        Every scored target counts alike, whatever its task; so do all labels. An array that no batch used gets zeros.
        losses: gets each task's own loss, a mean over what is scored in its batch, by the task's name.
        """
        grads = params.zeros_like() if grads is None else grads
        grads.flat[...] = 0
        counts = sum((scored(one.batch) for one in asked), Counts(0, 0))
        total = 0.0
        for task, batch in asked:
            model = self.model(task)
            own = Params(model.arrays(), dtype=params.flat.dtype)
            loss, _ = loss_and_gradient(model, params, batch, call, counts=counts, grads=own)
            total += loss
            if losses is not None:
                own_counts = scored(batch)
                share = own_counts.targets / counts.targets if own_counts.targets else own_counts.labels / counts.labels
                losses[task.name] = loss / share
            for name, gradient in own.items():
                grads[name] += gradient
        return total, grads
