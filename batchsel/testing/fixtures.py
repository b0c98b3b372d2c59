"""Contexts, statistics, states and pools to call a selector with, made from fixed random numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.selectors import Context, SampleStats, Selector
from batchsel.selectors.base import Shapes, is_user_code
from batchsel.selectors.validation.declaration import make_state
from batchsel.selectors.validation.methods import TRACED, Findings, check_methods

CLASSES = 3
_LENGTH = 12


def padded_sequences(n: int) -> np.ndarray:
    """Return ``int32[n, 12]`` sequences of all lengths from 1 on, padded with zeros at the end."""
    lengths = np.arange(n) * 7 % _LENGTH + 1
    tokens = 3 + np.arange(n)[:, None] % 5
    return np.where(np.arange(_LENGTH) < lengths[:, None], tokens, 0).astype(np.int32)


def example_context(
    n: int = 50,
    batch_size: int = 8,
    *,
    step: int = 0,
    samples: int = 0,
    progress: float = 0.0,
    plans: int = 0,
    budget: int | None = None,
    left: int | None = None,
    seed: int = 0,
    losses: Any = None,
    labels: Any = None,
    visits: Any = None,
) -> Context:
    """Return a context; by default the start of a run on data with three classes.

    Args:
        n: Samples in the data set.
        batch_size: b.
        step: Optimizer updates so far.
        samples: Samples trained on so far.
        progress: Share of the budget that is used up.
        plans: Plans so far.
        budget: Samples of the budget; None for a budget of 100 epochs.
        left: Samples that are left of it; None for the share that `progress` leaves.
        seed: Seed of the run.
        losses: ``float32[n]`` last losses; None if no sample has been trained on yet.
        labels: ``[n, ...]``; None for the classes 0, 1, 2 in turn.
        visits: ``int32[n]`` visits of each sample; None for zeros.
    """
    total = 100 * n if budget is None else budget
    return Context(
        step=tf.constant(step, tf.int64),
        samples=tf.constant(samples, tf.int64),
        progress=tf.constant(progress, tf.float32),
        plans=tf.constant(plans, tf.int64),
        fit_plans=tf.constant(plans, tf.int64),
        budget=tf.constant(total, tf.int64),
        budget_left=tf.constant(round((1 - progress) * total) if left is None else left, tf.int64),
        counts_epochs=tf.constant(budget is None),
        seed=tf.constant(seed, tf.int32),
        n=n,
        batch_size=batch_size,
        losses=tf.fill([n], float("inf")) if losses is None else tf.constant(losses, tf.float32),
        labels=tf.range(n) % CLASSES if labels is None else labels,
        inputs=tf.constant(padded_sequences(n)),
        visits=tf.zeros([n], tf.int32) if visits is None else tf.constant(visits, tf.int32),
    )


def example_stats(
    indices: Any, losses: Any, signals: tuple[str, ...] = (), width: int = 8, seed: int = 0
) -> SampleStats:
    """Return statistics of a batch; signals other than the loss are random numbers in their range.

    Args:
        indices: ``int[b]`` sample numbers.
        losses: ``float[b]``.
        signals: Fields of `SampleStats` to fill.
        width: Features of a sample.
        seed: Seed of the random numbers.
    """
    generator = np.random.default_rng(seed)
    size = len(indices)
    values = {
        "probability": generator.uniform(0.01, 1, size),
        "correct": generator.integers(0, 2, size),
        "predicted": generator.integers(0, CLASSES, size),
        "boundary_distance": generator.uniform(-0.4, 0.4, size),
        "gradient_norm": generator.uniform(0, 1.4, size),
        "residuals": generator.uniform(-1, 1, (size, CLASSES)),
        "probabilities": generator.dirichlet(np.ones(CLASSES), size),
        "logits": generator.normal(size=(size, CLASSES)),
        "features": generator.normal(size=(size, width)),
        "inputs": generator.normal(size=(size, width)),
    }
    dtypes = {"predicted": tf.int32}
    given = {name: tf.constant(values[name], dtypes.get(name, tf.float32)) for name in signals}
    return SampleStats(
        tf.constant(indices, tf.int32), tf.constant(losses, tf.float32), tf.ones([size], tf.bool), **given
    )


def example_shapes(selector: Selector) -> Shapes:
    """Return the shapes of one sample of the signals of `example_stats`, of its labels and inputs."""
    stats = example_stats([0], [1.0], selector.signals)
    shapes = {name: tuple(getattr(stats, name).shape[1:]) for name in selector.signals}
    return {"labels": (), "inputs": (_LENGTH,), **shapes}


def example_init(selector: Selector, n: int) -> Any:
    """Return the state of a selector before the first step."""
    return make_state(selector, n, example_shapes(selector))


@functools.lru_cache(maxsize=256)
def find_properties(selector: Selector) -> Findings:
    """Return what tracing a selector shows: whether XLA can compile it, and whether it reads the time."""
    if not is_user_code(selector):
        return Findings()
    n, batch_size = 50, 8
    context, shapes = example_context(n, batch_size), example_shapes(selector)
    methods = TRACED if selector.traceable else ()
    return check_methods(selector, example_init(selector, n), context, shapes, compiled=methods)


@functools.lru_cache(maxsize=256)
def example_state(
    selector: Selector,
    n: int,
    batch_size: int,
    steps: int = 12,
    scale: float = 1.0,
    equal: bool = False,
    with_nan: bool = False,
) -> tuple[Any, Context]:
    """Return the state after some steps through the data in one random order, and the context of the next plan.

    Args:
        selector: The selector.
        n: Samples in the data set.
        batch_size: b.
        steps: Number of steps.
        scale: Mean loss.
        equal: Whether all losses are 1.
        with_nan: Whether a third of the losses is NaN.
    """
    generator = np.random.default_rng(1)
    state, losses, signals = example_init(selector, n), np.full(n, np.inf), selector.signals
    visits = np.zeros(n, np.int32)
    order = np.resize(generator.permutation(n), steps * batch_size)
    for step in range(steps):
        indices = order[step * batch_size : (step + 1) * batch_size]
        values = np.ones(len(indices)) if equal else scale * generator.exponential(size=len(indices))
        if with_nan:
            values[generator.uniform(size=len(values)) < 0.3] = np.nan
        losses[indices] = values
        np.add.at(visits, indices, 1)
        context = example_context(
            n, batch_size, step=step + 1, samples=(step + 1) * batch_size, losses=losses, visits=visits
        )
        state = selector.update(state, example_stats(indices, values, signals, seed=step), context)
    # Half a pass, so that a warm-up of one pass is still on.
    context = example_context(
        n, batch_size, step=steps, samples=n // 2, progress=0.3, seed=5, losses=losses, visits=visits
    )
    return state, context


def example_pool(selector: Selector, n: int, batch_size: int) -> SampleStats:
    """Return a scored pool whose last two rows are padding."""
    size = selector.pool_size(batch_size) or batch_size
    generator = np.random.default_rng(2)
    # The padding rows would be chosen first by a selector that ignores `valid`.
    values = np.append(generator.exponential(size=size - 2), [99.0, 99.0])
    valid = tf.range(size) < size - 2
    signals = tuple(dict.fromkeys(("probability", "gradient_norm", *selector.signals)))
    return example_stats(np.arange(size) % n, values, signals)._replace(valid=valid)


def tensors_of(context: Context) -> dict[str, tf.Tensor]:
    """Return the tensors of a context by field, to be passed as arguments, so that no mode can fold them."""
    return {name: value for name, value in context._asdict().items() if isinstance(value, tf.Tensor)}


def execution_modes(selector: Selector) -> dict[str, Callable[[Callable], Callable]]:
    """Return ways to compile a function of tensors: eager, graph and, if it can compile the selector, XLA."""
    modes: dict[str, Callable[[Callable], Callable]] = {
        "eager": lambda function: function,
        "graph": own_function,
    }
    if selector.traceable and find_properties(selector).obstacle is None:
        modes["xla"] = functools.partial(own_function, jit_compile=True)
    return modes
