"""Speed of a run on one device and on several, which take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from batchsel.benchmarks.loop import build_compiled, ratios, time_in_turn
from batchsel.benchmarks.tasks import Task
from batchsel.training.fit_model import fit
from batchsel.training.model.distributed.replicas import leave_out_sums
from batchsel.training.model.distributed.scope import device_scope, list_devices

_ALONE = "{}, without sums"


def measure(
    task: Task, rounds: int, selector: str, batch_size: int | None, on_progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Time a task on 1, 2, 4, ... devices, and on all.

    Args:
        task: The task.
        rounds: Number of timed calls of each, after one that compiles it.
        selector: The selector.
        batch_size: b, of all devices together; None for that of the task.
        on_progress: Called with a line before each round, or None.

    Returns:
        Steps per second by number of devices, how many times as fast as on one, the efficiency, that over the number,
        and the share of the time that sums of gradients take: what runs save whose replicas keep their own; JSON. On
        one device the loop is a plain graph too, as it is on several.
    """
    known = list_devices()
    counts = [count for count in (2**power for power in range(16)) if count < len(known)] + [len(known)]
    size = batch_size or task.batch_size
    x, y = task.data(task.n)
    arms: dict[str, Callable[[], Any]] = {}
    options: dict[str, Any] = {"selector": selector, "batch_size": size, "epochs": task.passes, "verbose": 0}

    def arm(count: int, context: Callable[[], AbstractContextManager[None]]) -> Callable[[], Any]:
        with device_scope(count):
            model = build_compiled(task)

        def train() -> Any:
            with context():
                return fit(model, x, y, compile="graph", **options)

        return train

    for count in counts:
        arms[str(count)] = arm(count, nullcontext)
        if count > 1:
            arms[_ALONE.format(count)] = arm(count, leave_out_sums)
    seconds = time_in_turn(arms, rounds, task.name, on_progress)
    steps = -(-task.n // size) * task.passes
    found = {}
    for name in map(str, counts):
        faster = ratios(seconds, "1", name)
        rate = steps / statistics.median(seconds[name])
        efficiency = {key: value / int(name) for key, value in faster.items()}
        found[name] = {"steps_per_second": rate, "times_as_fast": faster, "efficiency": efficiency}
        if name != "1":
            left = ratios(seconds, _ALONE.format(name), name)
            share = {key: 1 - left[other] for key, other in (("median", "median"), ("min", "max"), ("max", "min"))}
            found[name]["communication"] = share
    sizes = {"n": task.n, "batch_size": size, "steps": steps, "rounds": rounds}
    return {"task": task.name, "title": task.title, "devices": known, "selector": selector, **sizes, "counts": found}
