"""Log of scheduled values over a run: learning rate, momentum, rates of layers, blur, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

POINTS = 200
"""Maximum number of points of a log; each is the last update in its part of the budget."""


class ScheduleLog:
    """Scheduled values of updates over a run, one row for each of `POINTS` parts of the budget.

    Args:
        names: Names of the values.

    Example:
        >>> schedule_log = ScheduleLog(["learning rate"])
        >>> schedule_log.record(tf.constant(0.5), {"learning rate": tf.constant(0.1)})
        >>> schedule_log.values(unit=1000)["samples"]
        [500]
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.table = tf.Variable(self._empty(), trainable=False)

    def _empty(self) -> tf.Tensor:
        return tf.fill([POINTS, 1 + len(self.names)], float("nan"))

    def clear(self) -> None:
        """Clear the log."""
        self.table.assign(self._empty())

    def record(self, progress: tf.Tensor, values: Mapping[str, tf.Tensor], time: tf.Tensor | None = None) -> None:
        """Record an update.

        Args:
            progress: ``float32[]`` in [0, 1].
            values: ``float32[]`` by name.
            time: ``float32[]`` samples trained on before, in the unit that `values` is given; None for progress.
        """
        row_index = tf.minimum(tf.cast(progress * POINTS, tf.int32), POINTS - 1)
        row = tf.stack(
            [progress if time is None else time, *(tf.cast(values[name], tf.float32) for name in self.names)]
        )
        self.table.scatter_nd_update([[row_index]], [row])

    def latest(self) -> dict[str, float]:
        """Return the values of the last update that was recorded, by name; empty before the first."""
        table = self.table.numpy()
        table = table[np.isfinite(table[:, 0])]
        return dict(zip(self.names, map(float, table[-1, 1:]), strict=True)) if len(table) else {}

    def values(self, unit: int) -> dict[str, Any]:
        """Return the log as JSON.

        Args:
            unit: Samples in the unit of the times that were recorded: those of the budget for progress.

        Returns:
            "names"; "samples" trained on before each point; "values" by point and name, six digits.
        """
        table = self.table.numpy()
        table = table[np.isfinite(table[:, 0])]
        rows = [[float(f"{value:.6g}") for value in row] for row in table[:, 1:]]
        return {"names": self.names, "samples": [round(float(time) * unit) for time in table[:, 0]], "values": rows}
