"""Selectors that use the corners of the protocol, and the context that a selector is asked in."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from batchsel.selectors import Context, Plan, SampleStats, Selection, Selector
from batchsel.selectors.ops.sampling import padded_plan, partition_kept, scatter_update


def tokens(n, length=12):
    """``int32[n, length]``: sequences of all lengths from 1 on, padded with zeros behind."""
    lengths = np.arange(n) * 7 % length + 1
    return np.where(np.arange(length) < lengths[:, None], 3 + np.arange(n)[:, None] % 5, 0).astype(np.int32)


def timestamp(n=50, batch_size=8, *, step=0, samples=0, progress=0.0, plans=0, seed=0, losses=None, labels=None):
    """A context; what is not given is as at the start of a run, with three classes in turn and sequences as inputs."""
    return Context(
        step=tf.constant(step, tf.int64),
        samples=tf.constant(samples, tf.int64),
        progress=tf.constant(progress, tf.float32),
        plans=tf.constant(plans, tf.int64),
        seed=tf.constant(seed, tf.int32),
        n=n,
        batch_size=batch_size,
        losses=tf.fill([n], float("inf")) if losses is None else tf.constant(losses, tf.float32),
        labels=tf.range(n) % 3 if labels is None else labels,
        inputs=tf.constant(tokens(n)),
    )


def sample_stats(indices, losses, signals=(), width=8, seed=0):
    """Signals of a batch; those besides the loss are random numbers of the right kind."""
    generator = np.random.default_rng(seed)
    size = len(indices)
    values = {
        "probability": generator.uniform(0.01, 1, size),
        "correct": generator.integers(0, 2, size),
        "predicted": generator.integers(0, 3, size),
        "boundary_distance": generator.uniform(-0.4, 0.4, size),
        "gradient_norm": generator.uniform(0, 1.4, size),
        "residuals": generator.uniform(-1, 1, (size, 3)),
        "features": generator.normal(size=(size, width)),
        "inputs": generator.normal(size=(size, width)),
    }
    kinds = {"predicted": tf.int32}
    given = {name: tf.constant(values[name], kinds.get(name, tf.float32)) for name in signals}
    return SampleStats(
        tf.constant(indices, tf.int32), tf.constant(losses, tf.float32), tf.ones([size], tf.bool), **given
    )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Pruning(Selector):
    """Drops half of the samples of low loss and weighs the others of low loss double: shorter plans with weights."""

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
    """Plans k batches at a time: the samples of highest loss, unseen ones first, by their last known losses."""

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
    """Remembers every signal of every sample, and its number of visits; shuffles."""

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
    """Takes from pools of three batches the samples that the model finds least probable, at most b − 2 of them."""

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
