"""What selectors that take batches from scored pools share: how pools are laid out, how rows are taken."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.checks import check_integer
from batchsel.core.rng import Rng
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan, quantize, systematic
from batchsel.selectors.types import Context, Plan, Selection


class Pooled(Selector):
    """A selector that cuts shuffled passes into pools of `pool` batches.

    Subclasses are frozen dataclasses with a field `pool`, and define `choose`. Those that set `can_skip_scoring` define
    `active` too: where it is false the plan is one of plain batches, which are not scored.

    Example:
        >>> from batchsel.selectors import Candidates
        >>> Candidates(pool=3).pool_size(batch_size=10)
        30
    """

    pool: int

    def __post_init__(self) -> None:
        check_integer(self, "pool", 1)

    def pool_size(self, batch_size: int) -> int:
        """B."""
        return self.pool * batch_size

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """A pass over the data, a pool each step."""
        return -(-n // self.pool_size(batch_size))

    def active(self, state: State, context: Context) -> tf.Tensor:
        """``bool[steps]`` which of the next steps take their batch from a scored pool; only if `can_skip_scoring`.

        Args:
            state: The selector's state.
            context: Where the run stands.
        """
        raise NotImplementedError

    def plan(self, state: State, context: Context) -> Plan:
        """The data in random order, cut into pools, or into batches while the selector is not active."""
        size = self.pool_size(context.batch_size)
        order = context.rng.permutation(context.n, self.name)
        pools = padded_plan(order, tf.constant(context.n), size)
        if not self.can_skip_scoring:
            return pools
        steps = self.steps_per_plan(context.n, context.batch_size)
        active = self.active(state, context)
        plain = tf.tile((tf.range(size) < context.batch_size)[None], [steps, 1])
        rows = tf.where(active[:, None], tf.reshape(pools.weights, [steps, size]), tf.cast(plain, tf.float32))
        indices = tf.where(tf.reduce_any(active), pools.indices, self._in_turn(context, steps, size))
        return Plan(indices, tf.reshape(rows, [-1]), pools.steps)

    def _in_turn(self, context: Context, steps: int, size: int) -> tf.Tensor:
        """Plain batches, so that consecutive plans go through the data in one random order after the other."""
        b, n = context.batch_size, context.n
        first = context.plans * steps * b
        places = first + tf.cast(tf.range(steps)[:, None] * b + tf.range(size)[None] % b, tf.int64)
        turns = places // n
        # A plan of pools of one batch may reach from the end of one order through a whole one into a third.
        orders = [Rng(context.seed, turns[0, 0] + later).permutation(n, f"{self.name}/plain") for later in range(3)]
        table = tf.reshape(tf.stack(orders), [-1])
        return tf.reshape(tf.gather(table, (turns - turns[0, 0]) * n + places % n), [-1])


def taken_first(positions: tf.Tensor, count: tf.Tensor, batch_size: int) -> Selection:
    """The first rows of an order of the pool, as many as are wanted and there is room for.

    Args:
        positions: ``int32[B]`` the pool's rows, the wanted ones first.
        count: ``int32[]`` how many are wanted; one is taken in any case.
        batch_size: b.

    Example:
        >>> choice = taken_first(tf.constant([3, 1, 0, 2]), tf.constant(1), batch_size=2)
        >>> choice.positions.numpy().tolist(), choice.weights.numpy().tolist()
        ([3, 1], [1.0, 0.0])
    """
    places = tf.range(batch_size)
    return Selection(positions[:batch_size], tf.cast(places < tf.maximum(count, 1), tf.float32))


def top_k(scores: tf.Tensor, valid: tf.Tensor, batch_size: int) -> Selection:
    """The rows of highest score; rows that only fill up the pool come last and weigh nothing.

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


def taken_in_proportion(
    scores: tf.Tensor, valid: tf.Tensor, batch_size: int, rng: Rng, unbiased: bool = False
) -> Selection:
    """Rows drawn in proportion to their scores; one whose share is more than a row's may be drawn twice.

    Args:
        scores: ``float32[B]``, not negative.
        valid: ``bool[B]``.
        batch_size: b.
        rng: Random numbers.
        unbiased: Whether the weights make up for the chances, w = 1 / (B P), with B real rows.

    Example:
        >>> scores, valid = tf.constant([0.0, 3.0, 1.0]), tf.constant([True, True, True])
        >>> taken_in_proportion(scores, valid, 4, Rng(0, 0), unbiased=True).weights.numpy().round(2)
        array([0.44, 0.44, 0.44, 1.33], dtype=float32)
    """
    levels = quantize(tf.where(valid, tf.cast(scores, tf.float64), tf.zeros([], tf.float64)))
    shares = tf.where(valid, levels, 0)
    shares = tf.where(tf.reduce_sum(shares) > 0, shares, tf.cast(valid, tf.int64))
    positions = tf.sort(systematic(shares, batch_size, rng, "pool"))
    if not unbiased:
        return Selection(positions, tf.ones([batch_size]))
    count = tf.cast(tf.math.count_nonzero(valid), tf.float64)
    chances = tf.cast(tf.gather(shares, positions), tf.float64) / tf.cast(tf.reduce_sum(shares), tf.float64)
    return Selection(positions, tf.cast(1 / (count * chances), tf.float32))


def taken_rows(rows: tf.Tensor, valid: tf.Tensor) -> Selection:
    """Rows that were picked, those that only fill up the pool last and with weight 0.

    Args:
        rows: ``int32[b]``.
        valid: ``bool[B]``.

    Example:
        >>> taken_rows(tf.constant([2, 0]), tf.constant([False, True, True])).weights.numpy().tolist()
        [1.0, 0.0]
    """
    return Selection(rows, tf.cast(tf.gather(valid, rows), tf.float32))
