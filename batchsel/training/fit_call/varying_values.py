"""Values that vary over a run and that Keras does not know: rates of groups, blur, sizes of batches, visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from batchsel.core.html_table import html_table
from batchsel.training.engine import Engine

_EACH_ONCE = ("random", "fixed")
"""Selectors that train on every sample once a pass, so that visits say nothing."""


def varying_values(engine: Engine) -> dict[str, float]:
    """Return the values of the last update that vary over a run, by names for logs; empty if nothing varies.

    These are the values of the schedule log (``rate_of_group_0``, ``momentum``, ``blur_sigma``, ...) but the learning
    rate, which Keras names too; ``batch_size``, the samples of an update, where gradients are accumulated; and of
    selectors that do not train on each sample once a pass, the share of samples trained on so far as ``visited``, and
    how often one was at most as ``most_visits``.

    Args:
        engine: The engine of the run.
    """
    loop = engine.loop
    latest = {} if loop.schedule_log is None else loop.schedule_log.latest()
    values = {name.replace(" ", "_"): value for name, value in latest.items() if name != "learning rate"}
    if "batches_of_an_update" in values:
        values["batch_size"] = values["batches_of_an_update"] * engine.batch_size
    if engine.selector.name not in _EACH_ONCE:
        visits = loop.state.visits.numpy()
        values |= {"visited": float(np.mean(visits > 0)), "most_visits": float(visits.max())}
    return values


class MetricsHistory(keras.callbacks.History):
    """Keras's history: of metrics and the learning rate, without what else varies.

    Args:
        history: The history to go on with.
    """

    def __init__(self, history: dict[str, list[float]]) -> None:
        super().__init__()
        self.history = history
        self.others: Mapping[str, Any] = {}
        """Values in the logs that are left out, by name."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the metrics."""
        super().on_epoch_end(epoch, self.without_others(logs))

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows: a row for each epoch."""
        epochs = [number + 1 for number in self.epoch[-len(next(iter(self.history.values()), [])) :]]
        return html_table({"epoch": epochs, **{name: _floats(each) for name, each in self.history.items()}})

    def without_others(self, logs: Mapping[str, float] | None) -> dict[str, float]:
        """Return logs without the values that are left out.

        Args:
            logs: As a hook receives them.
        """
        return {name: value for name, value in (logs or {}).items() if name not in self.others}


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


class MetricsBar(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, of metrics and the learning rate: many groups of layers would fill the screen.

    Args:
        history: The history that says what is left out.
    """

    def __init__(self, history: MetricsHistory) -> None:
        super().__init__()
        self._metrics = history

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """End the bar of an epoch."""
        super().on_epoch_end(epoch, self._metrics.without_others(logs))
