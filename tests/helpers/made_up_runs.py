"""Made-up runs of a selector without a model: histories, and counts of samples over many plans of the same state."""

import functools
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from batchsel.selectors import SampleStats, resolve
from batchsel.testing.fixtures import example_context

SIGNALS = ("probability", "correct", "predicted", "boundary_distance", "gradient_norm")


@dataclass
class Run:
    """A moment of a made-up run: what each sample showed so far, and where the run stands.

    Args:
        n: Samples.
        b: Batch size.
        classes: Classes of the labels.
        passes: Samples trained on over n; at 0 nothing has been seen.
        progress: Share of the budget that is used up.
        nan: Whether the losses of one sample are not numbers.
        plans: Plans so far.
    """

    n: int
    b: int
    classes: int = 3
    passes: float = 0.0
    progress: float = 0.0
    nan: bool = False
    plans: int = 4
    rows: int = 0
    shown: dict = field(default_factory=dict)
    """Signal -> list of n lists of values, in the order in which they were seen."""
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def last(self):
        """Last losses, infinite for the two samples that were never seen."""
        return np.array([values[-1] if values else np.inf for values in self.shown["loss"]])

    def each(self, signal, function):
        """Return a function of the values of each sample, infinite for unseen ones."""
        return np.array([function(np.array(values)) if values else np.inf for values in self.shown[signal]])


def play(text, run, rounds=9):
    """Return a selector, its state after some rounds, and the context of the next plan; fill `run.shown`."""
    selector, generator = resolve(text), np.random.default_rng(run.n)
    n, losses = run.n, np.full(run.n, np.inf, np.float32)
    run.shown = {name: [[] for _ in range(n)] for name in ("loss", *SIGNALS)}
    labels = tf.constant(np.arange(n) * 7 % run.classes if n > run.classes else np.full(n, run.classes - 1), tf.int32)
    labels = tf.tensor_scatter_nd_update(labels, [[0]], [run.classes - 1])
    run.labels = labels.numpy()
    state = selector.init(n)
    for place in range(rounds if run.passes else 0):
        indices = generator.permutation(n - 2)[: max(2 * n // 3, 1)]
        size = len(indices)
        # Many ties, and zeros.
        values = {"loss": np.round(generator.exponential(size=size), 1) * (generator.uniform(size=size) > 0.15)}
        if run.nan:
            values["loss"][indices == 1] = np.nan
        values |= {
            "probability": generator.uniform(0.01, 1, size), "correct": generator.integers(0, 2, size),
            "predicted": generator.integers(0, run.classes, size), "gradient_norm": generator.uniform(0, 1.4, size),
            "boundary_distance": generator.uniform(-1, 1, size) * np.sqrt(run.classes - 1) / run.classes,
        }  # fmt: skip
        values["correct"][indices == 2] = 0  # never learned
        values = {name: np.float32(column) if name != "predicted" else column for name, column in values.items()}
        losses[indices] = values["loss"]
        samples = max(round(run.passes * n) - (rounds - 1 - place) * size, size)
        context = _context(run, losses, labels)._replace(
            step=tf.constant(place + 1, tf.int64), samples=tf.constant(samples, tf.int64)
        )
        given = {name: tf.constant(column) for name, column in values.items() if name in ("loss", *selector.signals)}
        if "predicted" in given:
            given["predicted"] = tf.cast(given["predicted"], tf.int32)
        stats = SampleStats(tf.constant(indices, tf.int32), given.pop("loss"), tf.ones([size], tf.bool), **given)
        state = selector.update(state, stats, context)
        for row, index in enumerate(indices):
            for name, column in values.items():
                run.shown[name][index].append(column[row])
    run.rows = selector.steps_per_plan(n, run.b) * run.b
    return selector, state, _context(run, losses, labels)


def _context(run, losses, labels):
    samples = round(run.passes * run.n)
    return example_context(
        run.n, run.b, samples=samples, progress=run.progress, plans=run.plans, losses=losses, labels=labels
    )


@functools.cache
def _planner(text, n, b):
    selector = resolve(text)

    @tf.function(autograph=False)
    def plan_many(state, steps, tensors):
        def one(step):
            return tuple(selector.plan(state, example_context(n, b)._replace(**tensors, step=step)))

        return tf.map_fn(one, steps, fn_output_signature=(tf.int32, tf.float32, tf.int32))

    return plan_many


def drawn(text, run, state, context, times):
    """Return the counts ``[times, n]`` of samples in plans, their mean weights where drawn, and counts scored only."""
    names = ("samples", "progress", "plans", "losses", "labels")
    tensors = {name: getattr(context, name) for name in names}
    steps = tf.range(1000, 1000 + times, dtype=tf.int64)
    indices, weights, used = (part.numpy() for part in _planner(text, run.n, run.b)(state, steps, tensors))
    real = np.arange(indices.shape[1])[None] < used[:, None] * run.b
    trained, scored = real & (weights > 0), real & (weights < 0)
    plans = np.broadcast_to(np.arange(times)[:, None], indices.shape)

    def count(chosen, values=None):
        table = np.zeros([times, run.n])
        np.add.at(table, (plans[chosen], indices[chosen]), 1 if values is None else values[chosen])
        return table

    counts = count(trained)
    return counts, count(trained, weights).sum(axis=0) / np.maximum(counts.sum(axis=0), 1), count(scored)
