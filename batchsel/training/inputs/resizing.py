"""Models that take pictures of several sizes, and those that do not."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.errors import UserError

_WHAT_TO_USE = (
    "Use one that ends in a mean over the picture, such as simple_cnn, resnet18, wide_resnet or convnext_tiny"
    " (keras.layers.GlobalAveragePooling2D in place of Flatten), or leave out the curriculum that resizes."
)


def check_sizes(model: keras.Model, x: Any, small: Any = None) -> None:
    """Makes sure that a model takes pictures of several sizes, and puts out the same form for all.

    Args:
        model: The model, built.
        x: Inputs, of which the first picture is used.
        small: The same as small as they get; None for pictures of half the sides.

    Raises:
        UserError: If the inputs are no pictures, or the model takes one size only.

    Example:
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
        >>> try:
        ...     check_sizes(keras.Sequential(layers, name="flat"), tf.zeros([1, 8, 8, 1]))
        ... except UserError as error:
        ...     print(str(error)[:59])
        the model 'flat' takes pictures of one size only, and not o
    """
    if tf.nest.is_nested(x) or len(x.shape) != 4:
        shapes = " and ".join(str(list(leaf.shape)) for leaf in tf.nest.flatten(x))
        raise UserError(f"pictures [n, height, width, channels] can be resized; the inputs have the shape {shapes}.")
    whole = tf.convert_to_tensor(x[:1])
    reduced = whole[:, ::2, ::2] if small is None else tf.convert_to_tensor(small[:1])
    kind = tf.TensorSpec([1, None, None, whole.shape[3]], whole.dtype)
    called = tf.function(lambda rows: model(rows, training=False), input_signature=[kind], autograph=False)
    try:
        shapes = [[part.shape for part in tf.nest.flatten(called(rows))] for rows in (whole, reduced)]
    # Whatever a layer of the user's raises where it reads a height or a width that is None.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise _one_size(model, reduced, f"{type(error).__name__}: {reason}") from error
    if shapes[0] != shapes[1]:
        outputs = [" and ".join(str(shape.as_list()) for shape in side) for side in shapes]
        raise _one_size(model, reduced, f"the outputs have the shapes {outputs[0]} and {outputs[1]}")


def _one_size(model: keras.Model, reduced: tf.Tensor, reason: str) -> UserError:
    size = " x ".join(map(str, reduced.shape[1:3]))
    return UserError(
        f"the model {model.name!r} takes pictures of one size only, and not of {size} pixels ({reason}). {_WHAT_TO_USE}"
    )
