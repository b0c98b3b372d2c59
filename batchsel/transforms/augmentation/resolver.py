"""Whatever a user gives as ``augment=`` becomes a `Pipeline`."""

from __future__ import annotations

from typing import Any

import keras

from batchsel.errors import UsageError
from batchsel.transforms.augmentation.adapters import Function, KerasLayer
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pipeline import Pipeline
from batchsel.transforms.augmentation.registry import REGISTRY


def resolve(augment: Any) -> Pipeline | None:
    """The pipeline that a text, an object, a Keras layer, a function, or a list of these stands for.

    Args:
        augment: As in ``"crop(4) | flip"`` or ``[keras.layers.RandomFlip(), my_function]``; None, or nothing, for none.

    Raises:
        UsageError: If it is none of these.

    Example:
        >>> resolve(["flip", lambda x: 2 * x])
        flip(chance=0.5, direction='horizontal') | function(<lambda>)
    """
    parts = tuple(_parts(augment))
    return Pipeline(parts) if parts else None


def _parts(augment: Any) -> list[Augmentation]:
    if augment is None or (isinstance(augment, str) and not augment.strip()):
        return []
    if isinstance(augment, Pipeline):
        return list(augment.parts)
    if isinstance(augment, str):
        augment = REGISTRY.parse(augment)
    if isinstance(augment, list | tuple):
        return [part for one in augment for part in _parts(one)]
    if isinstance(augment, type) and issubclass(augment, Augmentation | keras.Layer):
        augment = augment()
    if isinstance(augment, Augmentation):
        return [augment]
    if isinstance(augment, keras.Layer):
        return [KerasLayer(augment)]
    if callable(augment):
        return [Function(augment)]
    raise UsageError(
        "augment must be a text such as 'crop(4) | flip', an augmentation, a Keras layer, a function on the batch, or a"
        f" list of these; got {type(augment).__name__} {augment!r}."
    )
