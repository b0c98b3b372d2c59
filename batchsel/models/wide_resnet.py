"""Wide residual networks for small images."""

from __future__ import annotations

from typing import Annotated, Any

import keras
from keras import layers

from batchsel.core.parameters import Between, ShareBelowOne, checked
from batchsel.errors import UsageError
from batchsel.models.striding import take_strided


@checked
def wide_resnet(
    input_shape: tuple[int, int, int],
    outputs: int,
    depth: Annotated[int, Between(10, 1000)] = 28,
    widen: Annotated[int, Between(1, 256)] = 10,
    dropout: ShareBelowOne = 0.0,
) -> keras.Model:
    """Build a wide residual network; by default WRN-28-10, of 36,479,194 trainable parameters on CIFAR-10.

    Normalization and activation before each convolution, three stages of (depth - 4) / 6 blocks, 16, 32 and 64 times
    `widen` filters. S. Zagoruyko and N. Komodakis, *Wide Residual Networks*, BMVC 2016,
    https://arxiv.org/abs/1605.07146.

    Args:
        input_shape: Height, width and channels; bytes are divided by 255 first.
        outputs: Number of classes.
        depth: Number of layers, 4 more than a multiple of 6.
        widen: Factor of the filters.
        dropout: Share of units dropped between the convolutions of a block.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Raises:
        UsageError: If `depth` is not 4 more than a multiple of 6.

    Example:
        >>> wide_resnet((32, 32, 3), 10, depth=10, widen=1).output_shape
        (None, 10)
    """
    if depth < 10 or (depth - 4) % 6:
        raise UsageError(f"wide_resnet: depth must be 4 more than a multiple of 6, as in 28, got {depth}.")
    inputs = keras.Input(input_shape)
    hidden = _conv(16)(layers.Rescaling(1 / 255)(inputs))
    for stage in range(3):
        for number in range((depth - 4) // 6):
            name = f"stage{stage + 1}_block{number + 1}"
            hidden = _block(hidden, (16 << stage) * widen, 2 if stage and number == 0 else 1, dropout, name)
    pooled = layers.GlobalAveragePooling2D()(_normalize_and_activate(hidden))
    return keras.Model(inputs, layers.Dense(outputs, dtype="float32")(pooled), name="wide_resnet")


def _block(x: Any, filters: int, stride: int, dropout: float, name: str) -> Any:
    active = _normalize_and_activate(x, f"{name}_norm1")
    hidden = _conv(filters, stride=stride, name=f"{name}_convolution1")(active)
    hidden = _normalize_and_activate(hidden, f"{name}_norm2")
    if dropout:
        hidden = layers.Dropout(dropout)(hidden)
    hidden = _conv(filters, name=f"{name}_convolution2")(hidden)
    same = stride == 1 and x.shape[-1] == filters
    shortcut = x if same else _conv(filters, size=1, name=f"{name}_projection")(take_strided(active, stride))
    return layers.Add()([hidden, shortcut])


def _normalize_and_activate(x: Any, name: str | None = None) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x))


def _conv(filters: int, size: int = 3, stride: int = 1, name: str | None = None) -> keras.Layer:
    initializer: Any = keras.initializers.HeNormal()
    options: dict[str, Any] = {"padding": "same", "use_bias": False, "kernel_initializer": initializer, "name": name}
    return layers.Conv2D(filters, size, stride, **options)
