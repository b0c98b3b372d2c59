"""Plans of a selector over many steps, and statistics of them."""

import functools

import numpy as np
import tensorflow as tf

from batchsel.selectors import resolve
from batchsel.testing.fixtures import example_context

N, B = 60, 6
LOSSES = np.random.default_rng(3).exponential(size=N).astype(np.float32)


@functools.cache
def planner(text, n, batch_size):
    selector = resolve(text)

    @tf.function(autograph=False)
    def plan(state, losses, step, samples, plans, progress):
        context = example_context(n, batch_size)._replace(
            losses=losses, step=step, samples=samples, plans=plans, fit_plans=plans, progress=progress
        )
        return selector.plan(state, context)

    return selector, plan


def plans(text, times=1, losses=LOSSES, batch_size=B, state=None, progress=0.0, samples=None, count=0):
    """Return indices and weights of the real rows of plans at successive steps, all from the same losses."""
    n = len(losses)
    selector, plan = planner(text, n, batch_size)
    state = selector.init(n) if state is None else state
    found = []
    for step in range(times):
        long = functools.partial(tf.constant, dtype=tf.int64)
        made = plan(
            state, tf.constant(losses, tf.float32), long(step), long(n if samples is None else samples), long(count),
            tf.constant(progress, tf.float32),
        )  # fmt: skip
        rows = int(made.steps) * batch_size
        real = made.weights.numpy()[:rows] > 0
        found.append((made.indices.numpy()[:rows][real], made.weights.numpy()[:rows][real]))
    return found


def counts(found, n=N):
    return np.sum([np.bincount(indices, minlength=n) for indices, _ in found], axis=0)


def assert_rates(found, expected):
    """Check that the mean count of each sample in a plan is as expected, within 4.5 standard errors."""
    times = len(found)
    rate = counts(found, len(expected)) / times
    spread = np.sqrt(np.maximum(expected % 1 * (1 - expected % 1), 1e-3) / times)
    assert (np.abs(rate - expected) < 4.5 * spread).all()


def assert_unbiased(found, rows=None):
    """Check that weighted means of functions over a plan have the means over all samples as their expectation."""
    values = np.random.default_rng(5).normal(size=(N, 4))
    sums = [(values[indices] * weights[:, None]).sum(axis=0) / (rows or len(indices)) for indices, weights in found]
    error = np.mean(sums, axis=0) - values.mean(axis=0)
    assert (np.abs(error) < 3.5 * np.std(sums, axis=0) / np.sqrt(len(sums))).all()
