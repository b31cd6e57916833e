"""Training on images: the loop of texts, with other batches, in one process or with workers."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from minigpt.model import Params
from minigpt.parallel.processes import ProcessCommunicator, Unshared
from minigpt.parallel.workers import Workers
from minigpt.train import Engine, Interrupted, OneProcess, Progress, TrainingData, TrainSettings, train
from minigpt.vision.asking import AskingData
from minigpt.vision.data import ImageData
from minigpt.vision.run import ImageFolder, open_image_folder


def train_images(
    folder: ImageFolder,
    *,
    on_validation: Callable[[dict[str, float]], None] = lambda row: None,
    show_progress: bool = True,
) -> tuple[Params, Progress]:
    """Train the run to its last step, from its last checkpoint if it has one. Raises as `minigpt.train.train`."""
    return train(
        folder,
        data_of(folder),
        engine=_engine(folder),
        on_validation=lambda _params, row: on_validation(row),
        show_progress=show_progress,
    )


def data_of(folder: ImageFolder) -> TrainingData:
    """The batches that the folder's task asks for."""
    return ImageData(folder) if folder.task == "classify" else AskingData(folder)


def work(comm: ProcessCommunicator, path: str, settings: dict[str, Any]) -> None:
    """What every worker but the first does: the same as it, silently."""
    folder = replace(open_image_folder(path), settings=TrainSettings(**settings))
    with suppress(Interrupted):
        train(folder, data_of(folder), engine=Workers(folder, comm), show_progress=False)


def _engine(folder: ImageFolder) -> Engine:
    """As many processes as the settings have workers, or one, which says why."""
    if folder.settings.workers == 1:
        return OneProcess(folder)
    try:
        return Workers.start(folder, target=f"{__name__}:work")
    except Unshared as error:
        engine = OneProcess(folder)
        engine.notice = f"{error}, so one process trains"
        return engine
