"""Runs as jobs of SLURM, by a stand-in for its commands; `make slurm` tries them on a real one."""

import math
import operator
import os
import time

import fake_slurm
import pytest
from fake_slurm import Counting

from batchsel.cards.slurm_settings import minutes, parse_slurm, sbatch_options
from batchsel.errors import UserError
from batchsel.experiments.compare import executors
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.requeue import AttemptOnce
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.compare.slurm import executor as slurm_executor
from batchsel.experiments.compare.sweep import attempt, sweep
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext

EXPERIMENT = Experiment(
    "test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, (0,),
    {"budget": "2 passes", "target": "accuracy>=0.5", "evaluations": 4, "compile": "graph"}, (),
)  # fmt: skip


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_executor, "_POLLS", (0.1, 0.1))
    monkeypatch.setattr(slurm_executor, "_PAUSE", 0.05)
    monkeypatch.setattr(slurm_executor, "GRACE", 0.3)
    return fake_slurm.install(tmp_path / "slurm_commands", monkeypatch)


def test_calls_return_their_results_and_exceptions_and_leave_nothing(slurm, tmp_path):
    said = []
    with executors.executor(
        "slurm", 2, tmp_path / "out", slurm={"time": "2h", "partition": "gpu"}, on_progress=said.append
    ) as pool:
        futures = [
            pool.submit(operator.add, 1, 2),
            pool.submit(math.sqrt, -1),
            pool.submit(os.getenv, "SLURM_ARRAY_TASK_ID"),
        ]
        assert not (slurm / "calls").exists()  # they are submitted together
        assert futures[0].result() == 3
        assert isinstance(futures[1].exception(), ValueError)
        assert futures[2].result() == "2"
        assert "3 runs are jobs 7_0 to 7_2 of SLURM" in said[0]
        logs = {path.name for path in (tmp_path / "out" / "slurm").glob("*.txt")}
    (call,) = (slurm / "calls").read_text().splitlines()
    assert "--array=0-2%2" in call
    assert "--time=120 --partition=gpu" in call
    assert "requeue" not in call
    assert logs == {"7_1.txt"}  # what failed can be looked at


def test_folder_of_jobs_is_removed_where_all_is_well(slurm, tmp_path):
    with executors.executor("slurm", None, tmp_path) as pool:
        assert pool.submit(operator.add, 1, 2).result() == 3
    assert "--array=0-0 " in (slurm / "calls").read_text()
    assert not (tmp_path / "slurm").exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            "TIMEOUT",
            "it reached its time limit of 2:00; give jobs more time, as with --slurm time=4h, or add --requeue",
        ),
        ("OUT_OF_MEMORY", "it used more memory than it had; give jobs more, as with --slurm mem=16G"),
        ("CANCELLED", "cancelled"),
        (None, "it is no longer in the queue"),
    ],
)
def test_jobs_that_end_without_a_result_fail_with_the_reason(slurm, tmp_path, state, message):
    with executors.executor("slurm", None, tmp_path) as pool:
        lost, well = pool.submit(time.sleep, 60), pool.submit(operator.add, 1, 2)
        pool._submit_array([lost, well])
        pool._new.clear()
        while not (slurm / "state-pid-7_0").exists():
            time.sleep(0.02)
        if state is None:
            (slurm / "state-7_0").unlink()
        else:
            fake_slurm.write(slurm, "7_0", state)
        error = lost.exception()
        assert isinstance(error, UserError)
        assert f"SLURM ended job 7_0 without a result: {message}" in str(error)
        os.kill(int(fake_slurm.read(slurm, "pid-7_0")), 9)
        if state is not None:
            assert well.result() == 3


def test_a_job_near_its_time_limit_is_queued_again_until_its_call_has_ended(slurm, tmp_path):
    with executors.executor("slurm", None, tmp_path, requeue=True, slurm={"time": "3m"}) as wrapped:
        pool = wrapped._executor
        futures = [pool.submit(Counting(3), str(tmp_path / f"lines-{number}")) for number in range(2)]
        assert [future.result() for future in futures] == [3, 3]
    assert "--requeue --signal=B:USR2@60" in (slurm / "calls").read_text()


def test_a_job_that_gets_nowhere_within_its_time_limit_is_not_queued_again(slurm, tmp_path):
    with executors.executor("slurm", None, tmp_path, requeue=True) as wrapped:
        error = wrapped._executor.submit(Counting(9, advances=False), str(tmp_path / "lines")).exception()
    assert "nothing was trained within its time limit: give jobs more" in str(error)
    assert len((tmp_path / "lines").read_text().splitlines()) == 1
    assert "--signal=B:USR2@90" in (slurm / "calls").read_text()


def interrupt(pool, slurm):
    pool._submit_array([pool.submit(time.sleep, 60), pool.submit(time.sleep, 60)])
    while not (slurm / "state-pid-7_0").exists():
        time.sleep(0.02)
    raise KeyboardInterrupt


def test_jobs_are_canceled_when_the_command_ends(slurm, tmp_path):
    with pytest.raises(KeyboardInterrupt), executors.executor("slurm", None, tmp_path) as pool:
        interrupt(pool, slurm)
    assert fake_slurm.read(slurm, "7_0") == fake_slurm.read(slurm, "7_1") == "CANCELLED"


def test_a_refusal_ends_the_command_and_is_not_recorded_as_failures(slurm, tmp_path):
    (slurm / "refuse").write_text("invalid partition specified: no")
    with (
        pytest.raises(UserError, match="SLURM did not take the jobs: invalid partition specified: no"),
        executors.executor("slurm", None, tmp_path) as pool,
    ):
        run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False), pool)
    assert not (tmp_path / records.FILE).exists()


def test_without_slurm_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(UserError, match=r"no SLURM here \(sbatch not found\)"),
        executors.executor("slurm", None, tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_runs_on_slurm_have_the_same_records_as_here(slurm, tmp_path):
    jobs = EXPERIMENT.jobs()[:1]
    here, _ = sweep(jobs, RunContext(tmp_path / "here", checkpoints=False))
    with executors.executor("slurm", None, tmp_path / "there", requeue=True, slurm={"exclusive": ""}) as pool:
        there, _ = sweep(jobs, RunContext(tmp_path / "there", checkpoints=False), pool)
    assert there[0]["test"] == here[0]["test"]
    assert records.read(tmp_path / "there").runs == there
    assert os.listdir(tmp_path / "there" / "unfinished") == []


def test_only_whole_nodes_can_be_timed():
    assert executors.shares_devices("slurm", 8)
    assert executors.shares_devices("slurm", 1)
    assert not executors.shares_devices("slurm", 8, {"exclusive": ""})


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("time=2h", ["--time=120"]),
        ("time=1d2h5m", ["--time=1565"]),
        ("time=1-12:00:00", ["--time=1-12:00:00"]),
        ("time=90,cpus=4 , mem=8G", ["--time=90", "--cpus-per-task=4", "--mem=8G"]),
        ("gres=gpu:a100:2,exclude=n1,n[3,5]", ["--gres=gpu:a100:2", "--exclude=n1,n[3,5]"]),
        ("exclusive,account=me", ["--exclusive", "--account=me"]),
    ],
)
def test_settings_become_options_of_sbatch(text, options):
    assert sbatch_options(parse_slurm([text])) == options


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["tim=2h"], "unknown setting of --slurm 'tim'. Did you mean 'time'"),
        (["time"], "--slurm is SETTING=VALUE,..., as in time=2h,partition=gpu,gpus=1, got 'time'"),
        ([""], "--slurm is SETTING=VALUE"),
        (["time=soon"], "--slurm time: expected minutes, a time as in 90m, 2h or 1d12h"),
        (["time=0m"], "at least one minute"),
        ([f"time={'9' * 5000}h"], "--slurm time: expected minutes"),
        (["mem=much"], "--slurm mem: expected a size as in 8G, got 'much'"),
        (["cpus=0"], "a whole number above 0"),
        (["partition="], "--slurm partition: expected a text, got ''"),
        (["exclusive=yes"], "--slurm exclusive: expected no value, got 'yes'"),
        (["partition=a\nb"], "expected a text"),
    ],
)
def test_wrong_settings_are_refused(texts, message):
    with pytest.raises(UserError) as error:
        parse_slurm(texts)
    assert message in str(error.value)


def test_later_settings_override_earlier_ones_and_times_have_minutes():
    assert parse_slurm(["time=1h,partition=a", "time=2h"]) == {"time": "2h", "partition": "a"}
    assert [minutes(text) for text in ("5", "90m", "2h", "1d", "0:30:00")] == [5, 90, 120, 1440, None]


def test_attempts_at_a_recorded_run_return_its_record(tmp_path):
    job, context = EXPERIMENT.jobs()[0], RunContext(tmp_path, checkpoints=False)
    first = AttemptOnce(attempt)(job, context)
    assert AttemptOnce(None)(job, context) == first  # type: ignore[arg-type]
    assert records.find(tmp_path, job.arm.name, "another") is None
    assert records.find(tmp_path, "another", job.spec.digest()) is None
    assert records.find(tmp_path / "nowhere", *job.key) is None
