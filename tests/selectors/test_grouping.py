"""One-dimensional k-means: the least inertia, found by trying all cuts, for skewed, equal and few numbers."""

import numpy as np
import pytest
import tensorflow as tf
from exact_kmeans import exact_groups
from plan_statistics import B

from batchsel.selectors import resolve
from batchsel.selectors.ops.grouping import nearest_groups
from batchsel.selectors.ops.sampling import quantize
from batchsel.testing.fixtures import example_context


def numbers(kind, n):
    generator = np.random.default_rng(n)
    exponential = generator.exponential(size=n)
    return {
        "exponential": exponential, "skewed": np.exp(3 * generator.normal(size=n)), "heavy": generator.pareto(1, n),
        "uniform": generator.uniform(size=n), "zeros": exponential * (generator.uniform(size=n) > 0.6),
        "ties": np.round(exponential, 1), "outlier": np.append(exponential[1:], 1e5), "equal": np.ones(n),
        "few": generator.integers(1, 5, n).astype(float), "none": np.zeros(n),
    }[kind]  # fmt: skip


KINDS = ["exponential", "skewed", "heavy", "uniform", "zeros", "ties", "outlier", "equal", "few", "none"]


def inertia(levels, groups):
    parts = [levels[groups == group].astype(float) for group in np.unique(groups)]
    return sum(np.square(part - part.mean()).sum() for part in parts)


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("n", [1, 7, 300, 1200])
@pytest.mark.parametrize("kind", KINDS)
def test_the_inertia_is_the_least(kind, n, count):
    levels = quantize(tf.constant(np.float32(numbers(kind, n)), tf.float64))
    groups = nearest_groups(levels, tf.ones([n], tf.bool), count).numpy()
    levels = levels.numpy()
    assert set(groups) <= set(range(count))
    assert (np.diff(groups[np.argsort(levels, kind="stable")]) >= 0).all()
    least = inertia(levels, exact_groups(levels, count))
    assert inertia(levels, groups) <= least * (1 + 1e-6) + n


def test_unknown_numbers_affect_no_group():
    levels = quantize(tf.constant([*np.linspace(1, 2, 40), *np.full(20, 9.0)], tf.float64))
    known = tf.range(60) < 40
    groups = nearest_groups(levels, known, 4).numpy()[:40]
    np.testing.assert_array_equal(groups, nearest_groups(levels[:40], known[:40], 4).numpy())
    assert (nearest_groups(levels, tf.zeros([60], tf.bool), 4).numpy() >= 0).all()


def test_all_samples_are_used_where_a_window_is_empty():
    window = resolve("last_loss | difficulty_window(groups=10, width=0.3)").modifiers[0]
    losses = np.where(np.arange(60) % 2, 1.0, 2.0)
    used = [window.modify(tf.constant(losses, tf.float64), example_context(60, B, plans=k)).numpy() for k in range(8)]
    assert used[0].sum() == 60
    assert used[1].sum() == 30  # the harder half
    assert all(mask.sum() == 60 for mask in used[2:])
