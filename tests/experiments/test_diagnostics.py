"""Diagnostics of runs: their entries in records, and that they change nothing."""

import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
from command_line import CommandLine
from problems import assert_same

from batchsel.cards.experiment_cards import MEASURES
from batchsel.errors import UserError
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext, run
from batchsel.experiments.spec.run_spec import RunSpec

MINE = """
import keras
import numpy as np
from batchsel.data import Dataset, Split
from batchsel.data.sources import as_source

def load(seed=0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    return Dataset("mine", "classification", as_source((x, y)), Split(x, y), Split(x[:40], y[:40]), ("no", "yes"))

def build(input_shape, outputs):
    layers = [keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(outputs)])

class Own(keras.Model):
    def __init__(self, outputs):
        super().__init__()
        self.dense = keras.layers.Dense(outputs)
    def call(self, x):
        return self.dense(x)

def own(input_shape, outputs):
    return Own(outputs)
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Streamed, with batch normalization and dropout; the target is met at once, and the run goes on."""
    file = tmp_path_factory.mktemp("mine") / "mine.py"
    file.write_text(MINE)
    return RunSpec(
        f"{file}:load", f"{file}:build", "loss_ema", 8, "adam", 0.01, "linear", "5 passes", "accuracy>=0.1",
        seed=1, evaluations=10, run_on=True, compile="graph",
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(spec, tmp_path_factory):
    """Run without diagnostics, with all, and with all on another seed, with one run cache."""
    context = RunContext(tmp_path_factory.mktemp("runs"), checkpoints=False)
    run_cache, found = context.run_cache(), []
    for measures, seed in (((), 1), (MEASURES, 1), (MEASURES, 2)):
        chosen = replace(spec, seed=seed)
        record = run(chosen, replace(context, diagnostics=measures), run_cache=run_cache)
        trainer = next(iter(run_cache._trainers.values()))
        found.append((record, [np.array(variable.numpy()) for variable in trainer.variables().values()]))
    return run_cache, found


def without_times(record):
    return [{key: value for key, value in point.items() if key != "seconds"} for point in record["evaluations"]]


def test_diagnostics_do_not_change_the_run(ran):
    (plain, variables), (measured, others), _ = ran[1]
    assert without_times(measured) == without_times(plain)
    assert {name: measured[name] for name in ("test", "counts", "visits", "history")} == {
        name: plain[name] for name in ("test", "counts", "visits", "history")
    }
    assert_same(others, variables)
    assert not set(MEASURES) & set(plain)


def test_record_holds_the_documented_entries(ran, tmp_path):
    record, _ = ran[1][1]
    assert records.problem(record) is None
    assert [stage["samples"] for stage in record["noise_scale"]] == [0, 80, 160, 240, 320, 400]
    assert [stage["passes"] for stage in record["noise_scale"]] == [0, 1, 2, 3, 4, 5]
    keys = {"samples", "passes", "batch", "many", "gradient", "trace", "scale"}
    assert all(set(stage) == keys for stage in record["noise_scale"])
    assert {(stage["batch"], stage["many"]) for stage in record["noise_scale"]} == {(16, 5)}
    assert record["snr"]["layers"] == ["dense_1", "dense_2"]
    assert [stage["samples"] for stage in record["snr"]["stages"]] == [0, 80, 160, 240, 320]
    first, *_, last = (stage["db"] for stage in record["snr"]["stages"])
    assert all(later > earlier + 3 for earlier, later in zip(first, last, strict=True))
    records.append(tmp_path, record)  # which holds no infinity
    assert len(json.dumps({name: record[name] for name in MEASURES})) < 2000


def test_end_is_evaluated_with_the_last_weights_on_both_parts(ran, spec):
    record, _ = ran[1][2]
    run_cache = ran[0]
    trainer, dataset = next(iter(run_cache._trainers.values())), run_cache.dataset(spec)
    end = record["end"]
    assert end["train_samples"] == 80
    for name, part in (("test", (dataset.test.x, dataset.test.y)), ("train", dataset.train.take(np.arange(80)))):
        assert end[name] == pytest.approx(trainer.evaluate(*part), rel=1e-5)
    assert end["test"]["loss"] < record["test"]["loss"]  # the target was met at the first evaluation


def test_probes_are_traced_once_and_freed_with_their_trainer(ran, spec):
    run_cache = ran[0]
    (trainer,) = run_cache._trainers.values()
    probes = run_cache.probes(trainer)
    assert probes.noise_scale._add.experimental_get_tracing_count() == 1
    assert probes.features._run.experimental_get_tracing_count() == 1
    gone = weakref.ref(probes)
    del trainer, probes
    run_cache._trainers.clear()
    gc.collect()
    assert gone() is None


def test_a_resumed_run_has_the_stages_of_an_undisturbed_one(tmp_path):
    spec = RunSpec("iris", "mlp(hidden=[4])", "random", 10, "sgd", 0.01, "constant", "5 passes", "loss<=0.001",
                   evaluations=5, compile="graph")  # fmt: skip

    def interrupt(state):
        if state["evaluated"] and state["samples"] == 180:
            raise KeyboardInterrupt

    context = RunContext(tmp_path, diagnostics=MEASURES, watch=interrupt)
    run_cache = context.run_cache()
    with pytest.raises(KeyboardInterrupt):
        run(spec, context, run_cache=run_cache)
    record = run(spec, replace(context, watch=None, resume=True), run_cache=run_cache)
    whole = run(spec, RunContext(tmp_path / "whole", diagnostics=MEASURES), run_cache=run_cache)
    assert [stage["samples"] for stage in record["noise_scale"]] == [0, 90, 180, 270, 360, 450]
    assert [stage["samples"] for stage in record["snr"]["stages"]] == [0, 90, 180, 270, 360]
    for ours, theirs in zip(record["noise_scale"], whole["noise_scale"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)
    for ours, theirs in zip(record["snr"]["stages"], whole["snr"]["stages"], strict=True):
        assert ours["db"] == pytest.approx(theirs["db"], abs=1e-2)
    assert record["end"]["test"] == pytest.approx(record["test"], rel=1e-5)  # not reached: there is only one reading


def test_models_without_comparable_features_are_refused_before_training(spec, tmp_path):
    spec = replace(spec, model=spec.model.replace("build", "own"))
    with pytest.raises(UserError, match="only Sequential and functional models have a graph of layers"):
        run(spec, RunContext(tmp_path, diagnostics=("snr",)))
    assert not list(tmp_path.iterdir())


def test_run_command_prints_diagnostics(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    result = command("run", "--dataset", "iris", "--measure", "nose_scale")
    assert result.code == 2
    assert "unknown measure 'nose_scale'. Did you mean 'noise_scale'?" in result.err
    words = ("run", "--dataset", "iris", "--budget", "1", "--target", "loss<=0.0001", "--evaluations", "5",
             "--model", "mlp(hidden=[4])", "--compile", "graph")  # fmt: skip
    result = command(*words, "--measure", "end", "--measure", "noise_scale", "--measure", "snr")
    for line in ("at the end  test loss", "; training loss", "noise scale", "dB before training, by layer"):
        assert line in result.out
    (record,) = records.read(tmp_path / "runs" / "records.jsonl").runs
    assert set(MEASURES) < set(record)
