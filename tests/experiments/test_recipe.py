"""Recipes: rungs that add a factor each, searched alike, verified on fresh seeds, and attributed."""

import dataclasses

import pytest
from command_line import CommandLine
from made_up import record_of

from batchsel.analysis.report.factor_shares import factor_shares
from batchsel.cli.commands.tuning.recipe import describe
from batchsel.core.filesystem.toml_files import parse_toml
from batchsel.errors import UsageError
from batchsel.experiments.run import records
from batchsel.experiments.run.parse_record import parse_runs
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.tuning.recipe import START, rungs

SPEC = RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9")
NAMES = (START, "learning rate", "schedule and horizon", "batch size", "selection")


def test_rungs_add_one_factor_each_and_selection_last():
    found = rungs(SPEC, ["auto"])
    assert [rung.name for rung in found] == list(NAMES[1:])
    assert found[1].grid == {
        "schedule": ["linear", "cosine", "cosine | warmup(0.05)"], "budget": ["8 passes", "14 passes", "20 passes"],
    }  # fmt: skip
    assert found[2].grid == {"batch_size": [16, 32, 64]}
    assert found[3].grid == {"selector": ["auto"]}
    short = dataclasses.replace(SPEC, budget="2.5 passes", batch_size=1)
    assert rungs(short)[1].grid["budget"] == ["1 passes", "1.75 passes", "2.5 passes"]
    assert rungs(short)[2].grid["batch_size"] == [1, 2]


@pytest.mark.parametrize("budget", ["30 seconds", "8 epochs"])
def test_budgets_that_are_not_the_same_for_all_are_refused(budget):
    with pytest.raises(UsageError, match="a recipe shortens budgets in passes or samples"):
        rungs(dataclasses.replace(SPEC, budget=budget, schedule="constant"))


def made(crossings, seeds=8):
    """Return made-up records of each rung, with the samples that it needs, a little more for each seed."""
    found = [
        record_of(name, seed, crossing=crossing and crossing + 100 * (seed % 3), role="baseline" if name == START else "arm",
                  against="" if name == START else START)
        for name, crossing in zip(NAMES, crossings, strict=True)
        for seed in range(seeds)
    ]  # fmt: skip
    return parse_runs(found)


def test_shares_are_ratios_to_the_rung_before_and_multiply_to_the_whole():
    settings = {name: {"learning_rate": 0.1 * place} for place, name in enumerate(NAMES)}
    shares = factor_shares(made((1500, 1500, 800, 800, 400)), [], settings)
    steps = [share.step.decisive.value for share in shares]
    assert [share.factor for share in shares] == list(NAMES[1:])
    assert steps[0] == steps[2] == 1.0
    assert steps[1] < 0.65
    assert steps[3] < 0.65
    product = steps[0] * steps[1] * steps[2] * steps[3]
    assert shares[-1].total.decisive.value == pytest.approx(product, rel=0.02)
    assert shares[1].settings == {"learning_rate": pytest.approx(0.2)}
    lines = describe(shares)
    assert lines[1].startswith("All together need 0.")
    assert lines[1].endswith("of the time of the settings as given:")
    assert lines[3].startswith("  schedule and horizon: 0.")
    assert lines[3].endswith("(learning rate 0.2)")


def test_a_rung_that_never_arrives_has_no_share():
    result = made((1500, 1500, 800, None, 400))
    shares = factor_shares(result, [], {name: {} for name in NAMES})
    assert shares[2].step.decisive is None
    assert "  batch size: an unknown share  (as before)" in describe(shares)


def test_the_command_writes_settings_that_run_accepts(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    words = ["recipe", "--dataset", "iris", "--budget", "4 passes", "--target", "accuracy>=0.6", "--evaluations", "8"]
    result = command(*words, "--trials", "2", "--tuning-seeds", "1", "--seeds", "3", "--selector", "auto", "--out", "r")
    assert result.code == 0, result.err
    assert "All together need" in result.out
    assert "  selection: " in result.out
    found = parse_toml((tmp_path / "r" / "recipe.toml").read_bytes(), "the recipe")
    assert found["selector"] == "auto"
    runs = records.read(tmp_path / "r" / "records.jsonl").runs
    assert {run["arm"]["name"] for run in runs} == {*NAMES, f"{START} again"}
    assert {run["spec"]["seed"] for run in runs} == {0, 1, 2}
    again = command("run", "--config", "r/recipe.toml", "--json")
    assert again.code in (0, 3), again.err
