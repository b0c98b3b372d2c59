"""Residual networks of 18, 34, 50 and 101 layers, for small and large images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from batchsel.core.parameters import Size, checked
from batchsel.models.striding import take_strided

_SMALL = 64
"""Images up to this height keep their size in the stem, as on CIFAR."""


@checked
def resnet18(input_shape: tuple[int, int, int], outputs: int, width: Size = 64) -> keras.Model:
    """Build ResNet-18, of 11,173,962 trainable parameters on CIFAR-10, 11,689,512 for ImageNet.

    Images of up to 64 rows keep their size in the stem (3x3, no pooling); larger ones are halved twice (7x7 with
    stride 2, pooling), as in K. He, X. Zhang, S. Ren and J. Sun, *Deep Residual Learning for Image Recognition*, CVPR
    2016, https://arxiv.org/abs/1512.03385.

    Args:
        input_shape: Height, width and channels; bytes are divided by 255 first.
        outputs: Number of classes.
        width: Filters of the first stage; each later one has twice as many.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> resnet18((32, 32, 3), 10, width=8).output_shape
        (None, 10)
    """
    return _resnet("resnet18", input_shape, outputs, width, (2, 2, 2, 2), bottleneck=False)


@checked
def resnet34(input_shape: tuple[int, int, int], outputs: int, width: Size = 64) -> keras.Model:
    """Build ResNet-34, of 21,282,122 trainable parameters on CIFAR-10, 21,797,672 for ImageNet.

    Args:
        input_shape: As for `resnet18`.
        outputs: Number of classes.
        width: Filters of the first stage.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> resnet34((32, 32, 3), 10, width=8).output_shape
        (None, 10)
    """
    return _resnet("resnet34", input_shape, outputs, width, (3, 4, 6, 3), bottleneck=False)


@checked
def resnet50(input_shape: tuple[int, int, int], outputs: int, width: Size = 64) -> keras.Model:
    """Build ResNet-50, of 23,520,842 trainable parameters on CIFAR-10, 25,557,032 for ImageNet.

    Args:
        input_shape: As for `resnet18`.
        outputs: Number of classes.
        width: Filters of the first stage before its last convolution, which has four times as many.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> resnet50((32, 32, 3), 10, width=8).output_shape
        (None, 10)
    """
    return _resnet("resnet50", input_shape, outputs, width, (3, 4, 6, 3), bottleneck=True)


@checked
def resnet101(input_shape: tuple[int, int, int], outputs: int, width: Size = 64) -> keras.Model:
    """Build ResNet-101, of 42,512,970 trainable parameters on CIFAR-10, 44,549,160 for ImageNet.

    Args:
        input_shape: As for `resnet18`.
        outputs: Number of classes.
        width: Filters of the first stage before its last convolution, which has four times as many.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> resnet101((32, 32, 3), 10, width=4).output_shape
        (None, 10)
    """
    return _resnet("resnet101", input_shape, outputs, width, (3, 4, 23, 3), bottleneck=True)


def _resnet(
    name: str, input_shape: tuple[int, int, int], outputs: int, width: Size, blocks: Sequence[int], bottleneck: bool
) -> keras.Model:
    inputs = keras.Input(input_shape)
    hidden = layers.Rescaling(1 / 255)(inputs)
    if input_shape[0] <= _SMALL:
        hidden = _normalize_and_activate(_conv(width, 3)(hidden))
    else:
        hidden = _normalize_and_activate(_conv(width, 7, 2)(hidden))
        hidden = layers.MaxPooling2D(3, 2, padding="same")(hidden)
    for stage, count in enumerate(blocks):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            block = _bottleneck if bottleneck else _basic
            hidden = block(hidden, width << stage, stride, f"stage{stage + 1}_block{number + 1}")
    pooled = layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(inputs, layers.Dense(outputs, dtype="float32")(pooled), name=name)


def _basic(x: Any, filters: int, stride: int, name: str) -> Any:
    hidden = _normalize_and_activate(_conv(filters, 3, stride, f"{name}_convolution1")(x), f"{name}_norm1")
    hidden = _normalize(f"{name}_norm2")(_conv(filters, 3, name=f"{name}_convolution2")(hidden))
    return layers.ReLU()(layers.Add(name=name)([hidden, _shortcut(x, filters, stride, name)]))


def _bottleneck(x: Any, filters: int, stride: int, name: str) -> Any:
    hidden = _normalize_and_activate(_conv(filters, 1, name=f"{name}_convolution1")(x), f"{name}_norm1")
    hidden = _normalize_and_activate(_conv(filters, 3, stride, f"{name}_convolution2")(hidden), f"{name}_norm2")
    hidden = _normalize(f"{name}_norm3")(_conv(4 * filters, 1, name=f"{name}_convolution3")(hidden))
    return layers.ReLU()(layers.Add(name=name)([hidden, _shortcut(x, 4 * filters, stride, name)]))


def _shortcut(x: Any, filters: int, stride: int, name: str) -> Any:
    if stride == 1 and x.shape[-1] == filters:
        return x
    projected = _conv(filters, 1, name=f"{name}_projection")(take_strided(x, stride))
    return _normalize(f"{name}_projection_norm")(projected)


def _normalize_and_activate(x: Any, name: str | None = None) -> Any:
    return layers.ReLU()(_normalize(name)(x))


def _normalize(name: str | None) -> keras.Layer:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _conv(filters: int, size: int, stride: int = 1, name: str | None = None) -> keras.Layer:
    initializer: Any = keras.initializers.HeNormal()
    options: dict[str, Any] = {"padding": "same", "use_bias": False, "kernel_initializer": initializer, "name": name}
    return layers.Conv2D(filters, size, stride, **options)
