"""What stops a run is said with the samples to blame, and what was there before is left in order."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, line, linear, mlp

from batchsel import Trainer, UserError
from batchsel.selectors import Candidates, Fixed, NumpyFunction, Plan, Selection
from batchsel.training import TrainingError
from batchsel.training.fit import fit_loop

N, B = 50, 8


@keras.saving.register_keras_serializable()
def log_loss(y_true, y_pred):
    """NaN where the target is negative."""
    return tf.math.log(y_true)[:, 0] + 0 * y_pred[:, 0]


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_a_loss_that_is_nan_stops_the_run_and_names_the_samples(compile):
    x, y = line(N)
    y = np.abs(y) + 0.1
    y[[19, 21]] = -1
    trainer = Trainer(linear(loss=log_loss), "fixed", batch_size=B, compile=compile)
    with pytest.raises(TrainingError) as caught:
        trainer.fit(x, y[:, None], epochs=5, verbose=0)
    assert "the loss is not finite at step 3, for 2 samples of its batch: 19, 21." in str(caught.value)
    assert trainer.counts["steps"] == 3
    assert isinstance(caught.value, UserError)


def test_weights_that_diverge_are_told_from_bad_samples():
    x, y = line(N)
    with pytest.raises(
        TrainingError, match=r"Most of the batch is non-finite: training diverged; lower the learning rate\."
    ):
        Trainer(linear(rate=1e30), batch_size=B, compile="graph").fit(x, y, epochs=9, verbose=0)


def test_a_checkpoint_from_before_the_fault_is_kept(tmp_path):
    x, y = line(N)
    trainer = Trainer(linear(rate=1e4), batch_size=25, compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y, epochs=50, verbose=0, checkpoint=tmp_path / "run.npz")
    again = Trainer(linear(), batch_size=25, compile="graph")
    again.resume(tmp_path / "run.npz")
    again.fit(x, y, epochs=0.5, verbose=0)
    assert np.isfinite(again.model.get_weights()[0]).all()


@pytest.mark.parametrize("index", [N, -1, 2**31 - 1])
def test_a_plan_outside_the_data_is_a_fault(index):
    def chooses(losses, batch_size, rng):
        return tf.tensor_scatter_nd_update(tf.range(batch_size), [[5]], [index])

    x, y = classes(N)
    trainer = Trainer(mlp(), chooses, batch_size=B, compile="graph")
    before = trainer.model.get_weights()
    words = rf"function\(chooses, every=1\) chose sample {index}; the data set has samples 0 to 49 \(1 of 8 indices"
    with pytest.raises(TrainingError, match=words):
        trainer.fit(x, y, verbose=0)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], before[0])


@dataclass(frozen=True, repr=False)
class Steps(Fixed):
    """Says that it has planned that many batches, from the second plan on."""

    name = "steps"
    steps: int = 0

    def plan(self, state, context):
        plan = super().plan(state, context)
        return Plan(plan.indices, plan.weights, tf.where(context.step > 0, self.steps, plan.steps))


@pytest.mark.parametrize("steps", [0, -1, 8])
def test_a_plan_of_no_or_too_many_batches_is_a_fault(steps):
    x, y = classes(N)
    trainer = Trainer(mlp(), Steps(steps), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match=rf"steps\(steps={steps}\) planned {steps} batches; a plan has 1 to 7\."):
        trainer.fit(x, y, epochs=3, verbose=0)
    assert trainer.counts["samples"] == N


@dataclass(frozen=True, repr=False)
class Weighted(Fixed):
    """Gives all rows one weight, from the second plan on."""

    name = "weighted"
    weight: float = 0.0

    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=tf.where(context.step > 0, self.weight * plan.weights, plan.weights))


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf")])
def test_a_plan_that_weighs_nothing_or_no_number_is_a_fault(weight, monkeypatch):
    monkeypatch.setattr(fit_loop.FitLoop, "_call_steps", lambda self: 10)
    x, y = classes(N)
    trainer = Trainer(mlp(), Weighted(weight), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match="weight"):
        trainer.fit(x, y, epochs=3, seconds=0.3, verbose=0)
    assert np.isfinite(trainer.model.get_weights()[0]).all()


def test_a_streamed_run_stops_on_the_same_faults():
    class Source:
        x, y = classes(N)

        def __len__(self):
            return N

        def take(self, indices):
            return self.x[indices], self.y[indices]

    trainer = Trainer(mlp(), Steps(0), batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match="planned 0 batches"):
        trainer.fit(Source(), epochs=3, verbose=0)


def test_a_function_that_returns_too_few_indices():
    def few(losses, batch_size, rng):
        return tf.range(batch_size - 1)

    x, y = classes(N)
    with pytest.raises(ValueError, match=r"must return 8 indices, shape \[8\]; it returned shape \[7\]"):
        Trainer(mlp(), few, batch_size=B).fit(x, y, verbose=0)


def test_a_numpy_function_that_fails_shows_its_error():
    def fails(losses, batch_size, rng):
        raise RuntimeError("my own mistake")

    x, y = classes(N)
    with pytest.raises(tf.errors.OpError, match="my own mistake"):
        Trainer(mlp(), NumpyFunction(fails), batch_size=B).fit(x, y, verbose=0)


@dataclass(frozen=True, repr=False)
class Wrong(Candidates):
    """Takes from its pool what is not to be had."""

    name = "wrong"
    position: int = 0
    weight: float = 1.0

    def choose(self, state, candidates, context):
        choice = super().choose(state, candidates, context)
        first = tf.range(context.batch_size) == 0
        return Selection(tf.where(first, self.position, choice.positions), tf.where(first, self.weight, choice.weights))


@pytest.mark.parametrize("compile", ["graph", "xla"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Wrong(pool=4, position=4 * B), r"choose\(\) of wrong\(.*\) returned positions outside its pool of 32 rows"),
        (Wrong(pool=4, position=-1), r"choose\(\) of wrong\(.*\) returned positions outside its pool of 32 rows"),
        (Wrong(pool=4, weight=0.0), "returned a batch whose first row has weight 0"),
        (Wrong(pool=4, weight=float("nan")), "a weight that is not finite"),
    ],
)
def test_a_choice_that_makes_no_sense_stops_the_run(wrong, words, compile):
    x, y = classes(N)
    with pytest.raises(TrainingError, match=words):
        Trainer(mlp(), wrong, batch_size=B, compile=compile).fit(x, y, verbose=0)


def test_after_a_fault_a_reset_starts_over():
    x, y = line(N)
    trainer = Trainer(linear(loss=log_loss), batch_size=B, compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    trainer.reset(1)
    history = trainer.fit(x, np.abs(y)[:, None] + 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_after_a_fault_new_weights_and_a_call_of_fit_train_again():
    x, y = line(N)
    trainer = Trainer(linear(loss=log_loss), batch_size=B, compile="graph")
    before = trainer.model.get_weights()
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    trainer.model.set_weights(before)
    history = trainer.fit(x, np.abs(y)[:, None] + 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_the_learning_rate_is_restored_after_a_fault():
    x, y = line(N)
    y = np.abs(y) + 0.1
    y[40] = -1
    model = linear(loss=log_loss, optimizer=keras.optimizers.SGD(0.5))
    trainer = Trainer(model, "fixed", batch_size=B, schedule="linear", compile="graph")
    with pytest.raises(TrainingError):
        trainer.fit(x, y[:, None], verbose=0)
    assert float(model.optimizer.learning_rate.numpy()) == 0.5


def test_an_evaluation_that_is_not_finite_stops_the_run():
    x, y = line(N)
    trainer = Trainer(linear(rate=1e38), batch_size=25, compile="graph")
    with pytest.raises(TrainingError, match="the loss on the validation data is not finite after step 1"):
        trainer.fit(x, y, epochs=0.5, validation_data=(x, y), verbose=0)


def test_labels_outside_are_named_by_their_sample():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.zeros((N, 5), int)
    labels[40, 3] = 9
    with pytest.raises(UserError, match=r"1 labels lie outside 0 \.\.\. 2, the classes of the model: 9 at 40\."):
        Trainer(model, batch_size=B).fit(np.zeros((N, 5, 4), "float32"), labels, verbose=0)


def test_numpy_code_without_its_wrapper_is_told_of_it():
    def hardest(losses, batch_size, rng):
        return np.argsort(losses)[-batch_size:]

    x, y = classes(N)
    with pytest.raises(UserError, match=r"is not TensorFlow code .*NumpyFunction\(function\)"):
        Trainer(mlp(), hardest, batch_size=B).fit(x, y, verbose=0)


def test_a_numpy_function_of_the_wrong_length_is_told():
    x, y = classes(N)
    with pytest.raises(tf.errors.OpError, match=r"must return 8 indices, shape \[8\]; it returned shape \[3\]"):
        Trainer(mlp(), NumpyFunction(lambda losses, size, rng: np.arange(3)), batch_size=B).fit(x, y, verbose=0)


@pytest.mark.parametrize("selector", ["smart", "candidates"])
def test_losses_below_zero_are_refused_where_they_are_ranked(selector):
    x, y = classes(N)
    one_hot = np.eye(3, dtype="float32")[y]
    for chosen in ("random", "length_buckets"):
        Trainer(mlp(loss="cosine_similarity"), chosen, batch_size=B, compile="graph").fit(x, one_hot, verbose=0)
    trainer = Trainer(mlp(loss="cosine_similarity"), selector, batch_size=B, compile="graph")
    with pytest.raises(TrainingError, match=r"ranks samples by losses that are not negative. Use a loss that is 0 at"):
        trainer.fit(x, one_hot, epochs=3, verbose=0)
