"""Trackers by name, as the command line asks for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

_OWN = "batchsel"
"""Experiment of MLflow and project of Weights & Biases where the user names none."""


def make_trackers(
    places: Mapping[str, str], name: str, folder: Path, settings: Mapping[str, Any], group: str = ""
) -> list[keras.callbacks.Callback]:
    """Return the trackers of a run.

    Args:
        places: Place of the logs by tracker: a folder for TensorBoard, an address for MLflow, a project for Weights &
            Biases; empty for the default place.
        name: Name of the run.
        folder: Folder of the run, in which TensorBoard's logs lie by default.
        settings: Settings of the run.
        group: Name of the experiment that the run belongs to, or empty.

    Raises:
        UserError: If a package is not installed.
    """
    makers = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
    return [makers[tracker](place, name, folder, settings, group) for tracker, place in places.items()]


def _tensorboard(place: str, name: str, folder: Path, settings: Mapping[str, Any], group: str) -> Any:
    from batchsel.training.callbacks.tensorboard import TensorBoard

    return TensorBoard(Path(place) / name if place else folder / "tensorboard", write_graph=False)


def _mlflow(place: str, name: str, folder: Path, settings: Mapping[str, Any], group: str) -> Any:
    from batchsel.training.callbacks.mlflow_tracker import MLflow

    tracker = MLflow(
        name, experiment=None if "MLFLOW_EXPERIMENT_NAME" in os.environ else group or _OWN, settings=settings
    )
    if place:
        import mlflow

        mlflow.set_tracking_uri(place)
    return tracker


def _wandb(place: str, name: str, folder: Path, settings: Mapping[str, Any], group: str) -> Any:
    from batchsel.training.callbacks.wandb_tracker import WandB

    project = place or os.environ.get("WANDB_PROJECT", _OWN)
    return WandB(name, project=project, group=group or None, settings=settings)
