"""Metrics see what Keras shows them: the rows of each batch, none that only fill it up, and weights where Keras has any."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from parity import assert_agrees, fit
from problems import classes, compile_model, fill_weights, linear, mlp, sparse

import batchsel
from batchsel.errors import UsageError, UserError
from batchsel.selectors import InfoBatch

N = 50
X, Y = classes(N)
SIZE = X.sum(axis=1, keepdims=True)
GENERATOR = np.random.default_rng(4)
STEPS = GENERATOR.normal(size=(N, 8, 4)).astype("float32")
CLASS_OF_STEP = GENERATOR.integers(0, 3, (N, 8))
IS_STEP = GENERATOR.integers(0, 2, (N, 8, 1)).astype("float32")
WEIGHT = GENERATOR.uniform(0.2, 3, N).astype("float32")
STEP_WEIGHT = np.where(GENERATOR.random((N, 8)) < 0.4, 0, 1).astype("float32")
WORDS = GENERATOR.integers(0, 9, (N, 8))
SOME_IGNORED = np.where(GENERATOR.random((N, 8)) < 0.4, -1, CLASS_OF_STEP)
SOME_IGNORED[3] = -1
ROWS_IGNORED = np.where(GENERATOR.random(N) < 0.3, -1, Y)


class Counter(keras.metrics.Metric):
    """Rows seen, whatever their weight, and a second number by a name of its own."""

    def __init__(self, name="rows"):
        super().__init__(name=name)
        self.count = self.add_weight(shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(keras.ops.cast(keras.ops.shape(y_pred)[0], "float32"))

    def result(self):
        return {"rows": self.count + 0, "rows_twice": 2 * self.count}


def rmse(y_true, y_pred):
    return keras.ops.sqrt(keras.ops.mean((y_true - y_pred) ** 2))


def mean_by_python(y_true, y_pred):
    value = tf.py_function(lambda y, p: tf.reduce_mean(abs(y - p)), [y_true, y_pred], tf.float32)
    value.set_shape([])
    return value


def by_step(outputs=3, activation=None, **options):
    layers = [keras.Input((8, 4)), keras.layers.Dense(outputs, activation)]
    return compile_model(keras.Sequential(layers), **options)


def tagger():
    layers = [keras.Input((8,)), keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.Dense(3)]
    return compile_model(keras.Sequential(layers))


class Noted(keras.layers.Layer):
    """A layer with a loss and a metric of its own, as in a variational autoencoder."""

    def __init__(self):
        super().__init__()
        self.size = keras.metrics.Mean(name="size_of_code")

    def call(self, code):
        size = keras.ops.mean(keras.ops.sum(code**2, axis=-1))
        self.add_loss(0.1 * size)
        self.size.update_state(size)
        return code


def autoencoder():
    layers = [keras.Input((4,)), keras.layers.Dense(2, "tanh"), Noted(), keras.layers.Dense(4)]
    return compile_model(keras.Sequential(layers), loss="mse", metrics=None)


class OwnTestStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def test_step(self, data):
        """Return a number of the batch; Keras reports that of the last one."""
        x, y = data
        return {"error": keras.ops.mean(keras.ops.abs(y - self(x, training=False)))}


class OwnMetrics(OwnTestStep):
    test_step = keras.Model.test_step

    def __init__(self):
        super().__init__()
        self.total = keras.metrics.Sum(name="total")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.total.update_state(keras.ops.sum(x))
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "total": self.total.result()}


class AllEpochs(keras.metrics.MeanSquaredError):
    """Is never reset, so that it averages over all epochs."""

    def reset_state(self):
        pass


class OwnLogs(OwnMetrics):
    """Returns a number that no metric stands behind: Keras logs what the last batch gave."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        return logs | {"spread": keras.ops.std(y_pred)}


def subclassed(kind):
    model = kind()
    model(X[:1])
    return compile_model(model, loss="mse", metrics=["mae"])


def two(kind, **options):
    inputs = keras.Input((4,))
    outputs = {name: keras.layers.Dense(size, name=name)(inputs) for name, size in (("a", 1), ("b", 2))}
    outputs = {"dict": outputs, "one": [outputs["a"]]}.get(kind) or {"list": list, "tuple": tuple}[kind](
        outputs.values()
    )
    model = fill_weights(keras.Model(inputs, outputs))
    model.compile(keras.optimizers.SGD(0.05), **options)
    return model


def noted_rows():
    return mlp(metrics=["accuracy", Counter()])


COUNTS = ["precision", "recall", "auc", keras.metrics.TruePositives, keras.metrics.BinaryIoU, rmse]
A, B = X[:, :1], X[:, 1:3]
MSE = {"loss": "mse"}
NO_CLASS = {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), "metrics": None}


def counts(**options):
    names = ["tp", "iou"]
    metrics = [metric if metric in COUNTS[:3] or metric is rmse else metric(name=names.pop(0)) for metric in COUNTS]
    return by_step(1, "sigmoid", loss="binary_crossentropy", metrics=metrics)


def batch_norm():
    layers = [keras.Input((4,)), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    return compile_model(keras.Sequential(layers))


def active():
    layer = keras.layers.Dense(8, activity_regularizer=keras.regularizers.L2(0.05))
    return compile_model(keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(3)]))


def binary():
    metrics = [keras.metrics.F1Score(threshold=0.5)]
    return compile_model(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")]), None, "mse", metrics)


CASES = {
    "rows and a dict": (noted_rows, (X, Y), {}),
    "one number for a batch": (lambda: linear(4, metrics=[rmse, "r2_score"]), (X, SIZE), {}),
    "counts over steps": (counts, (STEPS, IS_STEP), {}),
    "two losses of one output": (lambda: linear(4, loss=["mse", "mae"]), (X, SIZE), {}),
    "no loss of an output": (lambda: two("list", loss=["mse", None]), (X, [A, B]), {}),
    "no target of an output": (lambda: two("list", loss=["mse", None]), (X, [A]), {}),
    "targets by name": (
        lambda: two("list", loss={"a": "mse", "b": "mae"}, metrics={"a": ["mae"]}),
        (X, {"a": A, "b": B}),
        {},
    ),
    "tuple": (lambda: two("tuple", loss=["mse", "mae"], loss_weights=[0.5, 2.0]), (X, [A, B]), {}),
    "dict": (lambda: two("dict", loss={"a": "mse", "b": "mae"}), (X, {"a": A, "b": B}), {}),
    "list of one": (lambda: two("one", loss=["mse"], metrics=["mae"]), (X, [A]), {}),
    "layer with loss and metric": (autoencoder, (X, X), {}),
    "test step": (lambda: subclassed(OwnTestStep), (X, SIZE), {}),
    "compute_metrics": (lambda: subclassed(OwnMetrics), (X, SIZE), {}),
    "compute_metrics with other logs": (lambda: subclassed(OwnLogs), (X, SIZE), {}),
    "a metric that goes on over epochs": (lambda: linear(4, metrics=[AllEpochs()]), (X, SIZE), {}),
    "batch normalization": (batch_norm, (X, Y), {}),
    "activity regularizer": (active, (X, Y), {}),
    "masks": (tagger, (WORDS, CLASS_OF_STEP), {}),
    "ignored steps": (lambda: by_step(**NO_CLASS), (STEPS, SOME_IGNORED), {}),
    "ignored rows": (lambda: mlp(**NO_CLASS), (X, ROWS_IGNORED), {}),
    "weights of steps": (
        lambda: by_step(weighted_metrics=["accuracy"]),
        (STEPS, CLASS_OF_STEP),
        {"sample_weight": STEP_WEIGHT},
    ),
    "weights of rows": (lambda: mlp(weighted_metrics=["accuracy"]), (X, Y), {"sample_weight": WEIGHT}),
}


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_history_and_weights_agree_with_keras(case):
    build, data, options = CASES[case]
    validation = (*data, *options.values())
    assert_agrees(lambda by_keras: fit(build(), *data, by_keras, validation_data=validation, **options))


def test_an_array_of_one_number_is_that_number():
    data = X, (SIZE > 0).astype("float32")
    found, expected = (fit(binary(), *data, by_keras, epochs=2, validation_data=data)[0] for by_keras in (False, True))
    for name in ("f1_score", "val_f1_score"):
        np.testing.assert_allclose(found[name], np.ravel(expected[name]), rtol=1e-5)


@pytest.mark.parametrize("case", ["rows and a dict", "two losses of one output", "batch normalization"])
def test_xla_agrees_with_keras_on_short_batches(case):
    build, data, _ = CASES[case]
    model, expected = build(), fit(build(), *data, by_keras=True, epochs=2)
    history = batchsel.fit(model, *data, batch_size=8, epochs=2, selector="fixed", compile="xla", verbose=0).history
    for name, values in expected[0].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(("selector", "compile"), [("infobatch", "graph"), ("candidates(pool=2)", "graph")])
def test_short_batches_of_any_size_show_their_rows_only(selector, compile):
    trainer = batchsel.Trainer(noted_rows(), selector, batch_size=8, compile=compile)
    history = trainer.fit(X, Y, epochs=3, verbose=0).history
    assert sum(history["rows"]) == trainer.visits.sum()


def test_a_metric_that_must_not_see_padding_keeps_short_batches_of_any_size_out_of_xla():
    trainer = batchsel.Trainer(noted_rows(), InfoBatch(), batch_size=8)
    trainer.fit(X, Y, verbose=0)
    assert not trainer.xla
    plain = batchsel.Trainer(mlp(), InfoBatch(), batch_size=8)
    plain.fit(X, Y, verbose=0)
    assert plain.xla
    with pytest.raises(UsageError, match="compile='xla' is impossible.* plans short batches of any size"):
        batchsel.Trainer(noted_rows(), InfoBatch(), batch_size=8, compile="xla").fit(X, Y, verbose=0)


def test_what_xla_cannot_compile_runs_as_a_graph():
    model = linear(4, metrics=[mean_by_python])
    trainer = batchsel.Trainer(model, "fixed", batch_size=8)
    found = trainer.fit(X, SIZE, epochs=2, verbose=0, validation_data=(X, SIZE)).history
    assert not trainer.xla
    expected, _ = fit(linear(4, metrics=["mae"]), X, SIZE, by_keras=True, epochs=2, validation_data=(X, SIZE))
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
    assert np.isfinite(found["val_mean_by_python"]).all()


def test_selectors_see_the_loss_of_a_sample_by_the_weights_of_its_steps():
    model = by_step(metrics=None, optimizer=keras.optimizers.SGD(0.0))
    weights = STEP_WEIGHT.copy()
    weights[5] = 0
    trainer = batchsel.Trainer(model, "fixed", batch_size=8, compile="graph")
    trainer.fit(STEPS, CLASS_OF_STEP, sample_weight=weights, verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(CLASS_OF_STEP, model(STEPS), from_logits=True).numpy()
    total = weights.sum(axis=1)
    expected = np.where(total > 0, (losses * weights).sum(axis=1) / np.maximum(total, 1), 0)
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-5)


BAD_WEIGHTS = {
    "columns": (mlp, (X, Y), {"sample_weight": np.ones((N, 3))}, r"shape \[n, 3\].* one number for each sample"),
    "columns like rows": (mlp, (X, Y), {"sample_weight": np.ones((N, 8))}, r"shape \[n, 8\].* Pass weights of the"),
    "other steps": (
        by_step,
        (STEPS, CLASS_OF_STEP),
        {"sample_weight": np.ones((N, 3))},
        r"for each step\. Pass weights of the shape \[n\] or \[n, 8\]",
    ),
    "some outputs": (
        lambda: two("dict", loss="mse"),
        (X, {"a": A, "b": B}),
        {"sample_weight": {"a": np.ones(N)}},
        r"no weights for the output \['b'\]",
    ),
    "classes of steps": (by_step, (STEPS, CLASS_OF_STEP), {"class_weight": {0: 2.0}}, r"y has the shape \[50, 8\]"),
    "classes of pixels": (
        by_step,
        (STEPS, np.zeros((N, 8, 1), int)),
        {"class_weight": {0: 2.0}},
        r"one class for each sample",
    ),
    "several classes": (
        lambda: mlp(loss="binary_crossentropy", activation="sigmoid"),
        (X, np.tile([1.0, 0.0, 1.0], (N, 1))),
        {"class_weight": {0: 2.0}},
        "one class for each sample",
    ),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_that_do_not_suit_the_loss_are_refused_before_training(case):
    build, data, options, message = BAD_WEIGHTS[case]
    model = build()
    before = model.get_weights()
    with pytest.raises(UserError, match=message):
        batchsel.fit(model, *data, batch_size=8, compile="graph", **options)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_validation_weights_are_checked_too():
    with pytest.raises(UserError, match="one number for each sample"):
        batchsel.fit(mlp(), X, Y, batch_size=8, validation_data=(X, Y, np.ones((N, 3))))


def test_targets_that_fit_no_output_are_refused():
    with pytest.raises(UserError, match="the loss cannot be computed from these targets and outputs"):
        batchsel.fit(two("list", loss=["mse", "mae"]), X, [A, B, A], batch_size=8)


def test_a_selector_with_wrong_short_batches_is_an_error():
    class Wrong(batchsel.selectors.Random):
        def short_batch(self, n, batch_size):
            return 3

    with pytest.raises(UserError, match=r"another number of rows than 8 or the 3 of its short_batch\(\)"):
        batchsel.fit(mlp(loss=sparse()), X, Y, selector=Wrong(), batch_size=8, compile="graph", verbose=0)
