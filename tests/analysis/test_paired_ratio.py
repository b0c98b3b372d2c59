"""Ratios of paired times: Student's t where all are known, sign flips where some are censored, failures."""

import numpy as np
import pytest
from known_truth import exact
from scipy import stats

from batchsel.analysis.stats import mean_interval, paired_ratio, power, sign_flips
from batchsel.analysis.stats.paired_ratio import LogTimes

NONE = np.zeros((1, 20), bool)


def seen(values, limit=np.inf, first=-np.inf):
    """Return times that are known between the first evaluation and the limit."""
    shape = np.shape(values)
    value = np.clip(values, first, limit)
    return LogTimes(value, np.full(shape, float(first)), np.full(shape, float(limit)))


def some(n=20, seed=0, shift=-0.3):
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.2, n)
    return (shared + rng.normal(shift, 0.2, n))[None], (shared + rng.normal(0, 0.2, n))[None]


def test_known_times_have_students_interval():
    arm, base = some()
    found = paired_ratio.compare(exact(arm), exact(base))
    differences = (arm - base)[0]
    expected = stats.t.interval(0.95, 19, differences.mean(), stats.sem(differences))
    assert abs(stats.skew(differences, bias=False)) < 1
    assert (found.low[0], found.high[0]) == pytest.approx(expected)
    assert found.center[0] == pytest.approx(differences.mean())
    exact_p = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=99_999, rng=1)
    assert found.p[0] == pytest.approx(exact_p.pvalue, abs=0.01)


def test_the_estimate_is_that_of_the_times_behind_a_budget():
    arm, base = some(400, shift=np.log(0.8))
    for limit in (0.3, 0.1, 0.0):
        found = paired_ratio.compare(seen(arm, limit), seen(base, limit))
        assert np.exp(found.center[0]) == pytest.approx(0.8, abs=0.05)
        assert found.low[0] < np.log(0.8) < found.high[0] < 0


def test_the_interval_holds_what_the_test_does_not_reject():
    arm, base = some()
    left, right = seen(arm, 0.1), seen(base, 0.1)
    found = paired_ratio.compare(left, right)
    for at, rejected in ((found.high[0] + 0.02, True), (found.high[0] - 0.02, False)):
        moved = LogTimes(*(part + at for part in right))
        assert (paired_ratio.compare(left, moved).p[0] <= 0.05) == rejected


def test_the_budget_does_not_decide():
    arm, base = some(shift=np.log(0.6))
    arm[0, :4] = 9.0  # never arrives on a fifth of the seeds
    for limit in (0.5, 1.0, 2.0):
        found = paired_ratio.compare(seen(arm, limit), seen(base, limit))
        assert found.p[0] <= 0.05
        assert found.high[0] < 0


def test_failures_never_make_a_claim_easier():
    arm, base = some(shift=0.0)
    slowest = (arm - base).argsort(axis=1).argsort(axis=1) >= 10
    left, right = seen(arm, 2.0), seen(base, 2.0)
    lost = left._replace(value=np.where(slowest, 2.0, left.value))
    dropped = paired_ratio.compare(*(LogTimes(*(part[:, ~slowest[0]] for part in t)) for t in (left, right)))
    assert dropped.high[0] < 0  # a table without the failed runs would say "faster"
    found = paired_ratio.compare(lost, right, slowest, NONE)
    assert found.low[0] < 0 < found.high[0]
    missed = paired_ratio.compare(lost, right)
    assert found.p[0] >= missed.p[0]
    assert found.low[0] <= missed.low[0]


def test_exchanging_the_sides_inverts_the_ratio():
    arm, base = some(seed=3)
    left, right = seen(arm, 0.2, -0.4), seen(base, 0.3, -0.3)
    found, other = paired_ratio.compare(left, right), paired_ratio.compare(right, left)
    assert found.p[0] == other.p[0]
    assert (found.center[0], found.low[0], found.high[0]) == pytest.approx(
        (-other.center[0], -other.high[0], -other.low[0]), abs=1e-3
    )


def test_misses_of_one_side_leave_a_bound():
    arm, _ = some(shift=-1.0)
    found = paired_ratio.compare(seen(arm, -0.2), seen(np.full((1, 20), 1.0), -0.2))
    assert found.center[0] == found.low[0] == -np.inf
    assert -1.5 < found.high[0] < 0


def test_what_is_never_seen_apart_is_not_compared():
    arm, base = some()
    for times in (lambda x: seen(x, first=5.0), lambda x: seen(x, limit=-5.0)):
        found = paired_ratio.compare(times(arm), times(base))
        assert np.isnan([found.center[0], found.low[0], found.high[0]]).all()
        assert found.p[0] == 1


def test_intervals_grow_with_their_level():
    arm, base = some(seed=5)
    for limit in (np.inf, 0.1):
        widths = [
            found.high[0] - found.low[0]
            for found in (
                paired_ratio.compare(seen(arm, limit), seen(base, limit), confidence=c) for c in (0.9, 0.95, 0.99)
            )
        ]
        assert widths == sorted(widths)


@pytest.mark.parametrize("n", [3, 4])
def test_three_and_four_skewed_values_are_covered(n):
    generator = np.random.default_rng(n)
    shapes = {
        "exponential": generator.exponential(1, (20000, n)) - 1,
        "normal": generator.normal(0, 1, (20000, n)),
        "heavy tails": generator.standard_t(3, (20000, n)),
        "left-skewed": 1 - generator.exponential(1, (20000, n)),
    }
    for name, values in shapes.items():
        _, low, high = mean_interval.wide(values)
        assert 0.926 < np.mean((low <= 0) & (high >= 0)) < 0.982, name
    symmetric = np.array([np.linspace(0.1, 0.7, n)])
    _, low, high = mean_interval.wide(symmetric)
    assert (low[0], high[0]) == pytest.approx(stats.t.interval(0.95, n - 1, 0.4, stats.sem(symmetric[0])))


def test_the_bootstrap_t_extends_the_side_of_the_long_tail():
    values = np.random.default_rng(1).exponential(size=(1, 10)) ** 2
    _, low, high = mean_interval.wide(values)
    expected = stats.t.interval(0.95, 9, values.mean(), stats.sem(values[0]))
    assert low[0] == pytest.approx(expected[0])
    assert high[0] > expected[1] * 1.1
    almost_alike = np.array([[0.0, 0.0, 0.0, 0.0, 1.0]])
    assert np.isfinite(mean_interval.wide(almost_alike)).all()


def test_sign_flips_of_many_pairs_agree_with_the_normal_distribution():
    differences = np.random.default_rng(2).normal(0.07, 1, (1, 600))
    oracle = stats.permutation_test(
        (differences[0],), np.mean, permutation_type="samples", n_resamples=9999, rng=1, batch=500
    )
    assert sign_flips.two_sided(differences)[0] == pytest.approx(oracle.pvalue, abs=0.01)
    assert sign_flips.two_sided(np.zeros((1, 600)))[0] == 1


def test_power_is_that_of_simulated_experiments():
    rng = np.random.default_rng(0)
    differences = rng.normal(np.log(0.8), 0.3, (2000, 20))
    found = paired_ratio.compare(exact(differences), exact(np.zeros((2000, 20))))
    assert np.mean((found.high < 0) & (found.p <= 0.05)) == pytest.approx(power.chance(0.8, 0.3, 20), abs=0.03)
    assert power.seeds_needed(0.8, 0.3) == 17
    assert power.chance(0.8, 0.3, 17) >= 0.8 > power.chance(0.8, 0.3, 16)
    assert power.chance(power.detectable_ratio(0.3, 12), 0.3, 12) == pytest.approx(0.8, abs=1e-3)
    assert power.seeds_needed(0.8, 0.01, 0.05 / 12) == power.fewest_seeds(0.05 / 12) == 9
