"""Trackers of runs: the same settings and values for TensorBoard, MLflow and Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from batchsel.training.runtime.part_texts import part_texts

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

_LONGEST = 500
"""Characters of a setting, which all trackers accept."""


def tracked_values(trainer: Trainer, logs: Mapping[str, float]) -> dict[str, float]:
    """Return what trackers show of an interval: the logs, and how much of the budget was used for them.

    Args:
        trainer: The trainer.
        logs: As `on_epoch_end` receives them, with all that varies.
    """
    counts = trainer.counts
    used = {
        "samples": counts["samples"],
        "scored_samples": counts["scored"],
        "passes": counts["samples"] / trainer.loop.n,
        "budget_used": trainer.progress,
        "seconds": trainer.clock.training,
    }
    return {name: float(value) for name, value in {**used, **logs}.items()}


def tracked_settings(trainer: Trainer) -> dict[str, Any]:
    """Return the settings of a run that has no others than those of its trainer and its optimizer.

    Args:
        trainer: The trainer.
    """
    parts = {
        "selector": trainer.selector, "schedule": trainer.schedule, "augment": trainer.augmentation,
        "curriculum": trainer.curricula, "accumulate": trainer.accumulation_schedule,
    }  # fmt: skip
    optimizer: Any = trainer.model.optimizer
    config = {f"optimizer_{name}": value for name, value in optimizer.get_config().items()}
    return {"batch_size": trainer.batch_size, "seed": trainer.seed, **part_texts(parts), **config}


class Tracker(keras.callbacks.Callback):
    """Base class of trackers: the run begins with its first interval, and goes on after an interruption.

    Subclasses define `start`, `log` and `end`. A checkpoint holds the tracker's name of the run, so that a resumed run
    goes on in the same one.

    Args:
        settings: Settings to show; None for those of the trainer.
    """

    patient = True

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._started = False
        self.run_id: str | None = None
        """The tracker's name of the run, or None before it began."""

    def start(self, settings: dict[str, str]) -> str:
        """Begin a run, or go on with `run_id`, and return its id.

        Args:
            settings: Settings of the run as texts; empty if it goes on.
        """
        raise NotImplementedError

    def log(self, values: dict[str, float], epoch: int) -> None:
        """Log values of an interval.

        Args:
            values: Values by name.
            epoch: Number of the interval, from 0.
        """
        raise NotImplementedError

    def end(self, error: BaseException | None) -> None:
        """End the run.

        Args:
            error: The exception that ended it, or None.
        """
        raise NotImplementedError

    def set_trainer(self, trainer: Trainer) -> None:
        """Set the trainer of the run."""
        self._trainer = trainer

    def get_state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"run_id": self.run_id}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with the run of a checkpoint."""
        self.run_id = state["run_id"]

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forget the run of an earlier call of fit."""
        self.run_id, self._started = None, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begin the run with its first interval, once it is known whether it goes on."""
        if self._started:
            return
        settings = tracked_settings(self._trainer) if self._settings is None else self._settings
        texts = {name: str(value)[:_LONGEST] for name, value in settings.items()}
        self.run_id = self.start({} if self.run_id is not None else texts)
        self._started = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the values of an interval."""
        self.log(tracked_values(self._trainer, logs or {}), epoch)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """End the run."""
        self._end(None)

    def on_train_error(self, error: BaseException) -> None:
        """End the run after an error or Ctrl-C, which Keras has no hook for."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if self._started:
            self._started = False
            self.end(error)
