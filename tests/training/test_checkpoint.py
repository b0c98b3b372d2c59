"""A resumed run is bit-equal to an uninterrupted one, at any step, in any mode."""

import json

import keras
import numpy as np
import pytest
from problems import assert_same, classes, mlp, noisy_mlp, variable_values

from batchsel import Trainer

N, B, EPOCHS = 50, 8, 4
X, Y = classes(N)


class SaveEach(keras.callbacks.Callback):
    """Saves after each step, and records the steps at which epochs ended."""

    def __init__(self, trainer, folder):
        super().__init__()
        self.trainer, self.folder, self.steps, self.ends = trainer, folder, [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.trainer.counts["steps"])
        self.trainer.save(self.folder / f"{self.steps[-1]}.npz")

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.trainer.counts["steps"])
        self.trainer.save(self.folder / f"epoch {epoch}.npz")


def make_trainer(build, selector, **options):
    return Trainer(build(), selector, **{"batch_size": B, "schedule": "cosine", "compile": "graph"} | options)


def run_to_end(trainer, **options):
    history = trainer.fit(X, Y, epochs=EPOCHS, validation_data=(X, Y), verbose=0, **options).history
    points = [{name: value for name, value in point.items() if name != "seconds"} for point in trainer.evaluations]
    return history, points, trainer.counts, variable_values(trainer.model), variable_values(trainer.model.optimizer)


def assert_same_end(found, expected):
    assert found[:3] == expected[:3]
    assert_same(found[3], expected[3])
    assert_same(found[4], expected[4])


def adam():
    return noisy_mlp(optimizer=keras.optimizers.Adam(0.02))


@pytest.mark.parametrize(
    ("build", "selector", "compile"),
    [(adam, "smart(every=3)", "graph"), (noisy_mlp, "loss_ema | anneal", "xla"), (noisy_mlp, "candidates", "graph")],
)
def test_resuming_at_any_step_is_bit_equal(build, selector, compile, tmp_path):
    first = make_trainer(build, selector, compile=compile)
    saves = SaveEach(first, tmp_path)
    expected = run_to_end(first, callbacks=[saves])
    inside = np.setdiff1d(saves.steps, saves.ends)
    steps = np.random.default_rng(5).choice(inside, 4, replace=False)
    second = make_trainer(build, selector, compile=compile, seed=999)
    second.model.set_weights([weight + 1 for weight in second.model.get_weights()])
    for step in steps:
        second.resume(tmp_path / f"{step}.npz")
        assert_same_end(run_to_end(second), expected)
        assert second.seed == first.seed


@pytest.mark.parametrize("name", ["7", "epoch 1"])
def test_resuming_from_a_file_that_a_callback_saved_reaches_the_same_end(name, tmp_path):
    trainer = make_trainer(mlp, "random")
    expected = run_to_end(trainer, callbacks=[SaveEach(trainer, tmp_path)])
    trainer.resume(tmp_path / f"{name}.npz")
    found = run_to_end(trainer)
    assert_same(found[3], expected[3])
    assert {key: len(values) for key, values in found[0].items()} == dict.fromkeys(expected[0], EPOCHS)
    assert found[:2] == expected[:2]


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    trainer = make_trainer(mlp, "random")
    expected = run_to_end(trainer, checkpoint=tmp_path / "run.npz")
    again = make_trainer(mlp, "random")
    again.resume(tmp_path / "run.npz")
    assert_same_end(run_to_end(again), expected)


def test_resuming_with_a_longer_budget_continues_from_the_end(tmp_path):
    trainer = make_trainer(mlp, "random", schedule=None)
    trainer.fit(X, Y, epochs=2, checkpoint=tmp_path / "run.npz", verbose=0)
    trainer.resume(tmp_path / "run.npz")
    history = trainer.fit(X, Y, epochs=4, verbose=0).history
    whole = make_trainer(mlp, "random", schedule=None).fit(X, Y, epochs=4, verbose=0).history
    assert history == whole


def test_weights_at_the_target_are_restored(tmp_path):
    options = {"epochs": 8, "validation_data": (X, Y), "target": "accuracy>=0.8", "hold": 3, "verbose": 0}
    trainer = make_trainer(mlp, "random", schedule=None)
    trainer.fit(X, Y, checkpoint=tmp_path / "run.npz", **options)
    again = make_trainer(mlp, "random", schedule=None)
    again.resume(tmp_path / "run.npz")
    again.fit(X, Y, **options)
    assert len(again.evaluations) >= 3
    assert_same(again.weights_at_target, trainer.weights_at_target)


def test_batch_numbers_continue_within_a_resumed_epoch(tmp_path):
    batches = {}

    class RecordBatches(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            batches.setdefault(self.model, []).append(batch)

    first, second = (make_trainer(mlp, "random") for _ in range(2))
    run_to_end(first, callbacks=[RecordBatches(), SaveEach(first, tmp_path)])
    second.resume(tmp_path / "10.npz")
    run_to_end(second, callbacks=[RecordBatches()])
    assert batches[second.model] == batches[first.model][10:]


def test_the_clock_continues_from_the_checkpoint(tmp_path):
    trainer = make_trainer(mlp, "random")
    run_to_end(trainer, checkpoint=tmp_path / "run.npz")
    seconds = [point["seconds"] for point in trainer.evaluations]
    again = make_trainer(mlp, "random")
    again.resume(tmp_path / "run.npz")
    run_to_end(again)
    assert [point["seconds"] for point in again.evaluations] == seconds
    assert again.clock.training >= seconds[-1]


def test_history_entries_added_by_callbacks_are_saved(tmp_path):
    adds = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(own=np.float32(epoch)))
    trainer = make_trainer(mlp, "random")
    trainer.fit(X, Y, epochs=2, callbacks=[adds], checkpoint=tmp_path / "run.npz", verbose=0)
    assert json.loads(bytes(np.load(tmp_path / "run.npz")["meta.json"]))["progress"]["history"]["own"] == [0, 1]


def test_evaluate_after_resume_uses_the_checkpoint(tmp_path):
    trainer, whole, longer = (make_trainer(mlp, "loss_ema", schedule=None) for _ in range(3))
    whole.fit(X, Y, verbose=0, checkpoint=tmp_path / "run.npz")
    trainer.resume(tmp_path / "run.npz")
    assert trainer.evaluate(X, Y) == whole.evaluate(X, Y)
    histories = [each.fit(X, Y, epochs=2, verbose=0).history for each in (trainer, longer)]
    assert histories[0] == histories[1]
