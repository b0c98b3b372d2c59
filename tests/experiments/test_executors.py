"""Runs in other processes and on clusters: the same records, without seconds where devices were shared."""

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import keras
import pytest

from batchsel.core.locking import gpus
from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare import executors
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.requeue import RequeuedAttempt
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.compare.slurm.task import TimeLimit
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


@pytest.fixture
def scheduler(tmp_path):
    """Address of a scheduler of its own with two workers, as `docs/clusters.md` starts them."""
    file, environment = (
        tmp_path / "scheduler.json",
        {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    commands = [["scheduler", "--no-dashboard", "--port", "0", "--scheduler-file", str(file)]]
    commands += [["worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard"]] * 2
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        )
        for words in commands
    ]
    end = time.monotonic() + 60
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    for process in reversed(started):
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["on this machine", "with a scheduler of its own"])
def test_runs_of_a_dask_worker_that_is_killed_are_done_by_others_and_recorded_once(here, tmp_path, request, where):
    pytest.importorskip("distributed")
    form = f"dask:{request.getfixturevalue('scheduler')}" if "scheduler" in where else "dask"
    with executors.executor(form, 2, tmp_path) as pool:
        client = pool._client
        client.wait_for_workers(2, timeout=60)
        workers = client.run(os.getpid)

        def kill_when_busy():
            while not (busy := [name for name, tasks in client.processing().items() if tasks]):
                time.sleep(0.05)
            time.sleep(0.5)
            os.kill(workers[busy[0]], signal.SIGKILL)

        killer = threading.Thread(target=kill_when_busy)
        killer.start()
        result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False, alone=False), pool)
        killer.join()
        assert client.run(os.getpid) != workers
    assert os.getpid() not in workers.values()
    assert all(record["contended"] for record in result.records)
    assert points(result.records) == points(here)
    assert len(records.read(tmp_path).runs) == 2


@pytest.mark.parametrize("address", ["tcp://dead", "tcp://127.0.0.1:9", "nonsense://a:1"])
def test_a_dask_cluster_that_is_not_there_is_one_sentence(address, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_PATIENCE", 1)
    with (
        pytest.raises(UserError, match=f"no Dask scheduler answers at {address}: .*Start one with `dask scheduler`"),
        executors.executor(f"dask:{address}", None, tmp_path),
    ):
        pass


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


def kill_first(job, context):
    """Run; the first process that runs the arm of the last seed is killed in the middle."""
    mark = context.out / "killed"
    if (job.spec.seed, job.arm.name) == (3, "loss_ema") and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt(job, context)


@pytest.mark.slow
def test_each_gpu_has_a_run_of_its_own_and_pairs_stay_on_one(tmp_path, monkeypatch):
    """On eight GPUs that are only pretended."""
    from batchsel.experiments.compare import sweep

    monkeypatch.setenv(gpus.SIMULATED, "8")
    monkeypatch.delenv(gpus.VISIBLE)
    assert not executors.shares_devices("processes", None)
    assert not executors.shares_devices("processes", 8)
    assert executors.shares_devices("processes", 9)
    experiment = dataclasses.replace(EXPERIMENT, seeds=(0, 1, 2, 3))
    monkeypatch.setattr(sweep, "attempt", kill_first)
    with executors.executor("processes", None, tmp_path) as pool:
        assert len(pool._threads) == 8
        found = run_experiment(experiment, RunContext(tmp_path, checkpoints=False), pool)
    assert found.failures == []
    assert (tmp_path / "killed").exists()
    runs = records.read_folder(tmp_path).runs
    keys = [(run["spec"]["seed"], run["arm"]["name"]) for run in runs]
    assert sorted(keys) == sorted((seed, name) for seed in range(4) for name in ("loss_ema", "random"))
    used = {key: run["machine"]["gpu_numbers"] for key, run in zip(keys, runs, strict=True)}
    assert all(len(numbers) == 1 for numbers in used.values())
    assert all(used[seed, "loss_ema"] == used[seed, "random"] for seed in range(4))
    assert len({numbers[0] for numbers in used.values()}) == 4
    assert all(run["machine"]["gpu"] == "simulated" for run in runs)
    assert all(run["contended"] for run in runs), "they share the processor, and are not timed"


@pytest.mark.slow
def test_workers_of_dask_have_a_gpu_each(tmp_path, monkeypatch):
    monkeypatch.setenv(gpus.SIMULATED, "2")
    monkeypatch.delenv(gpus.VISIBLE)
    with executors.executor("dask", None, tmp_path) as pool:
        found = pool._client.run(os.getenv, gpus.VISIBLE)
    assert sorted(found.values()) == ["0", "1"]


def test_a_requeued_attempt_goes_on_from_its_checkpoint(here, tmp_path, monkeypatch):
    job, contexts = EXPERIMENT.jobs()[0], []

    def attempted(job, context):
        contexts.append(context)
        return attempt(job, context)

    def end(epoch, logs):
        if epoch == 1 and len(contexts) == 1:
            raise TimeLimit  # as the job does, after the checkpoint

    monkeypatch.setattr(runner.Diagnostics, "callbacks", [keras.callbacks.LambdaCallback(on_epoch_end=end)])
    requeued = RequeuedAttempt(attempted)
    with pytest.raises(TimeLimit):
        requeued(job, RunContext(tmp_path, checkpoints=False))
    record = requeued(job, RunContext(tmp_path, checkpoints=False))
    assert points([record])[0] in points(here)
    assert [context.resume for context in contexts] == [False, True]
    assert pickle.loads(pickle.dumps(RequeuedAttempt(attempt)))._attempt is attempt
    assert os.listdir(tmp_path / "unfinished") == []
    assert len(records.read(tmp_path).runs) == 1


def test_requeue_is_for_slurm(tmp_path):
    with pytest.raises(UsageError, match="--executor slurm"), executors.executor("processes", 2, tmp_path, True):
        pass
