"""Checks of the inputs that a transform is applied to."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.errors import UserError


def require_single_array(part: Any, x: Any) -> tf.Tensor:
    """Return the inputs if they are one array.

    Args:
        part: The transform, for the message.
        x: Inputs of a batch.

    Raises:
        UserError: If there are several arrays.
    """
    if tf.nest.is_nested(x):
        raise UserError(
            f"{part!r} is for models with one array of inputs, this one has {len(tf.nest.flatten(x))}. Leave it out,"
            " or write a transform of your own, which receives all of them."
        )
    return x


def require_images(part: Any, x: Any) -> tf.Tensor:
    """Return the inputs if they are images.

    Args:
        part: The transform, for the message.
        x: Inputs of a batch.

    Returns:
        ``[b, h, w, c]``.

    Raises:
        UserError: If they have another rank.
    """
    x = require_single_array(part, x)
    if x.shape.rank != 4:
        raise UserError(
            f"{part!r} is for images, [batch, height, width, channels]; the inputs have the shape"
            f" {x.shape.as_list()}. Leave it out, or reshape the inputs and restore their shape in the first layer of"
            " the model."
        )
    return x


def require_numeric(part: Any, x: Any) -> tf.Tensor:
    """Return the inputs if they are 8-bit or floating-point numbers, which can be averaged.

    Args:
        part: The transform, for the message.
        x: Inputs of a batch.

    Raises:
        UserError: If they are something else, such as token ids.
    """
    x = require_single_array(part, x)
    if not (x.dtype == tf.uint8 or x.dtype.is_floating):
        raise UserError(f"{part!r} is for uint8 or floating-point inputs, these are {x.dtype.name}.")
    return x
