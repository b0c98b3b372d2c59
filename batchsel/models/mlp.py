"""A feed-forward network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import keras
from keras import layers

from batchsel.core.parameters import Activation, Length, Size, checked


@checked
def mlp(
    input_shape: tuple[int, ...],
    outputs: int,
    hidden: Annotated[Sequence[Size], Length(0, 64)] = (64, 64),
    activation: Activation = "relu",
) -> keras.Model:
    """Build a feed-forward network: dense layers with ReLU.

    Inputs of more than one axis are flattened, bytes (images) divided by 255 first.

    Args:
        input_shape: Shape of one sample.
        outputs: Classes, or 1 for regression.
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits or values.

    Example:
        >>> mlp((2,), 2).count_params()
        4482
    """
    model = keras.Sequential([keras.Input(input_shape)], name="mlp")
    if len(input_shape) > 1:
        model.add(layers.Rescaling(1 / 255))
        model.add(layers.Flatten())
    for units in hidden:
        model.add(layers.Dense(units, activation, kernel_initializer="he_normal"))
    model.add(layers.Dense(outputs, dtype="float32"))
    return model
