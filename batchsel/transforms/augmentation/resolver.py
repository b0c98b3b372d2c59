"""The value that a user passes as ``augment=``, resolved to a `Pipeline`."""

from __future__ import annotations

from typing import Any

import keras

from batchsel.transforms.augmentation.adapters import Function, KerasLayer
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pipeline import Pipeline
from batchsel.transforms.augmentation.registry import REGISTRY
from batchsel.transforms.base import flatten

_EXPECTED = (
    "augment must be a text such as 'crop(4) | flip', an augmentation, a Keras layer, a function on the batch, or a"
    " list of these"
)


def resolve(augment: Any) -> Pipeline | None:
    """Return the pipeline that a text, an object, a Keras layer, a function, or a list of these stands for.

    Args:
        augment: As in ``"crop(4) | flip"`` or ``[keras.layers.RandomFlip(), my_function]``; None or "" for none.

    Raises:
        UsageError: If it is none of these.

    Example:
        >>> resolve(["flip", lambda x: 2 * x])
        flip(chance=0.5, direction='horizontal') | function(<lambda>)
    """
    parts = tuple(flatten(augment, Pipeline, REGISTRY, _convert, _EXPECTED))
    return Pipeline(parts) if parts else None


def _convert(value: Any) -> Augmentation | None:
    if isinstance(value, type) and issubclass(value, Augmentation | keras.Layer):
        value = value()
    if isinstance(value, Augmentation):
        return value
    if isinstance(value, keras.Layer):
        return KerasLayer(value)
    return Function(value) if callable(value) and not isinstance(value, type) else None
