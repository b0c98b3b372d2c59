"""Record of the metrics that a train step updates, from which the loss of its batch is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import keras
import tensorflow as tf


class RecordedUpdates(ExitStack):
    """Context in which the updates and results of running means are recorded, while a train step is traced.

    A train step returns the running means of an epoch; what they were updated with belongs to the batch.

    Args:
        metrics: Metrics of the model; what others than `keras.metrics.Mean` and `Sum` are updated with is not recorded.

    Example:
        >>> mean = keras.metrics.Mean(name="loss")
        >>> mean.update_state(1.0)
        >>> with RecordedUpdates([mean]) as updates:
        ...     mean.update_state(3.0)
        ...     logs = {"total": mean.result()}
        >>> float(logs["total"]), float(updates.value_of("total", logs))
        (2.0, 3.0)
    """

    def __init__(self, metrics: Iterable[keras.metrics.Metric]) -> None:
        super().__init__()
        self._metrics = list(metrics)
        self._values: dict[int, Any] = {}
        """Last value that each metric was updated with, by its identity."""
        self._results: list[tuple[Any, keras.metrics.Metric]] = []
        """Results that were read, and the metric that each is of."""

    def __enter__(self) -> RecordedUpdates:
        super().__enter__()
        for metric in self._metrics:
            # In the dictionary, because Keras's __setattr__ would track the functions.
            own = vars(metric)
            own["result"] = partial(self._read, metric, metric.result)
            self.callback(own.pop, "result")
            if _is_running(metric):
                own["update_state"] = partial(self._update, metric, metric.update_state)
                self.callback(own.pop, "update_state")
        return self

    def value_of(self, name: str, logs: Mapping[str, Any]) -> tf.Tensor | None:
        """Return the value of a batch that belongs to a name.

        Args:
            name: Name of an entry of the logs, or of a metric.
            logs: The logs that the train step returned.

        Returns:
            ``float32[]``: what the metric was updated with whose result the entry is; what the metric of that name was
            updated with; or the entry itself, if no metric stands behind it. None if none of these is known.
        """
        entry = logs.get(name)
        behind = [metric for result, metric in self._results if entry is not None and result is entry]
        behind = behind or [metric for metric in self._metrics if metric.name == name and id(metric) in self._values]
        value = self._values.get(id(behind[-1])) if behind else entry
        if value is None or isinstance(value, Mapping) or not _is_reachable(value):
            return None
        return tf.reduce_mean(tf.cast(tf.convert_to_tensor(value), tf.float32))

    def _update(self, metric: keras.metrics.Metric, update: Any, *arguments: Any, **keywords: Any) -> Any:
        self._values[id(metric)] = arguments[0] if arguments else keywords.get("values")
        return update(*arguments, **keywords)

    def _read(self, metric: keras.metrics.Metric, read: Any) -> Any:
        result = read()
        self._results.append((result, metric))
        return result


def _is_running(metric: Any) -> bool:
    """Return whether a metric is updated with a value; a `MeanMetricWrapper` is with targets and outputs."""
    running = isinstance(metric, keras.metrics.Mean | keras.metrics.Sum)
    return running and not isinstance(metric, keras.metrics.MeanMetricWrapper)


def _is_reachable(value: Any) -> bool:
    """Return whether a value can be used here: not one of a function or branch within the train step."""
    inner = tf.is_symbolic_tensor(value)
    return not inner or value.graph is tf.compat.v1.get_default_graph()
