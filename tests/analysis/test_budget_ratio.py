"""The ratio of budgets at equal final metrics, against closed forms and made-up runs with a known ratio."""

import math

import numpy as np
import pytest

from batchsel.analysis.studies.budget_ratio import EndOfRun, budget_ratio

BUDGETS = (1.5, 2.5, 4.0, 6.0)


def accuracy(budget):
    return 0.93 - 0.03 * np.exp(-0.8 * np.log(budget))


def runs(shift=1.0, seeds=5, noise=0.0, rng=None, budgets=BUDGETS, curve=accuracy):
    """Return runs that are as good as those of the baseline with a budget of 1 / shift times the size."""
    rng = rng or np.random.default_rng(0)
    return {
        str(budget): {
            seed: EndOfRun(1000 * budget, curve(budget / shift) + 0.001 * seed + noise * rng.normal())
            for seed in range(seeds)
        }
        for budget in budgets
    }


@pytest.mark.parametrize("shift", [0.6, 1.0, 1.4])
def test_straight_lines_have_their_distance_as_the_ratio(shift):
    def line(budget):
        return 0.9 + 0.02 * np.log(budget)

    found = budget_ratio(runs(curve=line), runs(shift, curve=line))
    assert found.ratio.value == pytest.approx(shift, rel=1e-6)
    assert found.bound == 0
    ends = (line(1.5 / min(shift, 1)), line(6 / max(shift, 1)))  # of the final metrics that both reach
    assert found.span == pytest.approx([end + 0.002 for end in ends], abs=1e-6)


def test_bends_count_as_the_integral_of_the_distance():
    base = {"1": {0: EndOfRun(1.0, 0.0)}, "2": {0: EndOfRun(math.e, 1.0)}, "3": {0: EndOfRun(math.e**2, 4.0)}}
    arm = {"1": {0: EndOfRun(1.0, 0.0)}, "2": {0: EndOfRun(math.e, 4.0)}}
    # log budgets at y: arm y / 4; base y up to 1, then 1 + (y - 1) / 3; integrals over 0 ... 4: 2 and 0.5 + 4.5
    found = budget_ratio(base, arm)
    assert math.log(found.ratio.value) == pytest.approx((2 - 5) / 4)
    assert found.ratio.low is None  # one seed


def test_a_worse_end_with_a_larger_budget_is_made_monotone():
    base = runs()
    arm = {"a": {0: EndOfRun(1.0, 0.91)}, "b": {0: EndOfRun(2.0, 0.90)}, "c": {0: EndOfRun(4.0, 0.92)}}
    pooled = {"a": {0: EndOfRun(1.0, 0.905)}, "b": {0: EndOfRun(2.0, 0.905)}, "c": {0: EndOfRun(4.0, 0.92)}}
    assert budget_ratio(base, arm).ratio.value == pytest.approx(budget_ratio(base, pooled).ratio.value, rel=1e-6)


def test_arms_without_a_final_metric_in_common_have_a_limit():
    good, bad = runs(curve=lambda budget: 0.95 + 0.01 * budget), runs()
    better, worse = budget_ratio(bad, good), budget_ratio(good, bad)
    assert (better.bound, better.ratio.value, better.ratio.low) == (-1, pytest.approx(1.5 / 6), None)
    assert (worse.bound, worse.ratio.value, worse.ratio.low) == (1, pytest.approx(6 / 1.5), None)


def test_seeds_without_all_runs_are_left_out():
    arm = runs(0.7, seeds=6)
    del arm["2.5"][4]
    assert budget_ratio(runs(seeds=9), arm).n == 5
    assert budget_ratio(runs(seeds=2), {"1.5": {7: EndOfRun(1.0, 0.9)}, "6": {7: EndOfRun(2.0, 0.9)}}) is None


def test_intervals_cover_the_ratio_as_often_as_they_say():
    rng, times, truth = np.random.default_rng(7), 300, 0.7
    found = [budget_ratio(runs(noise=0.002, rng=rng), runs(truth, noise=0.002, rng=rng)) for _ in range(times)]
    covered = np.mean([item.ratio.low <= truth <= item.ratio.high for item in found])
    assert abs(covered - 0.945) < 3 * np.sqrt(0.05 * 0.95 / times)
    assert np.median([item.ratio.value for item in found]) == pytest.approx(truth, abs=0.03)
