"""A small convolutional network for Fashion-MNIST and MNIST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import keras
from keras import layers

from batchsel.core.parameters import Length, Size, checked


@checked
def cnn(
    input_shape: tuple[int, int, int],
    outputs: int,
    filters: Annotated[Sequence[Size], Length(1, 16)] = (32, 64),
    units: Size = 128,
) -> keras.Model:
    """Build a small convolutional network: 3x3 convolutions with max-pooling, one dense layer.

    Bytes are divided by 255 first. With the defaults and 28 x 28 gray images it has 225,034 parameters.

    Args:
        input_shape: Height, width and channels.
        outputs: Number of classes.
        filters: Filters of the convolutions, each followed by 2x2 max-pooling.
        units: Units of the dense layer.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> cnn((28, 28, 1), 10).count_params()
        225034
    """
    model = keras.Sequential([keras.Input(input_shape), layers.Rescaling(1 / 255)], name="cnn")
    for count in filters:
        model.add(layers.Conv2D(count, 3, activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(outputs, dtype="float32"))
    return model
