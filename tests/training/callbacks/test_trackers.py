"""Trackers log the same settings and values, with the real packages and stores on this machine."""

import importlib.machinery
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp

import batchsel
from batchsel import Trainer, UserError
from batchsel.training.callbacks import packages

N, B = 48, 8
X, Y = classes(N)
quiet = pytest.mark.filterwarnings("ignore")
"""Packages warn of each other's versions."""
USED = {"samples", "scored_samples", "passes", "budget_used", "seconds"}


class Collect(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs)


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)


def train(*callbacks, epochs=3, trainer=None, **options):
    trainer = trainer or Trainer(mlp(), "loss_ema", batch_size=B, compile="graph", schedule="cosine | lerac(0.5)")
    collect = Collect()
    options = {"passes": epochs, "validation_data": (X, Y), "verbose": 0} | options
    trainer.fit(X, Y, callbacks=[*callbacks, collect], **options)
    return trainer, collect.seen


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def mlflow(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(store)
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()


def count_runs(mlflow):
    return len(mlflow.search_runs(search_all_experiments=True, output_format="list"))


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    wandb = pytest.importorskip("wandb")
    yield wandb
    wandb.teardown()  # which also forgets these settings


def values_by_epoch(mlflow, run_id, name):
    found = mlflow.MlflowClient().get_metric_history(run_id, name)
    return [metric.value for metric in sorted(found, key=lambda metric: metric.step)]


@quiet
def test_tensorboard_has_everything_that_varies(tmp_path):
    _, seen = train(batchsel.TensorBoard(tmp_path, write_graph=False))
    found = {}
    (path,) = tmp_path.glob("train/events.out.tfevents*")
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    for name in ("loss", "rate_of_group_0", "visited", "most_visits", "learning_rate"):
        assert found[f"epoch_{name}"] == pytest.approx([logs[name] for logs in seen])
    assert found["epoch_passes"] == pytest.approx([1, 2, 3])
    assert {f"epoch_{name}" for name in USED} <= set(found)


@quiet
def test_mlflow_has_settings_and_every_value_by_interval(mlflow):
    tracker = batchsel.MLflow("mine", experiment="try")
    _, seen = train(tracker)
    run = mlflow.get_run(tracker.run_id)
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert mlflow.get_experiment(run.info.experiment_id).name == "try"
    assert run.data.params["selector"] == "loss_ema(decay=0.9)"
    assert run.data.params["batch_size"] == str(B)
    assert set(run.data.metrics) == USED | set(seen[0])
    for name in seen[0]:
        assert values_by_epoch(mlflow, tracker.run_id, name) == pytest.approx([logs[name] for logs in seen])
    assert mlflow.active_run() is None


@quiet
def test_mlflow_goes_on_in_the_run_of_a_checkpoint(mlflow, tmp_path):
    path = tmp_path / "run.npz"
    first = batchsel.MLflow(settings={"a": 1})
    trainer = Trainer(mlp(), "loss_ema", batch_size=B, compile="graph", schedule="cosine | lerac(0.5)")
    with pytest.raises(KeyboardInterrupt):
        train(first, Interrupt(), trainer=trainer, epochs=4, checkpoint=path)
    assert mlflow.get_run(first.run_id).info.status == "KILLED"
    second = batchsel.MLflow(settings={"a": 2})
    again = Trainer(mlp(), "loss_ema", batch_size=B, compile="graph", schedule="cosine | lerac(0.5)")
    again.resume(path)
    train(second, Collect(), trainer=again, epochs=4, checkpoint=path)
    assert second.run_id == first.run_id
    run = mlflow.get_run(first.run_id)
    assert (run.info.status, run.data.params["a"]) == ("FINISHED", "1")
    assert values_by_epoch(mlflow, first.run_id, "passes") == pytest.approx([1, 2, 3, 4])


@quiet
def test_a_run_that_fails_is_failed_in_mlflow(mlflow):
    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("on purpose")

    tracker = batchsel.MLflow()
    with pytest.raises(RuntimeError, match="on purpose"):
        train(tracker, Fail())
    assert mlflow.get_run(tracker.run_id).info.status == "FAILED"


@quiet
def test_autologging_of_mlflow_sees_fit(mlflow):
    mlflow.keras.autolog(log_models=False)
    before = count_runs(mlflow)
    try:
        with mlflow.start_run() as own:
            _, seen = train()
            assert mlflow.active_run().info.run_id == own.info.run_id
        data = mlflow.get_run(own.info.run_id).data
        assert {name: data.metrics[name] for name in seen[-1]} == pytest.approx(seen[-1])
        assert data.params["seed"] == "0"
        train(batchsel.MLflow(experiment="explicit"))  # which logs already
        assert count_runs(mlflow) == before + 2
    finally:
        mlflow.keras.autolog(disable=True)
    train()
    assert count_runs(mlflow) == before + 2


@quiet
def test_mlflow_that_cannot_store_is_one_sentence(mlflow, tmp_path):
    (tmp_path / "file").write_text("")
    mlflow.set_tracking_uri(f"file://{tmp_path}/file/below")
    with pytest.raises(UserError, match="MLflow cannot store the run"):
        train(batchsel.MLflow("mine"))


@quiet
def test_wandb_has_every_value(wandb, tmp_path):
    with wandb.init(project="try") as run:
        _, seen = train(batchsel.WandB())
        summary = dict(run.summary)
        assert {name: summary[name] for name in seen[-1]} == pytest.approx(seen[-1])
        assert set(summary) >= USED | {"epoch"}
        assert run.config["selector"] == "loss_ema(decay=0.9)"
        assert wandb.run is run  # which is not ended


@quiet
def test_wandb_has_a_run_of_its_own_by_name(wandb, tmp_path):
    tracker = batchsel.WandB("mine", project="try", settings={"batch size": 8})
    train(tracker)
    assert wandb.run is None
    (folder,) = tmp_path.glob(f"wandb/offline-run-*-{tracker.run_id}")
    wandb.teardown()  # its service has written everything then
    stored = next(folder.glob("*.wandb")).read_bytes()
    assert b"mine" in stored
    assert b"batch size" in stored
    assert b"rate_of_group_0" in stored


@pytest.mark.parametrize("found", [None, importlib.machinery.ModuleSpec("wandb", None)])
@pytest.mark.parametrize("tracker", packages.TRACKERS)
def test_a_tracker_that_is_not_installed_is_refused_with_the_remedy(monkeypatch, tracker, found):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: found)
    with pytest.raises(UserError, match=rf"is not installed.*: pip install 'batchsel\[{tracker}\]'"):
        packages.require(tracker)


def test_values_of_trackers_are_numbers_that_json_holds():
    tracker = Collect()
    train(tracker)
    assert json.loads(json.dumps(tracker.seen)) == tracker.seen
    assert all(np.isfinite(list(logs.values())).all() for logs in tracker.seen)
