"""Both ways to clip gradients, one after the other: value by value, then by their norm. Keras has one at a time."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.checks import check_range


@functools.cache
def clamping(base: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """The class of an optimizer that clamps each value of a gradient before the norm is clipped.

    Args:
        base: The class of an optimizer.

    Returns:
        A class that takes `clipvalue` beside `clipnorm` or `global_clipnorm`, and all else that `base` takes.

    Example:
        >>> weights = keras.Variable([0.0, 0.0])
        >>> optimizer = clamping(keras.optimizers.SGD)(1.0, clipvalue=4.0, global_clipnorm=2.5)
        >>> optimizer.apply([tf.constant([3.0, -9.0])], [weights])  # clamped to 3 and -4, whose norm is 5
        >>> weights.numpy().round(4).tolist()
        [-1.5, 2.0]
    """

    class Clamping(base):
        def __init__(self, *arguments: Any, clipvalue: float | None = None, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.clipvalue = clipvalue
            if clipvalue is not None:
                check_range(self, "clipvalue", 0, float("inf"), lower_open=True)

        def _clip_gradients(self, grads: list[Any]) -> list[Any]:
            # Where Keras clips: after it has taken loss scales out and summed what is accumulated.
            return super()._clip_gradients([_clamped(gradient, self.clipvalue) for gradient in grads])

    Clamping.__name__ = Clamping.__qualname__ = f"Clamping{base.__name__}"
    Clamping.__doc__ = f"{base.__name__} that clamps gradients value by value before it clips their norm."
    return keras.saving.register_keras_serializable("batchsel")(Clamping)


def _clamped(gradient: Any, limit: float | None) -> Any:
    return gradient if gradient is None or limit is None else tf.clip_by_value(gradient, -limit, limit)
