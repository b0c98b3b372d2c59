"""Errors that stop a run name the samples to blame, and leave the trainer usable."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, line, linear, mlp

import batchsel
from batchsel import Trainer, UserError
from batchsel.selectors import Candidates, Fixed, NumpyFunction, Plan, Selection
from batchsel.training import TrainingError
from batchsel.training.fit_call import fit_loop

N, B = 50, 8


@keras.saving.register_keras_serializable()
def log_loss(y_true, y_pred):
    """NaN where the target is negative."""
    return tf.math.log(y_true)[:, 0] + 0 * y_pred[:, 0]


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_a_nan_loss_stops_the_run_and_names_the_samples(compile):
    x, y = line(N)
    y = np.abs(y) + 0.1
    y[[19, 21]] = -1
    trainer = Trainer(linear(loss=log_loss), "fixed", batch_size=B, compile=compile)
    with pytest.raises(TrainingError) as caught:
        trainer.fit(x, y[:, None], epochs=5, verbose=0)
    assert "the loss is not finite at step 3, for 2 samples of its batch: 19, 21." in str(caught.value)
    assert trainer.counts["steps"] == 3
    assert isinstance(caught.value, UserError)


def test_diverged_weights_are_distinguished_from_bad_samples():
    x, y = line(N)
    with pytest.raises(
        TrainingError, match=r"Most of the batch is non-finite: training diverged; lower the learning rate\."
    ):
        Trainer(linear(rate=1e30), batch_size=B, compile="graph").fit(x, y, epochs=9, verbose=0)


def test_the_checkpoint_before_an_error_can_be_resumed(tmp_path):
    x, y = line(N)
    trainer = Trainer(linear(rate=1e4), batch_size=25, compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y, epochs=50, verbose=0, checkpoint=tmp_path / "run.npz")
    again = Trainer(linear(), batch_size=25, compile="graph")
    again.resume(tmp_path / "run.npz")
    again.fit(x, y, epochs=0.5, verbose=0)
    assert np.isfinite(again.model.get_weights()[0]).all()


@pytest.mark.parametrize("index", [N, -1, 2**31 - 1])
def test_a_plan_with_indices_outside_the_data_is_an_error(index):
    def choose_outside(losses, batch_size, rng):
        return tf.tensor_scatter_nd_update(tf.range(batch_size), [[5]], [index])

    x, y = classes(N)
    trainer = Trainer(mlp(), choose_outside, batch_size=B, compile="graph")
    before = trainer.model.get_weights()
    words = (
        rf"function\(choose_outside, every=1\) chose sample {index}; the data set has samples 0 to 49 \(1 of 8 indices"
    )
    with pytest.raises(TrainingError, match=words):
        trainer.fit(x, y, verbose=0)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], before[0])


@dataclass(frozen=True, repr=False)
class Steps(Fixed):
    """Reports a given number of batches, from the second plan on."""

    name = "steps"
    steps: int = 0

    def plan(self, state, context):
        plan = super().plan(state, context)
        return Plan(plan.indices, plan.weights, tf.where(context.step > 0, self.steps, plan.steps))


@pytest.mark.parametrize("steps", [0, -1, 8])
def test_a_plan_of_no_or_too_many_batches_is_an_error(steps):
    x, y = classes(N)
    trainer = Trainer(mlp(), Steps(steps), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match=rf"steps\(steps={steps}\) planned {steps} batches; a plan has 1 to 7\."):
        trainer.fit(x, y, epochs=3, verbose=0)
    assert trainer.counts["samples"] == N


@dataclass(frozen=True, repr=False)
class Weighted(Fixed):
    """Multiplies all weights by one factor, from the second plan on."""

    name = "weighted"
    weight: Any = 1.0  # of any value, as a fault would make it

    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=tf.where(context.step > 0, self.weight * plan.weights, plan.weights))


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf")])
def test_a_plan_with_zero_or_nonfinite_weights_is_an_error(weight, monkeypatch):
    monkeypatch.setattr(fit_loop.FitLoop, "_call_steps", lambda self: 10)
    x, y = classes(N)
    trainer = Trainer(mlp(), Weighted(weight), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match="weight"):
        trainer.fit(x, y, epochs=3, seconds=0.3, verbose=0)
    assert np.isfinite(trainer.model.get_weights()[0]).all()


def test_an_invalid_plan_stops_a_streamed_run():
    class Source:
        x, y = classes(N)

        def __len__(self):
            return N

        def take(self, indices):
            return self.x[indices], self.y[indices]

    trainer = Trainer(mlp(), Steps(0), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match="planned 0 batches"):
        trainer.fit(Source(), epochs=3, verbose=0)


def test_a_function_that_returns_too_few_indices_is_an_error():
    def return_too_few(losses, batch_size, rng):
        return tf.range(batch_size - 1)

    x, y = classes(N)
    with pytest.raises(
        ValueError, match=r"must return 8 indices, shape \[8\], of an integer type; it returned int32\[7\]"
    ):
        Trainer(mlp(), return_too_few, batch_size=B).fit(x, y, verbose=0)


def test_an_error_in_a_numpy_function_is_shown():
    def fail(losses, batch_size, rng):
        raise RuntimeError("my own mistake")

    x, y = classes(N)
    with pytest.raises(UserError, match="raised RuntimeError: my own mistake"):
        Trainer(mlp(), NumpyFunction(fail), batch_size=B).fit(x, y, verbose=0)


@dataclass(frozen=True, repr=False)
class Wrong(Candidates):
    """Returns an invalid position or weight for the first row of its batch."""

    name = "wrong"
    position: int = 0
    weight: Any = 1.0  # of any value, as a fault would make it

    def choose(self, state, candidates, context):
        selection = super().choose(state, candidates, context)
        first = tf.range(context.batch_size) == 0
        return Selection(
            tf.where(first, self.position, selection.positions), tf.where(first, self.weight, selection.weights)
        )


@pytest.mark.parametrize("compile", ["graph", "xla"])
@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (Wrong(pool=4, position=4 * B), r"choose\(\) of wrong\(.*\) returned positions outside its pool of 32 rows"),
        (Wrong(pool=4, position=-1), r"choose\(\) of wrong\(.*\) returned positions outside its pool of 32 rows"),
        (Wrong(pool=4, weight=0.0), "returned a batch whose first row has weight 0"),
        (Wrong(pool=4, weight=float("nan")), "a weight that is negative or not finite"),
    ],
)
def test_an_invalid_selection_stops_the_run(selector, words, compile):
    x, y = classes(N)
    with pytest.raises(TrainingError, match=words):
        Trainer(mlp(), selector, batch_size=B, compile=compile).fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("steps", "words"),
    [(-2, "returned a score that is negative"), (0, "planned 0 batches"), (10**6, "planned 1000000 batches")],
)
def test_an_impossible_plan_stops_every_call(steps, words):
    x, y = classes(N)
    trainer = Trainer(mlp(), Steps(steps), batch_size=B, compile="graph")
    for _ in range(2):
        with pytest.raises(TrainingError, match=words):
            trainer.fit(x, y, epochs=3, verbose=0)


def test_reset_after_an_error_starts_over():
    x, y = line(N)
    trainer = Trainer(linear(loss=log_loss), batch_size=B, compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    trainer.reset(1)
    history = trainer.fit(x, np.abs(y)[:, None] + 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_fit_with_new_weights_after_an_error_trains_again():
    x, y = line(N)
    trainer = Trainer(linear(loss=log_loss), batch_size=B, compile="graph")
    before = trainer.model.get_weights()
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    trainer.model.set_weights(before)
    history = trainer.fit(x, np.abs(y)[:, None] + 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_the_learning_rate_is_restored_after_an_error():
    x, y = line(N)
    y = np.abs(y) + 0.1
    y[40] = -1
    model = linear(loss=log_loss, optimizer=keras.optimizers.SGD(0.5))
    trainer = Trainer(model, "fixed", batch_size=B, schedule="linear", compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    assert float(model.optimizer.learning_rate.numpy()) == 0.5


def test_a_nonfinite_evaluation_stops_the_run():
    x, y = line(N)
    trainer = Trainer(linear(rate=1e38), batch_size=25, compile="graph")
    with pytest.raises(TrainingError, match="the loss on the validation data is not finite after step 1"):
        trainer.fit(x, y, epochs=0.5, validation_data=(x, y), verbose=0)


def test_labels_outside_the_classes_are_reported_with_their_samples():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.zeros((N, 5), int)
    labels[40, 3] = 9
    with pytest.raises(UserError, match=r"1 labels lie outside 0 \.\.\. 2, the classes of the model: 9 at 40\."):
        Trainer(model, batch_size=B).fit(np.zeros((N, 5, 4), "float32"), labels, verbose=0)


def test_numpy_code_without_its_wrapper_is_rejected():
    def hardest(losses, batch_size, rng):
        return np.argsort(losses)[-batch_size:]

    x, y = classes(N)
    with pytest.raises(UserError, match=r"is not TensorFlow code: .*NumpyFunction\(function\)"):
        Trainer(mlp(), hardest, batch_size=B).fit(x, y, verbose=0)


def test_a_numpy_function_that_returns_too_few_indices_is_an_error():
    x, y = classes(N)
    with pytest.raises(UserError, match=r"must return 8 indices, shape \[8\], .* it returned a NumPy array int64\[3\]"):
        Trainer(mlp(), NumpyFunction(lambda losses, size, rng: np.arange(3)), batch_size=B).fit(x, y, verbose=0)


@pytest.mark.parametrize("selector", ["smart", "candidates"])
def test_negative_losses_are_rejected_by_selectors_that_rank_losses(selector):
    x, y = classes(N)
    one_hot = np.eye(3, dtype="float32")[y]
    for chosen in ("random", "length_buckets"):
        Trainer(mlp(loss="cosine_similarity"), chosen, batch_size=B, compile="graph").fit(x, one_hot, verbose=0)
    trainer = Trainer(mlp(loss="cosine_similarity"), selector, batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match=r"ranks samples by losses that are not negative. Use a loss that is 0 at"):
        trainer.fit(x, one_hot, epochs=3, verbose=0)


@pytest.mark.parametrize("built", [True, False])
def test_models_of_a_strategy_of_one_device_are_trained(built):
    layers = [keras.Input((4,))] if built else []
    for strategy in (tf.distribute.MirroredStrategy(["CPU:0"]), tf.distribute.OneDeviceStrategy("CPU:0")):
        with strategy.scope():
            model = keras.Sequential([*layers, keras.layers.Dense(3)])
            model.compile("sgd", "mse")
        assert batchsel.fit(model, np.zeros((8, 4)), np.zeros((8, 3)), compile="graph", verbose=0).history["loss"]


class WholeBatch(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return keras.ops.sum(y_pred)


def test_losses_that_override_the_whole_call_are_refused_with_selectors_by_loss():
    with pytest.raises(UserError, match=r"loss 'whole_batch' overrides __call__\(\) and not call\(\)"):
        batchsel.fit(linear(loss=WholeBatch(name="whole_batch")), *line(), selector="loss_ema")
