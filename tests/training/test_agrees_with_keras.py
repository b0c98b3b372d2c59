"""With the selector `fixed`, results match `model.fit(shuffle=False)` for everything Keras can compile."""

import keras
import numpy as np
import pytest
from problems import classes, linear, mlp, two_outputs

from batchsel import Trainer

N, B, EPOCHS = 50, 8, 3
X, Y = classes(N)
HOT = np.eye(3, dtype="float32")[Y]
WEIGHT = np.random.default_rng(3).uniform(0.2, 3, N).astype("float32")
SIZE = X.sum(axis=1)


def per_time_step():
    """A class for each of five time steps."""
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    return fill_and_compile(model, metrics=["accuracy"])


def fill_and_compile(model, **options):
    generator = np.random.default_rng(0)
    model.set_weights([0.4 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), **{"loss": loss} | options)
    return model


def masked_gru():
    """A classifier of word sequences; word 0 is padding, which the embedding masks."""
    layers = [keras.Input((6,)), keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.GRU(5)]
    return fill_and_compile(keras.Sequential([*layers, keras.layers.Dense(3)]))


def two_inputs():
    inputs = {"left": keras.Input((4,), name="left"), "right": keras.Input((4,), name="right")}
    joined = keras.layers.Concatenate()([inputs["left"], inputs["right"]])
    return fill_and_compile(keras.Model(inputs, keras.layers.Dense(3)(joined)))


def activity_regularized():
    layer = keras.layers.Dense(8, activity_regularizer=keras.regularizers.L2(0.05))
    return fill_and_compile(keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(3)]))


def several_metrics():
    return mlp(metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top2")])


def tagger(**options):
    """A class for each word; word 0 is padding."""
    layers = [keras.Input((6,)), keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.Dense(3)]
    return fill_and_compile(keras.Sequential(layers), **{"metrics": ["accuracy"]} | options)


def ignoring_a_class():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    inputs = keras.Input((5, 4))
    return fill_and_compile(keras.Model(inputs, keras.layers.Dense(3)(inputs)), loss=loss)


def one_hot_metrics():
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    return mlp(loss=loss, metrics=[keras.metrics.F1Score("macro"), keras.metrics.CategoricalAccuracy()])


WORDS = np.random.default_rng(5).integers(0, 9, (N, 6))
STEPS = np.random.default_rng(6).integers(0, 3, (N, 5))
# Two words of each text are padding, one step of each sample is left out: Keras averages over all steps of a batch,
# batchsel over those of a sample first.
PADDED = np.where(np.argsort(np.random.default_rng(7).random((N, 6)), axis=1) < 2, 0, 1 + WORDS % 8)
TAGS = np.random.default_rng(8).integers(0, 3, (N, 6))
ONE_LEFT_OUT = np.where(np.arange(5) == np.arange(N)[:, None] % 5, -1, STEPS)
STEP_WEIGHT = np.random.default_rng(9).uniform(0.2, 3, (N, 5)).astype("float32")
BOTH = {"kind": Y, "size": SIZE}
BINARY = {"loss": keras.losses.BinaryCrossentropy(from_logits=True), "outputs": 1}

CASES = {
    "classification": (mlp, (X, Y), {}),
    "loss by name": (lambda: mlp(activation="softmax", loss="sparse_categorical_crossentropy"), (X, Y), {}),
    "one hot": (lambda: mlp(loss=keras.losses.CategoricalCrossentropy(from_logits=True)), (X, HOT), {}),
    "label smoothing": (
        lambda: mlp(loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)),
        (X, HOT),
        {},
    ),
    "binary": (lambda: mlp(metrics=["accuracy", "auc"], **BINARY), (X, Y % 2), {}),
    "several metrics": (several_metrics, (X, Y), {}),
    "adam": (lambda: mlp(optimizer=keras.optimizers.Adam(0.01)), (X, Y), {}),
    "clipped gradients": (lambda: mlp(optimizer=keras.optimizers.SGD(0.5, clipnorm=0.1)), (X, Y), {}),
    "weight averages": (lambda: mlp(optimizer=keras.optimizers.SGD(0.1, use_ema=True)), (X, Y), {}),
    "own schedule": (
        lambda: mlp(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.3, 15))),
        (X, Y),
        {},
    ),
    "regression": (lambda: linear(4, metrics=["mae"]), (X, SIZE), {}),
    "huber": (lambda: linear(4, loss=keras.losses.Huber(0.1)), (X, SIZE), {}),
    "regression of several numbers": (lambda: mlp(loss="mse", outputs=4, metrics=["mae"]), (X, X**2), {}),
    "regularizer": (lambda: mlp(regularizer=keras.regularizers.L2(0.1)), (X, Y), {}),
    "activity regularizer": (activity_regularized, (X, Y), {}),
    "several outputs": (lambda: two_outputs(metrics={"kind": ["accuracy"], "size": ["mae"]}), (X, BOTH), {}),
    "sample weight": (lambda: mlp(weighted_metrics=["accuracy"]), (X, Y), {"sample_weight": WEIGHT}),
    "sample weight in a column": (mlp, (X, Y), {"sample_weight": WEIGHT[:, None]}),
    "sample weight of several outputs": (
        two_outputs,
        (X, BOTH),
        {"sample_weight": {"kind": WEIGHT, "size": WEIGHT**2}},
    ),
    "class weight": (mlp, (X, Y), {"class_weight": {0: 1.0, 1: 5.0, 2: 0.1}}),
    "class weight and validation split": (
        mlp,
        (X, Y),
        {"class_weight": {0: 1.0, 1: 5.0, 2: 0.1}, "validation_split": 0.3},
    ),
    "class weight of one hot": (
        lambda: mlp(loss=keras.losses.CategoricalCrossentropy(from_logits=True)),
        (X, HOT),
        {"class_weight": {0: 1.0, 1: 5.0, 2: 0.1}},
    ),
    "a class for each time step": (per_time_step, (X[:, None] * np.arange(5)[:, None], STEPS), {}),
    "weights of time steps": (
        per_time_step,
        (X[:, None] * np.arange(5)[:, None], STEPS),
        {"sample_weight": STEP_WEIGHT},
    ),
    "masked words": (masked_gru, (WORDS, Y), {}),
    "a class for each masked word": (tagger, (PADDED, TAGS), {}),
    "a class that the loss ignores": (ignoring_a_class, (X[:, None] * np.arange(5)[:, None], ONE_LEFT_OUT), {}),
    "metrics that are built late": (one_hot_metrics, (X, HOT), {}),
    "metrics of a regression that are built late": (lambda: linear(4, metrics=["r2_score"]), (X, SIZE[:, None]), {}),
    "dict of inputs": (two_inputs, ({"left": X, "right": X[::-1].copy()}, Y), {}),
    "bytes": (mlp, ((10 * X).astype("uint8"), Y), {}),
    "float64": (mlp, (X.astype("float64"), Y.astype("float64")), {}),
    "validation data": (mlp, (X, Y), {"validation_data": (X[:20], Y[:20])}),
    "weighted validation data": (mlp, (X, Y), {"validation_data": (X[:20], Y[:20], WEIGHT[:20])}),
    "validation split": (mlp, (X, Y), {"validation_split": 0.3}),
}


def train(build, data, options, selector="fixed"):
    """Train with batchsel, or with Keras if the selector is None; return the model and its history."""
    keras.utils.set_random_seed(1)
    model = build()
    if selector is None:
        history = model.fit(*data, batch_size=B, epochs=EPOCHS, shuffle=False, verbose=0, **options)
    else:
        trainer = Trainer(model, selector, batch_size=B, compile="graph")
        history = trainer.fit(*data, epochs=EPOCHS, verbose=0, **options)
    return model, history.history


# Where the last batch is short, Keras averages the loss of each output over batches instead of samples, and rows
# that fill up the batch take part in activity regularizers.
FULL_BATCHES = {"several outputs", "sample weight of several outputs", "activity regularizer"}


def take_first(n, nest):
    return keras.tree.map_structure(lambda leaf: leaf[:n], nest)


@pytest.mark.parametrize("case", CASES)
def test_weights_and_history_match_keras(case):
    build, data, options = CASES[case]
    if case in FULL_BATCHES:
        data, options = take_first(48, data), take_first(48, options)
    model, history = train(build, data, options)
    expected_model, expected_history = train(build, data, options, selector=None)
    assert set(history) == set(expected_history)
    for name, values in expected_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
    for found, expected in zip(model.get_weights(), expected_model.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_mixed_precision_matches_keras(policy):
    policy("mixed_bfloat16")
    # All batches are full: Keras would compile a second function for a short one, and round differently.
    case = (mlp, (X[:48], Y[:48]), {})
    model, history = train(*case)
    expected_model, expected_history = train(*case, selector=None)
    np.testing.assert_allclose(history["loss"], expected_history["loss"], rtol=0.02)
    for found, expected in zip(model.get_weights(), expected_model.get_weights(), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_loss_scaling_trains(policy):
    policy("mixed_float16")
    model, history = train(mlp, (X, Y), {})
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("case", ["several metrics", "regularizer", "several outputs", "sample weight", "binary"])
@pytest.mark.parametrize("rows", [16, 50])
def test_evaluate_matches_keras(case, rows):
    build, data, options = CASES[case]
    if case in FULL_BATCHES:
        data, options = take_first(48, data), take_first(48, options)
    model = build()
    weight = options.get("sample_weight")
    trainer = Trainer(model, batch_size=B, evaluation_batch_size=rows, compile="graph")
    expected = model.evaluate(*data, sample_weight=weight, batch_size=rows, verbose=0, return_dict=True)
    found = trainer.evaluate(*data, sample_weight=weight)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_evaluating_leaves_training_metrics_unchanged():
    def run(callbacks=()):
        trainer = Trainer(mlp(), "random", batch_size=B, compile="graph")
        calls = [call(trainer) for call in callbacks]
        return trainer.fit(X, Y, epochs=2, callbacks=calls, verbose=0).history

    def evaluates(trainer):
        return keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: trainer.evaluate(X, Y))

    assert run([evaluates]) == run()
