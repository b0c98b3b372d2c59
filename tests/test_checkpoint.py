"""A checkpoint resumed is bit-equal to never having stopped; a bad one, or a bad disk, is named and does no harm."""

import errno
import io
import json
import os
import pickle
import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.data_files import full_disk, read_only_folder
from problems import assert_same, classes, mlp, noisy_mlp, weights_of

from batchsel import Trainer, UserError
from batchsel.training import checkpoint

N, B, EPOCHS = 50, 8, 4
X, Y = classes(N)


class SaveEach(keras.callbacks.Callback):
    """Saves after each step, and notes with which steps epochs ended."""

    def __init__(self, trainer, folder):
        super().__init__()
        self.trainer, self.folder, self.steps, self.ends = trainer, folder, [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.trainer.counts["steps"])
        self.trainer.save(self.folder / f"{self.steps[-1]}.npz")

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.trainer.counts["steps"])
        self.trainer.save(self.folder / f"epoch {epoch}.npz")


def trainer_of(build, selector, **options):
    return Trainer(build(), selector, **{"batch_size": B, "schedule": "cosine", "compile": "graph"} | options)


def finished(trainer, **options):
    history = trainer.fit(X, Y, epochs=EPOCHS, validation_data=(X, Y), verbose=0, **options).history
    points = [{name: value for name, value in point.items() if name != "seconds"} for point in trainer.evaluations]
    return history, points, trainer.counts, weights_of(trainer.model), weights_of(trainer.model.optimizer)


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
    first = trainer_of(build, selector, compile=compile)
    saves = SaveEach(first, tmp_path)
    expected = finished(first, callbacks=[saves])
    inside = np.setdiff1d(saves.steps, saves.ends)
    steps = np.random.default_rng(5).choice(inside, 4, replace=False)
    second = trainer_of(build, selector, compile=compile, seed=999)
    second.model.set_weights([weight + 1 for weight in second.model.get_weights()])
    for step in steps:
        second.resume(tmp_path / f"{step}.npz")
        assert_same_end(finished(second), expected)
        assert second.seed == first.seed


@pytest.mark.parametrize("name", ["7", "epoch 1"])
def test_what_a_callback_saves_at_the_end_of_an_epoch_can_be_resumed(name, tmp_path):
    # BUG: the row of that epoch is in no history yet, and its metrics are emptied: the resumed run lacks it.
    trainer = trainer_of(mlp, "random")
    expected = finished(trainer, callbacks=[SaveEach(trainer, tmp_path)])
    trainer.resume(tmp_path / f"{name}.npz")
    found = finished(trainer)
    assert_same(found[3], expected[3])
    assert {key: len(values) for key, values in found[0].items()} == dict.fromkeys(expected[0], EPOCHS)
    assert found[:2] == expected[:2]


def test_a_finished_run_that_is_resumed_stays_as_it_is(tmp_path):
    trainer = trainer_of(mlp, "random")
    expected = finished(trainer, checkpoint=tmp_path / "run.npz")
    again = trainer_of(mlp, "random")
    again.resume(tmp_path / "run.npz")
    assert_same_end(finished(again), expected)


def test_a_longer_budget_goes_on_from_the_end(tmp_path):
    trainer = trainer_of(mlp, "random", schedule=None)
    trainer.fit(X, Y, epochs=2, checkpoint=tmp_path / "run.npz", verbose=0)
    trainer.resume(tmp_path / "run.npz")
    history = trainer.fit(X, Y, epochs=4, verbose=0).history
    whole = trainer_of(mlp, "random", schedule=None).fit(X, Y, epochs=4, verbose=0).history
    assert history == whole


def test_the_clock_goes_on_from_the_checkpoint(tmp_path):
    trainer = trainer_of(mlp, "random")
    finished(trainer, checkpoint=tmp_path / "run.npz")
    seconds = [point["seconds"] for point in trainer.evaluations]
    again = trainer_of(mlp, "random")
    again.resume(tmp_path / "run.npz")
    finished(again)
    assert [point["seconds"] for point in again.evaluations] == seconds
    assert again.clock.training >= seconds[-1]


def test_every_type_of_variable_is_kept(tmp_path):
    def members(factor):
        values = {
            "float32": [1.5, -2], "bfloat16": [1.5, -2], "float16": [0.5, 3], "float64": [1 / 3, 2], "int8": [-3, 2],
            "uint32": [2**31, 1], "int64": [2**60, 1], "bool": [True, False],
        }  # fmt: skip
        made = {name: tf.Variable(tf.cast(tf.constant(value), name)) for name, value in values.items()}
        if factor == 0:
            for variable in made.values():
                variable.assign(tf.zeros_like(variable))
        return made | {"scalar": tf.Variable(3.0 * factor), "none": tf.Variable(tf.zeros([0, 3]))}

    written, read = members(1), members(0)
    checkpoint.write(tmp_path / "a.npz", written, {"note": "ü"})
    checkpoint.restore(tmp_path / "a.npz", read)
    for name, variable in written.items():
        assert read[name].dtype == variable.dtype
        np.testing.assert_array_equal(read[name].numpy(), variable.numpy())
    assert checkpoint.read_meta(tmp_path / "a.npz") == {"note": "ü"}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "good.npz"
    trainer_of(mlp, "loss_ema").fit(X, Y, checkpoint=path, verbose=0)
    return path


@pytest.fixture(scope="module")
def trainer():
    trainer = trainer_of(mlp, "loss_ema")
    trainer.fit(X, Y, verbose=0)
    return trainer


def npz_of(path, **changes):
    """The members of a checkpoint, some replaced, some (None) left out."""
    members = dict(np.load(path)) | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in members.items() if value is not None})
    return buffer.getvalue()


def flipped(content, share):
    place = int(len(content) * share)
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def pickled(content):
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("evil.npy", pickle.dumps(os.getcwd))
    return buffer.getvalue()


def array_file():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


DAMAGED = {
    "empty": lambda good: b"",
    "text": lambda good: b"not a checkpoint at all, but some words of text" * 9,
    # BUG: these two leave the file open, which is a ResourceWarning.
    "half": lambda good: good.read_bytes()[: good.stat().st_size // 2],
    "without its end": lambda good: good.read_bytes()[:-30],
    # BUG: errors of the zip that show only when a member is read come through bare, and so do those below.
    "a byte changed": lambda good: flipped(good.read_bytes(), 0.1),
    "an array": lambda good: array_file(),
    "no record": lambda good: npz_of(good, **{"meta.json": None}),
    "a record of something else": lambda good: npz_of(good, **{"meta.json": np.frombuffer(b"[1, 2]", np.uint8)}),
    "a record that is no JSON": lambda good: npz_of(good, **{"meta.json": np.frombuffer(b"{", np.uint8)}),
    "a pickle inside": lambda good: pickled(good.read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_checkpoint_is_named_and_changes_nothing(damage, good, trainer, tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(DAMAGED[damage](good))
    before = [np.array(variable.numpy()) for variable in trainer.variables().values()]
    with pytest.raises(UserError, match=r"damaged\.npz"):
        trainer.resume(path)
        trainer.fit(X, Y, verbose=0)
    trainer._pending = None
    assert_same([np.array(variable.numpy()) for variable in trainer.variables().values()], before)


def test_a_checkpoint_that_is_missing_or_a_folder(tmp_path, trainer):
    with pytest.raises(UserError, match=r"no checkpoint at .*none\.npz"):
        trainer.resume(tmp_path / "none.npz")
    with pytest.raises(UserError, match="is no checkpoint, or a damaged one: .*directory"):
        trainer.resume(tmp_path)


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (mlp, {"selector": "random"}, "was made with selector='loss_ema(decay=0.9)', this trainer has selector='random'"),
        (mlp, {"batch_size": 10}, "was made with batch_size=8, this trainer has batch_size=10"),
        (mlp, {"compile": "xla"}, "was made with xla=False, this trainer has xla=True"),
        (lambda: mlp(outputs=4), {}, "model/2/kernel has shape [8, 3], expected [8, 4]"),
        (lambda: mlp(optimizer=keras.optimizers.Adam()), {}, "optimizer/6 is missing"),
        (noisy_mlp, {}, "does not fit this run"),
    ],
)
def test_a_checkpoint_of_another_run_is_told_apart(build, options, words, good):
    options = {"selector": "loss_ema"} | options
    with pytest.raises(UserError) as caught:
        other = trainer_of(build, **options)
        other.resume(good)
        other.fit(X, Y, verbose=0)
    assert words in str(caught.value)
    assert str(good) in str(caught.value)
    assert "settings" in str(caught.value)


def test_a_checkpoint_of_other_data(good):
    other = trainer_of(mlp, "loss_ema")
    other.resume(good)
    with pytest.raises(UserError, match="was made on 50 samples, these data have 40"):
        other.fit(X[:40], Y[:40], verbose=0)


def no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_file(function, good, trainer, tmp_path, monkeypatch):
    path = shutil.copy(good, tmp_path / "run.npz")
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(UserError, match=r"cannot write .*run\.npz: No space left on device"):
        trainer.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert path.read_bytes() == good.read_bytes()


def test_a_disk_that_fills_up_leaves_the_old_file(good, trainer, tmp_path):
    path = shutil.copy(good, tmp_path / "run.npz")
    with full_disk(500), pytest.raises(UserError, match=r"cannot write .*run\.npz: File too large"):
        trainer.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert path.read_bytes() == good.read_bytes()


def test_a_folder_that_cannot_be_written(trainer, tmp_path):
    with read_only_folder() as folder, pytest.raises(UserError, match="Permission denied"):
        trainer.save(folder / "run.npz")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot make the folder"):
        trainer.save(tmp_path / "file" / "run.npz")
    (tmp_path / "run.npz").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        trainer.save(tmp_path / "run.npz")


def test_folders_are_made(trainer, tmp_path):
    trainer.save(tmp_path / "a" / "b" / "run.npz")
    assert os.listdir(tmp_path / "a" / "b") == ["run.npz"]


def test_what_callbacks_put_into_the_history_can_be_saved(tmp_path):
    # BUG: a NumPy number among the logs cannot be written as JSON.
    adds = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(own=np.float32(epoch)))
    trainer = trainer_of(mlp, "random")
    trainer.fit(X, Y, epochs=2, callbacks=[adds], checkpoint=tmp_path / "run.npz", verbose=0)
    assert json.loads(bytes(np.load(tmp_path / "run.npz")["meta.json"]))["history"]["own"] == [0, 1]


def test_what_was_resumed_is_there_before_fit(good):
    # BUG: a checkpoint waits for fit; until then evaluate() shows the weights that the model was made with.
    trainer = trainer_of(mlp, "loss_ema")
    whole = trainer_of(mlp, "loss_ema")
    whole.fit(X, Y, verbose=0)
    trainer.resume(good)
    assert trainer.evaluate(X, Y) == whole.evaluate(X, Y)
