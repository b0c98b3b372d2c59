"""A convolutional network for CIFAR in studies of batch size."""

from __future__ import annotations

from typing import Annotated

import keras
from keras import layers

from batchsel.core.parameters import INT32, Between, checked
from batchsel.models.ghost_batch_normalization import GhostBatchNormalization


@checked
def cnn3(
    input_shape: tuple[int, int, int],
    outputs: int,
    dropout: bool = True,
    ghost: Annotated[int, Between(1, INT32)] | None = None,
) -> keras.Model:
    """Build a network of three blocks of two convolutions with pooling, then three dense layers.

    5,852,170 trainable parameters on CIFAR-10. Filters 32 and 64, 128 and 128, 256 and 256; batch normalization after
    the first convolution of each block; 1024, 512 and `outputs` units. Dropout of whole channels (0.05) after the
    second block, of units (0.1) before the first and the last dense layer. The moving moments have momentum 0.9: with
    the 0.99 of Keras they lag behind in runs of few updates, so that large batches look worse than they are.

    Args:
        input_shape: Height, width and channels; bytes are divided by 255 first.
        outputs: Number of classes.
        dropout: Whether to use dropout in training.
        ghost: Rows that are normalized together, see `GhostBatchNormalization`; None for whole batches.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> model = cnn3((32, 32, 3), 10)
        >>> sum(weight.shape.num_elements() for weight in model.trainable_weights)
        5852170
    """
    model = keras.Sequential([keras.Input(input_shape), layers.Rescaling(1 / 255)], name="cnn3")
    for block, (first, second) in enumerate(((32, 64), (128, 128), (256, 256))):
        model.add(layers.Conv2D(first, 3, padding="same"))
        model.add(layers.BatchNormalization(momentum=0.9) if ghost is None else GhostBatchNormalization(ghost))
        model.add(layers.ReLU())
        model.add(layers.Conv2D(second, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
        if dropout and block == 1:
            model.add(layers.SpatialDropout2D(0.05))
    model.add(layers.Flatten())
    if dropout:
        model.add(layers.Dropout(0.1))
    model.add(layers.Dense(1024, activation="relu"))
    model.add(layers.Dense(512, activation="relu"))
    if dropout:
        model.add(layers.Dropout(0.1))
    model.add(layers.Dense(outputs, dtype="float32"))
    return model
