"""Base class of selectors that score pools, and ways to choose a batch from a pool."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan, quantize, systematic
from batchsel.selectors.ops.score_log import note_scores
from batchsel.selectors.types import Context, Plan, Selection


class Pooled(Selector):
    """A selector that cuts shuffled passes into pools of `pool` batches.

    Subclasses are frozen dataclasses with a field `pool`, and define `choose`. Those that set `can_skip_scoring` also
    define `active`: where it is false, batches are planned directly and not scored.

    Example:
        >>> from batchsel.selectors import Candidates
        >>> Candidates(pool=3).pool_size(batch_size=10)
        30
    """

    pool: int
    """Batches in a pool."""

    def pool_size(self, batch_size: int) -> int:
        """Return B."""
        return self.pool * batch_size

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass, with a pool for each step."""
        return -(-n // self.pool_size(batch_size))

    def active(self, state: State, context: Context) -> tf.Tensor:
        """Return ``bool[steps]``, true for steps that score a pool; called only if `can_skip_scoring`."""
        raise NotImplementedError

    def plan(self, state: State, context: Context) -> Plan:
        """Shuffle the data and cut them into pools, or into batches while the selector is not active."""
        size = self.pool_size(context.batch_size)
        order = context.rng.permutation(context.n, self.name)
        pools = padded_plan(order, tf.constant(context.n), size)
        if not self.can_skip_scoring:
            return pools
        steps = self.steps_per_plan(context.n, context.batch_size)
        active = self.active(state, context)
        plain = tf.tile((tf.range(size) < context.batch_size)[None], [steps, 1])
        rows = tf.where(active[:, None], tf.reshape(pools.weights, [steps, size]), tf.cast(plain, tf.float32))
        indices = tf.where(tf.reduce_any(active), pools.indices, self._plain_rows(context, steps, size))
        return Plan(indices, tf.reshape(rows, [-1]), pools.steps)

    def _plain_rows(self, context: Context, steps: int, size: int) -> tf.Tensor:
        """Return the rows of plain batches: consecutive plans go through one random order after another."""
        b, n = context.batch_size, context.n
        first = context.plans * steps * b
        places = first + tf.cast(tf.range(steps)[:, None] * b + tf.range(size)[None] % b, tf.int64)
        passes = places // n
        # A plan of pools of one batch may reach from the end of one order through a whole one into a third.
        orders = [Rng(context.seed, passes[0, 0] + later).permutation(n, f"{self.name}/plain") for later in range(3)]
        table = tf.reshape(tf.stack(orders), [-1])
        return tf.reshape(tf.gather(table, (passes - passes[0, 0]) * n + places % n), [-1])


def take_first(positions: tf.Tensor, count: tf.Tensor, batch_size: int) -> Selection:
    """Choose the first rows of an order of the pool, up to a batch.

    Args:
        positions: ``int32[B]`` rows of the pool, the wanted ones first.
        count: ``int32[]`` number of wanted rows; at least one is chosen.
        batch_size: b.

    Example:
        >>> selection = take_first(tf.constant([3, 1, 0, 2]), tf.constant(1), batch_size=2)
        >>> selection.positions.numpy().tolist(), selection.weights.numpy().tolist()
        ([3, 1], [1.0, 0.0])
    """
    places = tf.range(batch_size)
    return Selection(positions[:batch_size], tf.cast(places < tf.maximum(count, 1), tf.float32))


def top_k(scores: tf.Tensor, valid: tf.Tensor, batch_size: int) -> Selection:
    """Choose the rows of highest score; padding rows come last and have weight 0.

    Args:
        scores: ``float32[B]``.
        valid: ``bool[B]``.
        batch_size: b.

    Example:
        >>> top_k(tf.constant([1.0, 9.0, 5.0]), tf.constant([True, False, True]), 2).positions.numpy().tolist()
        [2, 0]
    """
    positions = tf.math.top_k(tf.where(valid, scores, float("-inf")), batch_size).indices
    return Selection(positions, tf.cast(tf.gather(valid, positions), tf.float32))


def take_in_proportion(
    scores: tf.Tensor, valid: tf.Tensor, batch_size: int, rng: Rng, unbiased: bool = False
) -> Selection:
    """Draw rows in proportion to their scores; a row may be drawn twice if its share exceeds one row.

    Args:
        scores: ``float32[B]``, not negative.
        valid: ``bool[B]``.
        batch_size: b.
        rng: Random numbers.
        unbiased: Whether weights correct for the probabilities, w = 1 / (B P), with B real rows.

    Example:
        >>> scores, valid = tf.constant([0.0, 3.0, 1.0]), tf.constant([True, True, True])
        >>> take_in_proportion(scores, valid, 4, Rng(0, 0), unbiased=True).weights.numpy().round(2)
        array([0.44, 0.44, 0.44, 1.33], dtype=float32)
    """
    usable = tf.where(valid, tf.cast(scores, tf.float64), tf.zeros([], tf.float64))
    note_scores(usable, may_be_zero=True)
    levels = quantize(usable)
    shares = tf.where(valid, levels, 0)
    shares = tf.where(tf.reduce_sum(shares) > 0, shares, tf.cast(valid, tf.int64))
    positions = tf.sort(systematic(shares, batch_size, rng, "pool"))
    if not unbiased:
        return Selection(positions, tf.ones([batch_size]))
    count = tf.cast(tf.math.count_nonzero(valid), tf.float64)
    chances = tf.cast(tf.gather(shares, positions), tf.float64) / tf.cast(tf.reduce_sum(shares), tf.float64)
    return Selection(positions, tf.cast(1 / (count * chances), tf.float32))


def take_rows(rows: tf.Tensor, valid: tf.Tensor) -> Selection:
    """Choose given rows; padding rows have weight 0 and must come last.

    Args:
        rows: ``int32[b]``.
        valid: ``bool[B]``.

    Example:
        >>> take_rows(tf.constant([2, 0]), tf.constant([False, True, True])).weights.numpy().tolist()
        [1.0, 0.0]
    """
    return Selection(rows, tf.cast(tf.gather(valid, rows), tf.float32))
