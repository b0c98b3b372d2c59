"""A small transformer decoder that predicts the next subword."""

from __future__ import annotations

from typing import Annotated, Any

import keras
from keras import layers

from batchsel.core.parameters import Between, Blocks, ShareBelowOne, Size, checked
from batchsel.models.positions import Positions


@checked
def tiny_lm(
    input_shape: tuple[int, ...],
    outputs: int,
    width: Size = 128,
    heads: Annotated[int, Between(1, 256)] = 4,
    blocks: Blocks = 2,
    dropout: ShareBelowOne = 0.0,
) -> keras.Model:
    """Build a pre-norm transformer decoder with causal attention, learned positions and a tied embedding.

    The architecture of GPT-2 (A. Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019), in which
    the embedding matrix also scores the subwords (O. Press and L. Wolf, *Using the Output Embedding to Improve Language
    Models*, EACL 2017, https://arxiv.org/abs/1608.05859).

    Args:
        input_shape: Maximum length of the sequences.
        outputs: Number of subwords in the vocabulary.
        width: Size of the embedding; the feed-forward network is four times as wide.
        heads: Number of attention heads.
        blocks: Number of blocks of attention and feed-forward network.
        dropout: Share of units dropped after each of them.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, length, outputs]`` logits of the next subword.

    Example:
        >>> tiny_lm((128,), 4096).count_params()
        937472
    """
    inputs = keras.Input((None,), dtype="int32")
    small: Any = keras.initializers.RandomNormal(stddev=0.02)
    embedding = layers.ReversibleEmbedding(
        outputs, width, embeddings_initializer=small, reverse_dtype="float32", name="subwords"
    )
    hidden = Positions(input_shape[0])(embedding(inputs))
    for _ in range(blocks):
        normal = layers.LayerNormalization(epsilon=1e-5)(hidden)
        attended = layers.MultiHeadAttention(heads, width // heads)(normal, normal, use_causal_mask=True)
        hidden = layers.Add()([hidden, layers.Dropout(dropout)(attended)])
        normal = layers.LayerNormalization(epsilon=1e-5)(hidden)
        wide = layers.Dense(4 * width, activation="gelu")(normal)
        hidden = layers.Add()([hidden, layers.Dropout(dropout)(layers.Dense(width)(wide))])
    normal = layers.LayerNormalization(epsilon=1e-5)(hidden)
    return keras.Model(inputs, embedding(normal, reverse=True), name="tiny_lm")
