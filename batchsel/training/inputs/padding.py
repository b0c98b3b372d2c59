"""Batches of padded sequences, cut to the longest in them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UserError


def cut(x: tf.Tensor, at_start: bool = False) -> tf.Tensor:
    """Remove the columns in which every sequence of a batch is padding.

    Args:
        x: ``[b, length, ...]``, padded with zeros at the end.
        at_start: Whether they are padded at the start.

    Returns:
        ``[b, longest, ...]``, at least one column.

    Example:
        >>> cut(tf.constant([[5, 7, 0, 0], [3, 0, 0, 0]])).numpy().tolist()
        [[5, 7], [3, 0]]
        >>> cut(tf.constant([[0, 0, 5, 7], [0, 0, 0, 3]]), at_start=True).numpy().tolist()
        [[5, 7], [0, 3]]
    """
    if at_start:
        return tf.reverse(cut(tf.reverse(x, [1])), [1])
    real = tf.reduce_any(x != tf.zeros([], x.dtype), axis=[0, *range(2, x.shape.rank)])
    longest = tf.reduce_max(tf.where(real, tf.range(1, tf.shape(real)[0] + 1), 0))
    return x[:, : tf.maximum(longest, 1)]


def check_cut(model: keras.Model, x: Any) -> bool:
    """Check that cutting padding does not change the outputs of a model.

    Args:
        model: The model, built.
        x: Inputs.

    Returns:
        Whether sequences are padded at the start: none ends in padding, and some begin with it.

    Raises:
        UserError: If the inputs are not padded sequences of numbers, or the model's outputs depend on padding.
    """
    if not (hasattr(x, "ndim") and x.ndim == 2 and np.asarray(x).dtype.kind in "iu" and x.shape[1] > 1):
        raise UserError("cut_padding is for inputs of one int[n, length] array, padded with zeros.")
    rows = np.asarray(x)
    real = rows[rows.any(axis=1)] != 0
    at_start = bool(len(real) and real[:, -1].all() and not real[:, 0].all())
    half = (rows.shape[1] + 1) // 2
    short = np.maximum(rows[:1, :half], 1)
    zeros = np.zeros([1, rows.shape[1] - half], rows.dtype)
    padded = np.concatenate([zeros, short] if at_start else [short, zeros], axis=1)
    spec = tf.TensorSpec([1, None], tf.as_dtype(padded.dtype))
    call = own_function(lambda rows: keras_private.call_model(model, rows, training=False), input_signature=[spec])
    try:
        whole, cut_off = (tf.nest.flatten(call(tf.constant(each))) for each in (padded, short))
        same = all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(whole, cut_off, strict=True))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"the model accepts sequences of one length only, so padding cannot be cut: {error}") from error
    if not same:
        raise UserError(
            "the outputs of the model depend on padding, so cutting it would change the model. Mask padding, as in"
            " keras.layers.Embedding(..., mask_zero=True), or leave cut_padding out."
        )
    return at_start
