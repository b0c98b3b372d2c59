"""Scoring of pools, and of batches that are only scored, in the manner that the selector states."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UserError
from batchsel.selectors import SampleStats, Selector
from batchsel.selectors.modifiers.scoring import Scoring
from batchsel.training.inputs.batch import Batch, gather_rows
from batchsel.training.inputs.rows import Rows
from batchsel.training.loop.loop_state import LoopState
from batchsel.training.loop.train_step import TrainStep


class PoolScorer:
    """Scores rows by a forward pass, a cheaper one where the selector asks for it.

    Args:
        step: The step of the model.
        selector: The selector.
        batch_size: b.
    """

    def __init__(self, step: TrainStep, selector: Selector, batch_size: int) -> None:
        self._step = step
        self._scoring: Scoring = selector.scoring or Scoring()
        self._batch_size = batch_size
        self._name = repr(selector)

    def is_due(self, step: tf.Tensor) -> tf.Tensor | None:
        """Return ``bool[]`` whether the pool of a step is scored; None if every one is."""
        every = self._scoring.every
        return None if every == 1 else tf.math.floormod(step, every) == 0

    def count(self, stats: SampleStats) -> tf.Tensor:
        """Return ``int64[]`` by how much the count of scored samples grows with rows that were scored."""
        rows = tf.math.count_nonzero(stats.valid)
        return rows if self._step.proxy is None else self._step.proxy.count_scored(rows)

    def learn(self, batch: Batch, loop_state: LoopState, rows: Rows) -> LoopState:
        """Train the proxy on a batch, if there is one and it is its turn; the model has not been trained on it yet.

        Args:
            batch: The batch.
            loop_state: The state before it.
            rows: The rows of it that the model sees.

        Returns:
            The state, in which that is counted as samples scored.
        """
        proxy = self._step.proxy
        if proxy is None:
            return loop_state
        time = loop_state.timestamp, loop_state.samples_left, loop_state.step
        return loop_state._replace(scored=loop_state.scored + proxy.train_if_due(batch, *time, rows))

    def shortlist(self, pool: Batch, losses: tf.Tensor) -> tuple[Batch, tf.Tensor | None]:
        """Return the rows of a pool that are scored, and ``int32[k]`` their places; None for all rows.

        Args:
            pool: The pool, B rows.
            losses: ``float32[n]`` last known losses, infinite for unseen samples.
        """
        size = static_size(pool.indices)
        count = self._scoring.rows(size, self._batch_size)
        if count == size:
            return pool, None
        known = tf.gather(losses, pool.indices)
        places = tf.math.top_k(tf.where(pool.valid, known, float("-inf")), count).indices
        return gather_rows(pool, places), places

    def score(self, batch: Batch) -> SampleStats:
        """Compute the losses and signals of rows.

        Args:
            batch: A pool, the rows of one, or a batch that is only scored.

        Raises:
            UserError: If the model does not accept pictures of the size that the selector asks for.
        """
        scoring = self._scoring
        step = self._step if self._step.proxy is None else self._step.proxy.step
        batch = batch._replace(x=self._shrink(batch.x)) if scoring.shrink > 1 else batch
        dtype = None if scoring.dtype == "model" else scoring.dtype
        try:
            with keras_private.compute_in(step.model, dtype):
                return step.score(batch)
        except ValueError as error:
            if scoring.shrink == 1:
                raise
            raise UserError(
                f"{self._name} scores smaller pictures, which this model does not accept. Build it for any size, with"
                " keras.Input((None, None, channels)) and global pooling, or leave out shrink."
            ) from error

    def _shrink(self, x: Any) -> Any:
        """Return pictures of a smaller size: means over squares, at the edges over what is there."""
        by = self._scoring.shrink
        if not isinstance(x, tf.Tensor) or x.shape.rank != 4:
            raise UserError(f"{self._name} scores smaller pictures, and the inputs are none. Leave out shrink.")
        small = tf.nn.avg_pool2d(tf.cast(x, tf.float32), by, by, "SAME")
        return small if x.dtype.is_floating else tf.cast(tf.round(small), x.dtype)
