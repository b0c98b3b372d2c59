"""Selectors of users are checked before a run waits for the device, and in all arms before the first run."""

import pytest

from batchsel.errors import UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.fresh_processes import FreshProcesses
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.run import runner
from batchsel.experiments.run.runner import RunContext, run

SHORT = {"compile": "graph", "budget": "1 passes", "target": "accuracy>=0.5"}
MINE = """
import tensorflow as tf
from batchsel.selectors.ops.sampling import plan_in_proportion


def hardest(losses, batch_size, rng):
    return tf.math.top_k(losses, batch_size).indices


def floats(losses, batch_size, rng):
    return tf.math.top_k(losses, batch_size).values


def negative(losses, batch_size, rng):
    return plan_in_proportion(-tf.ones(losses.shape, tf.float64), 1, batch_size, rng).indices
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "out"


def experiment_of(name, seeds=(0,)):
    arms = {"loss_ema": {"selector": "loss_ema"}, "mine": {"selector": f"./mine.py:{name}"}}
    return Experiment("test", "?", ("iris",), arms, seeds, SHORT, ())


def refuse_to_wait(*arguments):
    raise AssertionError("the run waited for the device")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("floats", "selector function floats must return 16 indices"),
        ("negative", "selector function negative returned a score that is negative or NaN, at step 0"),
    ],
)
def test_a_slip_is_told_before_the_run_waits_for_the_device(mine, monkeypatch, name, words):
    monkeypatch.setattr(runner, "lock_device", refuse_to_wait)
    spec = next(job.spec for job in experiment_of(name).jobs() if job.arm.name == "mine")
    with pytest.raises(UserError, match=words):
        run(spec, RunContext(mine))
    assert not mine.exists()
    sound = next(job.spec for job in experiment_of("hardest").jobs() if job.arm.name == "mine")
    with pytest.raises(AssertionError, match="waited"):
        run(sound, RunContext(mine))


def test_a_run_after_its_check_is_that_without(mine, monkeypatch):
    spec = next(job.spec for job in experiment_of("hardest").jobs() if job.arm.name == "mine")
    checked = run(spec, RunContext(mine, checkpoints=False))
    monkeypatch.setattr(runner, "check_user_selector", lambda *arguments: None)
    plain = run(spec, RunContext(mine / "again", checkpoints=False))
    values = [[(point["samples"], point["loss"]) for point in record["evaluations"]] for record in (checked, plain)]
    assert values[0] == values[1]


@pytest.mark.parametrize("processes", [False, True])
def test_a_slip_in_any_arm_is_told_before_the_first_run(mine, processes):
    executor = FreshProcesses(1) if processes else None
    with pytest.raises(UserError, match="^mine on iris: selector function floats must return 16 indices"):
        run_experiment(experiment_of("floats"), RunContext(mine), executor)
    assert not list(mine.rglob("*.jsonl"))
    if executor is not None:
        executor.shutdown()


def test_arms_that_are_sound_run(mine):
    result = run_experiment(experiment_of("hardest"), RunContext(mine, checkpoints=False))
    assert {record["arm"]["name"] for record in result.records} == {"random", "loss_ema", "mine"}
    assert result.failures == []
