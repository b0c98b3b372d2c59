"""A small transformer encoder over words."""

from __future__ import annotations

from typing import Annotated

import keras
from keras import layers

from batchsel.core.parameters import Between, Blocks, ShareBelowOne, Size, Vocabulary, checked
from batchsel.models.positions import Positions


@checked
def transformer_classifier(
    input_shape: tuple[int, ...],
    outputs: int,
    vocabulary: Vocabulary = 20_000,
    width: Size = 64,
    heads: Annotated[int, Between(1, 256)] = 4,
    blocks: Blocks = 2,
    dropout: ShareBelowOne = 0.1,
) -> keras.Model:
    """Build a transformer encoder over words, global average pooling and one dense layer, with padding masked.

    Pre-norm blocks with a feed-forward network four times as wide; learned positions.

    Args:
        input_shape: Maximum length of the sequences.
        outputs: Number of classes.
        vocabulary: Number of word ids, including 0 for padding.
        width: Size of the embedding.
        heads: Number of attention heads.
        blocks: Number of blocks of attention and feed-forward network.
        dropout: Share of units dropped after each of them.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits; padding does not change them.

    Example:
        >>> transformer_classifier((40,), 2).count_params()
        1382786
    """
    inputs = keras.Input((None,), dtype="int32")
    hidden = Positions(input_shape[0])(layers.Embedding(vocabulary, width, mask_zero=True)(inputs))
    for _ in range(blocks):
        normal = layers.LayerNormalization(epsilon=1e-5)(hidden)
        attended = layers.MultiHeadAttention(heads, width // heads)(normal, normal)
        hidden = layers.Add()([hidden, layers.Dropout(dropout)(attended)])
        normal = layers.LayerNormalization(epsilon=1e-5)(hidden)
        wide = layers.Dense(4 * width, activation="gelu")(normal)
        hidden = layers.Add()([hidden, layers.Dropout(dropout)(layers.Dense(width)(wide))])
    mean = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-5)(hidden))
    return keras.Model(inputs, layers.Dense(outputs, dtype="float32")(mean), name="transformer_classifier")
