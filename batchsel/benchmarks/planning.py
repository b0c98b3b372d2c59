"""Cost of planning: time for each chosen sample and memory for each sample, for up to ten million samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.selectors import Context, resolve
from batchsel.selectors.registry import REGISTRY

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_BATCH_SIZE = 128
_REPEATS = 3
_LENGTH = 40
_PER_ROW = 8
"""Bytes of a row of a plan: its index and its weight."""
_PER_LOOP = 8
"""Bytes that the loop keeps for each sample with any selector: its last loss, and its number of uses."""


class PlanningCost(NamedTuple):
    """Time and memory with which one method plans a pass over a data set."""

    selector: str
    n: int
    microseconds: float
    """For each chosen sample, median over some plans."""
    seconds_a_pass: float
    """For as many plans as it takes to choose n samples."""
    bytes_a_sample: float
    """State of the selector and of the loop, and the plan in use."""
    peak_megabytes: float | None
    """Peak of the additional memory during compilation and planning; None if the system does not report it."""


def history_methods() -> list[str]:
    """Return the methods that choose by history, with `random` first."""
    return ["random", *(entry.name for entry in REGISTRY.entries().values() if entry.family == "history")]


def planning_cost(selector: str, n: int, batch_size: int = _BATCH_SIZE) -> PlanningCost:
    """Time the compiled planning of a method on random losses.

    Args:
        selector: In text form.

    Example:
        >>> round(planning_cost("random", 1000).bytes_a_sample)
        16
    """
    chosen = resolve(selector)
    state = tf.nest.map_structure(_randomize, chosen.init(n))
    inputs = tf.ones([n, _LENGTH], tf.int32) if chosen.needs_inputs else None
    losses, labels = -tf.math.log(tf.random.uniform([n], seed=0)), tf.range(n) % 10

    @tf.function(autograph=False, jit_compile=chosen.traceable)
    def plan(state: Any, losses: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        now = tf.zeros([], tf.float32) + 0.3
        samples = tf.constant(2 * n, tf.int64)
        budget = (tf.constant(10 * n, tf.int64), tf.constant(7 * n, tf.int64), tf.constant(False))
        known = (step, samples, now, step, step, *budget, tf.constant(0), n, batch_size, losses, labels, inputs)
        next_plan = chosen.plan(state, Context(*known))
        rows = tf.math.count_nonzero(next_plan.weights)
        # All of the plan is used, so that the compiler does not remove parts of it.
        return rows, tf.reduce_sum(tf.cast(next_plan.indices, tf.float32) * next_plan.weights)

    seconds, rows, before = [], 1, _reset_peak_memory()
    for step in range(_REPEATS + 1):
        start = time.perf_counter()
        found = plan(state, losses, tf.constant(step, tf.int64))
        rows = max(int(found[0].numpy()), 1)
        seconds.append(time.perf_counter() - start)
    each = sorted(seconds[1:])[_REPEATS // 2]
    planned = _PER_ROW * chosen.steps_per_plan(n, batch_size) * (chosen.pool_size(batch_size) or batch_size) / n
    peak = None if before is None else max(_read_memory("VmHWM") - before, 0.0) / 1e6
    return PlanningCost(
        selector, n, each / rows * 1e6, each / rows * n, _PER_LOOP + _bytes_per_sample(state, n) + planned, peak
    )


def planning_costs(selectors: Sequence[str], sizes: Sequence[int]) -> list[PlanningCost]:
    """Return the costs of several methods at several sizes.

    Args:
        selectors: In text form.
        sizes: Numbers of samples.
    """
    return [planning_cost(selector, n) for n in sizes for selector in selectors]


def _randomize(leaf: Any) -> tf.Tensor:
    """Return state as after some training: random numbers of the same type."""
    leaf = tf.convert_to_tensor(leaf)
    if leaf.dtype.is_floating and leaf.shape.rank:
        return tf.random.uniform(leaf.shape, 0.1, 1.0, leaf.dtype, seed=1)
    return tf.ones_like(leaf) if leaf.dtype.is_integer and leaf.shape.rank else leaf


def _reset_peak_memory() -> float | None:
    """Reset the peak of memory, and return the bytes in use; None except on Linux, which alone allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _read_memory("VmRSS")
    except OSError:
        return None


def _read_memory(key: str) -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(1024 * float(line.split()[1]) for line in lines if line.startswith(key))


def _bytes_per_sample(state: Any, n: int) -> float:
    leaves = [tf.convert_to_tensor(leaf) for leaf in tf.nest.flatten(state)]
    return sum(leaf.dtype.size * leaf.shape.num_elements() for leaf in leaves) / n
