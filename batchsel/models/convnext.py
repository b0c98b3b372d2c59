"""ConvNeXt: a convolutional network with the design of a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers

from batchsel.core.parameters import Between, Length, ShareBelowOne, Size, checked
from batchsel.errors import UsageError

_COLORS: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "variance": (0.229**2, 0.224**2, 0.225**2)}
"""Statistics of red, green and blue in ImageNet, in [0, 1]."""


@keras.saving.register_keras_serializable("batchsel")
class LayerScale(layers.Layer):
    """Layer that multiplies each channel by a learned factor, initially 1e-6.

    Example:
        >>> import numpy as np
        >>> LayerScale()(np.ones((1, 2))).numpy()
        array([[1.e-06, 1.e-06]], dtype=float32)
    """

    def build(self, shape: tuple[int | None, ...]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Create the factors."""
        self.factors = self.add_weight(
            shape=(shape[-1],), initializer=keras.initializers.Constant(1e-6), name="factors"
        )

    def call(self, x: Any) -> Any:
        """Return the inputs ``float32[..., channels]`` times the factors."""
        return x * self.factors


@checked
def convnext_tiny(
    input_shape: tuple[int, int, int],
    outputs: int,
    width: Size = 96,
    depths: Annotated[Sequence[Annotated[int, Between(0, 256)]], Length(4, 4)] = (3, 3, 9, 3),
    drop_path: ShareBelowOne = 0.1,
) -> keras.Model:
    """Build ConvNeXt-T, of 27,827,818 trainable parameters on CIFAR-10, 28,589,128 on ImageNet with its 1,000 classes.

    Four stages of blocks: a depth-wise 7x7 convolution, normalization, a dense layer four times as wide with GELU and
    one back, scaled. Z. Liu et al., *A ConvNet for the 2020s*, CVPR 2022, https://arxiv.org/abs/2201.03545. With the
    same weights it has the outputs of `keras.applications.ConvNeXtTiny` for images whose sides are multiples of 32;
    other images are padded here, and cropped or rejected there. Its grouped convolutions with one channel a group are
    depth-wise convolutions here, which TensorFlow trains several times as fast on a CPU.

    Args:
        input_shape: Height, width and channels; bytes are divided by 255 first, and three channels normalized by
            the mean and the deviation of ImageNet's colors.
        outputs: Number of classes.
        width: Channels of the first stage; each later one has twice as many.
        depths: Blocks of the four stages.
        drop_path: Probability that a sample skips the last block; it grows from 0 over the blocks.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Raises:
        UsageError: If `depths` does not have four entries.

    Example:
        >>> convnext_tiny((32, 32, 3), 10, width=8, depths=[1, 1, 1, 1]).output_shape
        (None, 10)
    """
    if len(depths) != 4:
        raise UsageError(
            f"convnext_tiny: depths must be four numbers, one a stage, as in [3, 3, 9, 3], got {list(depths)}."
        )
    inputs = keras.Input(input_shape)
    hidden = layers.Rescaling(1 / 255)(inputs)
    if input_shape[-1] == 3:
        hidden = layers.Normalization(**_COLORS)(hidden)
    drops = iter(np.linspace(0, drop_path, sum(depths)))
    for stage, depth in enumerate(depths):
        name = f"stage{stage + 1}"
        hidden = _downsample(hidden, width << stage, name) if stage else _stem(hidden, width)
        for block in range(depth):
            hidden = _block(hidden, float(next(drops)), f"{name}_block{block + 1}")
    pooled = _normal("norm")(layers.GlobalAveragePooling2D()(hidden))
    return keras.Model(inputs, _dense(outputs, dtype="float32", name="head")(pooled), name="convnext_tiny")


def _stem(x: Any, filters: int) -> Any:
    return _normal("stem_norm")(_patches(filters, 4, "stem")(x))


def _downsample(x: Any, filters: int, name: str) -> Any:
    return _patches(filters, 2, f"{name}_smaller")(_normal(f"{name}_norm")(x))


def _block(x: Any, drop: float, name: str) -> Any:
    filters = x.shape[-1]
    initializer: Any = keras.initializers.TruncatedNormal(stddev=0.02)
    hidden = layers.DepthwiseConv2D(7, padding="same", depthwise_initializer=initializer, name=f"{name}_convolution")(x)
    hidden = _normal(f"{name}_norm")(hidden)
    hidden = _dense(4 * filters, activation="gelu", name=f"{name}_wide")(hidden)
    hidden = LayerScale(name=f"{name}_scale")(_dense(filters, name=f"{name}_narrow")(hidden))
    if drop:
        hidden = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(hidden)
    return layers.Add(name=name)([x, hidden])


def _patches(filters: int, size: int, name: str) -> keras.Layer:
    initializer: Any = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Conv2D(filters, size, size, padding="same", kernel_initializer=initializer, name=name)


def _dense(units: int, **options: Any) -> keras.Layer:
    initializer: Any = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Dense(units, kernel_initializer=initializer, **options)


def _normal(name: str) -> keras.Layer:
    return layers.LayerNormalization(epsilon=1e-6, name=name)
