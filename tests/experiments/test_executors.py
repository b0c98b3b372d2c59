"""Runs in other processes and on clusters: the same records, without seconds where devices were shared."""

import os
import pickle
import signal
import time
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from batchsel.errors import UsageError
from batchsel.experiments.compare import executors
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.requeue import RequeuedAttempt, RequeueingExecutor, run_folder
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.compare.sweep import attempt
from batchsel.experiments.run import records, runner
from batchsel.experiments.run.runner import RunContext

EXPERIMENT = Experiment(
    "test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, (0,),
    {"budget": "2 passes", "target": "accuracy>=0.5", "evaluations": 4, "compile": "graph"}, (),
)  # fmt: skip


def points(found):
    return [[point["loss"] for point in record["evaluations"]] for record in found]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return run_experiment(EXPERIMENT, RunContext(tmp_path_factory.mktemp("here"), checkpoints=False)).records


@pytest.mark.slow
def test_dask_cluster_returns_the_same_records(here, tmp_path):
    pytest.importorskip("distributed")
    with executors.executor("dask", 2, tmp_path) as pool:
        worker = pool.submit(os.getpid).result()
        assert worker != os.getpid()
        result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False, alone=False), pool)
    assert points(result.records) == points(here)
    assert all(record["contended"] for record in result.records)
    assert len(records.read(tmp_path).runs) == 2


@pytest.mark.slow
def test_submitit_returns_the_same_records(here, tmp_path):
    submitit = pytest.importorskip("submitit")
    pool = submitit.LocalExecutor(tmp_path / "logs")
    result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False), pool)
    assert points(result.records) == points(here)
    assert not any(record["contended"] for record in result.records)


def die(job, context):
    os._exit(9)


@pytest.mark.slow
def test_process_that_dies_is_recorded_as_a_failure(tmp_path, monkeypatch):
    from batchsel.experiments.compare import sweep

    with executors.executor("processes", 2, tmp_path) as pool:
        monkeypatch.setattr(sweep, "attempt", die)
        result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False), pool)
    assert len(result.failures) == 2
    assert "its process ended with exit code 9" in result.failures[0]["failed"]


@pytest.mark.parametrize("form", ["slrum", "here:3", "processes:2", ""])
def test_unknown_executors_are_refused(form, tmp_path):
    with pytest.raises(UsageError, match="unknown executor"), executors.executor(form, 1, tmp_path):
        pass


def test_only_several_runs_at_a_time_share_devices():
    assert not executors.shares_devices("processes", 1)
    assert executors.shares_devices("processes", 2)
    assert executors.shares_devices("dask:tcp://a:1", 2)
    assert not executors.shares_devices("slurm", 8)


def test_a_requeued_attempt_goes_on_from_its_checkpoint(here, tmp_path, monkeypatch):
    job, contexts = EXPERIMENT.jobs()[0], []

    def attempted(job, context):
        contexts.append(context)
        return attempt(job, context)

    def end(epoch, logs):
        if epoch == 1 and len(contexts) == 1:
            raise SystemExit  # as the handler of submitit does, after the checkpoint

    monkeypatch.setattr(runner.Diagnostics, "callbacks", [keras.callbacks.LambdaCallback(on_epoch_end=end)])
    requeued = RequeuedAttempt(attempted)
    with pytest.raises(SystemExit):
        requeued(job, RunContext(tmp_path, checkpoints=False))
    record = requeued(job, RunContext(tmp_path, checkpoints=False))
    assert points([record])[0] in points(here)
    assert [context.resume for context in contexts] == [False, True]
    assert pickle.loads(pickle.dumps(RequeuedAttempt(attempt)))._attempt is attempt  # as submitit stores it
    assert os.listdir(tmp_path / "unfinished") == []
    assert len(records.read(tmp_path).runs) == 1


@pytest.mark.slow
def test_submitit_queues_a_preempted_job_again(tmp_path):
    submitit = pytest.importorskip("submitit")
    long = replace(EXPERIMENT, settings={"budget": "600 passes", "target": "loss<=0.0001", "evaluations": 200})
    job, pool = long.jobs()[0], submitit.LocalExecutor(tmp_path / "logs")
    submitted = RequeueingExecutor(pool).submit(attempt, job, RunContext(tmp_path, checkpoints=False))
    path = run_folder(job, tmp_path) / "checkpoint.npz"
    while not path.is_file():
        assert not submitted.done()
        time.sleep(0.05)
    controller = submitted._process.pid
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)
    record = submitted.result()
    assert len(record["evaluations"]) == 200
    assert "Requeued job" in submitted.stdout()
    assert not path.parent.exists()
    assert len(records.read(tmp_path).runs) == 1


def test_requeue_is_for_slurm(tmp_path):
    with pytest.raises(UsageError, match="--executor slurm"), executors.executor("processes", 2, tmp_path, True):
        pass
