"""What schedules, rates by layer and curricula cost a step: the loop with them against the loop without."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.benchmarks.loop import QUICK, TASKS, Task, compiled, ratios, timed_in_turn
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
"""The tasks, with calls of a second or two for each arm: a machine that slows down for a while slows all arms then."""
_REPEATS = 50
_UPDATES = 200
"""Updates in one call, where updates alone are timed."""


def measure(rounds: int, quick: bool = False, on_progress: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """Times a dense and a convolutional network with and without them, in turn in one process.

    Args:
        rounds: Times that each is timed.
        quick: Whether to take few samples, which proves nothing.
        on_progress: Called with a line before each round, or None.

    Returns:
        For each network the time over that of none, and what each does by itself over a step of none: of a schedule,
        what updates take with it more than without, and of blur, blurring a batch; JSON.
    """
    found = []
    for name, sizes in _SIZES.items():
        if quick:
            sizes = dict(zip(("n", "passes"), QUICK[name], strict=True))
        task = dataclasses.replace(TASKS[name], **sizes)
        found.append(_of_task(task, rounds, on_progress))
    return found


def _of_task(task: Task, rounds: int, on_progress: Callable[[str], None] | None) -> dict[str, Any]:
    x, y = task.data(task.n)
    images = x.ndim == 4
    wanted = ARMS | ({"blur": {"curriculum": BLUR}} if images else {})
    options = {"batch_size": task.batch_size, "epochs": task.passes, "verbose": 0}

    def arm(settings: dict[str, Any]) -> Callable[[], Any]:
        model = compiled(task)
        return lambda: fit(model, x, y, **settings, **options)

    seconds = timed_in_turn({name: arm(settings) for name, settings in wanted.items()}, rounds, task.name, on_progress)
    step = statistics.median(seconds[NONE]) / task.steps
    if on_progress is not None:
        on_progress(f"{task.name}: updates alone")
    own = {name: more / step for name, more in _updating(task, rounds).items()}
    if images:
        own["blur"] = _blurring(x[: task.batch_size]) / step
    arms = {name: {"over": ratios(seconds, name, NONE), "own": own[name]} for name in wanted if name != NONE}
    return {"task": task.name, "title": task.title, "batch_size": task.batch_size, "seconds": seconds, "arms": arms}


def _updating(task: Task, rounds: int) -> dict[str, float]:
    """Seconds that an update takes more than without a schedule, with gradients that are there already."""
    seconds = timed_in_turn({name: _updates(task, settings) for name, settings in ARMS.items()}, rounds, task.name)
    medians = {name: statistics.median(times) / _UPDATES for name, times in seconds.items()}
    return {name: median - medians[NONE] for name, median in medians.items()}


def _updates(task: Task, settings: dict[str, Any]) -> Callable[[], Any]:
    model = compiled(task)
    model.optimizer.build(model.trainable_variables)
    lr_controller = LRController(model, schedule(settings.get("schedule")), task.batch_size)
    gradients = [tf.random.stateless_normal(variable.shape, (0, 0)) for variable in model.trainable_variables]

    def step(done: tf.Tensor) -> tuple[tf.Tensor]:
        lr_controller.update(gradients, Timestamp.from_progress(done / _UPDATES))
        return (done + 1,)

    def repeat() -> tf.Tensor:
        return tf.while_loop(lambda done: done < _UPDATES, step, (tf.constant(0),), parallel_iterations=1)[0]

    # As a partial, so that TensorFlow does not take the functions of all arms for one that is traced again and again.
    call = tf.function(partial(repeat), jit_compile=use_xla("auto", model, Trainer(model).selector), autograph=False)
    return lambda: call().numpy()


def _blurring(batch: np.ndarray) -> float:
    """Seconds that blurring a batch takes by itself, compiled as in the loop of a convolutional network."""
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
