"""Models ready for training: built by name, with the optimizer, loss and metrics of the task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from batchsel import models, optimizers
from batchsel.core.keras_private.models import list_layers
from batchsel.core.label_smoothing import SmoothedCrossentropy
from batchsel.errors import UsageError
from batchsel.models.perplexity import Perplexity


def build_compiled(
    text: str,
    input_shape: tuple[int, ...],
    outputs: int,
    task: str,
    *,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    mixed_precision: bool = False,
    label_smoothing: float = 0.0,
    vocabulary: int | None = None,
) -> keras.Model:
    """Build and compile a model.

    Args:
        text: The model in text form, as for `batchsel.models.build`.
        input_shape: Shape of one sample.
        outputs: Classes, or 1 for regression.
        task: "classification" (cross-entropy from logits, accuracy), "language_model" (cross-entropy, perplexity) or
            "regression" (squared error, mean absolute error).
        optimizer: The optimizer in text form.
        learning_rate: Its learning rate.
        mixed_precision: Whether to compute in float16 on a GPU, bfloat16 on a CPU.
        label_smoothing: The share of a label that is spread over all classes, in [0, 1), as in `SmoothedCrossentropy`;
            evaluation reports the cross-entropy without smoothing.
        vocabulary: Number of word ids of the data, or None; as for `batchsel.models.build`.

    Raises:
        UsageError: If a text cannot be read, a name is unknown, or labels of a regression are to be smoothed.

    Example:
        >>> build_compiled("mlp(hidden=[4])", (2,), 2, "classification").compiled
        True
    """
    with _precision(mixed_precision):
        model = build_initialized(text, input_shape, outputs, vocabulary)
        _check_outputs(model, text, task, outputs)
        metrics = {"classification": ["accuracy"], "language_model": [Perplexity()], "regression": ["mae"]}[task]
        model.compile(optimizers.build(optimizer, learning_rate), _loss(task, label_smoothing), metrics=metrics)
    return model


def check_vocabulary(text: str, model: keras.Model, input_shape: tuple[int, ...], words: int) -> None:
    """Refuse an embedding without room for all words, which would fail in training or read wrong rows.

    Args:
        text: The model in text form, for the message.
        model: The model.
        input_shape: Shape of one sample.
        words: Number of word ids of the data.

    Raises:
        UsageError: If its largest embedding is smaller, and it cannot be called with the last word.

    Example:
        >>> check_vocabulary("lstm(vocabulary=20)", models.build("lstm(vocabulary=20)", (4,), 2), (4,), 30)
        Traceback (most recent call last):
        batchsel.errors.UsageError: model 'lstm(vocabulary=20)' knows 20 words, and the data have 30. Leave ...
    """
    embeddings = [layer.input_dim for layer in list_layers(model) if type(layer) is keras.layers.Embedding]
    if embeddings and max(embeddings) < words and not _takes(model, input_shape, words - 1):
        raise UsageError(
            f"model {text!r} knows {max(embeddings):,} words, and the data have {words:,}. Leave its vocabulary out, or"
            f" give at least {words}."
        )


def _takes(model: keras.Model, input_shape: tuple[int, ...], word: int) -> bool:
    """Return whether the model can be called with a word that no embedding has room for: it may hash words first.

    The answer is no on a GPU, where a lookup beyond the end is not an error.
    """
    if tf.config.list_physical_devices("GPU"):
        return False
    try:
        model(np.full((1, *input_shape), word, np.int32), training=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def build_initialized(
    text: str, input_shape: tuple[int, ...], outputs: int, vocabulary: int | None = None
) -> keras.Model:
    """Build a model and its variables.

    Args:
        text: As for `build_compiled`.
        input_shape: Shape of one sample.
        outputs: Classes, or 1 for regression.
        vocabulary: As for `build_compiled`.

    Raises:
        UsageError: If the text cannot be read, a name is unknown, or the model does not fit the shape.

    Example:
        >>> len(build_initialized("mlp(hidden=[4])", (2,), 2).trainable_variables)
        4
    """
    try:
        model = models.build(text, input_shape, outputs, vocabulary)
        if not model.built:
            model(np.zeros((1, *input_shape), np.float32), training=False)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"cannot build the model {text!r} for inputs of shape {input_shape}: {error}") from error
    return model


def _loss(task: str, label_smoothing: float) -> keras.losses.Loss:
    if task != "regression":
        if label_smoothing:
            loss = SmoothedCrossentropy(label_smoothing, from_logits=True)
            loss.plain_in_history = True  # the loss of a run is that of its card; smoothing is a setting of training
            return loss
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if label_smoothing:
        raise UsageError("labels of a regression are not classes and cannot be smoothed; leave label_smoothing out.")
    return keras.losses.MeanSquaredError()


def _check_outputs(model: keras.Model, text: str, task: str, outputs: int) -> None:
    """Check that a language model has outputs for each subword, and any other model for each sample."""
    shape = getattr(model, "output_shape", None)
    if isinstance(shape, tuple) and isinstance(shape[-1], int | None):
        wanted = 3 if task == "language_model" else 2
        if len(shape) != wanted or shape[-1] not in (None, outputs):
            form = ", ".join(["b", *["length"] * (wanted - 2), str(outputs)])
            raise UsageError(
                f"the model {text!r} has outputs of the shape {shape}; a {task} on these data needs [{form}]"
                + (", as tiny_lm has." if wanted == 3 else ".")
            )


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    outer = keras.config.dtype_policy()
    if mixed:
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        keras.config.set_dtype_policy("mixed_float16" if on_gpu else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outer)
