"""The table of all selectors, over which the battery of `test_every_selector*.py` runs."""

import functools

import tensorflow as tf
from selectors_for_tests import AllSignals, EveryK, Pool, Pruning

from batchsel.selectors import Function, NumpyFunction, resolve
from batchsel.selectors.registry import REGISTRY


def lowest_and_random(losses, batch_size, rng):
    """Return half the samples of lowest known loss, half a random draw; TensorFlow code."""
    half = batch_size // 2
    order = rng.permutation(losses.shape[0])
    return tf.concat([tf.math.top_k(-losses, half).indices, order[: batch_size - half]], axis=0)


def uniform_in_numpy(losses, batch_size, rng):
    """Draw with replacement in NumPy."""
    return rng.integers(len(losses), size=batch_size)


def registered():
    """Return texts of all registered names: modifiers and draws behind `loss_ema`, scoring behind pools, others alone.

    `given` needs a file of the right length and has tests of its own.
    """
    behind = {"modifier", "draw"}
    names = {name: entry.family for name, entry in REGISTRY.entries().items() if name != "given"}
    before = dict.fromkeys(behind, "loss_ema | ") | {"scoring": "candidates(3) | "}
    own = {"score": "(dtype='bfloat16', prefilter=0.7, every=2)"}
    return [f"{before.get(family, '')}{name}{own.get(name, '')}" for name, family in names.items()]


REGISTERED = registered()
TEST_SELECTORS = {
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
NAMES = [*REGISTERED, *TEST_SELECTORS]


@functools.cache
def selector(name):
    return TEST_SELECTORS[name] if name in TEST_SELECTORS else resolve(name)
