"""Scored pools, and choices from them."""

import numpy as np
import tensorflow as tf
from plan_statistics import B, N

from batchsel.selectors import resolve
from batchsel.testing.fixtures import example_context, example_stats


def pool_of(size, seed=0, real=None, **given):
    """Return a scored pool of the first samples."""
    generator = np.random.default_rng(seed)
    found = example_stats(
        np.arange(size), 0.2 + generator.exponential(size=size), ("gradient_norm", "probability", "features"), seed=seed
    )
    found = found._replace(**{name: tf.constant(value, tf.float32) for name, value in given.items()})
    return found._replace(valid=tf.range(size) < (size if real is None else real))


def chosen(text, pool, times, state=None, **where):
    """Return positions and weights of the choices of successive steps."""
    selector = resolve(text)
    state = selector.init(N) if state is None else state

    @tf.function(autograph=False)
    def choose(step):
        return selector.choose(state, pool, example_context(N, B, **where)._replace(step=step))

    made = [choose(tf.constant(step, tf.int64)) for step in range(times)]
    return [(choice.positions.numpy(), choice.weights.numpy()) for choice in made]
