"""Variables that have a value on each of several devices, and all of these values at once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf


def list_replicas(variable: Any) -> list[tf.Variable]:
    """Return the variables on the devices that a variable consists of; an empty list for one that lies on one device.

    Args:
        variable: A variable of Keras or of TensorFlow.

    Example:
        >>> list_replicas(tf.Variable(1.0))
        []
    """
    inner: Any = variable.value if isinstance(variable, keras.Variable) else variable
    if not isinstance(inner, tf.distribute.DistributedValues):
        return []
    strategy: Any = getattr(inner, "distribute_strategy")  # noqa: B009 - not in the stubs
    return list(strategy.experimental_local_results(inner))


def read_replicas(variable: Any) -> np.ndarray:
    """Return the value of a variable; of one on several devices all values, with a first axis for the devices.

    Args:
        variable: A variable, or anything else with `numpy`.
    """
    parts = list_replicas(variable)
    return np.stack([part.numpy() for part in parts]) if parts else np.array(variable.numpy())


def write_replicas(variable: Any, value: np.ndarray) -> None:
    """Assign what `read_replicas` returned.

    Args:
        variable: The variable.
        value: The value, or that of each device.
    """
    parts = list_replicas(variable)
    if parts:
        for part, own in zip(parts, value, strict=True):
            part.assign(own)
    else:
        variable.assign(value)


class JointValue:
    """The one value that stands for those of a variable on several devices: their sum if they are shares, or the first.

    Args:
        variable: The variable.
    """

    def __init__(self, variable: Any) -> None:
        self._parts = list_replicas(variable)
        inner: Any = variable.value if isinstance(variable, keras.Variable) else variable
        self._sums = inner.aggregation == tf.VariableAggregation.SUM
        self.name: str = variable.name
        self.shape = self._parts[0].shape
        self.dtype = self._parts[0].dtype

    def numpy(self) -> np.ndarray:
        """Return the value."""
        values = [part.numpy() for part in self._parts]
        return np.sum(values, axis=0, dtype=values[0].dtype) if self._sums else values[0]

    def assign(self, value: Any) -> None:
        """Assign the value; the first device has all of a sum."""
        for number, part in enumerate(self._parts):
            part.assign(tf.zeros_like(part) if self._sums and number else value)


class SeparateValues:
    """The values of a variable on several devices, with a first axis for the devices.

    Args:
        variable: The variable.
    """

    def __init__(self, variable: Any) -> None:
        self._variable = variable
        parts = list_replicas(variable)
        self.name: str = variable.name
        self.shape = (len(parts), *parts[0].shape)
        self.dtype = parts[0].dtype

    def numpy(self) -> np.ndarray:
        """Return the values."""
        return read_replicas(self._variable)

    def assign(self, value: Any) -> None:
        """Assign the values."""
        write_replicas(self._variable, value)
