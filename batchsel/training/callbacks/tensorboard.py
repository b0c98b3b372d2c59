"""TensorBoard: Keras's callback, with everything that varies over a run, and histograms of losses and selection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.training.callbacks.packages import require
from batchsel.training.callbacks.tracker import tracked_values

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, with all that varies, and histograms of losses and of selection.

    Beside the metrics there are the rates of groups of layers, blur, sizes of batches and the like, and the samples,
    passes and seconds used. After each evaluation the run ``selection`` beside ``train`` and ``validation`` gets the
    last known loss of every sample trained on so far (``loss of each sample``), and how often each sample was trained
    on since the evaluation before (``times chosen``).

    Args:
        log_dir: Folder for the logs.
        **options: Arguments of Keras's callback.

    Raises:
        UserError: If TensorBoard is not installed; TensorFlow does not include it.

    Example:
        >>> import tempfile
        >>> TensorBoard(tempfile.mkdtemp(), write_graph=False).patient
        True
    """

    def __init__(self, log_dir: str | Path = "logs", **options: Any) -> None:
        require("tensorboard")
        super().__init__(str(log_dir), **options)

    @property
    def patient(self) -> bool:
        """True if the last batch of a call of the loop is enough."""
        return self.update_freq == "epoch" and not keras_private.profiles_batches(self)

    def set_trainer(self, trainer: Trainer) -> None:
        """Set the trainer whose losses and selections are shown."""
        self._trainer = trainer

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the logs."""
        super().on_train_begin(logs)
        self._selection = tf.summary.create_file_writer(str(Path(self.log_dir) / "selection"))
        self._visits = self._trainer.visits

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the values and the histograms."""
        super().on_epoch_end(epoch, tracked_values(self._trainer, logs or {}))
        losses, visits = self._trainer.losses, self._trainer.visits
        with self._selection.as_default(step=epoch):
            tf.summary.histogram("loss of each sample", losses[np.isfinite(losses)])
            tf.summary.histogram("times chosen", visits - self._visits)
        self._visits = visits

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the logs."""
        super().on_train_end(logs)
        self._selection.close()
