"""Conversion of the argument ``schedule=`` to a `Schedule`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import keras

from batchsel.errors import UsageError, show
from batchsel.schedules.base import FunctionSchedule, Schedule
from batchsel.schedules.registry import REGISTRY


def schedule(value: Any) -> Schedule | None:
    """Return the schedule that a text, an object or a function describes.

    Args:
        value: A text as in "cosine | warmup(0.05)", a `Schedule`, a function ``progress -> factor``, or None.

    Raises:
        UsageError: If `value` is none of these, or the text cannot be read.

    Example:
        >>> schedule("linear"), schedule(abs)
        (linear(end=0.0), function(abs))
    """
    if value is None or isinstance(value, Schedule):
        return value
    if isinstance(value, str):
        return reduce(or_, map(_to_schedule, REGISTRY.parse(value)))
    return _to_schedule(value)


def _to_schedule(value: Any) -> Schedule:
    if isinstance(value, type) and issubclass(value, Schedule):
        value = value()
    if isinstance(value, Schedule):
        return value
    if callable(value) and not isinstance(value, type | keras.optimizers.schedules.LearningRateSchedule):
        return FunctionSchedule(value)
    raise UsageError(
        "schedule must be a text such as 'cosine | warmup(0.05)', a batchsel Schedule, or a function of progress; got"
        f" {type(value).__name__} {show(value)}.{_advice(value)}"
    )


def _advice(value: Any) -> str:
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return " A Keras schedule counts steps: pass it to the optimizer as its learning rate."
    return ""
