"""The figures of studies of horizons in the docs are those of the committed records."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from batchsel.experiments.run.records import read_typed

ROOT = Path(__file__).parents[2]
NAME = "horizon_on_fashion_mnist"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "evidence.py"))


def test_the_table_in_the_page_is_that_of_the_records(script):
    assert script["page"]() == script["PAGE"].read_text("utf-8"), "make docs brings it up to date"


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md", "experiments/README.md"])
def test_ratios_of_the_headline_study_are_those_of_its_records(script, page):
    ratios = [row[2] for row in script["rows"]() if row[-1] == f"`{NAME}`"]
    assert len(ratios) == 3
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert all(ratio in text for ratio in ratios)


def test_ratios_on_small_sets_are_those_of_the_records(script):
    text = (ROOT / "experiments" / "README.md").read_text("utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| `horizon_on_small_sets`")]
    found = [row[2] for row in script["rows"]() if row[-1] == "`horizon_on_small_sets`" and row[1] == "`auto`"]
    assert len(found) == 5
    assert all(ratio in line for ratio in found if "[" in ratio)


@pytest.mark.parametrize("page", ["README.md", "docs/which_selector.md", "experiments/README.md"])
def test_ratios_with_wrong_labels_are_those_of_the_records(script, page):
    ratios = [
        row[2] for row in script["rows"]() if row[-1] == "`horizon_with_wrong_labels`" and "schedule" not in row[1]
    ]
    assert len(ratios) == 4
    text = (ROOT / page).read_text("utf-8").split("<!-- evidence")[0]
    assert all(ratio in text for ratio in ratios)


def test_the_ratio_of_auto_is_the_mean_distance_of_two_curves(script):
    """Compute it by quadrature over a grid of accuracies, with the mean of each budget."""
    finals = {}
    for run in read_typed(ROOT / "experiments" / NAME).runs:
        if run.arm.role != "control":
            key = run.arm.level("selector"), run.arm.level("budget")
            finals.setdefault(key, []).append((np.log(run.counts.samples), run.end.test["accuracy"]))
    curves = {
        arm: np.array([np.mean(values, axis=0) for (selector, _), values in sorted(finals.items()) if selector == arm])
        for arm in ("random", "auto")
    }
    low = max(curve[:, 1].min() for curve in curves.values())
    high = min(curve[:, 1].max() for curve in curves.values())
    grid = np.linspace(low, high, 100_001)
    budgets = {arm: np.interp(grid, curve[:, 1], curve[:, 0]) for arm, curve in curves.items()}
    expected = np.exp(np.mean(budgets["auto"] - budgets["random"]))
    (found,) = [row[2] for row in script["rows"]() if row[1] == "`auto`" and row[-1] == f"`{NAME}`"]
    assert abs(float(found.split()[0]) - expected) < 0.006
