"""One turn of the loop: rows are scored, a batch is taken from them and trained on, and what was seen is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.selectors import Context, SampleStats, Selection, Selector
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.training.loop.batch_transforms import BatchTransforms
from batchsel.training.loop.loop_state import (
    NEGATIVE,
    NO_ROW,
    NOT_FINITE,
    WEIGHTLESS,
    BudgetWindow,
    LoopState,
    left,
    timestamp,
)
from batchsel.training.loop.train_step import Rows, Step

_BELOW = -1e-5
"""Losses that are 0 may come out a little lower."""


class Taken(NamedTuple):
    """The batch that is taken from a pool."""

    positions: tf.Tensor
    weights: tf.Tensor
    loop_state: LoopState


class BatchTurn:
    """What happens to the rows at the cursor of a plan.

    Args:
        step: The optimizer step.
        selector: Whose plan it is.
        batch_size: b.
        choose: Its `choose`, compiled or not.
        preparation: Changes the samples of a batch that is trained on; None to leave them.
    """

    def __init__(
        self,
        step: Step,
        selector: Selector,
        batch_size: int,
        choose: Callable[..., Selection],
        preparation: BatchTransforms | None = None,
    ) -> None:
        self._step = step
        self._choose = choose
        self._preparation = preparation
        self._selector = selector
        self._batch_size = batch_size
        self._width = selector.pool_size(batch_size) or batch_size

    def __call__(
        self,
        loop_state: LoopState,
        rows: Rows,
        indices: tf.Tensor,
        weights: tf.Tensor,
        context: Context,
        window: BudgetWindow,
    ) -> LoopState:
        """Trains on the rows, on a batch taken from them if they are a pool, or only scores them.

        Args:
            loop_state: The carry.
            rows: The batch or pool.
            indices: Its sample numbers.
            weights: Its weights in the plan.
            context: What the selector is told.
            window: What progress is measured by.
        """
        if not self._selector.scores_excluded:
            return self._train(loop_state, rows, indices, weights, context, window)
        return tf.cond(
            weights[0] < 0,
            lambda: self._score(loop_state, rows, indices, weights, context),
            lambda: self._train(loop_state, rows, indices, weights, context, window),
        )

    def _train(
        self,
        loop_state: LoopState,
        rows: Rows,
        indices: tf.Tensor,
        weights: tf.Tensor,
        context: Context,
        window: BudgetWindow,
    ) -> LoopState:
        selector, loss_weights, mixture = self._selector, None, None
        if selector.pool_size(self._batch_size):
            taken = self._taken(loop_state, rows, indices, weights, context)
            rows, indices = gather_rows((rows, indices), taken.positions)
            loop_state, weights = taken.state, taken.weights
        if selector.weighs:
            state = loop_state.state

            def loss_weights(losses: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
                return selector.loss_weights(state, losses, valid, context)

        now = timestamp(loop_state, window)
        if self._preparation is not None:
            x, mixture = self._preparation(rows.x, weights != 0, context.seed, context.step, now)
            rows = rows._replace(x=x)
        seen = self._step.train(rows, indices, weights, now, left(loop_state, window), loss_weights, mixture)
        loop_state = self._noted(loop_state, seen)._replace(
            step=loop_state.step + 1,
            samples=loop_state.samples + tf.math.count_nonzero(seen.valid),
            visits=tf.tensor_scatter_nd_add(loop_state.visits, seen.indices[:, None], tf.cast(seen.valid, tf.int32)),
        )
        context = context._replace(step=loop_state.step, samples=loop_state.samples, losses=loop_state.losses)
        return loop_state._replace(state=selector.update(loop_state.state, seen, context))

    def logged_values(self, now: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment: ``float32[]`` by name.

        Args:
            now: Where the run stands.
        """
        return self._step.logged_values(now) | (
            {} if self._preparation is None else self._preparation.logged_values(now)
        )

    def _taken(
        self, loop_state: LoopState, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context
    ) -> Taken:
        """The batch that is taken from a pool."""

        def chosen() -> Taken:
            pool = self._step.score(rows, indices, weights)
            choice = self._choose(loop_state.state, pool, context)
            outside = tf.reduce_any((choice.positions < 0) | (choice.positions >= self._width))
            fault = tf.where(valid_weights(choice.weights), loop_state.fault, WEIGHTLESS)
            noted = loop_state._replace(
                scored=loop_state.scored + tf.math.count_nonzero(pool.valid),
                fault=tf.where(outside, NO_ROW, fault),
                state=self._selector.observe(loop_state.state, pool, context),
            )
            return Taken(tf.clip_by_value(choice.positions, 0, self._width - 1), choice.weights, noted)

        if not self._selector.can_skip_scoring:
            return chosen()
        first = Taken(tf.range(self._batch_size), weights[: self._batch_size], loop_state)
        return tf.cond(tf.math.count_nonzero(weights) > self._batch_size, chosen, lambda: first)

    def _score(
        self, loop_state: LoopState, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context
    ) -> LoopState:
        seen = self._step.score(rows, indices, weights)
        loop_state = self._noted(loop_state, seen)._replace(
            scored=loop_state.scored + tf.math.count_nonzero(seen.valid)
        )
        state = self._selector.rescore(loop_state.state, seen, context._replace(losses=loop_state.losses))
        return loop_state._replace(state=state)

    def _noted(self, loop_state: LoopState, seen: SampleStats) -> LoopState:
        """The losses that were seen, and the cursor behind their rows."""
        finite = tf.reduce_all(tf.math.is_finite(seen.loss))
        fault = loop_state.fault
        if self._selector.requires_nonnegative_losses:
            fault = tf.where(tf.reduce_any(seen.loss < _BELOW), NEGATIVE, fault)
        return loop_state._replace(
            cursor=loop_state.cursor + 1,
            fault=tf.where(finite, fault, NOT_FINITE),
            last_indices=seen.indices,
            last_losses=seen.loss,
            losses=scatter_update(loop_state.losses, seen.indices, seen.loss),
        )


def valid_weights(weights: tf.Tensor) -> tf.Tensor:
    """Whether all weights of a batch (last axis) are finite, and its first row is one to train on or to score.

    Args:
        weights: ``float32[..., b]``.

    Example:
        >>> valid_weights(tf.constant([[1.0, 0.0], [0.0, 1.0]])).numpy().tolist()
        [True, False]
    """
    return tf.reduce_all(tf.math.is_finite(weights), axis=-1) & (weights[..., 0] != 0)


def gather_rows(rows: Any, indices: tf.Tensor) -> Any:
    """Takes rows out of every array of a nest.

    Args:
        rows: Arrays with the same first axis.
        indices: ``int32[k]``.

    Example:
        >>> gather_rows((tf.constant([5, 6, 7]), None), tf.constant([2, 0]))[0].numpy().tolist()
        [7, 5]
    """
    return tf.nest.map_structure(lambda leaf: None if leaf is None else tf.gather(leaf, indices), rows)
