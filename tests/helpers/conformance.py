"""Random small models, losses, metrics, optimizers, weights and data, trained by Keras and by batchsel.

``python tests/helpers/conformance.py 5000`` compares that many combinations, and prints those that differ.
"""

import argparse
import sys
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from problems import fill_weights

import batchsel
from batchsel.training import engine

GRAPH_EVERY = 40
"""One in so many combinations is traced, by Keras and by batchsel; the others run eagerly, without the seconds of it."""
CLEAR_EVERY = 20
"""Combinations after which Keras forgets its models; it collects garbage then, which takes as long as to train one."""
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}


class Combination:
    """A random combination; the same seed gives the same.

    Args:
        seed: Any whole number.
    """

    def __init__(self, seed):
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.graph = seed % GRAPH_EVERY == 0
        self.kind = self._one("classes", "one_hot", "binary", "regression", "steps", "masked", "pixels", "outputs")
        self.batch_size = int(self.rng.integers(2, 8))
        self.n = int(self.rng.integers(self.batch_size, 3 * self.batch_size + 2))
        if self.kind == "outputs" and not self.graph:
            # Run eagerly, Keras weighs the loss of an output by the rows of a batch; in a graph it does not know them.
            self.n = self.batch_size * int(self.rng.integers(1, 4))
        self.classes = int(self.rng.integers(2, 5))
        self.x = self._inputs()
        self.outputs = getattr(self, f"_{self.kind}")()
        self.optimizer = self._one(*_OPTIMIZERS)
        self.options = self._options()

    def __repr__(self):
        options = {name: _shapes(value) for name, value in self.options.items()}
        return (
            f"seed {self.seed}: {self.kind}, n={self.n}, b={self.batch_size}, {self.optimizer}, loss={self.loss},"
            f" metrics={self.metrics}, weighted={self.weighted}, {options}"
        )

    def differences(self):
        """Return the differences between training by Keras and by batchsel, as texts; empty if there are none."""
        expected, expected_weights = self._train(by_keras=True)
        found, weights = self._train(by_keras=False)
        if found.keys() != expected.keys():
            return [f"names {sorted(found)} for {sorted(expected)}"]
        wrong = [
            f"{name} {found[name]} for {values}"
            for name, values in expected.items()
            if not np.allclose(found[name], values, **TOLERANCE, equal_nan=True)
        ]
        largest = max(np.abs(own - other).max() for own, other in zip(weights, expected_weights, strict=True))
        return [*wrong, f"weights differ by {largest:.1e}"] if largest > 1e-3 else wrong

    def _train(self, by_keras):
        if self.seed % CLEAR_EVERY == 0 and by_keras:
            keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = self._model()
        optimizer = _OPTIMIZERS[self.optimizer]()
        # Built first, because an optimizer that copies the weights must not be built in the trace of a step.
        optimizer.build(model.trainable_variables)
        model.compile(
            optimizer, self.loss, metrics=self.metrics, weighted_metrics=self.weighted, run_eagerly=not self.graph,
            loss_weights=self.loss_weights,
        )  # fmt: skip
        options = {"batch_size": self.batch_size, "epochs": 2, "verbose": 0} | self.options
        if by_keras:
            history = model.fit(self.x, self.y, shuffle=False, **options)
        else:
            with _eagerly(not self.graph):
                history = batchsel.fit(model, self.x, self.y, selector="fixed", compile="graph", **options)
        return history.history, model.get_weights()

    def _model(self):
        inputs = keras.Input(self.x.shape[1:])
        hidden = inputs
        if self.kind == "masked":
            hidden = layers.Embedding(9, 4, mask_zero=True)(hidden)
        for layer in self.hidden:
            hidden = layer()(hidden)
        heads = {name: layers.Dense(size, activation, name=name)(hidden) for name, (size, activation) in
                 self.outputs.items()}  # fmt: skip
        if self.kind != "outputs":
            return fill_weights(keras.Model(inputs, heads["out"]))
        return fill_weights(
            keras.Model(inputs, {"dict": dict, "list": lambda items: list(heads.values())}[self.form](heads))
        )

    def _inputs(self):
        self.hidden = [self._one(*_HIDDEN) for _ in range(int(self.rng.integers(0, 3)))]
        if self.kind == "masked":
            return self.rng.integers(0, 9, (self.n, 6))
        shape = {"steps": (5, 3), "pixels": (4, 4, 2)}.get(self.kind, (4,))
        x = self.rng.normal(size=(self.n, *shape))
        return (
            x.astype(self._one("float32", "float64", "float32")) if self._maybe(0.9) else (9 * abs(x)).astype("uint8")
        )

    def _classes(self):
        self._compile(
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            ["accuracy", "sparse_categorical_accuracy", batch_mean],
        )
        self.y = self._labels(self.n)
        if self._maybe(0.2):
            self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
            self.y = np.where(self.rng.random(self.n) < 0.3, -1, self.y)
            self.metrics = self.weighted = None
        elif self._maybe(0.3):
            self.y = self.y[:, None]
        return {"out": (self.classes, None)}

    def _one_hot(self):
        smoothing = self._one(0.0, 0.1)
        metrics = [
            "accuracy",
            "auc",
            "precision",
            keras.metrics.F1Score("macro", name="f1"),
            "categorical_crossentropy",
        ]
        self._compile(keras.losses.CategoricalCrossentropy(label_smoothing=smoothing), metrics)
        self.y = np.eye(self.classes, dtype="float32")[self._labels(self.n)]
        return {"out": (self.classes, "softmax")}

    def _binary(self):
        loss = self._one("binary_crossentropy", "binary_focal_crossentropy", "hinge", "mse")
        self._compile(loss, ["accuracy", "precision", "recall", "auc", keras.metrics.TruePositives(name="tp"), dice])
        self.y = self.rng.integers(0, 2, (self.n, 1)).astype(self._one("float32", "int64"))
        return {"out": (1, "sigmoid")}

    def _regression(self):
        size = int(self.rng.integers(1, 4))
        self._compile(
            self._one("mse", "mae", "huber", "log_cosh", keras.losses.CosineSimilarity()),
            ["mae", "mse", keras.metrics.RootMeanSquaredError(name="rmse"), "r2_score", root_of_batch],
        )
        self.y = self.rng.normal(size=(self.n, size)).astype("float32")
        return {"out": (size, None)}

    def _steps(self):
        self._compile(
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=self._one(None, 0)), ["accuracy"]
        )
        self.y = self._labels((self.n, 5))
        return {"out": (self.classes, None)}

    def _masked(self):
        self.hidden = []
        self._compile(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
        self.y = self._labels((self.n, 6))
        return {"out": (self.classes, None)}

    def _pixels(self):
        metrics = ["accuracy", dice, keras.metrics.BinaryIoU(name="iou"), "precision", "auc"]
        self._compile("binary_crossentropy", metrics)
        self.y = self.rng.integers(0, 2, (self.n, 4, 4, 1)).astype("float32")
        return {"out": (1, "sigmoid")}

    def _outputs(self):
        self.form = self._one("dict", "list")
        heads = {"a": (1, None), "b": (2, None)}
        self.loss = {"a": self._one("mse", "huber"), "b": self._one("mae", "mse")}
        self.metrics = self._one(None, {"a": ["mae"], "b": ["mse", root_of_batch]})
        self.weighted = self._one(None, {"b": ["mae"]})
        self.loss_weights = self._one(None, {"a": 0.5, "b": 2.0})
        self.y = {name: self.rng.normal(size=(self.n, size)).astype("float32") for name, (size, _) in heads.items()}
        if self.form == "list":  # run eagerly, Keras cannot match targets by name to a list of outputs
            self.y = list(self.y.values())
        return heads

    def _compile(self, loss, metrics):
        self.loss, self.loss_weights = loss, None
        self.metrics = [metric for metric in metrics if self._maybe(0.5)] or None
        plain = [
            metric for metric in metrics if isinstance(metric, str) and metric not in ("auc", "precision", "recall")
        ]
        self.weighted = [self._one(*plain)] if plain and self._maybe(0.4) else None

    def _options(self):
        weights = self._weights()
        options = {} if weights is None else {"sample_weight": weights}
        if weights is None and self.kind == "one_hot" and self._maybe(0.4):
            present = np.unique(self.y.argmax(axis=1))
            options["class_weight"] = {int(label): float(self.rng.uniform(0.2, 3)) for label in present}
        validation = (self.x, self.y) if weights is None else (self.x, self.y, weights)
        choice = self._one("none", "data", "weighted", "split")
        if choice in ("data", "weighted"):
            options["validation_data"] = validation if choice == "weighted" else validation[:2]
        elif choice == "split" and self.n > 2 * self.batch_size and self.kind != "outputs" and self.kind != "classes":
            options["validation_split"] = 0.3
        return options

    def _weights(self):
        if self._maybe(0.5):
            return None
        rows = self.rng.uniform(0.1, 3, self.n).astype("float32")
        if self.kind in ("steps", "masked"):
            return self.rng.integers(0, 3, self.y.shape).astype("float32") + np.eye(1, self.y.shape[1], dtype="float32")
        if self.kind == "pixels":
            return None
        if self.kind == "outputs" and self._maybe(0.5) and self.form == "dict":
            return {"a": rows, "b": rows[::-1].copy()}
        return rows

    def _labels(self, shape):
        return self.rng.integers(0, self.classes, shape)

    def _one(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def _maybe(self, chance):
        return self.rng.random() < chance


def batch_mean(y_true, y_pred):
    return keras.ops.mean(y_pred)


def root_of_batch(y_true, y_pred):
    return keras.ops.sqrt(keras.ops.mean((keras.ops.cast(y_true, y_pred.dtype) - y_pred) ** 2))


def dice(y_true, y_pred):
    y_true = keras.ops.cast(y_true, y_pred.dtype)
    return 2 * keras.ops.sum(y_true * y_pred) / (keras.ops.sum(y_true) + keras.ops.sum(y_pred))


_HIDDEN = (
    lambda: layers.Dense(5, "tanh"),
    lambda: layers.Dense(4, "relu", kernel_regularizer="l2"),
    lambda: layers.Dense(4, "tanh", activity_regularizer=keras.regularizers.L2(0.02)),
    layers.BatchNormalization,
    layers.LayerNormalization,
    lambda: layers.Dropout(0.3, seed=3),
)
_OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.02),
    "clipped": lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.5),
    "averaged": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=3),
    "decaying": lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    "accumulating": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), initial_scale=8.0),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.005),
    "schedule free": lambda: keras.optimizers.ScheduleFreeAdamW(0.01),
}


def _shapes(value):
    return keras.tree.map_structure(lambda leaf: getattr(leaf, "shape", leaf), value)


@contextmanager
def _eagerly(eager):
    tf.config.run_functions_eagerly(eager)
    steps = engine._WARM_UP_STEPS
    engine._WARM_UP_STEPS = 0 if eager else steps  # there is nothing to compile, and steps take long
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
        engine._WARM_UP_STEPS = steps


def main():
    """Compare combinations of consecutive seeds, and exit with 1 if any differ."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    different = 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        combination = Combination(seed)
        try:
            found = combination.differences()
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        if found:
            different += 1
            print(combination, *found, sep="\n  ", flush=True)
    print(f"{different} of {arguments.count} combinations differ")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
