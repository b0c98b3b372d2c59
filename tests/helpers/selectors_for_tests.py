"""Selectors that use the corners of the protocol."""

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors import Plan, Selection, Selector
from batchsel.selectors.ops.sampling import padded_plan, partition_kept, scatter_update


@dataclass(frozen=True, repr=False)
class Pruning(Selector):
    """Half of the samples of low loss are dropped and the others weighted double: shorter plans with weights."""

    name = "pruning"
    drop: float = 0.5

    def steps_per_plan(self, n, batch_size):
        return -(-n // batch_size)

    def init(self, n):
        return tf.fill([n], float("inf"))

    def plan(self, state, context):
        known = tf.math.is_finite(state)
        count = tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0)
        low = known & (state < tf.reduce_sum(tf.where(known, state, 0.0)) / count)
        keep = ~(low & (context.rng.uniform([context.n], "drop") < self.drop))
        order, kept = partition_kept(context.rng.permutation(context.n, "pruning"), keep)
        return padded_plan(order, kept, context.batch_size, tf.where(low, 1 / (1 - self.drop), 1.0))

    def update(self, state, stats, context):
        return scatter_update(state, stats.indices, stats.loss)


@dataclass(frozen=True, repr=False)
class EveryK(Selector):
    """The samples of highest last loss, unseen ones first, in plans of k batches."""

    name = "every_k"
    k: int = 3

    def steps_per_plan(self, n, batch_size):
        return self.k

    def plan(self, state, context):
        rows = self.k * context.batch_size
        order = tf.argsort(-context.losses, stable=True)
        return Plan(tf.gather(order, tf.range(rows) % context.n), tf.ones([rows]), tf.constant(self.k))


@dataclass(frozen=True, repr=False)
class AllSignals(Selector):
    """Shuffling that records every signal of every sample, and its number of visits."""

    name = "all_signals"
    width: int = 8
    signals = ("probability", "correct", "gradient_norm", "features")

    def steps_per_plan(self, n, batch_size):
        return -(-n // batch_size)

    def init(self, n):
        numbers = {name: tf.zeros([n]) for name in ("loss", "probability", "correct", "gradient_norm")}
        return numbers | {"features": tf.zeros([n, self.width]), "visits": tf.zeros([n], tf.int32)}

    def plan(self, state, context):
        order = context.rng.permutation(context.n, "all_signals")
        return padded_plan(order, tf.constant(context.n), context.batch_size)

    def update(self, state, stats, context):
        news = {name: getattr(stats, name) for name in state if name != "visits"}
        kept = {name: scatter_update(state[name], stats.indices, value) for name, value in news.items()}
        visits = tf.gather(state["visits"], stats.indices) + 1
        return kept | {"visits": scatter_update(state["visits"], stats.indices, visits)}


@dataclass(frozen=True, repr=False)
class Pool(Selector):
    """The least probable samples of pools of three batches, at most b − 2 of them."""

    name = "pool"
    signals = ("probability",)

    def pool_size(self, batch_size):
        return 3 * batch_size

    def steps_per_plan(self, n, batch_size):
        return -(-n // self.pool_size(batch_size))

    def init(self, n):
        return tf.zeros([n], tf.int32)

    def plan(self, state, context):
        order = context.rng.permutation(context.n, "pool")
        return padded_plan(order, tf.constant(context.n), self.pool_size(context.batch_size))

    def choose(self, state, candidates, context):
        wanted = tf.where(candidates.valid, 1 - candidates.probability, -1.0)
        positions = tf.math.top_k(wanted, context.batch_size).indices
        first = tf.range(context.batch_size) < max(context.batch_size - 2, 1)
        valid = tf.gather(candidates.valid, positions)
        return Selection(positions, tf.where(first & valid, 2.0, 0.0))

    def update(self, state, stats, context):
        return scatter_update(state, stats.indices, tf.gather(state, stats.indices) + 1)
