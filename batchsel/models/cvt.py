"""CvT: a vision transformer in three stages, with convolutional tokens, queries, keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers

from batchsel.core.parameters import Between, Length, ShareBelowOne, Size, checked
from batchsel.errors import UsageError

_HEADS = (1, 3, 6)
_EMBEDDINGS = ((7, 4, 2), (3, 2, 1), (3, 2, 1))
"""Kernel, stride and padding of the convolution at the start of each stage."""


@keras.saving.register_keras_serializable("batchsel")
class ClassToken(layers.Layer):
    """Layer that prepends a learned token, whose final state predicts the class.

    Example:
        >>> import numpy as np
        >>> ClassToken()(np.zeros((2, 9, 4))).shape
        TensorShape([2, 10, 4])
    """

    def build(self, shape: tuple[int | None, ...]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Create the token."""
        initializer: Any = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer=initializer, name="token")

    def call(self, x: Any) -> Any:
        """Return the tokens ``float32[b, t, dim]`` with the class token before them."""
        shape: Any = keras.ops.shape(x)
        token = keras.ops.broadcast_to(self.token, (shape[0], 1, x.shape[-1]))
        return keras.ops.concatenate([token, x], axis=1)


@keras.saving.register_keras_serializable("batchsel")
class HeadAttention(layers.Layer):
    """Multi-head attention with scores divided by the root of all channels; Keras counts those of one head.

    Args:
        heads: Number of equal parts of the channels.

    Example:
        >>> import numpy as np
        >>> HeadAttention(2)(np.zeros((1, 9, 4)), np.zeros((1, 3, 4)), np.zeros((1, 3, 4))).shape
        TensorShape([1, 9, 4])
    """

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, query: Any, key: Any, value: Any) -> Any:
        """Return the mean of the values ``float32[b, s, dim]`` for each query ``float32[b, t, dim]``."""
        tokens, dim = query.shape[1:]
        parts = [keras.ops.reshape(x, (-1, x.shape[1], self.heads, dim // self.heads)) for x in (query, key, value)]
        return keras.ops.reshape(keras.ops.dot_product_attention(*parts, scale=dim**-0.5), (-1, tokens, dim))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "heads": self.heads}


@checked
def cvt13(
    input_shape: tuple[int, int, int],
    outputs: int,
    width: Size = 64,
    depths: Annotated[Sequence[Annotated[int, Between(0, 256)]], Length(3, 3)] = (1, 2, 10),
    drop_path: ShareBelowOne = 0.1,
) -> keras.Model:
    """Build CvT-13, of 19,616,330 trainable parameters on CIFAR-10, 19,997,480 on ImageNet with its 1,000 classes.

    Three stages of 1, 3 and 6 heads represent an image of 224 rows as 56x56, 28x28 and 14x14 tokens, one of 32 rows
    as 8x8, 4x4 and 2x2. A convolution creates the tokens of each stage; depth-wise convolutions with batch
    normalization precede the queries, keys and values, the latter two with stride 2. The class is predicted from an
    additional token in the last stage. H. Wu et al., *CvT: Introducing Convolutions to Vision Transformers*, ICCV 2021,
    https://arxiv.org/abs/2103.15808; GELU as in the paper; the authors' code approximates it.

    Layers are named after their stage and block: ``stage3_embedding``, ``stage3_block10`` and so on.

    Args:
        input_shape: Height, width and channels; bytes are divided by 255 first.
        outputs: Number of classes.
        width: Channels of the first stage, and of each head; the later stages have three and six times as many.
        depths: Blocks of the three stages; 1, 4 and 16 make CvT-21.
        drop_path: Probability that a sample skips a branch of the last block; it grows from 0 over the last stage.

    Returns:
        A model that maps ``[b, *input_shape]`` to ``float32[b, outputs]`` logits.

    Raises:
        UsageError: If `depths` does not have three entries.

    Example:
        >>> cvt13((32, 32, 3), 10, width=8, depths=[1, 1, 1]).output_shape
        (None, 10)
    """
    if len(depths) != 3:
        raise UsageError(f"cvt13: depths must be three numbers, one a stage, as in [1, 2, 10], got {list(depths)}.")
    inputs = keras.Input(input_shape)
    image = layers.Rescaling(1 / 255)(inputs)
    tokens: Any = None
    for stage, heads in enumerate(_HEADS):
        name = f"stage{stage + 1}"
        image = _embedding(image, heads * width, *_EMBEDDINGS[stage], name)
        size, last = image.shape[1:], stage == 2
        tokens = layers.Reshape((-1, size[-1]), name=f"{name}_tokens")(image)
        if last:
            tokens = ClassToken(name=f"{name}_class_token")(tokens)
        for block, drop in enumerate(np.linspace(0, drop_path if last else 0, depths[stage])):
            tokens = _block(tokens, size, heads, float(drop), f"{name}_block{block + 1}")
        if not last:
            image = layers.Reshape(size, name=name)(tokens)
    read = layers.Flatten()(layers.Cropping1D((0, tokens.shape[1] - 1), name="class_token")(tokens))
    logits = _dense(outputs, dtype="float32", name="head")(_normal("norm")(read))
    return keras.Model(inputs, logits, name="cvt13")


def _embedding(x: Any, dim: int, kernel: int, stride: int, padding: int, name: str) -> Any:
    # "same" padding would pad the other side of images whose size the stride divides.
    padded = layers.ZeroPadding2D(padding, name=f"{name}_padding")(x)
    initializer: Any = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    embedded = layers.Conv2D(dim, kernel, stride, kernel_initializer=initializer, name=f"{name}_convolution")(padded)
    return _normal(f"{name}_embedding")(embedded)


def _block(tokens: Any, size: tuple[int, int, int], heads: int, drop: float, name: str) -> Any:
    def dropped(branch: Any) -> Any:
        return layers.Dropout(drop, noise_shape=(None, 1, 1))(branch) if drop else branch

    dim = size[-1]
    attended = _attention(_normal(f"{name}_norm1")(tokens), size, heads, name)
    tokens = layers.Add(name=f"{name}_attended")([tokens, dropped(_dense(dim, name=f"{name}_projection")(attended))])
    wide = _dense(4 * dim, activation="gelu", name=f"{name}_wide")(_normal(f"{name}_norm2")(tokens))
    return layers.Add(name=name)([tokens, dropped(_dense(dim, name=f"{name}_narrow")(wide))])


def _attention(tokens: Any, size: tuple[int, int, int], heads: int, name: str) -> Any:
    """Attend with convolutional queries, keys and values; the class token bypasses the convolutions."""
    extra = tokens.shape[1] - size[0] * size[1]
    token = layers.Cropping1D((0, size[0] * size[1]))(tokens) if extra else None
    image = layers.Reshape(size)(layers.Cropping1D((extra, 0))(tokens) if extra else tokens)
    projected = []
    for part, stride in (("query", 1), ("key", 2), ("value", 2)):
        initializer: Any = keras.initializers.RandomUniform(-1 / 3, 1 / 3)
        options = {"use_bias": False, "depthwise_initializer": initializer, "name": f"{name}_{part}_convolution"}
        convolved = layers.DepthwiseConv2D(3, stride, **options)(layers.ZeroPadding2D(1)(image))
        convolved = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_{part}_norm")(convolved)
        convolved = layers.Reshape((-1, size[-1]))(convolved)
        if extra:
            convolved = layers.Concatenate(axis=1)([token, convolved])
        projected.append(_dense(size[-1], name=f"{name}_{part}")(convolved))
    return HeadAttention(heads, name=f"{name}_attention")(*projected)


def _dense(units: int, **options: Any) -> keras.Layer:
    initializer: Any = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Dense(units, kernel_initializer=initializer, **options)


def _normal(name: str) -> keras.Layer:
    return layers.LayerNormalization(epsilon=1e-5, name=name)
