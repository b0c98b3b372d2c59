"""Every selector there is, once; the battery of `test_every_selector*.py` runs over this table."""

import functools

import numpy as np
import tensorflow as tf
from selectors_for_tests import AllSignals, EveryK, Pool, Pruning, sample_stats, timestamp

from batchsel.selectors import Function, NumpyFunction, resolve
from batchsel.selectors.registry import entries


def lowest_and_random(losses, batch_size, rng):
    """Half the samples of lowest known loss, half a random draw; TensorFlow code."""
    half = batch_size // 2
    order = rng.permutation(losses.shape[0])
    return tf.concat([tf.math.top_k(-losses, half).indices, order[: batch_size - half]], axis=0)


def uniform_in_numpy(losses, batch_size, rng):
    """A draw with replacement by NumPy."""
    return rng.integers(len(losses), size=batch_size)


def registered():
    """Texts of all registered names: modifiers and draws behind `loss_ema`, the others alone.

    `given` needs a file of the right length and has tests of its own.
    """
    behind = {"modifier", "draw"}
    names = {name: entry.family for name, entry in entries().items() if name != "given"}
    return [f"loss_ema | {name}" if family in behind else name for name, family in names.items()]


REGISTERED = registered()
OF_TESTS = {
    "function": Function(lowest_and_random, every=2),
    "numpy_function": NumpyFunction(uniform_in_numpy, every=3),
    "pruning": Pruning(),
    "every_k": EveryK(3),
    "all_signals": AllSignals(),
    "pool": Pool(),
    "loss_ema | warmup(1) | anneal | mix | explore_exploit(every=2)": resolve(
        "loss_ema | warmup(1) | anneal | mix | explore_exploit(every=2)"
    ),
}
NAMES = [*REGISTERED, *OF_TESTS]


@functools.cache
def selector(name):
    return OF_TESTS[name] if name in OF_TESTS else resolve(name)


@functools.cache
def learned_state(chosen, n, batch_size, steps=12, scale=1.0, equal=False, spoilt=False):
    """A state after some made-up steps that go through the data in one random order, and the context it stands in."""
    generator = np.random.default_rng(1)
    state, losses, signals = chosen.init(n), np.full(n, np.inf), chosen.signals
    order = np.resize(generator.permutation(n), steps * batch_size)
    for step in range(steps):
        indices = order[step * batch_size : (step + 1) * batch_size]
        values = np.ones(len(indices)) if equal else scale * generator.exponential(size=len(indices))
        if spoilt:
            values[generator.uniform(size=len(values)) < 0.3] = np.nan
        losses[indices] = values
        context = timestamp(n, batch_size, step=step + 1, samples=(step + 1) * batch_size, losses=losses)
        state = chosen.update(state, sample_stats(indices, values, signals, seed=step), context)
    # Half a pass, so that a warm-up of one pass is still on.
    context = timestamp(n, batch_size, step=steps, samples=n // 2, progress=0.3, seed=5, losses=losses)
    return state, context


def pool_of(chosen, n, batch_size):
    """A scored pool, its last two rows filled up."""
    size = chosen.pool_size(batch_size)
    generator = np.random.default_rng(2)
    # The rows that fill up would be chosen first if anyone looked at them.
    values = np.append(generator.exponential(size=size - 2), [99.0, 99.0])
    valid = tf.range(size) < size - 2
    signals = tuple(dict.fromkeys(("probability", "gradient_norm", *chosen.signals)))
    return sample_stats(np.arange(size) % n, values, signals)._replace(valid=valid)


def in_all_modes(chosen):
    """Ways to call ``function(*tensors)``: eager, graph, XLA."""
    modes = {
        "eager": lambda function: function,
        "graph": lambda function: tf.function(function, autograph=False),
        "xla": lambda function: tf.function(function, autograph=False, jit_compile=True),
    }
    return modes if chosen.traceable else {name: modes[name] for name in ("eager", "graph")}
