"""Optimizers that clip gradients by value and then by norm; Keras allows only one of the two."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.keras_private import GradientTransform
from batchsel.core.parameters import check_value
from batchsel.optimizers.parameters import HINTS


@functools.cache
def with_value_clipping(base: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """Return a class of optimizer that clips gradients by value before it clips their norm.

    Args:
        base: The class of an optimizer.

    Returns:
        A class that accepts `clipvalue` together with `clipnorm` or `global_clipnorm`, and all other arguments of
        `base`.

    Example:
        >>> weights = keras.Variable([0.0, 0.0])
        >>> optimizer = with_value_clipping(keras.optimizers.SGD)(1.0, clipvalue=4.0, global_clipnorm=2.5)
        >>> optimizer.apply([tf.constant([3.0, -9.0])], [weights])  # clipped to 3 and -4, whose norm is 5
        >>> weights.numpy().round(4).tolist()
        [-1.5, 2.0]
    """

    class ValueClipping(GradientTransform, base):
        def __init__(self, *arguments: Any, clipvalue: float | None = None, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.clipvalue = clipvalue
            check_value(self.name, "clipvalue", clipvalue, HINTS["clipvalue"])

        def transform_gradients(self, gradients: list[Any]) -> list[Any]:
            return [_clip(gradient, self.clipvalue) for gradient in gradients]

    ValueClipping.__name__ = ValueClipping.__qualname__ = f"ValueClipping{base.__name__}"
    ValueClipping.__doc__ = f"{base.__name__} that clips gradients by value before it clips their norm."
    # Saved models name it as version 0.1 registered it.
    return keras.saving.register_keras_serializable("batchsel", name=f"Clamping{base.__name__}")(ValueClipping)


def _clip(gradient: Any, limit: float | None) -> Any:
    return gradient if gradient is None or limit is None else tf.clip_by_value(gradient, -limit, limit)
