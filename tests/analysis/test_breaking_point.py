"""Breaking points: rule, interval, coverage, and failed sizes."""

import numpy as np
import pytest

from batchsel.analysis.studies.breaking_point import find_breaking_points


def points(values, step=0.0, seeds=3):
    """Results of seeds that agree, or that lie a step apart."""
    return {size: {seed: value + step * seed for seed in range(seeds)} for size, value in values.items()}


PLAIN = {8: 90.0, 32: 91.0, 64: 90.5, 128: 90.0, 256: 89.9}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (PLAIN, "128"),  # 90.0 lies on the line, which is within
        ({8: 91.0, 32: 90.0, 64: 90.0, 128: 90.2}, "at least 128"),
        ({8: 91.0, 16: 89.0, 32: 90.5, 64: 90.5}, "8"),  # not past a size that fails
        ({32: 91.0, 64: 89.0, 128: 91.0}, "32"),
        ({64: 91.0, 128: 90.5, 256: 80.0}, "128"),  # no small size: the smallest takes its place
    ],
)
def test_breaking_points_of_the_base_mode(values, expected):
    found = find_breaking_points({"base": points(values)}, "base", 32, 1.0)
    assert str(found.modes["base"]) == expected  # three seeds bear no interval
    found = find_breaking_points({"base": points(values, 0.001, 5)}, "base", 32, 1.0).modes["base"]
    assert (str(found.low), str(found.high)) == (expected, expected)
    assert find_breaking_points({"base": points(values, seeds=5)}, "base", 32, 1.0).modes["base"].low is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({8: 85.0, 32: 89.9, 64: 91.0, 256: 80.0}, "none from its small sizes on"),  # though 64 does
        ({8: 90.5, 32: 90.9, 128: 90.5}, "128 (no larger was run)"),  # of its own; the base mode has 256
        ({8: 80.0, 32: 91.0, 64: 91.0, 128: 85.0}, "64"),  # too small a batch is no break
        ({8: 90.5, 16: 80.0, 32: 90.5, 64: 85.0}, "32"),  # of equal ones from the largest on
    ],
)
def test_breaking_points_of_another_mode(values, expected):
    found = find_breaking_points({"base": points(PLAIN), "other": points(values)}, "base", 32, 1.0)
    assert (found.threshold.value, found.threshold.batch, found.threshold.sizes) == (91.0, 32, (8, 32))
    assert str(found.modes["other"].value) == expected


def test_the_interval_of_a_breaking_point_covers_disagreement_of_seeds():
    table = {32: [91.0] * 6, 64: [90.5] * 6, 128: [90.4, 90.4, 90.4, 90.4, 90.4, 87.0], 256: [80.0] * 6}
    results = {"base": {size: dict(enumerate(values)) for size, values in table.items()}}
    found = find_breaking_points(results, "base", 32, 1.5).modes["base"]
    assert str(found) == "128 [64, 128]"  # the mean is 89.83, that of resamples with the bad seed often is less


@pytest.mark.parametrize("seeds", [1, 4])
def test_fewer_than_five_seeds_leave_no_interval(seeds):
    results = {"base": {size: dict.fromkeys(range(seeds), value) for size, value in PLAIN.items()}}
    assert str(find_breaking_points(results, "base", 32, 1.0).modes["base"]) == "128"


def test_breaking_points_need_a_seed_that_all_sizes_have():
    why = "no seed has all batch sizes and modes"
    assert find_breaking_points({"base": {32: {0: 90.0}, 64: {1: 90.0}}}, "base", 32, 1.0) == why
    assert find_breaking_points({"other": {32: {0: 90.0}}}, "base", 32, 1.0) == "there is no run of base"


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ({"scaled": [256, 512]}, {"base": "at least 512", "scaled": "128"}),  # sizes of which no run ended
        ({"base": [64], "scaled": []}, {"base": "32", "scaled": "128 (no larger was run)"}),  # no jump over a hole
        ({"base": [512, 1024]}, {"base": "256", "scaled": "128 (no larger was run)"}),
        ({"scaled": [8, 32]}, {"base": "at least 512", "scaled": "none from its small sizes on"}),
        ({"other": [8, 64]}, {"base": "at least 512", "other": "none from its small sizes on"}),
    ],
)
def test_a_size_with_a_failed_run_is_not_within(failed, expected):
    table = {"base": {8: 91, 32: 91, 64: 91, 256: 91, 512: 91}, "scaled": {8: 91, 32: 91, 64: 91, 128: 91}}
    results = {mode: points(values) for mode, values in table.items()}
    for mode, sizes in failed.items():
        for size in sizes:  # one seed ended
            if size in results.get(mode, {}):
                results[mode][size] = {0: 99.0}
    found = find_breaking_points(results, "base", 32, 1.0, failed)
    assert found.seeds == 3
    assert {mode: str(found.modes[mode]) for mode in expected} == expected


def test_failed_small_sizes_leave_no_threshold():
    results = {"base": points({8: 91.0, 64: 91.0})}
    assert (
        find_breaking_points(results, "base", 32, 1.0, {"base": [8]}) == "a run failed at each small batch size of base"
    )


def covered(gap, seeds, sweeps=120):
    """How often the interval held the true size and the point lay below it, for a next size that far from the line."""
    rng, held, low = np.random.default_rng(2), 0, 0
    for _ in range(sweeps):
        means = {32: 91.0, 64: 90.0 + gap, 128: 85.0}
        results = {size: dict(enumerate(mean + rng.normal(0, 0.1, seeds))) for size, mean in means.items()}
        found = find_breaking_points({"base": results}, "base", 32, 1.0).modes["base"]
        held += found.low.batch <= 64 <= found.high.batch
        low += found.value.batch < 64
    return held / sweeps, low / sweeps


def test_the_interval_covers_the_breaking_point_unless_sizes_lie_near_the_line():
    clear, near = covered(0.5, 5), covered(0.05, 5)
    assert clear[0] >= 0.97
    assert clear[1] <= 0.03
    assert 0.75 <= near[0] <= 1.0
    assert 0.1 <= near[1] <= 0.4  # the point is biased toward small sizes
    assert covered(0.05, 10)[0] >= max(near[0], 0.93)
