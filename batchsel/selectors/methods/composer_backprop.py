"""Selective backpropagation as MosaicML Composer implements it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between, Share
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UsageError
from batchsel.selectors.base import State
from batchsel.selectors.ops.sampling import successive
from batchsel.selectors.pooled import Pooled, take_first
from batchsel.selectors.types import Context, Plan, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class ComposerBackprop(Pooled):
    """A batch drawn from each scored pool by a power of the loss percentile, in the middle of the run.

    Formula: of a pool of b / keep samples (rounded up to whole batches), b are drawn one after the other without
    replacement, each in proportion to ((r_i − ½) / B)^(1 / keep − 1), with r_i = 1 ... B the rank of the loss in the
    pool; of a shorter pool at the end of a pass the share `keep`, rounded down. It is on from progress `start` to
    `end`, except for every `interrupt`-th pool, which is trained on as a whole, in several steps.
    Cost: ⌈1 / keep⌉ b forward passes a step while it is on, counted as samples scored; no state. Biased.
    Source: MosaicML Composer, *Selective Backprop*, after A. Jiang et al., 2019, https://arxiv.org/abs/1910.00762;
    reported there: ImageNet 1.06 times and CIFAR-10 1.09 times faster at the same accuracy. There the loader's batch is
    the pool: plain steps have as many samples, selective ones a share of it; here all steps have b. Its scoring at a
    smaller resolution (scale_factor) is not implemented.

    Args:
        keep: Share of a pool that is trained on, in (0, 1].
        start: Progress at which it starts, in [0, 1].
        end: Progress at which it ends, in [0, 1].
        interrupt: Pools from one without selection to the next; 0 for none.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> ComposerBackprop().pool_size(batch_size=10)
        20
    """

    name = "composer_backprop"
    uses_training_losses = False
    keep: Annotated[float, Between(1 / 1024, 1)] = 0.5
    start: Share = 0.5
    end: Share = 0.9
    interrupt: Annotated[int, Between(0, 2**20)] = 2
    can_skip_scoring = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end <= self.start:
            raise UsageError(f"composer_backprop: end must be above start, got start={self.start}, end={self.end}.")
        object.__setattr__(self, "pool", math.ceil(1 / self.keep - 1e-9))

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass: one for each pool, or as many as it takes to train on all of it."""
        return len(self._batches(n, batch_size)[0])

    def plan(self, state: State, context: Context) -> Plan:
        """Shuffle the data and cut them into pools and whole batches, or into batches while it is not on."""
        size, b = self.pool_size(context.batch_size), context.batch_size
        starts, counts = self._batches(context.n, b)
        steps, columns = len(starts), tf.range(size)[None]
        on = (context.progress >= self.start) & (context.progress < self.end)
        order = context.rng.permutation(context.n, self.name)
        rows = tf.gather(order, tf.reshape((tf.constant(starts)[:, None] + columns) % context.n, [-1]))
        real = columns < tf.where(on, tf.constant(counts), b)[:, None]
        indices = tf.where(on, rows, self._plain_rows(context, steps, size))
        return Plan(indices, tf.reshape(tf.cast(real, tf.float32), [-1]), tf.constant(steps))

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Draw rows by the rank of their loss in the pool."""
        # Losses that are not numbers rank lowest, and padding rows highest, which are not drawn.
        losses = tf.where(tf.math.is_nan(candidates.loss), float("-inf"), candidates.loss)
        ascending = tf.argsort(tf.where(candidates.valid, losses, float("inf")), stable=True)
        size = static_size(losses)
        ranks = tf.scatter_nd(ascending[:, None], tf.range(size), [size])
        real = tf.math.count_nonzero(candidates.valid, dtype=tf.int32)
        shares = (tf.cast(ranks, tf.float64) + 0.5) / tf.cast(tf.maximum(real, 1), tf.float64)
        shares = tf.where(candidates.valid, tf.pow(shares, 1 / self.keep - 1), 0.0)
        count = tf.cast(tf.cast(real, tf.float64) * self.keep + 1e-6, tf.int32)
        order = successive(shares, context.rng, "composer_backprop/draw")
        return take_first(order, tf.minimum(count, context.batch_size), context.batch_size)

    def _batches(self, n: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first place in a pass and the number of rows of each pool or batch of it, ``int32[steps]``."""
        size = self.pool_size(batch_size)
        pools = np.arange(-(-n // size))
        whole = pools % self.interrupt == self.interrupt - 1 if self.interrupt else np.zeros(len(pools), bool)
        step = np.where(whole, batch_size, size)
        steps = -(-np.minimum(size, n - pools * size) // step)
        step, within = np.repeat(step, steps), np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)
        starts = np.repeat(pools * size, steps) + within * step
        return starts.astype(np.int32), np.minimum(step, n - starts).astype(np.int32)
