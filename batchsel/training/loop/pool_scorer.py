"""Scoring of pools, and of batches that are only scored, in the manner that the selector states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UserError
from batchsel.selectors import SampleStats, Selector
from batchsel.selectors.modifiers.scoring import Scoring
from batchsel.training.inputs.batch import Batch, gather_rows
from batchsel.training.inputs.images import are_images, shrink
from batchsel.training.inputs.rows import PADDED_ROWS, Rows
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

    def learn(self, batch: Batch, loop_state: LoopState, rows: Rows) -> LoopState:
        """Train a proxy on a batch, if there is one and it is its turn; the model has not been trained on it yet.

        Args:
            batch: The batch.
            loop_state: The state before it.
            rows: The rows of it that the model sees.

        Returns:
            The state, in which that is counted as samples scored.
        """
        cheap, every = self._step.cheap_model, self._scoring.proxy_every
        if cheap is None or cheap.learns_from_pools:
            return loop_state

        def train() -> tf.Tensor:
            cheap.train(batch, loop_state.timestamp, loop_state.is_last, rows)
            return cheap.count(loop_state.scored, trained=batch.valid)

        due = tf.math.floormod(loop_state.step, every) == 0
        return loop_state._replace(scored=train() if every == 1 else tf.cond(due, train, lambda: loop_state.scored))

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

    def score_and_learn(self, batch: Batch, loop_state: LoopState) -> tuple[SampleStats, LoopState]:
        """Compute the losses and signals of rows as `score` does, count them, and train a head at a cut on them.

        Args:
            batch: As for `score`.
            loop_state: The state.
        """
        cheap = self._step.cheap_model
        if cheap is None:
            stats = self.score(batch)
            return stats, loop_state._replace(scored=loop_state.scored + tf.math.count_nonzero(stats.valid))
        if not cheap.learns_from_pools:
            stats = self.score(batch)
            return stats, loop_state._replace(scored=cheap.count(loop_state.scored, scored=stats.valid))
        batch = self._resize(batch)
        with self._as_stated():
            inputs = cheap.inputs(batch)
            stats = cheap.step.score(inputs)
        cheap.train(inputs, loop_state.timestamp, loop_state.is_last, PADDED_ROWS)
        return stats, loop_state._replace(
            scored=cheap.count(loop_state.scored, scored=stats.valid, trained=stats.valid)
        )

    def score(self, batch: Batch) -> SampleStats:
        """Compute the losses and signals of rows.

        Args:
            batch: A pool, the rows of one, or a batch that is only scored.

        Raises:
            UserError: If the model does not accept pictures of the size that the selector asks for.
        """
        batch = self._resize(batch)
        with self._as_stated():
            return (self._step.cheap_model or self._step).score(batch)

    @contextmanager
    def _as_stated(self) -> Iterator[None]:
        """Within the block, let what scores compute in the precision of the selector; say if pictures are too small."""
        cheap, dtype = self._step.cheap_model, self._scoring.dtype
        try:
            with ExitStack() as stack:
                for model in [self._step.model] if cheap is None else cheap.models:
                    stack.enter_context(keras_private.compute_in(model, None if dtype == "model" else dtype))
                yield
        except ValueError as error:
            if self._scoring.shrink == 1:
                raise
            raise UserError(
                f"{self._name} scores smaller pictures, which this model does not accept. Build it for any size, with"
                " keras.Input((None, None, channels)) and global pooling, or leave out shrink."
            ) from error

    def _resize(self, batch: Batch) -> Batch:
        return self._step.map_inputs(batch, self._shrink) if self._scoring.shrink > 1 else batch

    def _shrink(self, x: Any) -> Any:
        """Return smaller pictures."""
        if not are_images(x):
            raise UserError(f"{self._name} scores smaller pictures, and the inputs are none. Leave out shrink.")
        return shrink(x, self._scoring.shrink)
