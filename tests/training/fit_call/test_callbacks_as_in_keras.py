"""Callbacks of Keras do in `batchsel.fit` as they do in `model.fit`, and go on from a checkpoint where they were."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
from against_keras import assert_equal_training, train_both
from problems import classes, mlp
from tensorflow.compat.v1.train import summary_iterator

from batchsel import TensorBoard, Trainer, UserError, fit
from batchsel.training.fit_call.fit_loop import FitLoop

# Keras saves weights, and reads learning rates, in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

N, B = 24, 8
X, Y = classes(N)
VALIDATION = classes(21, seed=4)
DATA = lambda: (X, Y)  # noqa: E731


class StopIn(keras.callbacks.Callback):
    """Ends the training of a process in an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch:
            raise KeyboardInterrupt


class StopAfter(keras.callbacks.Callback):
    """Ends a call of fit within an epoch, by an error or without, and does nothing in later calls."""

    def __init__(self, batch, error):
        super().__init__()
        self._batch, self._error = batch, error

    def on_train_batch_end(self, batch, logs=None):
        if batch == self._batch:
            self._batch = None
            self.model.stop_training = True
            if self._error:
                raise RuntimeError


class StopTesting(keras.callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        self.model.stop_evaluating = batch == 0


@pytest.mark.parametrize("callbacks", [[], [keras.callbacks.Callback()]])
def test_calls_of_the_loop_that_end_in_the_middle_of_an_epoch_lose_no_metrics(monkeypatch, callbacks):
    monkeypatch.setattr(FitLoop, "_call_steps", lambda self: 4)
    assert_equal_training(train_both(mlp, DATA, epochs=5, batch_size=B, callbacks=callbacks))


def test_hooks_can_end_an_evaluation():
    make = lambda: StopTesting()  # noqa: E731
    make.__name__ = "make_stop"
    assert_equal_training(train_both(mlp, DATA, epochs=2, batch_size=B, validation_data=VALIDATION, callbacks=make))


@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize("options", [{}, {"steps_per_epoch": 3}])
def test_a_call_after_one_that_stopped_within_an_epoch_begins_with_the_first_batch(error, options):
    def trained(fit):
        model, stop = mlp(), StopAfter(1, error)
        with pytest.raises(RuntimeError) if error else nullcontext():
            fit(model, X, Y, batch_size=B, epochs=2, callbacks=[stop], shuffle=False, verbose=0, **options)
        history = fit(model, X, Y, batch_size=B, epochs=2, callbacks=[stop], shuffle=False, verbose=0, **options)
        return model, history.history

    assert_equal_training([trained(keras.Model.fit), trained(fit)])


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard", "ignore::DeprecationWarning:keras")
@pytest.mark.parametrize("kind", [keras.callbacks.TensorBoard, TensorBoard])
@pytest.mark.parametrize("profile_batch", [0, 2, (2, 3)])
def test_tensorboard_profiles_the_batches_that_it_is_told(tmp_path, kind, profile_batch):
    def written(fit, name, kind):
        folder = tmp_path / name
        board = kind(folder, write_graph=False, profile_batch=profile_batch)
        fit(mlp(), X, Y, batch_size=B, epochs=2, shuffle=False, callbacks=[board], verbose=0)
        (events,) = (folder / "train").glob("events.out.tfevents*")
        tags = {value.tag for event in summary_iterator(str(events)) for value in event.summary.value}
        return {tag for tag in tags if tag.startswith("batch_")}, len(list(folder.rglob("*.xplane.pb")))

    expected = written(keras.Model.fit, "keras", keras.callbacks.TensorBoard)
    assert expected[1] == (profile_batch != 0)
    assert written(fit, "batchsel", kind) == expected


def test_a_backup_goes_on_in_the_epoch_in_which_the_run_stopped(tmp_path):
    def backup(name):
        return keras.callbacks.BackupAndRestore(tmp_path / name)

    def trained(fit, name):
        model = mlp()
        with pytest.raises(KeyboardInterrupt):
            fit(model, [backup(name), StopIn(4)])
        model = mlp()
        before = int(model.optimizer.iterations.numpy())
        history = fit(model, [backup(name)])
        return model, history, before

    def with_batchsel(model, callbacks):
        trainer = Trainer(model, "fixed", batch_size=B, compile="graph")
        return trainer.fit(X, Y, epochs=10, callbacks=callbacks, verbose=0)

    def with_keras(model, callbacks):
        return model.fit(X, Y, epochs=10, batch_size=B, shuffle=False, callbacks=callbacks, verbose=0)

    (expected, history, _), (model, found, _) = trained(with_keras, "keras"), trained(with_batchsel, "batchsel")
    assert found.epoch == history.epoch
    assert len(found.history["loss"]) == len(history.history["loss"])
    np.testing.assert_allclose(found.history["loss"], history.history["loss"], rtol=2e-4)
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=2e-4, atol=1e-6)
    assert int(model.optimizer.iterations.numpy()) == int(expected.optimizer.iterations.numpy())


def test_a_backup_of_an_earlier_call_does_not_shorten_the_next(tmp_path):
    model = mlp()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "a", delete_checkpoint=False)
    trainer = Trainer(model, "fixed", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=2, callbacks=[backup], verbose=0)
    assert trainer.fit(X, Y, epochs=3, verbose=0).epoch == [0, 1, 2]


def callbacks(folder):
    return [
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=0.5, cooldown=1),
        keras.callbacks.EarlyStopping("loss", patience=6, min_delta=0.5, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
        ),
    ]


def test_the_state_of_callbacks_goes_on_from_a_checkpoint(tmp_path):
    def make():
        return Trainer(mlp(), "fixed", batch_size=B, compile="graph")

    options = {"epochs": 12, "verbose": 0}
    whole, given = make(), callbacks(tmp_path)
    expected = whole.fit(X, Y, callbacks=given, **options).history
    assert 4 < len(expected["loss"]) < 12, "early stopping should end the run"
    first, path = make(), tmp_path / "a.npz"
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y, callbacks=[*callbacks(tmp_path), StopIn(3)], checkpoint=path, **options)
    second, again = make(), callbacks(tmp_path)
    second.resume(path)
    history = second.fit(X, Y, callbacks=again, **options).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(second.model.get_weights()[0], whole.model.get_weights()[0], rtol=1e-5)
    for one, other, names in zip(
        given, again, (["wait", "best", "cooldown_counter"], ["wait", "best_epoch"], ["best"]), strict=True
    ):
        assert [getattr(other, name) for name in names] == pytest.approx([getattr(one, name) for name in names])


class Counting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = {"epochs": 0, "losses": np.zeros(0)}

    def on_epoch_end(self, epoch, logs=None):
        self.seen = {"epochs": epoch + 1, "losses": np.append(self.seen["losses"], logs["loss"])}

    def get_state(self):
        return self.seen

    def set_state(self, state):
        self.seen = state


def test_other_callbacks_state_their_own(tmp_path):
    trainer, path = Trainer(mlp(), "fixed", batch_size=B, compile="graph"), tmp_path / "a.npz"
    counting = Counting()
    trainer.fit(X, Y, epochs=2, callbacks=[counting], verbose=0)
    trainer.save(path)
    other, restored = Trainer(mlp(), "fixed", batch_size=B, compile="graph"), Counting()
    other.resume(path)
    other.fit(X, Y, epochs=2, callbacks=[restored], verbose=0)
    assert restored.seen["epochs"] == 2
    np.testing.assert_array_equal(restored.seen["losses"], counting.seen["losses"])
    other.fit(X, Y, epochs=1, callbacks=[Counting()], verbose=0)
    counting.get_state = lambda: {"file": object()}
    trainer.fit(X, Y, epochs=1, callbacks=[counting], verbose=0)
    with pytest.raises(UserError, match="of the callback Counting returned a object; expected numbers"):
        trainer.save(path)


class Reader(keras.callbacks.Callback):
    """Reads the batches after each of them."""

    def set_trainer(self, trainer):
        self.trainer, self.read = trainer, []

    def on_train_batch_end(self, batch, logs=None):
        self.read.append(self.trainer.last_batches)


class EpochReader(keras.callbacks.Callback):
    reads_batches = True

    def set_trainer(self, trainer):
        self.trainer, self.read = trainer, []

    def on_epoch_end(self, epoch, logs=None):
        self.read.append(self.trainer.last_batches)


@pytest.mark.parametrize("selector", ["fixed", "infobatch", "candidates", "loss_ema"])
@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_callbacks_read_the_samples_weights_and_losses_of_batches(selector, compile):
    trainer = Trainer(mlp(), selector, batch_size=10, compile=compile)
    every, by_epoch = Reader(), EpochReader()
    trainer.fit(X, Y, epochs=2, steps_per_epoch=3, callbacks=[every, by_epoch], verbose=0)
    single = [batch for batches in every.read for batch in batches[-1:]]
    assert [batch.step for batch in single] == [1, 2, 3, 4, 5, 6]
    assert [[batch.step for batch in batches] for batches in by_epoch.read] == [[1, 2, 3], [4, 5, 6]]
    read = [batch for batches in by_epoch.read for batch in batches]
    assert sum(len(batch.indices) for batch in read) == trainer.counts["samples"]
    visits = np.bincount(np.concatenate([batch.indices for batch in read]), minlength=N)
    np.testing.assert_array_equal(visits, trainer.visits)
    for batch, same in zip(read, single, strict=True):
        assert len(batch.weights) == len(batch.losses) == len(batch.indices)
        np.testing.assert_array_equal(batch.indices, same.indices)
        assert (batch.weights > 0).all()
    if selector == "fixed":
        assert [batch.indices.tolist() for batch in read[:3]] == [[*range(10)], [*range(10, 20)], [*range(20, 24)]]
        losses = mlp().loss(Y[:10], mlp()(X[:10])), read[0].losses.mean()
        assert float(losses[0]) == pytest.approx(losses[1], rel=1e-5)
