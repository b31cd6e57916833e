"""Training: the loop, the gradient of a batch, checkpoints, metrics, and the folder of a run."""

from minigpt.train.checkpoint import load_checkpoint, save_checkpoint
from minigpt.train.engine import Engine, OneProcess, Progress, starting_point
from minigpt.train.fit import fit
from minigpt.train.folder import OpenedRun, RunFolder, has_run, open_folder, open_run
from minigpt.train.gradient import BatchGradient, split_rows
from minigpt.train.loop import Interrupted, train, validation_windows
from minigpt.train.metrics import read_metrics
from minigpt.train.settings import TrainSettings

__all__ = [
    "BatchGradient",
    "Engine",
    "Interrupted",
    "OneProcess",
    "OpenedRun",
    "Progress",
    "RunFolder",
    "TrainSettings",
    "fit",
    "has_run",
    "load_checkpoint",
    "open_folder",
    "open_run",
    "read_metrics",
    "save_checkpoint",
    "split_rows",
    "starting_point",
    "train",
    "validation_windows",
]
