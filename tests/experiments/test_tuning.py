"""Tuning: the same trials for every arm, on seeds that are never scored, and settings that compare accepts."""

import json
import math
import sys
import tomllib
from collections import Counter
from statistics import median

import pytest
from command_line import CommandLine
from made_up import record_of

from batchsel.core.parameters.ranges import Range
from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.tuning import tuned_settings, tuning
from batchsel.experiments.tuning.search import SettingsSearch
from batchsel.experiments.tuning.trials import Trial, TrialRuns, score_trials, tuning_warnings

SETTINGS = {"budget": "3 passes", "target": "accuracy>=0.5", "evaluations": 6}
GRID = {"learning_rate": [0.001, 0.02], "batch_size": [15, 30]}


def experiment(**options):
    given = {"settings": SETTINGS, "controls": ()} | options
    return Experiment("test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, given.pop("seeds", (0,)), **given)


def test_every_arm_runs_every_combination_on_tuning_seeds(tmp_path):
    context = RunContext(tmp_path, checkpoints=False)
    found = tuning.tune(experiment(), GRID, 2, context)["iris"]
    runs = records.read(tmp_path).runs
    assert set(found) == {"random", "loss_ema"}
    for tried in found.values():
        assert [trial.score for trial in tried] == sorted(trial.score for trial in tried)
        settings = {tuple(trial.settings.items()) for trial in tried}
        assert len(settings) == 4
        assert all(trial.runs == 2 for trial in tried)
    assert Counter(record["spec"]["selector"] for record in runs) == {"random": 8, "loss_ema": 8}
    assert {record["spec"]["seed"] for record in runs} == {tuning.FIRST_SEED, tuning.FIRST_SEED + 1}
    tuned_settings.write(tmp_path / "tuned.toml", {"iris": found})
    best = tuned_settings.read(tmp_path / "tuned.toml")["iris"]
    assert best == {arm: tried[0].settings for arm, tried in found.items()}
    spec = experiment(tuned={"iris": best}).spec("iris", "loss_ema", 0)
    assert {name: getattr(spec, name) for name in GRID} == best["loss_ema"]


def test_search_runs_the_same_number_of_trials_for_every_arm(tmp_path):
    context = RunContext(tmp_path, checkpoints=False)
    space = {"learning_rate": Range(1e-4, 1e-1), "batch_size": Range(8, 40), "schedule": ["linear", "cosine"]}
    found = tuning.tune(experiment(), space, 1, context, trials=4)["iris"]
    lines = len((tmp_path / records.FILE).read_text().splitlines())
    assert lines == 2 * 4
    for tried in found.values():
        assert [trial.runs for trial in tried] == [1] * 4
        for trial in tried:
            assert 1e-4 <= trial.settings["learning_rate"] <= 1e-1
            assert isinstance(trial.settings["batch_size"], int)
            assert 8 <= trial.settings["batch_size"] <= 40
            assert trial.settings["schedule"] in ("linear", "cosine")
    # All arms start alike: what is drawn at random does not favor one.
    same = [{tuple(trial.settings.items()) for trial in tried} for tried in found.values()]
    assert same[0] == same[1]
    # Called again it follows what is recorded, and runs nothing.
    assert tuning.tune(experiment(), space, 1, context, trials=4)["iris"] == found
    assert len((tmp_path / records.FILE).read_text().splitlines()) == lines


def test_search_beats_chance_on_a_known_optimum():
    search, misses = SettingsSearch({"learning_rate": Range(1e-5, 1.0)}), []
    for place in range(30):
        misses.append(abs(math.log10(search.ask()["learning_rate"]) + 4))
        # One trial whose runs all failed; after five, all scores are reported in another unit.
        known = [math.inf if at == 3 else miss * (1 if place < 5 else 1000) for at, miss in enumerate(misses)]
        search.tell(known)
    assert min(misses) < 0.05
    assert len(set(misses[:10])) == 10  # a new unit does not set the sampler back
    assert median(misses[10:]) < 0.5 * median(misses[:10])  # the first ten are drawn at random


def trial_runs(*runs, rate=0.1, failed=0):
    return TrialRuns({"learning_rate": rate}, list(runs), failed)


def test_run_that_misses_the_target_counts_twice():
    hit, miss = record_of("a", 0, crossing=400), record_of("a", 1, crossing=None)
    assert score_trials([trial_runs(hit, miss)])[0][1:] == (pytest.approx((0.4 + 2 * 2.0) / 2), 1, 2)
    assert score_trials([trial_runs(hit | {"contended": True}, miss)])[0].score == (400 + 2 * 2000) / 2
    assert [trial.score for trial in score_trials([trial_runs(), trial_runs(hit, failed=1)])] == [math.inf, math.inf]


def test_trials_of_an_arm_are_scored_in_one_unit():
    slow, fast = record_of("a", 0, crossing=800), record_of("a", 0, crossing=400, contended=True)
    assert [trial.score for trial in score_trials([trial_runs(slow), trial_runs(fast)])] == [800, 400]


def test_trials_can_be_scored_by_the_end_of_their_budget():
    early, good = record_of("a", 0, crossing=200), record_of("a", 0, crossing=1900)
    early["evaluations"][-1]["accuracy"] = 0.91
    assert score_trials([trial_runs(early), trial_runs(good)], "end")[0].score == -0.91
    assert min(
        score_trials([trial_runs(early, rate=1), trial_runs(good, rate=2)], "end"), key=lambda trial: trial.score
    )[0] == {"learning_rate": 2}
    losses = [record_of("a", 0, target="loss<=1.2"), record_of("a", 1, target="loss<=1.2")]
    losses[0]["evaluations"][-1]["loss"], losses[1]["evaluations"][-1]["loss"] = 0.5, 0.7
    assert score_trials([trial_runs(*losses)], "end")[0].score == pytest.approx(0.6)


def test_unreliable_settings_bring_warnings():
    grid = {"learning_rate": [0.1, 0.2, 0.4], "model": ["a", "b"], "batch_size": [8]}
    settings = {"model": "a", "batch_size": 8}
    inside = [
        Trial({"learning_rate": 0.2, **settings}, 1.0, 1, 1),
        Trial({"learning_rate": 0.4, **settings}, 2.0, 0, 1),
    ]
    assert tuning_warnings("iris, a", inside, grid, "target", "accuracy>=0.9") == []
    assert tuning_warnings("iris, a", inside[1:], grid, "target", "accuracy>=0.9") == [
        "tuning iris, a: no trial reached accuracy>=0.9: its settings are the cheapest ones, not those that learn best",
        "tuning iris, a: the best learning_rate, 0.4, lies at the edge of its grid; a better one may lie beyond",
    ]
    assert [said[:48] for said in tuning_warnings("iris, a", inside[1:], grid, "end", "accuracy>=0.9")] == [
        "tuning iris, a: the best learning_rate, 0.4, lie"
    ]
    assert tuning_warnings("iris, a", inside[1:], {"learning_rate": Range(0.1, 0.4)}, "end", "accuracy>=0.9") == []
    (warnings,) = tuning_warnings("iris, a", score_trials([trial_runs(failed=1)]), grid, "end", "accuracy>=0.9")
    assert "no combination ended all of its runs" in warnings


def test_trials_scored_by_their_end_run_on_and_bring_warnings(tmp_path):
    warnings, context = [], RunContext(tmp_path, checkpoints=False)
    stated = experiment(settings=SETTINGS | {"target": "accuracy>=0.3"})
    found = tuning.tune(
        stated, {"learning_rate": [0.0001, 0.02]}, 1, context, on_progress=warnings.append, score="end"
    )["iris"]
    runs = {(run["spec"]["selector"], run["spec"]["learning_rate"]): run for run in records.read(tmp_path).runs}
    for arm, trials in found.items():
        assert trials[0].score <= trials[1].score
        for trial in trials:
            run = runs[arm, trial.settings["learning_rate"]]
            assert run["evaluations"][-1]["samples"] >= 3 * 90
            assert trial.score == -run["evaluations"][-1]["accuracy"]
    assert sum("lies at the edge of its grid" in line for line in warnings) == 2
    with pytest.raises(UsageError, match="unknown score 'last'"):
        tuning.tune(stated, GRID, 1, context, score="last")


def test_tuning_on_too_many_seeds_is_refused_at_once(tmp_path):
    context = RunContext(tmp_path / "out", checkpoints=False)
    with pytest.raises(UsageError, match="tuning uses at most 1,000,000 seeds, got 1,000,000,000"):
        tuning.tune(experiment(), GRID, 1_000_000_000, context)


@pytest.mark.parametrize(
    ("grid", "seeds", "words"),
    [
        ({"seed": [1, 2]}, (0,), "'seed' cannot be tuned"),
        (GRID, (tuning.FIRST_SEED,), "are for tuning; score on lower ones"),
        ({"learning_rate": [-1.0]}, (0,), r"learning_rate must be a number in \(0, 3.4e\+38\]"),
        (
            {"learning_rate": Range(1e-4, 1e-1)},
            (0,),
            "learning_rate has a range, 0.0001..0.1. State the number of trials",
        ),
    ],
)
def test_impossible_tuning_is_refused(grid, seeds, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        tuning.tune(experiment(seeds=seeds), grid, 1, RunContext(tmp_path / "out", checkpoints=False))
    assert not (tmp_path / "out").exists()


def test_learning_rate_stated_by_the_schedule_is_not_tuned(tmp_path):
    stating = experiment(settings=SETTINGS | {"schedule": "one_cycle(peak=0.05)"})
    context = RunContext(tmp_path / "out", checkpoints=False)
    with pytest.raises(UsageError, match=r"learning rate of random .*one_cycle\(peak=0.05\), states it as 0.05"):
        tuning.tune(stating, {"learning_rate": [0.1, 0.2]}, 1, context)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("iris = 3", "must hold a table of settings"), ("[iris", "is not valid TOML"), (None, "cannot read")],
)
def test_malformed_file_of_tuned_settings_is_refused(text, words, tmp_path):
    if text is not None:
        (tmp_path / "tuned.toml").write_text(text)
    with pytest.raises(UserError, match=words):
        tuned_settings.read(tmp_path / "tuned.toml")


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_tune_writes_settings_that_compare_accepts(command, tmp_path):
    common = ["--dataset", "iris", "--selector", "loss_ema", "--budget", "3", "--target", "accuracy>=0.5"]
    done = command("tune", *common, "--grid", "batch_size=15,30", "--seeds", "1")
    assert done.code == 0, done.err
    assert "best: batch_size=" in done.out
    best = tomllib.loads((tmp_path / "tuned.toml").read_text())["iris"]["loss_ema"]["batch_size"]
    words = ["--tuned", "tuned.toml", "--seeds", "1", "--no-controls", "--out", "c", "--json"]
    done = command("compare", *common, *words)
    assert done.code == 0, done.err
    (run,) = (run for run in records.read(tmp_path / "c").runs if run["arm"]["name"] == "loss_ema")
    assert run["spec"]["batch_size"] == best
    assert json.loads(done.out)["report"] == "c/report.html"


def test_malformed_grid_is_refused(command):
    done = command("tune", "--dataset", "iris", "--selector", "smart", "--grid", "batch_size")
    assert done.code == 2
    assert "--grid is SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH, got 'batch_size'" in done.err


def test_tune_command_searches(command):
    words = "tune --dataset iris --selector loss_ema --grid learning_rate=1e-3..1e-1 --budget 2 --trials 2 --seeds 1"
    done = command(*words.split(), "--json")
    assert done.code == 0, done.err
    assert {arm: len(tried) for arm, tried in json.loads(done.out)["trials"]["iris"].items()} == {
        "random": 2,
        "loss_ema": 2,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [("3..1", "from a number above 0 to a larger one, got '3..1'"), ("0..1", "above 0"), ("a..b", "LOW..HIGH")],
)
def test_malformed_range_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        Range.parse(text)


def test_search_without_optuna_names_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'batchsel\[tune\]'"):
        SettingsSearch({"learning_rate": Range(1e-5, 1.0)})
