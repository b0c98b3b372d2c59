"""Checks that a selector suits mixed samples, and a model images of several sizes."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UserError
from batchsel.selectors import Selector
from batchsel.transforms.augmentation import Pipeline

_REMEDY = (
    "Use one that ends in a mean over the image, such as simple_cnn, resnet18, wide_resnet or convnext_tiny"
    " (keras.layers.GlobalAveragePooling2D in place of Flatten), or leave out the curriculum that resizes."
)


def check_mixing(augmentation: Pipeline | None, selector: Selector) -> None:
    """Reject mixup and CutMix for selectors that use training losses.

    Args:
        augmentation: The augmentation, or None.
        selector: The selector.

    Raises:
        UserError: If samples are mixed, and the selector uses their losses.

    Example:
        >>> from batchsel import augmentation, selectors
        >>> check_mixing(augmentation.resolve("flip | mixup"), selectors.resolve("random"))
        >>> check_mixing(augmentation.resolve("flip | mixup"), selectors.resolve("loss_ema"))
        Traceback (most recent call last):
        batchsel.errors.UserError: mixup(alpha=0.2, chance=1.0) mixes two samples, whose common loss says ...
    """
    mixers = () if augmentation is None else augmentation.mixers
    if mixers and (selector.uses_training_losses or selector.weighs):
        raise UserError(
            f"{' and '.join(map(repr, mixers))} mixes two samples, whose common loss says little about either, but the"
            f" selector {selector!r} uses training losses. Leave the mixing out, or choose a selector that does not use"
            " them: 'random', or one that scores pools of plain samples, such as 'candidates'."
        )


def check_sizes(model: keras.Model, x: Any, small: Any = None) -> None:
    """Check that a model accepts images of several sizes, with outputs of one shape.

    Args:
        model: The model, built.
        x: Inputs; the first image is used.
        small: The same at their smallest; None for images of half the sides.

    Raises:
        UserError: If the inputs are not images, or the model accepts one size only.

    Example:
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
        >>> try:
        ...     check_sizes(keras.Sequential(layers, name="flat"), tf.zeros([1, 8, 8, 1]))
        ... except UserError as error:
        ...     print(str(error)[:60])
        the model 'flat' accepts images of one size only, and not of
    """
    if tf.nest.is_nested(x) or len(x.shape) != 4:
        shapes = " and ".join(str(list(leaf.shape)) for leaf in tf.nest.flatten(x))
        raise UserError(f"images [n, height, width, channels] can be resized; the inputs have the shape {shapes}.")
    whole = tf.convert_to_tensor(x[:1])
    reduced = whole[:, ::2, ::2] if small is None else tf.convert_to_tensor(small[:1])
    spec = tf.TensorSpec([1, None, None, whole.shape[3]], whole.dtype)
    call = own_function(lambda rows: keras_private.call_model(model, rows, training=False), input_signature=[spec])
    try:
        shapes = [[part.shape for part in tf.nest.flatten(call(rows))] for rows in (whole, reduced)]
    # User layers may raise any error where a height or a width is None.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise _one_size_error(model, reduced, f"{type(error).__name__}: {reason}") from error
    if shapes[0] != shapes[1]:
        outputs = [" and ".join(str(shape.as_list()) for shape in side) for side in shapes]
        raise _one_size_error(model, reduced, f"the outputs have the shapes {outputs[0]} and {outputs[1]}")


def _one_size_error(model: keras.Model, reduced: tf.Tensor, reason: str) -> UserError:
    size = " x ".join(map(str, reduced.shape[1:3]))
    return UserError(
        f"the model {model.name!r} accepts images of one size only, and not of {size} pixels ({reason}). {_REMEDY}"
    )
