"""Cost of schedules, rates by layer and curricula: the loop with them against the loop without."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.benchmarks.loop import build_compiled, ratios, time_in_turn
from batchsel.benchmarks.tasks import TASKS, Task
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.schedules import schedule
from batchsel.training.fit_model import fit
from batchsel.training.loop.compilation import use_xla
from batchsel.training.optim.lr_controller import LRController
from batchsel.training.trainer import Trainer
from batchsel.transforms import curricula

NONE = "none"
ARMS: dict[str, dict[str, Any]] = {
    NONE: {},
    "none, again": {},
    "cosine | warmup": {"schedule": "cosine | warmup(0.05)"},
    "cosine | lerac": {"schedule": "cosine | lerac(1.0)"},
}
BLUR = "blur(sigma=1.0, until=1.0)"
_SIZES = {"mlp": {"passes": 100}, "cnn": {"n": 12_800}}
"""The tasks, with calls of a second or two for each arm, so that drifts of the machine affect all arms."""
_REPEATS = 50
_UPDATES = 200
"""Updates in one call, when updates are timed separately."""


def measure(rounds: int, quick: bool = False, on_progress: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """Time a dense and a convolutional network with and without schedules, in turn in one process.

    Args:
        rounds: Number of timed calls of each arm.
        quick: Whether to use few samples, which tests the benchmark but measures nothing.
        on_progress: Called with a line before each round, or None.

    Returns:
        For each network and arm, as JSON, "over": its time over that of the arm without schedules; and "own": its own
        work over the time of a step without schedules, which is the additional time of an update for a schedule, and
        the time to blur a batch for blur.
    """
    found = []
    for name, sizes in _SIZES.items():
        task = TASKS[name].quick() if quick else dataclasses.replace(TASKS[name], **sizes)
        # To compile a convolutional network takes most of a quick run, so it has fewer schedules.
        arms = {arm: ARMS[arm] for arm in (NONE, "cosine | lerac")} if quick and name == "cnn" else ARMS
        found.append(_measure_task(task, arms, rounds, on_progress))
    return found


def _measure_task(
    task: Task, arms: dict[str, dict[str, Any]], rounds: int, on_progress: Callable[[str], None] | None
) -> dict[str, Any]:
    x, y = task.data(task.n)
    images = x.ndim == 4
    wanted = arms | ({"blur": {"curriculum": BLUR}} if images else {})
    options: dict[str, Any] = {"batch_size": task.batch_size, "epochs": task.passes, "verbose": 0}

    def arm(settings: dict[str, Any]) -> Callable[[], Any]:
        model = build_compiled(task)
        return lambda: fit(model, x, y, **settings, **options)

    seconds = time_in_turn({name: arm(settings) for name, settings in wanted.items()}, rounds, task.name, on_progress)
    step = statistics.median(seconds[NONE]) / task.steps
    if on_progress is not None:
        on_progress(f"{task.name}: updates alone")
    own = {name: more / step for name, more in _extra_update_seconds(task, arms, rounds).items()}
    if images:
        own["blur"] = _blur_seconds(x[: task.batch_size]) / step
    figures = {name: {"over": ratios(seconds, name, NONE), "own": own[name]} for name in wanted if name != NONE}
    return {"task": task.name, "title": task.title, "batch_size": task.batch_size, "seconds": seconds, "arms": figures}


def _extra_update_seconds(task: Task, arms: dict[str, dict[str, Any]], rounds: int) -> dict[str, float]:
    """Return the additional seconds of an update with each schedule, for given gradients."""
    seconds = time_in_turn({name: _build_updates(task, settings) for name, settings in arms.items()}, rounds, task.name)
    medians = {name: statistics.median(times) / _UPDATES for name, times in seconds.items()}
    return {name: median - medians[NONE] for name, median in medians.items()}


def _build_updates(task: Task, settings: dict[str, Any]) -> Callable[[], Any]:
    model = build_compiled(task)
    model.optimizer.build(model.trainable_variables)
    lr_controller = LRController(model, schedule(settings.get("schedule")), task.batch_size)
    gradients = [tf.random.stateless_normal(variable.shape, (0, 0)) for variable in model.trainable_variables]

    def step(done: tf.Tensor) -> tuple[tf.Tensor]:
        lr_controller.apply_gradients(gradients, Timestamp.from_progress(done / _UPDATES))
        return (done + 1,)

    def repeat() -> tf.Tensor:
        return tf.while_loop(lambda done: done < _UPDATES, step, (tf.constant(0),), parallel_iterations=1)[0]

    # As a partial, so that TensorFlow does not warn that the same function is traced for each arm.
    call = tf.function(partial(repeat), jit_compile=use_xla("auto", model, Trainer(model).selector), autograph=False)
    return lambda: call().numpy()


def _blur_seconds(batch: np.ndarray) -> float:
    """Return the seconds to blur a batch separately, compiled as in the loop of a convolutional network."""
    blur = curricula.resolve(BLUR)

    @tf.function(jit_compile=blur.suits_xla, autograph=False)
    def once(x: tf.Tensor) -> tf.Tensor:
        return blur(x, Rng(tf.constant(0), tf.constant(0)), Timestamp.from_progress(0.0))

    x = tf.constant(batch)
    once(x).numpy()
    start = time.perf_counter()
    for _ in range(_REPEATS):
        once(x).numpy()
    return (time.perf_counter() - start) / _REPEATS
