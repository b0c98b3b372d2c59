"""Convolutions over words, the largest response of each."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


@keras.saving.register_keras_serializable("batchsel")
class ZeroPadded(layers.Layer):
    """Sets to zero what stands where there is no word.

    Example:
        >>> import numpy as np
        >>> ZeroPadded()(np.ones((1, 2, 1)), np.array([[7, 0]])).numpy().ravel().tolist()
        [1.0, 0.0]
    """

    def call(self, x: object, words: object) -> object:
        """The inputs, zero where there is no word."""
        return x * keras.ops.cast(keras.ops.not_equal(words, 0), x.dtype)[..., None]


def text_cnn(
    input_shape: tuple[int, ...],
    outputs: int,
    vocabulary: int = 20_000,
    width: int = 64,
    filters: int = 64,
    sizes: Sequence[int] = (3, 4, 5),
) -> keras.Model:
    """Convolutions of several widths over words, the largest response of each, one dense layer.

    Padding is zero before the convolutions, as beyond the ends of a text, and so are responses at padding; others are
    not negative, so that padding does not change the outputs. After Y. Kim, *Convolutional Neural Networks for Sentence
    Classification*, EMNLP 2014, https://arxiv.org/abs/1408.5882, without dropout and pre-trained embeddings.

    Args:
        input_shape: Length of the sequences; the model takes any.
        outputs: Number of classes.
        vocabulary: Numbers that words have, 0 for padding.
        width: Size of the embedding.
        filters: Filters of each width.
        sizes: Words that a filter spans.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> text_cnn((40,), 2).count_params()
        1329730
    """
    inputs = keras.Input((None,), dtype="int32")
    padded = ZeroPadded()
    embedded = padded(layers.Embedding(vocabulary, width)(inputs), inputs)
    found = []
    for size in sizes:
        hidden = layers.Conv1D(filters, size, padding="same", activation="relu")(embedded)
        found.append(layers.GlobalMaxPooling1D()(padded(hidden, inputs)))
    outputs = layers.Dense(outputs, dtype="float32")(layers.Concatenate()(found))
    return keras.Model(inputs, outputs, name="text_cnn")
