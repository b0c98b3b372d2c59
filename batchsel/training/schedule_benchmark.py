"""What schedules, rates by layer and curricula cost a step: the loop with them against the loop without."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel import curricula
from batchsel.moment import Moment
from batchsel.rng import Rng
from batchsel.training.benchmark import QUICK, TASKS, Task, compiled, ratios, timed_in_turn
from batchsel.training.fit_model import fit

NONE = "none"
ARMS: dict[str, dict[str, Any]] = {
    NONE: {},
    "none, again": {},
    "cosine | warmup": {"schedule": "cosine | warmup(0.05)"},
    "cosine | lerac": {"schedule": "cosine | lerac(1.0)"},
}
BLUR = "blur(sigma=1.0, until=1.0)"
_TASKS = ("mlp", "cnn")
_REPEATS = 50


def measure(rounds: int, quick: bool = False, tell: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """Times a dense and a convolutional network with and without them, in turn in one process.

    Args:
        rounds: Times that each is timed.
        quick: Whether to take few samples, which proves nothing.
        tell: Called with a line before each round, or None.

    Returns:
        For each network the time over that of none, and for blur also what blurring a batch by itself takes over a
        step of none; JSON.
    """
    found = []
    for name in _TASKS:
        task = TASKS[name]
        if quick:
            n, passes = QUICK[name]
            task = dataclasses.replace(task, n=n, passes=passes)
        found.append(_of_task(task, rounds, tell))
    return found


def _of_task(task: Task, rounds: int, tell: Callable[[str], None] | None) -> dict[str, Any]:
    x, y = task.data(task.n)
    images = x.ndim == 4
    wanted = ARMS | ({"blur": {"curriculum": BLUR}} if images else {})
    options = {"batch_size": task.batch_size, "epochs": task.passes, "verbose": 0}

    def arm(settings: dict[str, Any]) -> Callable[[], Any]:
        model = compiled(task)
        return lambda: fit(model, x, y, **settings, **options)

    seconds = timed_in_turn({name: arm(settings) for name, settings in wanted.items()}, rounds, task.name, tell)
    step = statistics.median(seconds[NONE]) / task.steps
    own = {"blur": _blurring(x[: task.batch_size]) / step} if images else {}
    arms = {name: {"over": ratios(seconds, name, NONE), "own": own.get(name)} for name in wanted if name != NONE}
    return {"task": task.name, "title": task.title, "batch_size": task.batch_size, "seconds": seconds, "arms": arms}


def _blurring(batch: np.ndarray) -> float:
    """Seconds that blurring a batch takes by itself, compiled as in the loop of a convolutional network."""
    blur = curricula.resolve(BLUR)

    @tf.function(jit_compile=blur.suits_xla, autograph=False)
    def once(x: tf.Tensor) -> tf.Tensor:
        return blur(x, Rng(tf.constant(0), tf.constant(0)), Moment.of(0.0))

    x = tf.constant(batch)
    once(x).numpy()
    start = time.perf_counter()
    for _ in range(_REPEATS):
        once(x).numpy()
    return (time.perf_counter() - start) / _REPEATS
