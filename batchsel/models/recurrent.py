"""Recurrent networks for texts: simple RNN, LSTM and bidirectional LSTM."""

from __future__ import annotations

import keras
from keras import layers

from batchsel.core.parameters import Size, Vocabulary, checked


@checked
def lstm(
    input_shape: tuple[int, ...], outputs: int, vocabulary: Vocabulary = 20_000, width: Size = 64, units: Size = 64
) -> keras.Model:
    """Build an LSTM over words, with padding masked.

    With the defaults and two classes it has 1,313,154 parameters, nearly all of them the embedding.

    Args:
        input_shape: Length of the sequences; the model accepts any.
        outputs: Number of classes.
        vocabulary: Number of word ids, including 0 for padding.
        width: Size of the embedding.
        units: Units of the LSTM.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits; padding does not change them.

    Example:
        >>> lstm((40,), 2).count_params()
        1313154
    """
    return _build("lstm", vocabulary, width, layers.LSTM(units), outputs)


@checked
def bilstm(
    input_shape: tuple[int, ...], outputs: int, vocabulary: Vocabulary = 20_000, width: Size = 64, units: Size = 64
) -> keras.Model:
    """Build a bidirectional LSTM over words, with padding masked.

    Args:
        input_shape: Length of the sequences; the model accepts any.
        outputs: Number of classes.
        vocabulary: Number of word ids, including 0 for padding.
        width: Size of the embedding.
        units: Units of the LSTM in each direction.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits; padding does not change them.

    Example:
        >>> bilstm((40,), 2).count_params()
        1346306
    """
    return _build("bilstm", vocabulary, width, layers.Bidirectional(layers.LSTM(units)), outputs)


@checked
def simple_rnn(
    input_shape: tuple[int, ...], outputs: int, vocabulary: Vocabulary = 20_000, width: Size = 64, units: Size = 64
) -> keras.Model:
    """Build a simple recurrent network over words, with padding masked.

    Args:
        input_shape: Length of the sequences; the model accepts any.
        outputs: Number of classes.
        vocabulary: Number of word ids, including 0 for padding.
        width: Size of the embedding.
        units: Units of the recurrent layer.

    Returns:
        A model that maps ``int32[b, length]`` to ``float32[b, outputs]`` logits; padding does not change them.

    Example:
        >>> simple_rnn((40,), 2).count_params()
        1288386
    """
    return _build("simple_rnn", vocabulary, width, layers.SimpleRNN(units), outputs)


def _build(name: str, vocabulary: Vocabulary, width: Size, recurrent: keras.Layer, outputs: int) -> keras.Model:
    embedded = layers.Embedding(vocabulary, width, mask_zero=True)
    last = layers.Dense(outputs, dtype="float32")
    return keras.Sequential([keras.Input((None,), dtype="int32"), embedded, recurrent, last], name=name)
