"""Runs in other processes and on clusters: the same records, seconds left out where devices were shared."""

import os

import pytest

from batchsel.errors import UsageError
from batchsel.experiments.compare import executors
from batchsel.experiments.compare.campaign import run_experiment
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext

EXPERIMENT = Experiment(
    "test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, (0,),
    {"budget": "2 passes", "target": "accuracy>=0.5", "evaluations": 4}, (),
)  # fmt: skip


def points(found):
    return [[point["loss"] for point in record["evaluations"]] for record in found]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return run_experiment(EXPERIMENT, RunContext(tmp_path_factory.mktemp("here"), checkpoints=False)).records


@pytest.mark.slow
def test_a_dask_cluster_of_processes(here, tmp_path):
    pytest.importorskip("distributed")
    with executors.executor("dask", 2, tmp_path) as pool:
        worker = pool.submit(os.getpid).result()
        assert worker != os.getpid()
        result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False, alone=False), pool)
    assert points(result.records) == points(here)
    assert all(record["contended"] for record in result.records)
    assert len(records.read(tmp_path).runs) == 2


@pytest.mark.slow
def test_submitit_without_a_cluster(here, tmp_path):
    submitit = pytest.importorskip("submitit")
    pool = submitit.LocalExecutor(tmp_path / "logs")
    result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False), pool)
    assert points(result.records) == points(here)
    assert not any(record["contended"] for record in result.records)


def dies(job, context):
    os._exit(9)


@pytest.mark.slow
def test_a_process_that_dies_is_a_failure_and_no_end(tmp_path, monkeypatch):
    from batchsel.experiments.compare import sweep

    with executors.executor("processes", 1, tmp_path) as pool:
        monkeypatch.setattr(sweep, "attempt", dies)
        result = run_experiment(EXPERIMENT, RunContext(tmp_path, checkpoints=False), pool)
    assert len(result.failures) == 2
    assert "BrokenProcessPool" in result.failures[0]["failed"]


@pytest.mark.parametrize("form", ["slrum", "here:3", "processes:2", ""])
def test_unknown_executors(form, tmp_path):
    with pytest.raises(UsageError, match="unknown executor"), executors.executor(form, 1, tmp_path):
        pass


def test_one_run_at_a_time_may_be_timed():
    assert not executors.shares_devices("processes", 1)
    assert executors.shares_devices("processes", 2)
    assert executors.shares_devices("dask:tcp://a:1", 2)
    assert not executors.shares_devices("slurm", 8)
