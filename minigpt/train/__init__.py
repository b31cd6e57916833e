"""Training: the loop, the gradient of a batch, checkpoints, metrics, and the folder of a run.

>>> fables = minigpt.Corpus("fables", ("The fox met a hen. " * 20,), ("The hen met a fox. " * 5,))
>>> settings = minigpt.TrainSettings(steps=2, batch=2)
>>> folder = minigpt.prepare_run("fables", fables, tokenizer="characters", settings=settings, progress=False)
>>> params, progress = minigpt.train.train(folder, show_progress=False)  # goes on where it stopped, if it did
>>> progress.step
2
"""

from minigpt.train.checkpoint import load_checkpoint, save_checkpoint
from minigpt.train.data import TextData, TrainingData, validation_windows
from minigpt.train.distill import Distiller
from minigpt.train.engine import Engine, OneProcess, Progress, judge_all, starting_point
from minigpt.train.fit import fit
from minigpt.train.folder import OpenedRun, RunFolder, has_run, open_folder, open_run, steps_done
from minigpt.train.gradient import BatchGradient, split_rows, take_rows
from minigpt.train.loop import Interrupted, train
from minigpt.train.metrics import read_metrics
from minigpt.train.prepare import Opened, prepare_run
from minigpt.train.settings import TrainSettings
from minigpt.train.start import Start, first_checkpoint
from minigpt.train.student import Distillation, prepare_student

__all__ = [
    "BatchGradient",
    "Distillation",
    "Distiller",
    "Engine",
    "Interrupted",
    "OneProcess",
    "Opened",
    "OpenedRun",
    "Progress",
    "RunFolder",
    "Start",
    "TextData",
    "TrainSettings",
    "TrainingData",
    "first_checkpoint",
    "fit",
    "has_run",
    "judge_all",
    "load_checkpoint",
    "open_folder",
    "open_run",
    "prepare_run",
    "prepare_student",
    "read_metrics",
    "save_checkpoint",
    "split_rows",
    "starting_point",
    "steps_done",
    "take_rows",
    "train",
    "validation_windows",
]
