"""Options for trackers of runs, which the commands that train share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from batchsel.training.callbacks.packages import TRACKERS, require

_OPTIONS = {
    "tensorboard": ("[DIR]", "Log to TensorBoard, in this folder. [default: the folder of the run]"),
    "mlflow": ("[URI]", "Log to MLflow, stored here. [default: MLFLOW_TRACKING_URI]"),
    "wandb": ("[PROJECT]", "Log to Weights & Biases; WANDB_MODE=offline keeps it here. [default: WANDB_PROJECT]"),
}


def tracker_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each tracker; the command receives those that were given as one argument, `trackers`.

    A tracker whose package is not installed is refused before anything is read.

    Args:
        function: The command.
    """

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        places = {name: options.pop(name) for name in TRACKERS}
        trackers = {name: place for name, place in places.items() if place is not None}
        for name in trackers:
            require(name)
        return function(*arguments, trackers=trackers, **options)

    for name in reversed(TRACKERS):
        metavar, text = _OPTIONS[name]
        option = click.option(f"--{name}", is_flag=False, flag_value="", default=None, metavar=metavar, help=text)
        command = option(command)
    return command
