"""Looks at an experiment whose seeds are added until the verdict is clear: levels, and the command that adds them."""

import itertools

import numpy as np
import pytest
from analysis_of_dicts import analyze
from made_up import record_of
from scipy import stats

from batchsel.analysis.final_metrics import unit_for
from batchsel.analysis.report.expected_power import (
    expected_effects,
    expected_power,
    seen_differences,
    seen_spreads,
)
from batchsel.analysis.sequential import look_confidence, look_sizes
from batchsel.analysis.stats import alpha_spending, power
from batchsel.cli.commands.compare import _add_seeds
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import Result
from batchsel.experiments.run.parse_record import parse_runs


@pytest.mark.parametrize("sizes", [[10, 20, 30, 40], [6, 12, 50], [10, 35]])
def test_all_looks_together_err_in_five_percent(sizes):
    levels = alpha_spending.levels([size / sizes[-1] for size in sizes])
    increments = np.diff([0, *sizes])
    draws = np.random.default_rng(0).normal(size=(100_000, len(sizes))) * np.sqrt(increments)
    p = 2 * stats.norm.sf(np.abs(draws.cumsum(axis=1) / np.sqrt(sizes)))
    assert (p <= levels).any(axis=1).mean() == pytest.approx(0.05, abs=0.002)


def test_equal_looks_have_the_levels_of_pocock():
    # P. O'Brien and T. Fleming's paper and textbooks give 0.0182 for four equal looks; spending comes close.
    assert alpha_spending.levels([0.25, 0.5, 0.75, 1]) == pytest.approx([0.0182] * 4, abs=0.001)
    assert alpha_spending.levels([1.0]) == [0.05]


def test_reports_of_such_records_keep_the_level_of_their_look():
    rng = np.random.default_rng(0)
    about = {"question": "?", "command": "batchsel compare", "looks": {"block": 10, "most": 40}}
    records = [
        record_of(arm, seed, crossing=100 * int(10 * factor * np.exp(rng.normal(0, 0.1))), points=40) | {"about": about}
        for arm, factor in (("random", 1.0), ("smart", 0.6))
        for seed in range(20)
    ]
    (found,) = analyze(records).comparisons
    assert found.confidence == look_confidence(20, 10, 40) > 0.98
    assert found.verdict == "faster"
    plain = analyze([record | {"about": {"question": "?"}} for record in records]).comparisons[0]
    assert plain.confidence == 0.95
    assert found.time.high > plain.time.high


@pytest.mark.parametrize(("factor", "seeds", "looks"), [(0.5, 10, 1), (1.0, 35, 3)])
def test_seeds_are_added_until_the_verdict_is_clear(factor, seeds, looks):
    rng, ran = np.random.default_rng(1), []

    def run(experiment):
        ran.append((len(experiment.seeds), experiment.controls))
        times = {arm: np.exp(rng.normal(np.log(1000 * f), 0.1, 40)) for arm, f in (("random", 1), ("smart", factor))}
        records = [
            record_of(arm, seed, crossing=100 * int(np.ceil(times[arm][seed] / 100)), points=40)
            for arm, seed in itertools.product(times, experiment.seeds)
        ]
        return Result(records, [])

    experiment = Experiment("try", "?", ("digits",), {"smart": {"selector": "smart"}}, range(10))
    assert len(_add_seeds(experiment, 35, run).seeds) == seeds
    assert ran == [(size, ("again",)) for size in look_sizes(10, 35)[:looks]]


def test_the_plan_says_what_effects_the_seeds_can_detect():
    rng = np.random.default_rng(0)
    finals = {arm: rng.normal(0.8, 0.01, 60) for arm in ("random", "smart")}
    records = [
        record_of(arm, seed, crossing=None) | {"test": {"loss": 0.3, "accuracy": float(value)}}
        for arm, values in finals.items()
        for seed, value in enumerate(values)
    ]
    unit = unit_for("accuracy")
    spreads = seen_differences(parse_runs(records), unit)
    expected = 100 * np.std(finals["smart"] - finals["random"], ddof=1)
    assert spreads == {"digits": pytest.approx(expected)}
    (text,) = expected_effects(["digits"], 10, unit, spreads)
    drawn = rng.normal(power.detectable_shift(10) * expected, expected, (4000, 10))
    assert np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)
    assert f"10 seeds find an effect of {power.detectable_shift(10) * expected:.2f} points of accuracy" in text
    assert "no earlier records" in expected_effects(["wine"], 10, unit, spreads)[0]
    assert "one seed" in expected_effects(["digits"], 1, unit, spreads)[0]


def test_the_plan_says_what_the_seeds_can_detect():
    rng = np.random.default_rng(0)
    records = [
        record_of(arm, seed, crossing=100 * int(20 * np.exp(rng.normal(0, 0.2))), points=60)
        for arm in ("random", "smart")
        for seed in range(12)
    ]
    spreads = seen_spreads(parse_runs(records))
    assert spreads["digits"] == pytest.approx(0.28, abs=0.1)
    (text,) = expected_power(["digits"], 20, 1, spreads)
    assert f"20 seeds find a ratio of {power.detectable_ratio(spreads['digits'], 20):.2f}" in text
    assert f"{power.seeds_needed(0.8, spreads['digits'])} seeds for 0.8" in text
    (text,) = expected_power(["digits"], 8, 12, {})
    assert "8 seeds cannot establish any difference, corrected for 12 arms: p is at least 0.094; it takes 9" in text
    (text,) = expected_power(["wine"], 20, 1, spreads)
    assert "no earlier records show the spread on wine" in text
