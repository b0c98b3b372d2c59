"""Signals that a selector requests match NumPy, for every loss that a model may be compiled with."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, compile_model, line, linear, mlp, two_outputs
from selectors_for_tests import AllSignals

from batchsel import Trainer
from batchsel.core.label_smoothing import SmoothedCrossentropy
from batchsel.errors import UserError
from batchsel.selectors.ops.sampling import scatter_update

N, LOSSES = 50, keras.losses
SHARED = ("probability", "correct", "gradient_norm")


class MeanLogits(AllSignals):
    """Records the logits and probabilities of each class."""

    signals = ("logits", "probabilities", "residuals")

    def init(self, n, shapes):
        return {name: tf.zeros([n, *shapes[name]]) for name in self.signals}

    def update(self, state, stats, context):
        return {name: scatter_update(state[name], stats.indices, getattr(stats, name)) for name in state}


class RegressionSignals(AllSignals):
    """Records the losses and gradient norms of a regression."""

    signals = ("gradient_norm",)

    def init(self, n):
        return {"loss": tf.zeros([n]), "gradient_norm": tf.zeros([n])}

    def update(self, state, stats, context):
        return {name: scatter_update(state[name], stats.indices, getattr(stats, name)) for name in state}


def state_after_one_pass(model, x, y):
    """State of `AllSignals` after a pass at learning rate 0, and the model's outputs."""
    trainer = Trainer(model, AllSignals(), batch_size=8, compile="graph")
    trainer.fit(x, y, epochs=1, verbose=0)
    state = {name: value.numpy() for name, value in trainer.loop.state.state.items()}
    return state, model.predict(x, verbose=0)


def mlp_at_rate_zero(**options):
    return mlp(optimizer=keras.optimizers.SGD(0.0), metrics=(), **options)


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def assert_signals(state, truth, predicted):
    """Compare with class probabilities ``[n, c]`` and one-hot targets."""
    np.testing.assert_allclose(state["probability"], (truth * predicted).sum(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(state["correct"], truth.argmax(axis=1) == predicted.argmax(axis=1))
    np.testing.assert_allclose(state["gradient_norm"], np.linalg.norm(predicted - truth, axis=1), rtol=1e-4)
    assert 0 < state["correct"].mean() < 1


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("column", [True, False])
def test_signals_of_sparse_cross_entropy_match_numpy(logits, column):
    x, y = classes(N)
    model = mlp_at_rate_zero(
        loss=LOSSES.SparseCategoricalCrossentropy(from_logits=logits), activation=None if logits else "softmax"
    )
    state, outputs = state_after_one_pass(model, x, y[:, None] if column else y)
    predicted = softmax(outputs) if logits else outputs
    assert_signals(state, np.eye(3)[y], predicted)
    np.testing.assert_allclose(state["loss"], -np.log(predicted[np.arange(N), y]), rtol=1e-4)


@pytest.mark.parametrize("logits", [True, False])
def test_signals_of_categorical_cross_entropy_match_numpy(logits):
    x, y = classes(N)
    model = mlp_at_rate_zero(
        loss=LOSSES.CategoricalCrossentropy(from_logits=logits), activation=None if logits else "softmax"
    )
    state, outputs = state_after_one_pass(model, x, np.eye(3, dtype="float32")[y])
    assert_signals(state, np.eye(3)[y], softmax(outputs) if logits else outputs)


@pytest.mark.parametrize("logits", [True, False])
def test_signals_of_binary_cross_entropy_match_numpy(logits):
    x, y = classes(N, number=2)
    activation = None if logits else "sigmoid"
    model = mlp_at_rate_zero(outputs=1, loss=LOSSES.BinaryCrossentropy(from_logits=logits), activation=activation)
    state, outputs = state_after_one_pass(model, x, y)
    positive = (1 / (1 + np.exp(-outputs)) if logits else outputs)[:, 0]
    assert_signals(state, np.eye(2)[y], np.stack([1 - positive, positive], axis=1))


@pytest.mark.parametrize(
    ("loss", "one_hot"),
    [
        ("sparse_categorical_crossentropy", False),
        (keras.losses.sparse_categorical_crossentropy, False),
        ("crossentropy", False),
        ("categorical_crossentropy", True),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_signals_of_losses_by_name_match_numpy(loss, one_hot):
    x, y = classes(N)
    model = mlp_at_rate_zero(loss=loss, activation="softmax")
    state, outputs = state_after_one_pass(model, x, np.eye(3, dtype="float32")[y] if one_hot else y)
    assert_signals(state, np.eye(3)[y], outputs)


def test_signals_of_binary_cross_entropy_by_name_match_numpy():
    x, y = classes(N, number=2)
    model = mlp_at_rate_zero(outputs=1, loss="binary_crossentropy", activation="sigmoid")
    state, outputs = state_after_one_pass(model, x, y)
    assert_signals(state, np.eye(2)[y], np.concatenate([1 - outputs, outputs], axis=1))


@pytest.mark.parametrize("one_hot", [True, False])
def test_label_smoothing_leaves_the_signals_unchanged(one_hot):
    x, y = classes(N)
    loss = (LOSSES.CategoricalCrossentropy if one_hot else SmoothedCrossentropy)(from_logits=True, label_smoothing=0.2)
    state, outputs = state_after_one_pass(
        mlp_at_rate_zero(loss=loss), x, np.eye(3, dtype="float32")[y] if one_hot else y
    )
    assert_signals(state, np.eye(3)[y], softmax(outputs))
    np.testing.assert_allclose(state["loss"], -np.log(softmax(outputs)[np.arange(N), y]), rtol=1e-4)


def test_signals_of_squared_error_match_numpy():
    x, y = line(N, features=4)
    model = mlp_at_rate_zero(outputs=1, loss="mse")
    trainer = Trainer(model, RegressionSignals(), batch_size=8, compile="graph")
    trainer.fit(x, y, epochs=1, verbose=0)
    state = {name: value.numpy() for name, value in trainer.loop.state.state.items()}
    outputs = model.predict(x, verbose=0)
    np.testing.assert_allclose(state["gradient_norm"], np.abs(outputs[:, 0] - y), rtol=1e-4)
    np.testing.assert_allclose(state["loss"], (outputs[:, 0] - y) ** 2, rtol=1e-4)


def test_features_are_the_input_of_the_last_layer():
    x, y = classes(N)
    model = mlp_at_rate_zero()
    state, outputs = state_after_one_pass(model, x, y)
    kernel, bias = model.layers[-1].get_weights()
    assert state["features"].shape == (N, 8)
    np.testing.assert_allclose(state["features"] @ kernel + bias, outputs, rtol=1e-4, atol=1e-5)


def test_features_of_a_convolution_are_flattened():
    x = np.random.default_rng(0).normal(size=(N, 4, 4, 1)).astype("float32")
    layers = [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = compile_model(keras.Sequential(layers), optimizer=keras.optimizers.SGD(0.0))
    state, _ = state_after_one_pass(model, x, np.arange(N) % 3)
    np.testing.assert_allclose(
        state["features"], keras.ops.convert_to_numpy(model.layers[0](x)).reshape(N, 8), rtol=1e-4, atol=1e-6
    )


def test_signals_are_float32_in_mixed_precision(policy):
    policy("mixed_bfloat16")
    x, y = classes(N)
    state, outputs = state_after_one_pass(mlp_at_rate_zero(), x, y)
    assert {state[name].dtype for name in (*SHARED, "loss", "features")} == {np.dtype("float32")}
    np.testing.assert_allclose(state["probability"], softmax(outputs.astype("float32"))[np.arange(N), y], rtol=0.03)


def test_signals_of_several_outputs_are_rejected():
    with pytest.raises(UserError, match="one output"):
        Trainer(two_outputs(), AllSignals(), batch_size=8, compile="graph")


def test_an_unknown_signal_is_rejected():
    class UnknownSignal(AllSignals):
        signals = ("probability", "margin")

    with pytest.raises(
        UserError, match="unknown signal of UnknownSignal 'margin'. Known: boundary_distance, correct, features"
    ):
        Trainer(mlp(), UnknownSignal())


@pytest.mark.parametrize("selector", [AllSignals(), MeanLogits()])
def test_the_cost_of_selection_can_be_measured_for_every_signal(selector):
    from batchsel.training.diagnostics.selection_cost import selection_seconds

    x, y = classes(N)
    trainer = Trainer(mlp(), selector, batch_size=8, compile="graph")
    trainer.fit(x, y, verbose=0)
    assert set(selection_seconds(trainer)) == {"planning", "updating", "scoring", "choosing"}


@pytest.mark.parametrize(
    ("loss", "targets"),
    [("mse", "numbers"), ("mae", "numbers"), (lambda y, p: keras.ops.mean((y - p) ** 2, axis=-1), "numbers")],
    ids=["mse", "mae", "own"],
)
def test_class_signals_of_a_regression_are_rejected(loss, targets):
    x, y = line(N)
    for selector in ("kakurenbo", "ordered_sgd", "recency_bias"):
        trainer = Trainer(linear(loss=loss), selector, batch_size=8, compile="graph")
        with pytest.raises(UserError, match="which need cross-entropy over the classes of a sample"):
            trainer.fit(x, y[:, None], verbose=0)


def test_gradient_signals_of_other_losses_are_rejected():
    x, y = line(N)
    Trainer(linear(), "memory_importance", batch_size=8, compile="graph").fit(x, y[:, None], verbose=0)
    trainer = Trainer(linear(loss="mae"), "memory_importance", batch_size=8, compile="graph")
    with pytest.raises(UserError, match="are the gradient of the loss only for cross-entropy or squared error"):
        trainer.fit(x, y[:, None], verbose=0)


def test_class_signals_of_several_labels_a_sample_are_rejected():
    x, y = classes(N)
    targets = np.stack([y > 0, y > 1], axis=1).astype("float32")
    model = mlp_at_rate_zero(loss=LOSSES.BinaryCrossentropy(from_logits=True), outputs=2)
    with pytest.raises(UserError, match="which need cross-entropy over the classes"):
        Trainer(model, "forgetting", batch_size=8, compile="graph").fit(x, targets, verbose=0)


@pytest.mark.parametrize("one_hot", [True, False])
def test_scores_use_losses_without_label_smoothing(one_hot):
    x, y = classes(N)
    targets = np.eye(3, dtype="float32")[y]
    if one_hot:
        loss = LOSSES.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    else:
        loss, targets = (
            LOSSES.BinaryCrossentropy(from_logits=True, label_smoothing=0.3),
            (y > 0).astype("float32")[:, None],
        )
    model = mlp_at_rate_zero(loss=loss, outputs=3 if one_hot else 1)
    trainer = Trainer(model, "random", batch_size=8, compile="graph")
    history = trainer.fit(x, targets, verbose=0).history
    logits = model.predict(x, verbose=0)
    if one_hot:
        unsmoothed_losses = -np.log(softmax(logits)[np.arange(N), y])
    else:
        unsmoothed_losses = np.logaddexp(0, np.where(targets > 0, -logits, logits))[:, 0]
    np.testing.assert_allclose(trainer.losses, unsmoothed_losses, rtol=1e-4, atol=1e-6)
    smoothed = np.asarray(loss(targets, logits))
    assert history["loss"][0] == pytest.approx(float(smoothed), rel=1e-4)
