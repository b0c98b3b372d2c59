"""Models that are trained beside the one that matters, so that a selector can compare with them; on the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.clock import TRAINING
from batchsel.training.feeds import Feed, Resident
from batchsel.training.step import Rows
from batchsel.training.turn import gather

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

_FORWARDS = 3
"""Forward passes that a sample trained on costs: a backward pass costs about two."""


class Reference:
    """Trains models of the same form as a trainer's, and scores all of its samples by them.

    Args:
        trainer: Whose model is copied, and on whose clock and counts the cost is.

    Raises:
        UserError: If the model cannot be copied.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._outer = trainer
        self._batch_size = trainer.batch_size
        model = _copy(trainer.model)
        decays = hasattr(model.optimizer.learning_rate, "assign")
        self._inner = type(trainer)(model, batch_size=self._batch_size, schedule="linear" if decays else None)
        self._score = tf.function(self._scored, autograph=False)

    def learner(self, feed: Feed) -> Callable[[np.ndarray, int, float], np.ndarray]:
        """What a selector's `prepare` is given.

        Args:
            feed: The data.

        Returns:
            A function of samples, seed and passes that trains a fresh model on the samples and gives ``float32[n]``
            losses of all samples.

        Raises:
            UserError: If the data are streamed.
        """
        if not isinstance(feed, Resident):
            raise UserError(f"{self._outer.selector.name} trains models of its own first, which needs data in memory.")
        return lambda rows, seed, passes: self._learn(feed.data, rows, seed, passes)

    def _learn(self, data: Rows, rows: np.ndarray, seed: int, passes: float) -> np.ndarray:
        inner, outer, n = self._inner, self._outer, int(tf.nest.flatten(data.x)[0].shape[0])
        part = gather(data, tf.constant(rows, tf.int32))
        inner.reset(seed)
        inner.fit(part.x, part.y, epochs=passes, sample_weight=part.sample_weight, verbose=0)
        outer.clock.nanoseconds[TRAINING] += inner.clock.nanoseconds[TRAINING]
        with outer.clock.section("tracing"):
            self._score(data, tf.constant(0)).numpy()
        with outer.clock.section(TRAINING):
            starts = range(0, n, self._batch_size)
            losses = [self._score(data, tf.constant(start)).numpy() for start in starts]
        outer.loop.carry.scored.assign_add(_FORWARDS * inner.counts["samples"] + n)
        return np.concatenate(losses)[:n]

    def _scored(self, data: Rows, start: tf.Tensor) -> tf.Tensor:
        n = tf.nest.flatten(data.x)[0].shape[0]
        indices = (start + tf.range(self._batch_size)) % n
        return self._inner.engine.step.score(gather(data, indices), indices, tf.ones([self._batch_size])).loss


def _copy(model: keras.Model) -> Any:
    """A model of the same form with weights of its own, compiled alike."""
    try:
        copy = keras.models.clone_model(model)
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        copy.compile(optimizer, model.loss, metrics=None)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot copy {type(model).__name__} to train a second one of it: {error}. Give the losses by a file."
        ) from error
    return copy
