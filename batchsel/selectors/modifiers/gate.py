"""A guard that falls back to shuffled chances while a method learns no faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from batchsel.core.checks import check_integer
from batchsel.selectors.base import State
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context, SampleStats

_MEMORY = 0.8
"""How much of an average stays when a new rate comes in."""
_PLAIN = 7
"""Of eight blocks the one that is plain while the gate is open."""


class _State(NamedTuple):
    plan: tf.Tensor
    """``int64[]`` the plan of the last step."""
    tried: tf.Tensor
    """``bool[]`` whether this block goes by the scores."""
    total: tf.Tensor
    """``float32[2]`` sum and number of the losses of this block's first plan."""
    level: tf.Tensor
    """``float32[2]`` mean loss of the first plan of the block before, and the samples trained on by then."""
    rates: tf.Tensor
    """``float32[2]`` average rates of plain blocks and of those that went by the scores."""
    known: tf.Tensor
    """``bool[2]`` whether there is such a rate."""


@dataclass(frozen=True, repr=False)
class Gate(Modifier):
    """Lets the scores through only while blocks that go by them lower the loss faster than plain ones.

    Formula: plans come in blocks of `block`. The first plan of each block has equal chances, so that its mean loss L is
    an unbiased measure; the rest goes by the scores or has equal chances too. A block's rate is ln(L before / L after)
    over the samples trained on in between; rates of each kind are averaged with a memory of 0.8. While that of the
    blocks by scores is at least that of plain ones, seven blocks of eight go by the scores; else those whose number is
    a power of two, so that it is tried again less and less often.
    Cost: nine numbers and O(n) for each plan; equal chances in a fourth of the run or more, which is what the guard
    costs where selection helps.
    Source: the do-no-harm gate of batchsel; deterministic, in samples trained on and not in seconds.

    Args:
        block: Plans of a block, at least 2. Draws that plan a whole pass at a time need long runs for it.

    Raises:
        UsageError: If `block` is below 2.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("loss_ema | gate")
        loss_ema(decay=0.9) | gate(block=4)
    """

    name = "gate"
    uses_training_losses = True
    block: int = 4

    def __post_init__(self) -> None:
        check_integer(self, "block", 2)

    def init(self, n: int) -> _State:
        """Nothing is known."""
        pair = tf.zeros([2])
        return _State(tf.constant(-1, tf.int64), tf.constant(False), pair, pair, pair, tf.zeros([2], tf.bool))

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """The scores, or equal chances (infinities kept)."""
        through = state.tried & (context.plans % self.block != 0)
        equal = tf.where(tf.math.is_inf(scores), scores, tf.ones_like(scores))
        return tf.where(through, scores, equal)

    def update(self, state: _State, stats: SampleStats, context: Context) -> _State:
        """Measures the first plan of each block, and decides what the block does when it begins."""
        plan = context.plans - 1
        place, first_step = plan % self.block, plan != state.plan
        state = _chosen(state, first_step & (place == 1), context.samples)
        began = first_step & (place == 0)
        tried = tf.where(began, _tries(state, plan // self.block), state.tried)
        real = tf.cast(stats.valid, tf.float32)
        more = tf.stack([tf.reduce_sum(real * stats.loss), tf.reduce_sum(real)])
        total = tf.where(began, more, tf.where(place == 0, state.total + more, state.total))
        return state._replace(plan=plan, tried=tried, total=total)


def _chosen(state: _State, ended: tf.Tensor, samples: tf.Tensor) -> _State:
    """When the first plan of a block has ended, the rate of the block before is known.

    The block before was of the kind that `level` was followed by: its kind is in the sign of the samples noted there.
    """
    level, before = state.total[0] / tf.maximum(state.total[1], 1.0), state.level
    now = tf.cast(samples, tf.float32)
    tiny = 1e-12
    rate = tf.math.log(tf.maximum(before[0], tiny) / tf.maximum(level, tiny)) / tf.maximum(now - tf.abs(before[1]), 1.0)
    kind = tf.stack([before[1] > 0, before[1] < 0])
    fresh = ended & kind & (before[0] > 0)
    averaged = tf.where(state.known, _MEMORY * state.rates + (1 - _MEMORY) * rate, rate)
    noted = tf.stack([level, tf.where(state.tried, -now, now)])
    return state._replace(
        level=tf.where(ended, noted, before),
        rates=tf.where(fresh, averaged, state.rates),
        known=state.known | fresh,
    )


def _tries(state: _State, block: tf.Tensor) -> tf.Tensor:
    """Whether a block goes by the scores."""
    ahead = state.rates[1] >= state.rates[0]
    # Less and less often while it is closed, so that what the tries cost becomes a smaller and smaller part.
    power_of_two = tf.bitwise.bitwise_and(block, block - 1) == 0
    open_, closed = block % 8 != _PLAIN, power_of_two
    return tf.where(tf.reduce_all(state.known), tf.where(ahead, open_, closed), block % 2 == 1)
