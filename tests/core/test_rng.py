"""Random numbers: equal in every mode, uniform, independent, and stable over versions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from batchsel.core import rng

DRAWS = {
    "bits": lambda seed, step: rng.bits([37], seed, "a", step),
    "uniform": lambda seed, step: rng.uniform([37], seed, "a", step),
    "integer_below": lambda seed, step: rng.integer_below(tf.constant(10**13, tf.int64), seed, "a", step),
    "permutation of few": lambda seed, step: rng.permutation(61, seed, "a", step),
    "permutation": lambda seed, step: rng.permutation(1237, seed, "a", step),
}


def permutations(n, steps, seed=0):
    """``int[steps, n]`` of successive steps."""

    @tf.function(jit_compile=True)
    def run(steps, seed):
        return tf.map_fn(lambda step: rng.permutation(n, seed, "test", step), steps, fn_output_signature=tf.int32)

    return run(tf.range(steps), tf.constant(seed)).numpy()


def chi_square_p(observed, expected):
    observed = np.asarray(observed, float).ravel()
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), observed.size - 1)


@pytest.mark.parametrize("name", DRAWS)
def test_equal_in_eager_graph_and_xla(name):
    draw = DRAWS[name]
    graph, xla = tf.function(draw), tf.function(draw, jit_compile=True)
    for seed, step in [(0, 0), (7, 12345), (-3, 2**31 - 1)]:
        # Constants could be folded before XLA sees them; tensors cannot.
        key = tf.constant(seed), tf.constant(step, tf.int64)
        eager = draw(*key).numpy()
        np.testing.assert_array_equal(eager, graph(*key).numpy())
        np.testing.assert_array_equal(eager, xla(*key).numpy())
        np.testing.assert_array_equal(eager, draw(seed, step).numpy())


def test_gumbel_is_close_in_every_mode():
    def draw(seed, step):
        return rng.gumbel([1000], seed, "a", step)

    eager = draw(tf.constant(1), tf.constant(2)).numpy()
    compiled = tf.function(draw, jit_compile=True)(tf.constant(1), tf.constant(2)).numpy()
    np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-6)
    assert stats.kstest(eager, "gumbel_r").pvalue > 1e-4


@settings(max_examples=60)
@given(n=st.integers(1, 5000), seed=st.integers(-(2**31), 2**31 - 1), step=st.integers(0, 2**31 - 1))
@example(n=1, seed=0, step=0)
@example(n=64, seed=0, step=0)
@example(n=65, seed=0, step=0)
@example(n=4096, seed=0, step=0)
@example(n=4097, seed=0, step=0)
def test_a_permutation_holds_every_element_once(n, seed, step):
    drawn = rng.permutation(n, tf.constant(seed), "a", tf.constant(step, tf.int64))
    assert drawn.dtype == tf.int32
    np.testing.assert_array_equal(np.sort(drawn), np.arange(n))


def test_a_large_permutation_holds_every_element_once():
    drawn = rng.permutation(70_001, 5, "a", 3).numpy()
    np.testing.assert_array_equal(np.bincount(drawn), np.ones(70_001))


@pytest.mark.parametrize("n", [7, 64, 65, 71, 200])
def test_every_element_is_as_likely_at_every_position(n):
    orders = permutations(n, steps=20_000)
    counts = [np.bincount(orders[:, position], minlength=n) for position in range(n)]
    statistic = ((np.array(counts) - len(orders) / n) ** 2 / (len(orders) / n)).sum()
    assert stats.chi2.sf(statistic, (n - 1) ** 2) > 1e-4


@pytest.mark.parametrize("n", [65, 100, 150])
def test_neighbors_are_independent(n):
    orders = permutations(n, steps=20_000, seed=1)
    gaps = np.bincount(((orders[:, 1:] - orders[:, :-1]) % n).ravel(), minlength=n)
    assert gaps[0] == 0
    assert chi_square_p(gaps[1:], gaps.sum() / (n - 1)) > 1e-4
    pairs = np.bincount(orders[:, 0] * n + orders[:, 1], minlength=n * n).reshape(n, n)
    apart = ~np.eye(n, dtype=bool)
    assert chi_square_p(pairs[apart], len(orders) / apart.sum()) > 1e-4


def test_all_24_orders_of_four_are_as_likely():
    orders = permutations(4, steps=24_000)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert chi_square_p(counts, 1000) > 1e-4


@pytest.mark.parametrize("n", [64, 65])
def test_a_permutation_has_one_fixed_point_on_average(n):
    fixed = (permutations(n, steps=20_000, seed=2) == np.arange(n)).sum(axis=1)
    assert abs(fixed.mean() - 1) < 4 / np.sqrt(len(fixed))
    assert abs(fixed.var() - 1) < 0.1


def test_uniform_numbers_are_uniform_and_never_0_or_1():
    drawn = rng.uniform([200_000], 3, "a", 9).numpy()
    assert 0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-4


def test_the_extremes_of_the_bits_are_inside_the_interval(monkeypatch):
    monkeypatch.setattr(rng, "bits", lambda *key: tf.constant([0, -1, 2**31 - 1, -(2**31)]))
    drawn = rng.uniform([4], 0, "a", 0).numpy().astype(float)
    np.testing.assert_array_equal(drawn, [2.0**-24, 1 - 2.0**-24, 0.5 - 2.0**-24, 0.5 + 2.0**-24])
    assert np.isfinite(rng.gumbel([4], 0, "a", 0)).all()


@pytest.mark.parametrize("bound", [1, 2, 7, 2**33 + 1, 2**48])
def test_integers_stay_below_their_bound(bound):
    draw = tf.function(lambda step: rng.integer_below(tf.constant(bound, tf.int64), 0, "a", step))
    drawn = np.array([draw(tf.constant(step)).numpy() for step in range(500)])
    assert (drawn >= 0).all()
    assert (drawn < bound).all()
    if bound > 1:
        parts = np.bincount(drawn * min(bound, 4) // bound, minlength=min(bound, 4))
        expected = np.diff(np.ceil(np.arange(len(parts) + 1) * bound / len(parts))) / bound * len(drawn)
        assert chi_square_p(parts, expected) > 1e-4


def test_streams_steps_and_seeds_are_independent():
    keys = [(0, "a", 0), (0, "a", 1), (0, "b", 0), (1, "a", 0), (0, "", 0), (2**31 - 1, "a", 0), (-1, "a", 0)]
    drawn = np.array([rng.uniform([20_000], seed, stream, step).numpy() for seed, stream, step in keys])
    correlations = np.corrcoef(drawn)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(drawn.shape[1])


def test_successive_permutations_share_no_more_places_than_chance():
    orders = permutations(200, steps=5000, seed=4)
    matches = (orders[1:] == orders[:-1]).sum(axis=1)
    assert abs(matches.mean() - 1) < 4 / np.sqrt(len(matches))


def test_rng_methods_equal_the_functions():
    timestamp = rng.Rng(tf.constant(3), tf.constant(4))
    np.testing.assert_array_equal(timestamp.bits([5], "s"), rng.bits([5], 3, "s", 4))
    np.testing.assert_array_equal(timestamp.uniform([5], "s"), rng.uniform([5], 3, "s", 4))
    np.testing.assert_array_equal(timestamp.gumbel([5], "s"), rng.gumbel([5], 3, "s", 4))
    np.testing.assert_array_equal(timestamp.permutation(99, "s"), rng.permutation(99, 3, "s", 4))
    ten = tf.constant(10, tf.int64)
    assert int(timestamp.integer_below(ten, "s")) == int(rng.integer_below(ten, 3, "s", 4))


def test_golden_values():
    assert rng.bits([4], 1, "golden", 2).numpy().tolist() == [-2037846550, 1482445756, -1796099042, -253948502]
    assert rng.permutation(10, 1, "golden", 2).numpy().tolist() == [0, 2, 4, 6, 9, 3, 1, 7, 8, 5]
    assert rng.permutation(100, 1, "golden", 2).numpy()[:12].tolist() == [51, 97, 94, 50, 82, 48, 92, 9, 79, 33, 81, 43]
    assert int(rng.integer_below(tf.constant(10**9, tf.int64), 1, "golden", 2)) == 651_619_260
