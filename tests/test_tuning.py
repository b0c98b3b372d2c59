"""Tuning: the same trials for every arm, on seeds that are never scored, and settings that compare takes."""

import json
import math
import sys
import tomllib
from collections import Counter
from statistics import median

import pytest
from command_line import CommandLine
from made_up import record_of

from batchsel.errors import UsageError, UserError
from batchsel.experiments import records, tuned_settings, tuning
from batchsel.experiments.experiment import Experiment
from batchsel.experiments.runner import Surroundings
from batchsel.experiments.search import Search
from batchsel.ranges import Range

SETTINGS = {"budget": "3 passes", "target": "accuracy>=0.5", "evaluations": 6}
GRID = {"learning_rate": [0.001, 0.02], "batch_size": [15, 30]}


def experiment(**options):
    given = {"settings": SETTINGS, "controls": ()} | options
    return Experiment("test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, given.pop("seeds", (0,)), **given)


def test_every_arm_gets_every_combination_on_tuning_seeds(tmp_path):
    around = Surroundings(tmp_path, checkpoints=False)
    found = tuning.tune(experiment(), GRID, 2, around)["iris"]
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


def test_a_search_tries_as_often_for_every_arm_and_finds_what_is_better(tmp_path):
    around = Surroundings(tmp_path, checkpoints=False)
    space = {"learning_rate": Range(1e-4, 1e-1), "batch_size": Range(8, 40), "schedule": ["linear", "cosine"]}
    found = tuning.tune(experiment(), space, 1, around, trials=4)["iris"]
    lines = len((tmp_path / records.FILE).read_text().splitlines())
    assert lines == 2 * 4
    for tried in found.values():
        assert [trial.runs for trial in tried] == [1] * 4
        for trial in tried:
            assert 1e-4 <= trial.settings["learning_rate"] <= 1e-1
            assert isinstance(trial.settings["batch_size"], int)
            assert 8 <= trial.settings["batch_size"] <= 40
            assert trial.settings["schedule"] in ("linear", "cosine")
    # All arms start alike: what is drawn at random does not favour one.
    same = [{tuple(trial.settings.items()) for trial in tried} for tried in found.values()]
    assert same[0] == same[1]
    # Called again it follows what is recorded, and runs nothing.
    assert tuning.tune(experiment(), space, 1, around, trials=4)["iris"] == found
    assert len((tmp_path / records.FILE).read_text().splitlines()) == lines


def test_a_search_comes_closer_to_a_known_optimum_than_chance():
    search, misses = Search({"learning_rate": Range(1e-5, 1.0)}), []
    for place in range(30):
        misses.append(abs(math.log10(search.ask()["learning_rate"]) + 4))
        search.tell(math.inf if place == 3 else misses[-1])  # one trial of which all runs failed
    assert min(misses) < 0.05
    assert median(misses[10:]) < 0.5 * median(misses[:10])  # the first ten are drawn at random


def test_a_trial_that_misses_counts_twice():
    hit, miss = record_of("a", 0, crossing=400), record_of("a", 1, crossing=None)
    assert tuning.trial({}, [hit, miss])[1:] == (pytest.approx((0.4 + 2 * 2.0) / 2), 1, 2)
    assert tuning.trial({}, [hit | {"contended": True}, miss]).score == (400 + 2 * 2000) / 2
    assert tuning.trial({}, []).score == float("inf")


@pytest.mark.parametrize(
    ("grid", "seeds", "words"),
    [
        ({"seed": [1, 2]}, (0,), "'seed' cannot be tuned"),
        (GRID, (tuning.FIRST_SEED,), "are for tuning; score on lower ones"),
        ({"learning_rate": [-1.0]}, (0,), "learning_rate must be above 0"),
        ({"learning_rate": Range(1e-4, 1e-1)}, (0,), "learning_rate has a range, 0.0001..0.1; say how many --trials"),
    ],
)
def test_tuning_that_makes_no_sense(grid, seeds, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        tuning.tune(experiment(seeds=seeds), grid, 1, Surroundings(tmp_path / "out", checkpoints=False))
    assert not (tmp_path / "out").exists()


def test_a_rate_that_the_schedule_states_is_not_tuned(tmp_path):
    stating = experiment(settings=SETTINGS | {"schedule": "one_cycle(peak=0.05)"})
    around = Surroundings(tmp_path / "out", checkpoints=False)
    with pytest.raises(UsageError, match=r"learning rate of random .*one_cycle\(peak=0.05\), states it as 0.05"):
        tuning.tune(stating, {"learning_rate": [0.1, 0.2]}, 1, around)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"), [("iris = 3", "must hold a table of settings"), ("[iris", "are no TOML"), (None, "cannot read")]
)
def test_a_file_that_is_no_tuning(text, words, tmp_path):
    if text is not None:
        (tmp_path / "tuned.toml").write_text(text)
    with pytest.raises(UserError, match=words):
        tuned_settings.read(tmp_path / "tuned.toml")


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_tune_writes_settings_that_compare_takes(command, tmp_path):
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


def test_a_grid_that_cannot_be_read(command):
    done = command("tune", "--dataset", "iris", "--selector", "smart", "--grid", "batch_size")
    assert done.code == 2
    assert "--grid is SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH, got 'batch_size'" in done.err


def test_a_search_from_the_command_line(command):
    words = "tune --dataset iris --selector loss_ema --grid learning_rate=1e-3..1e-1 --budget 2 --trials 2 --seeds 1"
    done = command(*words.split(), "--json")
    assert done.code == 0, done.err
    assert {arm: len(tried) for arm, tried in json.loads(done.out)["trials"]["iris"].items()} == {
        "random": 2,
        "loss_ema": 2,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [("3..1", "from a number above 0 to a larger one, got 3..1"), ("0..1", "above 0"), ("a..b", "LOW..HIGH")],
)
def test_a_range_that_is_none(text, words):
    with pytest.raises(UsageError, match=words):
        Range.parse(text)


def test_without_optuna_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'batchsel\[tune\]'"):
        Search({"learning_rate": Range(1e-5, 1.0)})
