"""Checks of a model before anything is built: that it can be trained, and whose code computes its loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UserError, shorten

_MIRRORED = "Build and compile it under tf.distribute.MirroredStrategy, for devices of one host"
_STRATEGIES = {
    tf.distribute.MultiWorkerMirroredStrategy: (
        f"Keras 3 cannot train a model on several machines with it. {_MIRRORED}, and use several machines for several"
        " runs, with --executor slurm or dask"
    ),
    tf.distribute.TPUStrategy: (
        f"which compiles everything by XLA, and batchsel's loop cannot be divided so. {_MIRRORED}"
    ),
    tf.distribute.experimental.CentralStorageStrategy: (
        f"whose devices wait for one that holds all weights. {_MIRRORED}"
    ),
    tf.distribute.experimental.ParameterServerStrategy: (
        f"which updates weights in no fixed order, so a run could not be repeated. {_MIRRORED}"
    ),
}
"""Strategies whose variables are spread over devices in another way than batchsel can train them, and the reasons."""

NO_LOSS = "the model is not compiled with a loss. Call model.compile(optimizer=..., loss=..., metrics=...)."


def find_override(model: keras.Model) -> str | None:
    """Return why a model's own code computes its loss, as in "GAN overrides train_step()"; None if it does not.

    A model that is compiled without a loss has those that its layers add.

    Args:
        model: A Keras model.

    Example:
        >>> class Own(keras.Model):
        ...     def train_step(self, data):
        ...         return {}
        >>> find_override(Own()), find_override(keras.Sequential())
        ('Own overrides train_step()', None)
    """
    for method in ("train_step", "compute_loss"):
        if keras_private.overrides(model, method):
            return f"{type(model).__name__} overrides {method}()"
    if model.compiled and model.loss is None:
        return f"{type(model).__name__} is compiled without a loss"
    return None


def check_model(model: keras.Model) -> None:
    """Check that a model is compiled, and lies where batchsel trains.

    Args:
        model: Anything.

    Raises:
        UserError: If it is not.
    """
    if not keras_private.is_trainer(model):
        raise UserError(f"model must be a keras.Model, got {type(model).__name__}.")
    if not model.compiled:
        raise UserError(NO_LOSS)
    strategy = getattr(model, "distribute_strategy", None)
    for kind, reason in _STRATEGIES.items():
        if isinstance(strategy, kind):
            raise UserError(f"the model was built under {type(strategy).__name__}, {reason}.")


@contextmanager
def eager_code_errors(model: keras.Model) -> Iterator[None]:
    """Explain errors of Python code that cannot be traced, in a model that is compiled to run as such code.

    Args:
        model: A compiled Keras model.

    Raises:
        UserError: If the model is compiled with run_eagerly=True.
    """
    try:
        yield
    except (UserError, ValueError, tf.errors.OpError):
        raise
    except Exception as error:  # whatever the user's own code raises
        if not model.run_eagerly:
            raise
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        raise UserError(
            "the model is compiled with run_eagerly=True, and runs as a graph here, which some code of the model, its"
            f" loss or its metrics cannot: {type(error).__name__}: {shorten(lines[0].strip(), 200).rstrip('.')}. Write"
            " it with operations of keras.ops, or wrap it in tf.py_function."
        ) from error


def embedded_inputs(model: keras.Model) -> list[tuple[int, int]]:
    """Return the inputs that an Embedding looks up as they are: their places, and the rows that it has.

    Args:
        model: A built model.

    Example:
        >>> embedded_inputs(keras.Sequential([keras.Input((3,)), keras.layers.Embedding(50, 2)]))
        [(0, 50)]
    """
    places = {id(tensor): place for place, tensor in enumerate(getattr(model, "inputs", None) or [])}
    found = []
    for layer in keras_private.list_layers(model):
        if isinstance(layer, keras.layers.Embedding):
            with suppress(ValueError, AttributeError):  # called several times, or in no graph
                if id(layer.input) in places:
                    found.append((places[id(layer.input)], layer.input_dim))
    return found


def check_embedded(x: Any, inputs: list[Any], embedded: list[tuple[int, int]], numbers: np.ndarray | None) -> None:
    """Check that an Embedding has a row for each number; on a GPU TensorFlow does not, and elsewhere it is late.

    Args:
        x: Inputs of some samples.
        inputs: The model's inputs.
        embedded: What `embedded_inputs` returned.
        numbers: ``int[n]`` sample numbers, or None for 0 ... n-1.

    Raises:
        UserError: If it has not, naming the numbers and their samples.
    """
    for place, size in embedded:
        name = inputs[place].name
        part = x[name] if isinstance(x, Mapping) and name in x else tf.nest.flatten(x)[place]
        if not len(part) or np.asarray(part[:1]).dtype.kind not in "iu":
            continue
        values = np.asarray(part).reshape(len(part), -1)
        if values.size and (values.min() < 0 or values.max() >= size):
            bad = np.argwhere((values < 0) | (values >= size))
            numbers = np.arange(len(values)) if numbers is None else numbers
            shown = ", ".join(f"{values[row, column]} at {numbers[row]}" for row, column in bad[:5])
            raise UserError(
                f"x has {len(bad)} numbers outside 0 ... {size - 1}, the rows of the Embedding: {shown}. Correct them,"
                " or build the model with a larger input_dim."
            )
