"""One turn of the loop: rows are scored, a batch is taken from them and trained on, and what was seen is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.core.timestamp import Moment
from batchsel.selectors import Choice, Context, Seen, Selector
from batchsel.selectors.ops.sampling import updated
from batchsel.training.loop.batch_transforms import Preparation
from batchsel.training.loop.loop_state import (
    NEGATIVE,
    NO_ROW,
    NOT_FINITE,
    WEIGHTLESS,
    Carry,
    Span,
    left,
    moment,
)
from batchsel.training.loop.train_step import Rows, Step

_BELOW = -1e-5
"""Losses that are 0 may come out a little lower."""


class Taken(NamedTuple):
    """The batch that is taken from a pool."""

    positions: tf.Tensor
    weights: tf.Tensor
    carry: Carry


class Turn:
    """What happens to the rows at the cursor of a plan.

    Args:
        step: The optimiser step.
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
        choose: Callable[..., Choice],
        preparation: Preparation | None = None,
    ) -> None:
        self._step = step
        self._choose = choose
        self._preparation = preparation
        self._selector = selector
        self._batch_size = batch_size
        self._width = selector.pool_size(batch_size) or batch_size

    def __call__(
        self, carry: Carry, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context, span: Span
    ) -> Carry:
        """Trains on the rows, on a batch taken from them if they are a pool, or only scores them.

        Args:
            carry: The carry.
            rows: The batch or pool.
            indices: Its sample numbers.
            weights: Its weights in the plan.
            context: What the selector is told.
            span: What progress is measured by.
        """
        if not self._selector.rescores:
            return self._train(carry, rows, indices, weights, context, span)
        return tf.cond(
            weights[0] < 0,
            lambda: self._score(carry, rows, indices, weights, context),
            lambda: self._train(carry, rows, indices, weights, context, span),
        )

    def _train(
        self, carry: Carry, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context, span: Span
    ) -> Carry:
        selector, weigh, mixture = self._selector, None, None
        if selector.pool_size(self._batch_size):
            taken = self._taken(carry, rows, indices, weights, context)
            rows, indices = gather((rows, indices), taken.positions)
            carry, weights = taken.carry, taken.weights
        if selector.weighs:
            state = carry.state

            def weigh(losses: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
                return selector.weigh(state, losses, valid, context)

        now = moment(carry, span)
        if self._preparation is not None:
            x, mixture = self._preparation(rows.x, weights != 0, context.seed, context.step, now)
            rows = rows._replace(x=x)
        seen = self._step.train(rows, indices, weights, now, left(carry, span), weigh, mixture)
        carry = self._noted(carry, seen)._replace(
            step=carry.step + 1,
            samples=carry.samples + tf.math.count_nonzero(seen.valid),
            visits=tf.tensor_scatter_nd_add(carry.visits, seen.indices[:, None], tf.cast(seen.valid, tf.int32)),
        )
        context = context._replace(step=carry.step, samples=carry.samples, losses=carry.losses)
        return carry._replace(state=selector.update(carry.state, seen, context))

    def shown(self, now: Moment) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment: ``float32[]`` by name.

        Args:
            now: Where the run stands.
        """
        return self._step.shown(now) | ({} if self._preparation is None else self._preparation.shown(now))

    def _taken(self, carry: Carry, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context) -> Taken:
        """The batch that is taken from a pool."""

        def chosen() -> Taken:
            pool = self._step.score(rows, indices, weights)
            choice = self._choose(carry.state, pool, context)
            outside = tf.reduce_any((choice.positions < 0) | (choice.positions >= self._width))
            fault = tf.where(sound(choice.weights), carry.fault, WEIGHTLESS)
            noted = carry._replace(
                scored=carry.scored + tf.math.count_nonzero(pool.valid),
                fault=tf.where(outside, NO_ROW, fault),
                state=self._selector.observe(carry.state, pool, context),
            )
            return Taken(tf.clip_by_value(choice.positions, 0, self._width - 1), choice.weights, noted)

        if not self._selector.switches:
            return chosen()
        first = Taken(tf.range(self._batch_size), weights[: self._batch_size], carry)
        return tf.cond(tf.math.count_nonzero(weights) > self._batch_size, chosen, lambda: first)

    def _score(self, carry: Carry, rows: Rows, indices: tf.Tensor, weights: tf.Tensor, context: Context) -> Carry:
        seen = self._step.score(rows, indices, weights)
        carry = self._noted(carry, seen)._replace(scored=carry.scored + tf.math.count_nonzero(seen.valid))
        state = self._selector.rescore(carry.state, seen, context._replace(losses=carry.losses))
        return carry._replace(state=state)

    def _noted(self, carry: Carry, seen: Seen) -> Carry:
        """The losses that were seen, and the cursor behind their rows."""
        finite = tf.reduce_all(tf.math.is_finite(seen.loss))
        fault = carry.fault
        if self._selector.reads_losses:
            fault = tf.where(tf.reduce_any(seen.loss < _BELOW), NEGATIVE, fault)
        return carry._replace(
            cursor=carry.cursor + 1,
            fault=tf.where(finite, fault, NOT_FINITE),
            last_indices=seen.indices,
            last_losses=seen.loss,
            losses=updated(carry.losses, seen.indices, seen.loss),
        )


def sound(weights: tf.Tensor) -> tf.Tensor:
    """Whether all weights of a batch (last axis) are finite, and its first row is one to train on or to score.

    Args:
        weights: ``float32[..., b]``.

    Example:
        >>> sound(tf.constant([[1.0, 0.0], [0.0, 1.0]])).numpy().tolist()
        [True, False]
    """
    return tf.reduce_all(tf.math.is_finite(weights), axis=-1) & (weights[..., 0] != 0)


def gather(rows: Any, indices: tf.Tensor) -> Any:
    """Takes rows out of every array of a nest.

    Args:
        rows: Arrays with the same first axis.
        indices: ``int32[k]``.

    Example:
        >>> gather((tf.constant([5, 6, 7]), None), tf.constant([2, 0]))[0].numpy().tolist()
        [7, 5]
    """
    return tf.nest.map_structure(lambda leaf: None if leaf is None else tf.gather(leaf, indices), rows)
