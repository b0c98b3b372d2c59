"""Experiments: runs and their order, recorded runs, failures, and controls."""

import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from command_line import CommandLine
from made_up import record_of

from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext, run

SHORT = {"compile": "graph", "budget": "3 passes", "target": "accuracy>=0.5", "evaluations": 6}


def experiment_of(arms=("loss_ema",), seeds=(0, 1), datasets=("iris",), **options):
    options = {"settings": SHORT, "controls": ()} | options
    return Experiment("test", "?", datasets, {arm: {"selector": arm} for arm in arms}, seeds, **options)


def context(folder, **options):
    return RunContext(folder, checkpoints=False, **options)


def without_times(record):
    return [{key: value for key, value in point.items() if key != "seconds"} for point in record["evaluations"]]


def test_every_arm_runs_on_every_seed_and_data_set_in_shuffled_order():
    jobs = experiment_of(("smart", "loss_ema"), range(20), ("iris", "wine")).jobs()
    assert len({(*job.key, job.spec.dataset) for job in jobs}) == len(jobs) == 3 * 20 * 2
    blocks = [jobs[i : i + 3] for i in range(0, len(jobs), 3)]
    assert all(len({(job.spec.dataset, job.spec.seed) for job in block}) == 1 for block in blocks)
    orders = {tuple(job.arm.name for job in block) for block in blocks}
    assert len(orders) == 6
    assert jobs == experiment_of(("smart", "loss_ema"), range(20), ("iris", "wine")).jobs()


def test_seeds_are_paired_and_arms_may_have_their_own_settings():
    experiment = replace(experiment_of(), arms={"fast": {"selector": "loss_ema", "learning_rate": 0.02}})
    specs = {job.arm.name: job.spec for job in experiment.jobs() if job.spec.seed == 1}
    assert specs["fast"].learning_rate == 0.02
    assert specs["random"].learning_rate != 0.02
    assert specs["fast"].evaluate_every == specs["random"].evaluate_every == 0.5
    assert specs["fast"].run_on


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ({}, "needs a data set, a seed, and an arm"),
        ({"a": {"selector": "smart", "seed": 3}}, "seeds and data sets are those of the experiment"),
        ({"random again": {"selector": "smart"}}, "is that of a control"),
    ],
)
def test_impossible_experiments_are_refused(arms, words):
    with pytest.raises(UsageError, match=words):
        Experiment("bad", "?", ("iris",), arms, (0,))


def test_recorded_runs_are_not_run_again(tmp_path):
    experiment, lines = experiment_of(), []
    first = run_experiment(experiment, context(tmp_path), on_progress=lines.append)
    assert len(first.records) == len(lines) == 4
    again = run_experiment(replace(experiment, seeds=(0, 1, 2)), context(tmp_path), on_progress=lines.append)
    assert len(again.records) == 6
    assert len(lines) == 6
    assert len(records.read(tmp_path).runs) == 6
    assert [record["spec"]["seed"] for record in again.records if record in first.records] == [0, 0, 1, 1]


def test_runs_that_share_a_process_equal_those_in_separate_processes(tmp_path):
    experiment = experiment_of(("loss_ema",), (3, 4))
    together = run_experiment(experiment, context(tmp_path / "a")).records
    for job, record in zip(experiment.jobs(), together, strict=True):
        alone = run(job.spec, context(tmp_path / "b"), job.arm)
        assert without_times(alone) == without_times(record)
        assert alone["visits"] == record["visits"]
        assert alone["test"] == record["test"]


@pytest.mark.slow
def test_executor_returns_the_same_runs_and_marks_contended_ones(tmp_path):
    experiment = experiment_of(("loss_ema",), (0,))
    here = run_experiment(experiment, context(tmp_path / "a")).records
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as executor:
        there = run_experiment(experiment, context(tmp_path / "b", alone=False), executor).records
    assert [without_times(record) for record in here] == [without_times(record) for record in there]
    assert [record["contended"] for record in here] == [False, False]
    assert [record["contended"] for record in there] == [True, True]


BROKEN = '''
import dataclasses
import tensorflow as tf
from batchsel.selectors import Plan, Selector

@dataclasses.dataclass(frozen=True, repr=False)
class Broken(Selector):
    """Fails."""
    name = "broken"
    def steps_per_plan(self, n, batch_size):
        return 1
    def plan(self, state, context):
        b = context.batch_size
        weights = tf.fill([b], tf.where(context.step < 3, 1.0, -1.0))  # wrong only once it trains
        return Plan(tf.range(b), weights, tf.constant(1))
'''


def test_failing_arm_is_reported_and_the_others_run(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    experiment = experiment_of(("./mine.py:Broken", "loss_ema"), (0,))
    result = run_experiment(experiment, context(tmp_path))
    assert sorted(record["arm"]["name"] for record in result.records) == ["loss_ema", "random"]
    (failure,) = result.failures
    assert "with the weight -1" in failure["failed"]
    assert failure["about"] == context(tmp_path).about
    assert records.read(tmp_path).failures == [failure]
    assert len(run_experiment(experiment, context(tmp_path)).failures) == 1  # tried again


def test_unknown_names_are_refused_before_anything_is_run(tmp_path):
    with pytest.raises(UserError, match="loss_ema"):
        run_experiment(experiment_of(("los_ema",)), context(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def control_specs(build_record, changes=None, **options):
    experiment = experiment_of(("loss_ema",), (0, 1, 2), settings={"target": "accuracy>=0.9"}, **options)
    experiment = replace(experiment, **(changes or {}))
    found = []
    for job in experiment.jobs():
        record = build_record(job.arm.name, job.spec.seed)
        found.append(record | {"spec": job.spec.values(), "digest": job.spec.digest(), "sizes": {"train": 90}})
    return {job.arm.name: job for job in experiment.control_jobs(found) if job.spec.seed == 1}, experiment


def test_controls_follow_from_the_results_of_the_arms():
    def build_record(arm, seed):
        record = record_of(arm, seed, kept=0.6 if arm == "loss_ema" else 1.0)
        return record | {"crossing": record["crossing"] | {"samples": 800 + 100 * seed}}

    found, experiment = control_specs(build_record, controls=("again", "horizon", "rs2"))
    assert set(found) == {"random, horizon of loss_ema", "rs2, share of loss_ema"}
    base = experiment.spec("iris", "random", 1)
    (again,) = (job for job in experiment.jobs() if (job.arm.name, job.spec.seed) == ("random again", 1))
    assert again.spec == base
    assert again.arm.against == "random"
    horizon = found["random, horizon of loss_ema"]
    every = base.evaluate_every * 90
    assert horizon.spec.budget == f"{int(np.ceil((np.ceil(900 / every) + 1) * every))} samples"
    assert horizon.spec.evaluate_every == base.evaluate_every
    assert horizon.spec.selector == "random"
    assert horizon.arm.control_of == "loss_ema"
    assert horizon.arm.against == "random"
    assert found["rs2, share of loss_ema"].spec.selector == "rs2(0.6)"


def test_the_control_with_the_schedule_of_an_arm_trains_on_as_many_random_samples_in_each_pass():
    def build_record(arm, seed):
        sizes = [90, 45, 30][: 2 + seed % 2] if arm == "loss_ema" else []  # of the three seeds one has a third pass
        return record_of(arm, seed, kept=0.6 if sizes else 1.0) | {"pass_samples": [size + 3 * seed for size in sizes]}

    arms = {"loss_ema": {"selector": "loss_ema", "learning_rate": 0.5, "budget": "7 passes"}}
    found, experiment = control_specs(build_record, {"arms": arms}, controls=("schedule",))
    assert set(found) == {"random, schedule of loss_ema"}
    spec, own = found["random, schedule of loss_ema"].spec, experiment.spec("iris", "loss_ema", 1)
    # The first pass cannot be larger than the data: (90 + 93 + 96) / 3 / 90 is 1.033.
    assert spec.selector == "scheduled_subset([1.0, 0.533, 0.367])"
    assert replace(spec, selector="loss_ema") == own
    none, _ = control_specs(lambda arm, seed: record_of(arm, seed, kept=0.6), controls=("schedule",))
    assert none == {}  # records of versions that did not count


@pytest.mark.parametrize("schedule", ["constant", "constant()"])
def test_horizon_control_is_left_out_for_an_arm_that_misses_and_for_constant_schedules(schedule):
    found, _ = control_specs(lambda arm, seed: record_of(arm, seed, crossing=None) | {"counts": {"samples": 10**9}})
    assert found == {}
    constant = experiment_of(settings={"schedule": schedule}, controls=("horizon",))
    found = [
        record_of(job.arm.name, job.spec.seed) | {"spec": job.spec.values(), "digest": job.spec.digest()}
        for job in constant.jobs()
    ]
    assert constant.control_jobs(found) == []
    assert replace(constant.jobs()[0].spec, budget="5 seconds").schedule == schedule  # it follows nothing


def test_run_that_continues_after_its_target_keeps_the_crossing(tmp_path):
    (job, *_) = [
        job for job in experiment_of(settings=SHORT | {"budget": "12 passes"}).jobs() if job.arm.name == "random"
    ]
    on = run(job.spec, context(tmp_path), job.arm)
    off = run(replace(job.spec, run_on=False), context(tmp_path), job.arm)
    assert len(on["evaluations"]) > len(off["evaluations"])
    assert {**on["crossing"], "seconds": 0} == {**off["crossing"], "seconds": 0}
    assert on["test"] == off["test"]
    assert sum(i * count for i, count in enumerate(on["visits"])) == on["counts"]["samples"]


def test_records_hold_the_share_of_samples_kept(tmp_path):
    experiment = experiment_of(("smart",), (0,))
    kept = {record["arm"]["name"]: record["kept"] for record in run_experiment(experiment, context(tmp_path)).records}
    assert kept == {"random": 1.0, "smart": 1.0}


@pytest.mark.slow
def test_ten_seeds_cost_less_than_four_times_one(tmp_path):
    def seconds(seeds):
        code = (
            "from batchsel.experiments.compare.run_experiment import run_experiment\n"
            "from batchsel.experiments.compare.experiment import Experiment\n"
            "from batchsel.experiments.run.runner import RunContext\n"
            "from pathlib import Path\n"
            f"experiment = Experiment('t', '?', ('spirals',), {{'loss_ema': {{'selector': 'loss_ema'}}}}, range({seeds}),"
            " controls=())\n"
            f"run_experiment(experiment, RunContext(Path({str(tmp_path / str(seeds))!r}), checkpoints=False))\n"
        )
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        return time.perf_counter() - start

    assert seconds(10) < 4 * seconds(1)


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_compare_prints_a_table_and_a_verdict(command, tmp_path):
    words = ["--dataset", "iris", "--selector", "loss_ema", "--seeds", "2", "--target", "easy", "--budget", "6"]
    done = command("compare", *words, "--out", "here")
    assert done.code == 0, done.err
    assert "data set  arm" in done.out
    assert "random again" in done.out
    text = " ".join(done.out.split())
    assert "two seeds prove nothing" in text or "reached it on" in text or "too little is known" in text
    again = command("compare", *words, "--out", "here", "--json")
    found = json.loads(again.out)
    assert "of 6" not in again.err  # nothing was run
    assert {item["arm"] for item in found["comparisons"]} >= {"loss_ema", "random again"}
    assert (tmp_path / "here" / "report.html").is_file()


def test_seeds_are_added_until_the_verdict_is_clear_and_no_further(command, tmp_path):
    words = ["--dataset", "iris", "--selector", "fixed", "--seeds", "2", "--max-seeds", "4", "--budget", "2"]
    done = command("compare", *words, "--untimed", "--out", "here", "--json")
    assert done.code == 0, done.err
    # Two seeds can make nothing clear: p is at least 2 / 2^n. After them the largest number is run.
    assert "2 of at most 4 seeds, p up to 0.0" in done.err
    found = records.read_typed(tmp_path / "here").runs
    assert {run.spec.seed for run in found if run.arm.name == "fixed"} == set(range(4))
    assert {(run.about.looks["block"], run.about.looks["most"]) for run in found} == {(2, 4)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "digit"], "Did you mean 'digits'"),
        (["--selector", "los_ema"], "Did you mean 'loss_ema'"),
        (["--quick", "--seeds", "4"], "leave out --seeds"),
        (["--budget", "soon"], "cannot read the budget"),
        (["--budget", "2 seconds"], "a budget of passes or samples"),
        (["--target", "accuracy=0.5"], "cannot read the target"),
        (["--executor", "slrum"], "unknown executor 'slrum'"),
        (["--executor", "here", "--jobs", "2"], "leave out --jobs or --executor here"),
        *((["--shard", text], "--shard is PART/PARTS") for text in ("3", "3/", "4/4", "-1/3", "a/b")),
    ],
)
def test_compare_refuses_wrong_usage_before_it_runs(command, words, said, tmp_path):
    done = command("compare", *words)
    assert done.code == 2
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_more_seeds_than_can_be_run_are_refused_at_once(command):
    with pytest.raises(UsageError, match="at most 1,000,000 seeds, got 1,000,001"):
        experiment_of(seeds=range(1_000_001))
    assert len(experiment_of(seeds=range(1_000_000)).seeds) == 1_000_000
    for words in (["compare"], ["experiment", "small_sets", "--plan"]):
        refused = command(*words, "--seeds", "1000000000")
        assert (refused.code, "at most 1,000,000 seeds, got 1,000,000,000" in refused.err) == (2, True)


def test_a_plan_counts_runs_without_building_them(command, monkeypatch):
    monkeypatch.setattr(Experiment, "jobs", lambda self: pytest.fail("the runs were built"))
    done = command("experiment", "small_sets", "--plan", "--seeds", "1000000", "--json")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    arms = len(plan["settings"]["iris"]) + plan["again"]
    assert (plan["seeds"], plan["runs"]) == (10**6, 10**6 * arms * len(plan["settings"]))
