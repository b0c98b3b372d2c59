"""A guard that switches selection off while it lowers the loss no faster than uniform draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import tensorflow as tf

from batchsel.core.parameters import Between
from batchsel.selectors.base import State
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context, SampleStats

_MEMORY = 0.8
"""Weight of the old average when a new rate is added."""
_PLAIN = 7
"""The one of eight blocks that is uniform while the gate is open."""


class _State(NamedTuple):
    plan: tf.Tensor
    """``int64[]`` number of the last step's plan."""
    selective: tf.Tensor
    """``bool[]`` true if this block follows the scores."""
    total: tf.Tensor
    """``float32[2]`` sum and number of the losses in this block's first plan."""
    level: tf.Tensor
    """``float32[2]`` mean loss in the first plan of the previous block, and the samples trained on by then, negative if
    that block followed the scores."""
    rates: tf.Tensor
    """``float32[2]`` average rates of uniform blocks and of blocks that followed the scores."""
    known: tf.Tensor
    """``bool[2]`` true if there is such a rate."""


@dataclass(frozen=True, repr=False)
class Gate(Modifier):
    """A gate that lets scores through only while blocks that follow them lower the loss faster than uniform blocks.

    Formula: plans come in blocks of `block`. The first plan of each block is uniform, so that its mean loss L is an
    unbiased measure; the rest follows the scores or is uniform too. A block's rate is ln(L before / L after) over the
    samples trained on in between; rates of each kind are averaged with a memory of 0.8. While the rate of blocks that
    follow the scores is at least that of uniform blocks, seven blocks of eight follow the scores; otherwise only those
    whose number is a power of two, so that selection is tried less and less often.
    Cost: nine numbers and O(n) for each plan; uniform draws in a fourth of the run or more, which is the price of the
    guard where selection helps.
    Source: the do-no-harm gate of batchsel; deterministic, since it counts samples and not seconds.

    Args:
        block: Plans of a block, at least 2. With draws that plan a whole pass at a time it needs long runs.

    Raises:
        UsageError: If `block` is below 2.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("loss_ema | gate")
        loss_ema(decay=0.9) | gate(block=4)
    """

    name = "gate"
    uses_training_losses = True
    block: Annotated[int, Between(2, 2**20)] = 4

    def init(self, n: int) -> _State:
        """Return a state without rates."""
        pair = tf.zeros([2])
        return _State(tf.constant(-1, tf.int64), tf.constant(False), pair, pair, pair, tf.zeros([2], tf.bool))

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the scores, or equal scores (infinities kept)."""
        through = state.selective & (tf.math.floormod(context.plans, self.block) != 0)
        equal = tf.where(tf.math.is_inf(scores), scores, tf.ones_like(scores))
        return tf.where(through, scores, equal)

    def update(self, state: _State, stats: SampleStats, context: Context) -> _State:
        """Measure the first plan of each block, and decide at its start whether the block follows the scores."""
        plan = context.plans - 1
        place, first_step = tf.math.floormod(plan, self.block), plan != state.plan
        state = _end_first_plan(state, first_step & (place == 1), context.samples)
        began = first_step & (place == 0)
        selective = tf.where(began, _is_selective(state, plan // self.block), state.selective)
        real = tf.cast(stats.valid, tf.float32)
        more = tf.stack([tf.reduce_sum(real * stats.loss), tf.reduce_sum(real)])
        total = tf.where(began, more, tf.where(place == 0, state.total + more, state.total))
        return state._replace(plan=plan, selective=selective, total=total)


def _end_first_plan(state: _State, ended: tf.Tensor, samples: tf.Tensor) -> _State:
    """Compute the rate of the previous block when the first plan of a block has ended."""
    level, before = state.total[0] / tf.maximum(state.total[1], 1.0), state.level
    now = tf.cast(samples, tf.float32)
    tiny = 1e-12
    rate = tf.math.log(tf.maximum(before[0], tiny) / tf.maximum(level, tiny)) / tf.maximum(now - tf.abs(before[1]), 1.0)
    kind = tf.stack([before[1] > 0, before[1] < 0])
    fresh = ended & kind & (before[0] > 0)
    averaged = tf.where(state.known, _MEMORY * state.rates + (1 - _MEMORY) * rate, rate)
    current = tf.stack([level, tf.where(state.selective, -now, now)])
    return state._replace(
        level=tf.where(ended, current, before),
        rates=tf.where(fresh, averaged, state.rates),
        known=state.known | fresh,
    )


def _is_selective(state: _State, block: tf.Tensor) -> tf.Tensor:
    """Return ``bool[]``, true if a block follows the scores."""
    ahead = state.rates[1] >= state.rates[0]
    # Less and less often while it is closed, so that the cost of trying vanishes.
    power_of_two = tf.bitwise.bitwise_and(block, block - 1) == 0
    open_, closed = tf.math.floormod(block, 8) != _PLAIN, power_of_two
    return tf.where(tf.reduce_all(state.known), tf.where(ahead, open_, closed), tf.math.floormod(block, 2) == 1)
