"""Callbacks that batchsel adds to Keras's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from batchsel.errors import UserError

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer


class Watch(keras.callbacks.Callback):
    """Tells whoever watches how far a run is: about twice a second, and after each evaluation.

    Args:
        watch: Called with counts, seconds on the clock, passes, whether an evaluation has just ended, and
            the last evaluation.
        trainer: The trainer of the run.
    """

    patient = True

    def __init__(self, watch: Callable[[dict[str, Any]], None], trainer: Trainer) -> None:
        super().__init__()
        self._watch = watch
        self._trainer = trainer
        self._evaluation: dict[str, float] | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """At the end of each call of the loop."""
        self._tell()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """After each evaluation."""
        found = {name: value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._evaluation = {name.removeprefix("val_"): value for name, value in found.items()}
        self._tell(evaluated=True)

    def _tell(self, evaluated: bool = False) -> None:
        trainer = self._trainer
        counts = trainer.counts
        state = {
            **counts,
            "seconds": trainer.clock.training,
            "passes": counts["samples"] / trainer.loop.n,
            "evaluated": evaluated,
            "evaluation": self._evaluation,
        }
        self._watch(state)


class AfterEvaluations(keras.callbacks.Callback):
    """Calls a function after each evaluation.

    Args:
        call: The function.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """After each evaluation."""
        self._call()


def tensorboard(folder: Path) -> keras.callbacks.Callback:
    """Keras's TensorBoard callback.

    Args:
        folder: Folder for the logs.

    Raises:
        UserError: If TensorBoard is not installed; TensorFlow does not bring it.
    """
    try:
        import tensorboard as _  # noqa: F401
    except ImportError:
        raise UserError(
            "TensorBoard is not installed (TensorFlow does not bring it): pip install 'batchsel[tensorboard]'."
        ) from None
    return keras.callbacks.TensorBoard(folder, write_graph=False)
