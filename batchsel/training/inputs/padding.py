"""Batches of padded sequences, cut to the longest in them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.selectors.methods.length_buckets import sequence_lengths


def cut(x: tf.Tensor) -> tf.Tensor:
    """Remove the columns in which every sequence of a batch is padding.

    Args:
        x: ``[b, length, ...]``, padded with zeros at the end.

    Returns:
        ``[b, longest, ...]``, at least one column.

    Example:
        >>> cut(tf.constant([[5, 7, 0, 0], [3, 0, 0, 0]])).numpy().tolist()
        [[5, 7], [3, 0]]
    """
    return x[:, : tf.maximum(tf.reduce_max(sequence_lengths(x)), 1)]


def check_cut(model: keras.Model, x: Any) -> None:
    """Check that cutting padding does not change the outputs of a model.

    Args:
        model: The model, built.
        x: Inputs; the first sample is used.

    Raises:
        UserError: If the inputs are not padded sequences of numbers, or the model's outputs depend on padding.
    """
    if not (hasattr(x, "ndim") and x.ndim == 2 and np.asarray(x).dtype.kind in "iu" and x.shape[1] > 1):
        raise UserError("cut_padding is for inputs of one int[n, length] array, padded with zeros at the end.")
    half = (x.shape[1] + 1) // 2
    padded = np.where(np.arange(x.shape[1]) < half, np.maximum(np.asarray(x[:1]), 1), 0)
    spec = tf.TensorSpec([1, None], tf.as_dtype(padded.dtype))
    call = tf.function(lambda rows: model(rows, training=False), input_signature=[spec], autograph=False)
    try:
        whole, short = (tf.nest.flatten(call(tf.constant(rows))) for rows in (padded, padded[:, :half]))
        same = all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(whole, short, strict=True))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"the model accepts sequences of one length only, so padding cannot be cut: {error}") from error
    if not same:
        raise UserError(
            "the outputs of the model depend on padding, so cutting it would change the model. Mask padding, as in"
            " keras.layers.Embedding(..., mask_zero=True), or leave cut_padding out."
        )
