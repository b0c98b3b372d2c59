"""Statistics of comparisons against closed forms, lifelines, and simulated data whose truth is known."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from batchsel.analysis.stats import aggregate, estimates, sign_flips, significance, survival


def test_wilson_is_its_formula():
    z = stats.norm.ppf(0.975)
    for successes, n in [(0, 5), (3, 10), (10, 10), (97, 100)]:
        p = successes / n
        center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        assert estimates.wilson(successes, n) == pytest.approx((p, center - half, center + half))
    assert math.isnan(estimates.wilson(0, 0).value)


def test_a_mean_has_students_interval():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert estimates.mean(values) == pytest.approx((3.75, 3.75 - half, 3.75 + half))


def test_intervals_of_a_loss_end_at_zero_unless_it_was_below():
    values, bounds = [0.02, 0.05, 0.9], estimates.share_bounds("val_loss")
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert low < 0
    for interval in (estimates.mean, estimates.over_seeds):
        assert interval(values, *bounds).low == 0.0
        below = interval([-0.1, *values], *bounds)
        assert below.low == -0.1
    assert estimates.mean(values, *bounds).high == pytest.approx(high)
    assert estimates.mean([1.1, 1.2, 3.0], *estimates.share_bounds("perplexity")).low == 1.0


@pytest.mark.parametrize("estimate", [estimates.mean, estimates.ratio])
def test_one_run_has_no_interval(estimate):
    assert estimate([0.3])[1:] == (None, None)
    assert math.isnan(estimate([]).value)


def test_equal_pairs_have_a_ratio_without_an_interval():
    assert estimates.ratio([math.log(0.5)] * 12) == (pytest.approx(0.5), None, None)
    assert estimates.ratio([0.1, 0.2]).low is None


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8).filter(any))
def test_sign_flips_enumerate_all_patterns(values):
    values = np.array(values, float)
    patterns = np.array(list(itertools.product([-1, 1], repeat=len(values))))
    means = np.abs((patterns * values).mean(axis=1))
    expected = np.mean(means >= abs(values.mean()) - 1e-12)
    assert significance.sign_flip(values) == pytest.approx(expected)


def test_sign_flips_without_pairs_are_no_evidence():
    assert significance.sign_flip([]) == significance.sign_flip([2.0]) == significance.sign_flip([0.0, 0.0]) == 1


def test_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(3)
    p = np.array([significance.sign_flip(rng.normal(size=8)) for _ in range(500)])
    assert abs((p <= 0.05).mean() - 0.05) < 0.03


def test_holm_of_a_worked_example():
    # Holm's procedure by hand: 4 * .005, 3 * .011, 2 * .02, 1 * .04, none smaller than the one before.
    assert significance.holm([0.02, 0.04, 0.005, 0.011]) == pytest.approx([0.04, 0.04, 0.02, 0.033])
    assert significance.holm([0.6, 0.7]) == [1, 1]
    assert significance.holm([]) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=3, max_size=25).filter(
        lambda runs: any(reached for _, reached in runs)
    )
)
def test_survival_agrees_with_lifelines(runs):
    lifelines = pytest.importorskip("lifelines")
    times, reached = [float(time) for time, _ in runs], [reached for _, reached in runs]
    oracle = lifelines.KaplanMeierFitter(alpha=0.05).fit(times, reached)
    found = survival.survival_curve(times, reached)
    expected = 1 - oracle.survival_function_at_times(found.times).to_numpy()
    np.testing.assert_allclose(found.reached, expected, atol=1e-12)
    if not np.isclose(found.reached, 0.5).any():  # there lifelines' median hangs on the last bit
        assert survival.median(times, reached) == oracle.median_survival_time_
    bounds = oracle.confidence_interval_.reindex(found.times[1:])
    inside = (np.array(found.reached[1:]) > 0) & (np.array(found.reached[1:]) < 1)
    np.testing.assert_allclose(np.array(found.high[1:])[inside], 1 - bounds.iloc[:, 0][inside], atol=1e-9)
    np.testing.assert_allclose(np.array(found.low[1:])[inside], 1 - bounds.iloc[:, 1][inside], atol=1e-9)


def test_the_restricted_mean_is_the_area_under_the_curve_of_those_still_running():
    lifelines_utils = pytest.importorskip("lifelines.utils")
    lifelines = pytest.importorskip("lifelines")
    times, reached = [1.0, 2.0, 2.5, 4.0, 6.0, 6.0], [True, True, True, True, False, False]
    oracle = lifelines.KaplanMeierFitter().fit(times, reached)
    expected = lifelines_utils.restricted_mean_survival_time(oracle, t=6.0)
    assert survival.restricted_mean(times, 6.0) == pytest.approx(expected)


def test_a_curve_without_arrivals_stays_at_zero():
    found = survival.survival_curve([3.0, 3.0], [False, False])
    assert max(found.reached) == 0
    assert survival.median([3.0, 3.0], [False, False]) == math.inf


def test_the_interquartile_mean_ignores_the_ends():
    assert estimates.interquartile_mean([-1e9, 1, 2, 3, 4, 5, 6, 1e9]) == 3.5


def test_profiles_count_workloads():
    found = aggregate.profiles({"a": [1.0, 3.0, math.inf], "b": [2.0, 1.0, math.inf]}, limit=4, points=4)
    assert found["a"].shares == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert found["b"].shares == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert found["a"].score == pytest.approx((1 / 3 + 1 / 3 + 2 / 3) / 2 / 3 + (1 / 3 + 2 / 3 + 2 / 3) / 2 / 3)


def test_the_probability_of_improvement_is_mann_whitneys_u():
    rng = np.random.default_rng(0)
    arm, baseline = rng.integers(0, 9, 7), rng.integers(2, 11, 9)
    u = stats.mannwhitneyu(baseline, arm).statistic
    assert aggregate.probability_of_improvement(arm, baseline) == pytest.approx(u / 63)
    assert aggregate.geometric_mean([0.25, 4, 1]) == pytest.approx(1)


def test_sign_flips_in_blocks_are_those_in_one_piece(monkeypatch):
    values = np.random.default_rng(3).normal(size=(2, 40))
    whole = sign_flips.two_sided(values)
    monkeypatch.setattr(sign_flips, "_BLOCK", 1000)
    assert sign_flips.two_sided(values) == pytest.approx(whole, abs=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.6])
def test_sign_flips_of_many_pairs_agree_with_those_of_scipy(shift):
    values = np.random.default_rng(1).normal(shift, size=150)
    fast = significance.sign_flip(values.tolist())
    oracle = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=9999, rng=1).pvalue
    # Both draw 9,999 sign patterns; the standard error of p is at most 0.005.
    assert abs(fast - oracle) < 0.02
    assert fast > 0
