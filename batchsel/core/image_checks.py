"""Checks that inputs are images, or numbers of which there are means; for what changes samples."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.errors import UserError


def require_single_array(part: Any, x: Any) -> tf.Tensor:
    """The inputs, which must be one array.

    Args:
        part: What is applied to them, to be named.
        x: Inputs of a batch.

    Raises:
        UserError: If they are several.
    """
    if tf.nest.is_nested(x):
        raise UserError(
            f"{part!r} is for models with one array of inputs, these have {len(tf.nest.flatten(x))}. Leave it out,"
            " or give one of your own, which gets them all."
        )
    return x


def require_images(part: Any, x: Any) -> tf.Tensor:
    """The inputs, which must be images.

    Args:
        part: What is applied to them, to be named.
        x: Inputs of a batch.

    Returns:
        ``[b, h, w, c]``.

    Raises:
        UserError: If they are something else.
    """
    x = require_single_array(part, x)
    if x.shape.rank != 4:
        raise UserError(
            f"{part!r} is for images, [batch, height, width, channels]; the inputs have the shape {x.shape.as_list()}."
            " Leave it out, or reshape the inputs and let the model begin with what undoes it."
        )
    return x


def require_numeric(part: Any, x: Any) -> tf.Tensor:
    """The inputs, which must be 8-bit or floating-point numbers, of which there are means.

    Args:
        part: What is applied to them, to be named.
        x: Inputs of a batch.

    Raises:
        UserError: If they are something else, such as numbers of words.
    """
    x = require_single_array(part, x)
    if not (x.dtype == tf.uint8 or x.dtype.is_floating):
        raise UserError(f"{part!r} is for inputs of uint8 or of floating point, these are of {x.dtype.name}.")
    return x
