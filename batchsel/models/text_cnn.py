"""Convolutions over words with global max-pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import keras
from keras import layers

from batchsel.core.parameters import Length, Size, Vocabulary, checked


@keras.saving.register_keras_serializable("batchsel")
class ZeroPadded(layers.Layer):
    """Layer that sets the features of padding to zero.

    Example:
        >>> import numpy as np
        >>> ZeroPadded()(np.ones((1, 2, 1)), np.array([[7, 0]])).numpy().ravel().tolist()
        [1.0, 0.0]
    """

    def call(self, x: Any, words: Any) -> Any:
        """Return the inputs, set to zero at padding."""
        valid: Any = keras.ops.cast(keras.ops.not_equal(words, 0), x.dtype)
        return x * valid[..., None]


@checked
def text_cnn(
    input_shape: tuple[int, ...],
    outputs: int,
    vocabulary: Vocabulary = 20_000,
    width: Size = 64,
    filters: Size = 64,
    sizes: Annotated[Sequence[Size], Length(1, 16)] = (3, 4, 5),
) -> keras.Model:
    """Build convolutions of several widths over words, global max-pooling and one dense layer.

    Features of padding are zero before the convolutions, as beyond the ends of a text, and so are their outputs at
    padding; since other outputs are not negative, padding does not change the result. After Y. Kim, *Convolutional
    Neural Networks for Sentence Classification*, EMNLP 2014, https://arxiv.org/abs/1408.5882, without dropout and
    pre-trained embeddings.

    Args:
        input_shape: Length of the sequences; the model accepts any.
        outputs: Number of classes.
        vocabulary: Number of word ids, including 0 for padding.
        width: Size of the embedding.
        filters: Number of filters of each width.
        sizes: Widths of the filters in words.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits.

    Example:
        >>> text_cnn((40,), 2).count_params()
        1329730
    """
    inputs = keras.Input((None,), dtype="int32")
    padded = ZeroPadded()
    embedded = padded(layers.Embedding(vocabulary, width)(inputs), inputs)
    pooled = []
    for size in sizes:
        hidden = layers.Conv1D(filters, size, padding="same", activation="relu")(embedded)
        pooled.append(layers.GlobalMaxPooling1D()(padded(hidden, inputs)))
    logits = layers.Dense(outputs, dtype="float32")(layers.Concatenate()(pooled))
    return keras.Model(inputs, logits, name="text_cnn")
