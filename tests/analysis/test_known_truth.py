"""Verdicts and intervals on made-up experiments with known truth: `make simulate` in a small form."""

import math

import numpy as np
import pytest
from analysis_of_dicts import analyze
from known_truth import CELLS, measure, pairs, times
from made_up import record_of

from batchsel.analysis.stats import paired_ratio

EXPERIMENTS = 400


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.group}: {cell.name}")
def test_rates_are_as_promised_up_to_three_monte_carlo_errors(cell):
    found = measure(cell, EXPERIMENTS, seed=1)
    for name in ("covered", "faster", "slower"):
        band, value = getattr(cell, name), getattr(found, name)
        if band is None:
            continue
        low, high = (
            end + side * 300 * math.sqrt(end / 100 * (1 - end / 100) / EXPERIMENTS)
            for side, end in zip((-1, 1), band, strict=True)
        )
        assert low <= value <= high, (name, found)


def records_of(log_times, arm, points, every=100):
    """Return runs that reach their target at these times, in units of ten evaluations."""
    found = []
    for seed, log_time in enumerate(log_times):
        crossing = math.ceil(math.exp(log_time) * 10) * every
        # The last evaluation cannot be confirmed by another one.
        reached = crossing <= (points - 1) * every
        found.append(record_of(arm, seed, crossing=crossing if reached else None, points=points))
    return found


@pytest.mark.parametrize("points", [100, 14])
def test_records_are_judged_as_the_simulation_judges_times(points):
    rng = np.random.default_rng(4)
    (arm,), base, _ = pairs(rng, (1, 20), 0.7)
    records = records_of(base[0], "random", points) + records_of(arm[0], "better", points)
    (found,) = analyze(records).comparisons
    budget = (points - 1) / 10
    expected = paired_ratio.compare(times(arm, budget, 0.1), times(base, budget, 0.1))
    for ratio in (found.time, found.samples):
        assert ratio == pytest.approx([math.exp(part[0]) for part in expected[:3]], rel=1e-6)
    assert found.p == pytest.approx(expected.p[0])
    assert (sum(found.reached) < 40) == (points == 14)
