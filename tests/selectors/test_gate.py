"""The gate opens for a method that learns faster, closes for one that does not, and keeps trying."""

import numpy as np
import pytest
import tensorflow as tf

from batchsel.selectors import resolve
from batchsel.testing.fixtures import example_context, example_stats

N, B, STEPS = 100, 5, 4


def simulated(gain, plans=400, noise=0.05, block=4):
    """Return ``bool[plans]``, true for plans by the scores, which lower the loss `gain` times as fast as uniform ones."""
    gate = resolve(f"last_loss | gate({block})").modifiers[0]
    state, level, samples, through = gate.init(N), 2.0, 0, []
    generator, scores = np.random.default_rng(0), tf.constant(np.arange(1.0, N + 1))

    @tf.function(autograph=False)
    def update(state, losses, samples, plans):
        batch = example_stats(np.arange(B), np.ones(B))._replace(loss=losses)
        return gate.update(state, batch, example_context(N, B)._replace(samples=samples, plans=plans))

    for plan in range(plans):
        chances = gate.modify(scores, example_context(N, B, samples=samples, plans=plan), state)
        through.append(bool(tf.reduce_any(chances != 1)))
        for _ in range(STEPS):
            samples += B
            level *= 1 - 0.002 * (gain if through[-1] else 1)
            # Batches by score have larger losses than average; the gate must ignore them.
            losses = level * (3 if through[-1] else 1) * (1 + noise * generator.normal(size=B))
            state = update(
                state, tf.constant(losses, tf.float32), tf.constant(samples, tf.int64), tf.constant(plan + 1, tf.int64)
            )
    return np.array(through)


@pytest.mark.parametrize("gain", [2.0, 3.0])
def test_the_gate_opens_for_a_faster_method(gain):
    through = simulated(gain)
    assert through[200:].mean() > 0.6  # at most three quarters of seven eighths: the first plan of a block is uniform


@pytest.mark.parametrize("gain", [0.0, 0.5])
def test_the_gate_closes_for_a_slower_method_and_keeps_trying(gain):
    through = simulated(gain)
    assert 0 < through[200:].mean() < 0.2


def test_the_first_plan_of_every_block_is_uniform():
    assert not simulated(3.0, plans=100)[::4].any()


def test_the_gate_keeps_infinite_scores():
    gate = resolve("last_loss | gate").modifiers[0]
    scores = tf.constant([np.inf, 3.0, 1.0], tf.float64)
    assert gate.modify(scores, example_context(3, 1), gate.init(3)).numpy().tolist() == [np.inf, 1, 1]
    open_gate = gate.init(3)._replace(selective=tf.constant(True))
    assert gate.modify(scores, example_context(3, 1, plans=2), open_gate).numpy().tolist() == [np.inf, 3, 1]
