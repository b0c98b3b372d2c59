"""Functions receive what they name: fields of the context, and the last known signals of every sample."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp

from batchsel import Trainer, UserError
from batchsel.selectors import Function, NumpyFunction

N, B = 50, 8


def in_order(losses, batch_size, rng, *, step, n, probabilities, logits, predicted, features):
    return tf.cast((step * batch_size + tf.range(batch_size, dtype=tf.int64)) % n, tf.int32)


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("from_logits", [True, False])
def test_signals_are_those_of_the_last_visit(from_logits):
    x, y = classes(N)
    options = {"optimizer": keras.optimizers.SGD(0.0), "metrics": ()}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model = mlp(activation=None if from_logits else "softmax", loss=loss, **options)
    trainer = Trainer(model, in_order, batch_size=B, compile="graph")
    trainer.fit(x, y, passes=1.5, verbose=0)
    state = {name: value.numpy() for name, value in trainer.loop.state.state.items()}
    outputs = model.predict(x, verbose=0)
    expected = softmax(outputs) if from_logits else outputs
    assert trainer.visits.min() > 0
    np.testing.assert_allclose(state["probabilities"], expected, rtol=1e-5)
    np.testing.assert_allclose(softmax(state["logits"]), expected, rtol=1e-4)
    np.testing.assert_array_equal(state["predicted"], expected.argmax(axis=1))
    assert state["features"].shape == (N, 8)
    if from_logits:
        np.testing.assert_allclose(state["logits"], outputs, rtol=1e-5, atol=1e-6)


def test_a_binary_model_has_two_classes():
    x, y = classes(N, number=2)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), keras.losses.BinaryCrossentropy(from_logits=True))
    trainer = Trainer(model, lambda losses, b, rng, *, step, n, logits: in_order(losses, b, rng, step=step, n=n, probabilities=0, logits=logits, predicted=0, features=0), batch_size=B, compile="graph")  # fmt: skip
    trainer.fit(x, y, passes=1.5, verbose=0)
    found = softmax(trainer.loop.state.state["logits"].numpy())[:, 1]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-model.predict(x, verbose=0)[:, 0])), rtol=1e-4)


def test_fields_of_the_context_have_their_values():
    seen = []

    def records(losses, batch_size, rng, labels, *, progress, step, samples, passes, epoch, visits, plans, n, inputs):
        seen.append((labels, progress, step, samples, passes, epoch, visits, plans, n, inputs))
        return np.arange(batch_size)

    x, y = classes(N)
    trainer = Trainer(mlp(), NumpyFunction(records), batch_size=B)
    trainer.fit(x, y, passes=2, verbose=0)
    labels, progress, step, samples, passes, epoch, visits, plans, n, inputs = seen[-1]
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(inputs, x)
    assert (step, samples, plans, n) == (12, 96, 12, N)
    assert (round(float(progress), 2), round(float(passes), 2), epoch) == (0.96, 1.92, 1)
    assert visits.tolist() == [12] * B + [0] * (N - B)


def test_a_function_with_signals_resumes(tmp_path):
    def choose(losses, batch_size, rng, *, probability):
        return tf.math.top_k(rng.uniform(losses.shape) - probability, batch_size).indices

    class SaveAt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if whole.counts["steps"] == 20:
                whole.save(tmp_path / "half.npz")

    x, y = classes(N)
    whole, rest = (Trainer(mlp(), choose, batch_size=B, compile="graph") for _ in range(2))
    whole.fit(x, y, passes=8, verbose=0, callbacks=[SaveAt()])
    rest.resume(tmp_path / "half.npz")
    rest.fit(x, y, passes=8, verbose=0)
    np.testing.assert_array_equal(whole.visits, rest.visits)
    np.testing.assert_array_equal(whole.losses, rest.losses)


def test_names_with_a_default_that_are_no_field_keep_it():
    assert Function(lambda losses, batch_size, rng, power=2.0: losses).extra_names == ()
    with pytest.raises(
        UserError, match="unknown parameter of the selector function <lambda> 'visists'. Did you mean 'visits'"
    ):
        Function(lambda losses, batch_size, rng, *, visists: losses)


def test_a_function_may_read_the_model_that_is_trained():
    model = mlp()

    def least_certain(losses, batch_size, rng, *, inputs):
        return tf.math.top_k(-tf.reduce_max(tf.nn.softmax(model(inputs)), axis=1), batch_size).indices

    x, y = classes(N)
    trainer = Trainer(model, least_certain, batch_size=B, compile="graph")
    before = np.sort(-np.max(softmax(model.predict(x, verbose=0)), axis=1))[-B:]
    trainer.fit(x, y, passes=B / N, verbose=0)
    assert trainer.visits.sum() == B
    chosen = np.flatnonzero(trainer.visits)
    fresh = mlp()
    np.testing.assert_allclose(
        np.sort(-np.max(softmax(fresh.predict(x, verbose=0)), axis=1)[chosen]), before, rtol=1e-5
    )


def test_a_traced_function_with_python_conditions_is_converted_by_autograph():
    @tf.function
    def choose(losses, batch_size, rng):
        if losses[0] > 1:
            return rng.permutation(N)[:batch_size]
        return tf.range(batch_size)

    x, y = classes(N)
    trainer = Trainer(mlp(), choose, batch_size=B, compile="graph")
    trainer.fit(x, y, passes=1, verbose=0)
    assert trainer.visits.sum() >= N
