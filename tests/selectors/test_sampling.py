"""Sampling primitives: expectations, rounding, unseen samples first, dealing and padding."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from batchsel.core.rng import Rng
from batchsel.selectors.ops import sampling
from batchsel.selectors.ops.sampling import (
    deal_into_batches,
    first_then_shares,
    kth_largest,
    padded_plan,
    partition_kept,
    quantize,
    scatter_update,
    systematic,
)

INFINITE = float("inf")


def draw(shares, rows, step=0):
    return systematic(tf.constant(shares, tf.int64), rows, Rng(tf.constant(0), tf.constant(step)), "test").numpy()


def counts_of_draws(shares, rows, times):
    """Return ``int[times, n]``, the number of draws of each sample."""
    shares = tf.constant(shares, tf.int64)

    @tf.function(jit_compile=True)
    def run():
        def one(step):
            return systematic(shares, rows, Rng(tf.constant(3), step), "test")

        return tf.map_fn(one, tf.range(times), fn_output_signature=tf.int32)

    return np.array([np.bincount(drawn, minlength=len(shares)) for drawn in run().numpy()])


@pytest.mark.parametrize(
    ("shares", "rows"),
    [
        ([5, 1, 1, 2, 9, 4, 30, 1, 1, 2], 6),
        ([2**24, 2**20, 1, 2**23, 0, 2**24], 3),
        ([1] * 13, 9),
        ([1, 0, 1, 1], 7),
    ],
)
def test_systematic_draws_have_the_expected_rates(shares, rows):
    counts = counts_of_draws(shares, rows, times=6000)
    expected = rows * np.array(shares) / np.sum(shares)
    part = expected % 1
    sigma = np.sqrt(part * (1 - part) / len(counts))
    assert (np.abs(counts.mean(axis=0) - expected) <= 4.5 * sigma + 1e-6).all()


@given(
    shares=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**24)), min_size=1, max_size=40).filter(any),
    rows=st.integers(1, 120),
    step=st.integers(0, 1000),
)
def test_counts_are_the_expectation_rounded_down_or_up(shares, rows, step):
    counts = np.bincount(draw(shares, rows, step), minlength=len(shares))
    total = sum(shares)
    for share, count in zip(shares, counts, strict=True):
        assert rows * share // total <= count <= -(-rows * share // total)


def test_few_shares_and_many_rows_do_not_collapse_onto_one_sample():
    assert sorted(draw([1, 0, 1], 4)) == [0, 0, 2, 2]


def test_pairs_of_equal_samples_are_equally_likely():
    counts = counts_of_draws([1] * 8, 2, times=8000)
    pairs = counts.T @ counts
    observed = pairs[np.triu_indices(8, 1)]
    assert stats.chisquare(observed).pvalue > 1e-4


# Without subnormal numbers: TensorFlow flushes them to zero.
@given(
    scores=st.lists(
        st.floats(-1e300, 1e300, allow_subnormal=False) | st.just(INFINITE) | st.just(float("nan")),
        min_size=1,
        max_size=30,
    )
)
def test_quantized_scores_keep_their_order_and_their_ratios(scores):
    levels = quantize(tf.constant(scores, tf.float64)).numpy()
    usable = np.isfinite(scores) & (np.array(scores) > 0)
    if not usable.any():
        assert (levels == 1).all()
        return
    assert (levels[~usable] == 0).all()
    assert (levels[usable] >= 1).all()
    assert levels.max() == 2**24
    exact = np.array(scores)[usable] / np.array(scores)[usable].max() * 2**24
    assert (np.abs(levels[usable] - exact) <= 1).all()


@given(
    unseen=st.integers(0, 20),
    finite=st.lists(st.floats(0.01, 100), min_size=1, max_size=20),
    rows=st.integers(1, 40),
    step=st.integers(0, 100),
)
def test_unseen_samples_come_first(unseen, finite, rows, step):
    scores = tf.constant([INFINITE] * unseen + finite, tf.float64)
    counts = np.bincount(draw(first_then_shares(scores, rows), rows, step), minlength=len(scores))
    if unseen >= rows:
        assert counts[:unseen].sum() == rows
        assert counts.max() == 1
    else:
        assert (counts[:unseen] >= 1).all()
        assert counts[:unseen].sum() <= unseen + 1


def test_rows_left_by_unseen_samples_are_drawn_by_score():
    scores = tf.constant([INFINITE, INFINITE, 1.0, 2.0, 1.0], tf.float64)
    counts = counts_of_draws(first_then_shares(scores, 4).numpy(), 4, times=4000)
    assert (np.abs(counts.mean(axis=0) - [1, 1, 0.5, 1, 0.5]) < 0.04).all()


@given(
    st.lists(st.floats(0, width=32, allow_nan=False) | st.just(INFINITE), min_size=1, max_size=40), st.integers(1, 40)
)
def test_kth_largest_equals_sorting(scores, k):
    k = min(k, len(scores))
    found = kth_largest(tf.constant(scores, tf.float32), k)
    assert float(found) == sorted(map(float, np.float32(scores)), reverse=True)[k - 1]


def test_long_plans_of_large_sets_do_not_overflow():
    # 2^63 is less than a million samples at full level, times as many rows.
    scores = tf.concat([tf.fill([499_999], tf.constant(INFINITE, tf.float64)), tf.ones([9_500_001], tf.float64)], 0)
    drawn = draw(first_then_shares(scores, 500_000), 500_000, 0)
    assert (np.bincount(drawn, minlength=499_999)[:499_999] >= 1).all()


def test_samples_without_scores_are_equally_likely():
    assert first_then_shares(tf.zeros([4], tf.float64), 2).numpy().tolist() == [1, 1, 1, 1]
    assert first_then_shares(tf.fill([3], tf.constant(INFINITE, tf.float64)), 7).numpy().tolist() == [1, 1, 1]


@given(steps=st.integers(1, 9), batch_size=st.integers(1, 9))
def test_dealing_keeps_all_rows_and_separates_neighbors(steps, batch_size):
    rows = tf.range(steps * batch_size)
    batches = deal_into_batches(rows, steps).numpy().reshape(steps, batch_size)
    assert sorted(batches.ravel()) == rows.numpy().tolist()
    for number, batch in enumerate(batches):
        assert (batch % steps == number).all()


@given(shares=st.lists(st.integers(1, 50), min_size=4, max_size=20), step=st.integers(0, 200))
def test_no_batch_holds_a_sample_twice_unless_it_must(shares, step):
    steps, batch_size = 5, 4
    rows = steps * batch_size
    batches = deal_into_batches(draw(shares, rows, step), steps).numpy().reshape(steps, batch_size)
    for sample, share in enumerate(shares):
        if rows * share <= steps * sum(shares):
            assert (batches == sample).sum(axis=1).max() <= 1


@given(flags=st.lists(st.booleans(), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_kept_samples_move_to_the_front_in_their_order(flags, seed):
    order = np.random.default_rng(seed).permutation(len(flags)).astype(np.int32)
    rows, kept = partition_kept(tf.constant(order), tf.constant(flags))
    chosen = [sample for sample in order if flags[sample]]
    others = [sample for sample in order if not flags[sample]]
    assert rows.numpy().tolist() == chosen + others
    assert int(kept) == len(chosen)


@given(n=st.integers(1, 40), batch_size=st.integers(1, 12), share=st.floats(0, 1), weighted=st.booleans())
def test_a_padded_plan_trains_only_on_the_first_rows(n, batch_size, share, weighted):
    count = round(share * n)
    order = np.random.default_rng(n).permutation(n).astype(np.int32)
    weights = np.linspace(1, 2, n).astype(np.float32) if weighted else None
    plan = padded_plan(tf.constant(order), tf.constant(count), batch_size, weights)
    indices, factors, steps = (part.numpy() for part in plan)
    used = max(count, 1)
    assert len(indices) == len(factors) == -(-n // batch_size) * batch_size
    assert steps == -(-used // batch_size)
    np.testing.assert_array_equal(indices[:used], order[:used])
    np.testing.assert_array_equal(factors[:used], 1.0 if weights is None else weights[order[:used]])
    assert (factors[used:] == 0).all()
    assert ((indices >= 0) & (indices < n)).all()


def test_scatter_update_leaves_other_rows():
    state = tf.reshape(tf.range(8.0), [4, 2])
    rows = scatter_update(state, tf.constant([3, 1]), tf.constant([[9.0, 9.0], [7.0, 7.0]])).numpy()
    assert rows.tolist() == [[0.0, 1.0], [7.0, 7.0], [4.0, 5.0], [9.0, 9.0]]


@pytest.mark.parametrize("seed", range(20))
def test_sweep_and_bisection_draw_the_same_rows(seed, monkeypatch):
    generator = np.random.default_rng(seed)
    n = int(generator.integers(1, 400))
    shares = generator.integers(0, 2**24, n) * (generator.uniform(size=n) < 0.5)
    shares[generator.integers(n)] += 1
    rows, found = int(generator.integers(1, 2 * n + 2)), []
    for few in (0, 10**9):
        monkeypatch.setattr(sampling, "_FEW", few)
        found.append(sampling.systematic(tf.constant(shares, tf.int64), rows, Rng(seed, 0), "test").numpy())
    np.testing.assert_array_equal(*found)
    assert (shares[found[0]] > 0).all()
