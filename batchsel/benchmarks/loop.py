"""Speed of the training loop, compared with `model.fit`, with a bare loop, and between selectors.

All arms of a task are timed in turn, round after round, in one process, so that a machine whose speed drifts slows all
of them. Ratios are computed within each round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from batchsel.benchmarks.tasks import Task
from batchsel.training.fit_model import fit
from batchsel.training.inputs.batch import to_tensors
from batchsel.training.loop.compilation import use_xla
from batchsel.training.trainer import Trainer

FIT, FIT_32, FLOOR = "model.fit", "model.fit, 32 steps per execution", "bare loop, one fixed batch"
SELECTORS = ("random", "loss_ema")


def _mlp() -> keras.Model:
    hidden = [layers.Dense(64, "relu"), layers.Dense(64, "relu")]
    return keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(2)])


def _cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )


def _lstm() -> keras.Model:
    return keras.Sequential(
        [keras.Input((40,), dtype="int32"), layers.Embedding(5000, 64), layers.LSTM(64), layers.Dense(2)]
    )


_MODELS: dict[str, Callable[[], keras.Model]] = {"mlp": _mlp, "cnn": _cnn, "lstm": _lstm}


def measure(task: Task, rounds: int, on_progress: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Time all arms of a task.

    Args:
        rounds: Number of timed runs of each arm, after one that compiles it.
        on_progress: Called with a line before each round, or None.

    Returns:
        Seconds of each round by arm, and ratios; JSON.
    """
    arms = _build_arms(task)
    seconds = time_in_turn(arms, rounds, task.name, on_progress)
    return {
        "task": task.name, "title": task.title, "n": task.n, "batch_size": task.batch_size,
        "passes": task.passes, "steps": task.steps, "rounds": rounds, "seconds": seconds,
        "arms": {name: _summarize(task, name, seconds) for name in arms},
    }  # fmt: skip


def time_in_turn(
    arms: Mapping[str, Callable[[], Any]], rounds: int, name: str, on_progress: Callable[[str], None] | None = None
) -> dict[str, list[float]]:
    """Time calls in turn, round after round.

    Args:
        arms: The calls by name; each is made once before, to compile it.
        rounds: Number of timed calls of each arm.
        name: Name of the task, for `on_progress`.
        on_progress: Called with a line before each round, or None.

    Returns:
        Seconds of each round by name.
    """
    on_progress = on_progress or (lambda line: None)
    for arm, call in arms.items():
        on_progress(f"{name}: compiling {arm}")
        call()
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    for number in range(rounds):
        on_progress(f"{name}: round {number + 1} of {rounds}")
        for arm, call in arms.items():
            start = time.perf_counter()
            call()
            seconds[arm].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: Mapping[str, list[float]], name: str, other: str) -> dict[str, float]:
    """Return the time of one arm over that of another: median, min and max over the rounds.

    Args:
        seconds: As `time_in_turn` returns them.
        name: The arm in the numerator.
        other: The arm in the denominator.

    Example:
        >>> ratios({"a": [2.0, 3.0], "b": [1.0, 1.0]}, "a", "b")
        {'median': 2.5, 'min': 2.0, 'max': 3.0}
    """
    found = [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]
    return {"median": statistics.median(found), "min": min(found), "max": max(found)}


def _summarize(task: Task, name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "microseconds_per_step": statistics.median(seconds[name]) / task.steps * 1e6,
        "times_as_fast_as_fit": ratios(seconds, FIT, name),
        "time_over_random": ratios(seconds, name, "random"),
        "time_over_floor": ratios(seconds, name, FLOOR),
    }


def _build_arms(task: Task) -> dict[str, Callable[[], Any]]:
    x, y = task.data(task.n)
    options: dict[str, Any] = {"batch_size": task.batch_size, "epochs": task.passes, "verbose": 0}
    arms: dict[str, Callable[[], Any]] = {}
    for name, per_execution in ((FIT, 1), (FIT_32, 32)):
        model = build_compiled(task, steps_per_execution=per_execution)
        arms[name] = lambda model=model: model.fit(x, y, **options)
    for selector in SELECTORS:
        model = build_compiled(task)
        arms[selector] = lambda model=model, selector=selector: fit(model, x, y, selector=selector, **options)
    arms[FLOOR] = _build_floor(task, x, y)
    return arms


def build_compiled(task: Task, **options: Any) -> keras.Model:
    """Build and compile the model of a task.

    Args:
        **options: As for `keras.Model.compile`.
    """
    model = _MODELS[task.name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], **options)
    return model


def _build_floor(task: Task, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """Build the lower bound: forward pass, backward pass and update on one batch, in one compiled loop."""
    model = build_compiled(task)
    optimizer, variables = model.optimizer, model.trainable_variables
    optimizer.build(variables)
    batch = to_tensors(x[: task.batch_size], y[: task.batch_size])
    xla = use_xla("auto", model, Trainer(model).selector)

    def step(done: tf.Tensor) -> tuple[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = model.loss(batch.y, model(batch.x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return (done + 1,)

    @tf.function(jit_compile=xla, autograph=False)
    def repeat(steps: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda done: done < steps, step, (tf.constant(0),), parallel_iterations=1)[0]

    return lambda: repeat(tf.constant(task.steps)).numpy()
