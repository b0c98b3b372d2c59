"""Runs on two devices, made of the CPU, and what came of them as JSON; in a process that imports TensorFlow anew."""

import json
import os
import re
import signal
import sys
from copy import deepcopy
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import batchsel
from batchsel.training import engine
from batchsel.training.inputs.batch import to_tensors
from batchsel.training.loop.loop_state import SEGMENTS, BudgetWindow

sys.path.append(str(Path(__file__).parents[2] / "helpers"))
from selector_table import REGISTERED

batchsel.device_scope(1)  # before TensorFlow starts, after which its devices cannot be changed

N, B = 203, 31
"""Neither divides the other, and 2 divides neither."""
RNG = np.random.default_rng(0)
X = RNG.integers(-4, 5, [N, 4]).astype(np.float32) / 2
Y = X @ np.array([[1.0], [-2.0], [0.5], [1.5]], np.float32) + RNG.integers(-2, 3, [N, 1]).astype(np.float32)
LABELS = (np.abs(Y[:, 0]) * 1.3).astype(int) % 3


class Signs(keras.optimizers.Optimizer):
    """Steps of a power of two against the sign of the gradient, so that weights are exact in float32."""

    def __init__(self, learning_rate=2.0**-5, **options):
        super().__init__(learning_rate, **options)

    def update_step(self, gradient, variable, learning_rate):
        size = keras.ops.cast(keras.ops.abs(gradient) > 1e-4, variable.dtype)
        self.assign_sub(variable, learning_rate * size * keras.ops.sign(gradient))


def exact(devices):
    """Return a model whose weights and losses are small multiples of powers of two, in whatever order they are summed."""
    with batchsel.device_scope(devices):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile(Signs(), "mse", metrics=["mae"])
    return model


def dense(devices, *layers, optimizer="adam", **options):
    """Return a classifier, with the same weights in every process."""
    keras.utils.set_random_seed(1)
    with batchsel.device_scope(devices):
        hidden = keras.layers.Dense(8, activation="tanh", kernel_regularizer="l2")
        model = keras.Sequential([keras.Input((4,)), hidden, *(layer() for layer in layers), keras.layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.get(optimizer), loss, metrics=["accuracy"], **options)
    return model


def train(model, y, selector, devices=None, epochs=14, *, path=None, callbacks=(), **settings):
    """Return the trainer of a model after all epochs, the first of them from a checkpoint if there is one."""
    settings = {"compile": "graph" if devices == 1 else "auto"} | settings
    trainer = batchsel.Trainer(model, selector, batch_size=B, seed=3, devices=devices, **settings)
    if path is not None and Path(path).exists():
        trainer.resume(path)
    options = {"checkpoint": path, "callbacks": callbacks, "validation_data": (X[:50], y[:50])}
    trainer.fit(X, y, epochs=epochs, verbose=0, **options)
    return trainer


def compared(one, two):
    """Return how two runs differ: weights relative to the largest, the rest to the bit."""
    pairs = list(zip(one.model.get_weights(), two.model.get_weights(), strict=True))
    states = list(zip(state_of(one), state_of(two), strict=True))
    history = [np.array(list(run.record.history.values()), float) for run in (one, two)]
    return {
        "steps": one.counts["steps"],
        "counts": one.counts == two.counts,
        "plans": all(np.array_equal(a, b) for a, b in states[:3]),
        "state": all(np.array_equal(a, b) for a, b in states),
        "visits": np.array_equal(one.visits, two.visits),
        "losses": float(largest(one.losses, two.losses)),
        "weights": max(float(largest(a, b) / np.abs(a).max()) for a, b in pairs),
        "history": float(largest(*history)),
    }


def state_of(trainer):
    state = trainer.loop.state
    return [part.numpy() for part in (*state.plan, *_flat(state.state))]


def variables_of_optimizer(trainer):
    """Return the values of the optimizer's variables, such as moments and averages of weights, on the first device."""
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in trainer.model.optimizer.variables]


def _flat(nest):
    return [leaf for part in nest for leaf in _flat(part)] if isinstance(nest, tuple | list) else [nest]


def largest(a, b):
    known = np.isfinite(a)
    assert (known == np.isfinite(b)).all()
    return np.abs(a[known] - b[known]).max(initial=0.0)


def same_as_one_device(kind, *selectors):
    """Compare runs on two devices with those on one, for each selector."""
    make, y = (exact, Y) if kind == "exact" else (dense, LABELS)
    return {name: compared(*(train(make(count), y, name, count) for count in (1, 2))) for name in selectors}


def shift_at_random(x, rng):
    return x + 0.1 * rng.uniform(x.shape, "noise")


def same_with_settings():
    """Compare runs on two devices with those on one, with settings that reach into the step."""
    scaled = keras.optimizers.serialize(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), 8.0))
    settings = {
        "accumulate": ("adam", {"accumulate": 2}),
        "growing": ("adam", {"accumulate": "grow(2, at=[0.5])", "schedule": "cosine"}),
        "scaled": (scaled, {"accumulate": 2}),
        "mixup": ("adam", {"augment": "mixup"}),
        "mixup and accumulation": ("adam", {"augment": "mixup", "accumulate": 3}),
        "weights and augmentation": ("adam", {"augment": shift_at_random}),
    }
    found = {}
    for name, (optimizer, options) in settings.items():
        selector = "random" if "mixup" in name else "infobatch" if "weights" in name else "soft_keep"
        models = {count: dense(count, optimizer=deepcopy(optimizer)) for count in (1, 2)}
        runs = [train(model, LABELS, selector, count, **options) for count, model in models.items()]
        found[name] = compared(*runs) | {"updates": [int(run.model.optimizer.iterations.numpy()) for run in runs]}
    return found


def run_every_selector():
    """Train with every registered selector on two devices; return what is wrong with each.

    Without tracing, which takes most of the time: what is traced differs in few, which others compare with one device.
    """
    wrong = {}
    engine._WARM_UP_STEPS = 0
    tf.config.run_functions_eagerly(True)
    for selector in REGISTERED:
        try:
            trainer = batchsel.Trainer(dense(2), selector, batch_size=7, seed=3, compile="graph")
            history = trainer.fit(X[:15], LABELS[:15], epochs=1, verbose=0).history
        except batchsel.UserError as error:
            wrong[selector] = [str(error)]
            continue
        held = {
            "losses that are not finite": np.isfinite(history["loss"]).all(),
            "nothing was trained": trainer.counts["steps"] > 0,
            "visits are not the samples trained on": trainer.visits.sum() == trainer.counts["samples"],
        }
        wrong[selector] = [problem for problem, holds in held.items() if not holds]
    return wrong


class Kill(keras.callbacks.Callback):
    """Ends the process without warning, once two epochs are in the checkpoint."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)


class Stop(keras.callbacks.Callback):
    """Ends the run without warning, once two epochs are in the checkpoint."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError


def normalized(devices):
    """Return a model that keeps statistics on each device."""
    return dense(devices, lambda: keras.layers.BatchNormalization(momentum=0.8), optimizer="sgd")


def killed(path):
    train(normalized(2), LABELS, "loss_ema", 2, path=path, callbacks=[Kill()])


def resumed(path, folder):
    """Compare a run that was killed and resumed with one that was not; and runs that change devices on the way."""
    found = {
        "killed": compared(
            train(normalized(2), LABELS, "loss_ema", 2), train(normalized(2), LABELS, "loss_ema", 2, path=path)
        )
    }
    whole = train(exact(2), Y, "loss_ema", 2)
    for before, after in ((2, 1), (1, 2)):
        path = f"{folder}/{before}.npz"
        try:
            train(exact(before), Y, "loss_ema", before, path=path, callbacks=[Stop()])
        except InterruptedError:
            found[f"{before} to {after}"] = compared(whole, train(exact(after), Y, "loss_ema", after, path=path))
    path, settings = f"{folder}/sums.npz", {"accumulate": 4}  # epochs of 7 batches end within an update
    try:
        train(exact(2), Y, "loss_ema", 2, path=path, callbacks=[Stop()], **settings)
    except InterruptedError:
        runs = [train(exact(2), Y, "loss_ema", 2, path=where, **settings) for where in (None, path)]
        found["accumulating"] = compared(*runs)
    return found


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return {"loss": self.compute_loss(*data)}


def half_built(part):
    """Return a model of which one part was made outside of the scope."""
    optimizer = keras.optimizers.Adam() if part == "optimizer" else "adam"
    metrics = [keras.metrics.MeanAbsoluteError()] if part == "metric" else []
    with batchsel.device_scope(2):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        if part != "optimizer":
            model.compile(optimizer, "mse", metrics=metrics)
    if part == "optimizer":
        model.compile(optimizer, "mse")
    return model


def own_step():
    with batchsel.device_scope(2):
        model = OwnStep([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    return model


def with_loss(**options):
    with batchsel.device_scope(2):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile("sgd", **{name: make() for name, make in options.items()})
    return model


class Largest(keras.metrics.Metric):
    """A metric that knows no weights, so that rows which fill up a batch would count."""

    def __init__(self, name="largest", **options):
        super().__init__(name=name, **options)
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign_add(keras.ops.max(y_pred))

    def result(self):
        return self.value


def refusals():
    """Return the error of each setting that several devices do not offer."""
    entropy = keras.losses.SparseCategoricalCrossentropy
    ignoring = entropy(from_logits=True, ignore_class=2)
    scaled = keras.optimizers.serialize(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(use_ema=True)))
    attempts = {
        "xla": lambda: train(exact(2), Y, "random", compile="xla"),
        "outside": lambda: train(exact(1), Y, "random", devices=2),
        "more": lambda: batchsel.device_scope(3),
        "none": lambda: batchsel.device_scope(0),
        "optimizer": lambda: train(half_built("optimizer"), Y, "random"),
        "metric": lambda: train(half_built("metric"), Y, "random"),
        "ema and loss scale": lambda: train(dense(2, optimizer=scaled), LABELS, "random"),
        "own step": lambda: train(own_step(), Y, "random"),
        "no reduction": lambda: train(with_loss(loss=lambda: entropy(True, reduction="none")), LABELS, "random"),
        "mixed ignored class": lambda: train(with_loss(loss=lambda: ignoring), LABELS, "random", augment="mixup"),
        "padding": lambda: train(
            with_loss(loss=lambda: "mse", metrics=lambda: [Largest()]), np.repeat(Y, 3, axis=1), "random"
        ),
    }
    found = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except batchsel.UserError as error:
            found[name] = str(error)
    return found


def exchanged(selector):
    """Return the dtype and the shape of all that crosses devices in a step, by the name of the operation.

    They are of the graphs that TensorFlow has divided among the devices, in which all that is sent is an operation.
    """
    from tensorflow.python.eager import context

    trainer = batchsel.Trainer(dense(2), selector, batch_size=64)
    context.enable_graph_collection()
    trainer.fit(X, LABELS, epochs=1, verbose=0)
    graphs = [
        graph for function in context.export_run_metadata().function_graphs for graph in function.partition_graphs
    ]
    context.disable_graph_collection()
    shapes = shapes_of_step(trainer)
    found = {}
    for node in (node for graph in graphs for node in graph.node if node.op in ("_Recv", "_HostRecv")):
        name = node.attr["tensor_name"].s.decode()
        if "/while/while/body/" in name and "ControlEdges" not in name:
            operation = re.sub(r"^edge_\d+_.*/while/while/body/_\d+/", "", name)
            found[operation] = tf.as_dtype(node.attr["tensor_type"].type).size, shapes.get(operation)
    return found


def shapes_of_step(trainer):
    """Return the shapes of all operations in the innermost loop, by name, as they were traced."""
    step, runner = trainer.engine.step, trainer.loop.runners["memory"]
    data = step.place(to_tensors(X, LABELS))
    numbers = (tf.zeros([SEGMENTS], tf.int64), tf.constant(1), tf.constant(1, tf.int64))
    with step.scope():
        trace = runner.run.get_concrete_function(data, BudgetWindow.from_numbers(0, 1, N), *numbers)
    shapes = {}
    for function in trace.graph.as_graph_def(add_shapes=True).library.function:
        for node in function.node_def:
            if node.name.startswith(("while/while/", "gradient_tape/while/while/")):
                sizes = [[one.size for one in shape.dim] for shape in node.attr["_output_shapes"].list.shape]
                shapes[node.name] = sizes[0] if sizes else []
    return shapes


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
