"""Keras layers and functions on the batch as augmentations."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation

_USER_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)
_OMITTED = ("name", "trainable", "dtype", "seed", "data_format")


@dataclass(frozen=True, repr=False)
class Function(Augmentation):
    """A function on the batch, ``x -> x``; it may also have parameters named `rng` and `timestamp`.

    It is TensorFlow code, traced once; random numbers must come from `rng`, a `batchsel.core.rng.Rng` of this step.

    Args:
        function: The function. A bare function among the augmentations is wrapped automatically.

    Example:
        >>> def darker(x, rng):
        ...     return x * rng.uniform([x.shape[0], 1], "darker")
        >>> Function(darker)
        function(darker)
    """

    name = "function"
    suits_xla = False
    function: Callable[..., Any]

    def __repr__(self) -> str:
        return f"{self.name}({getattr(self.function, '__name__', self.function)})"

    def __call__(self, x: Any, rng: Rng, timestamp: Timestamp | None = None) -> Any:
        """Return the result of the function."""
        try:
            parameters = inspect.signature(self.function).parameters
            named = {"rng": rng, "timestamp": timestamp}
            return self.function(x, **{name: value for name, value in named.items() if name in parameters})
        except UserError:
            raise
        except _USER_ERRORS as error:
            raise _inapplicable(self, x, error) from error


@dataclass(frozen=True, repr=False)
class KerasLayer(Augmentation):
    """A Keras layer, called with ``training=True``.

    Its generators are variables of the run: they follow the seed of the run, whatever seed the layer was created with,
    and are in every checkpoint. Its weights, if any, are not trained.

    Args:
        layer: The layer. A bare layer among the augmentations is wrapped automatically.

    Example:
        >>> KerasLayer(keras.layers.RandomFlip("horizontal"))
        RandomFlip(mode='horizontal')
    """

    name = "keras_layer"
    suits_xla = False
    layer: keras.Layer

    def __repr__(self) -> str:
        try:
            config = self.layer.get_config()
        except NotImplementedError:
            config = {}
        own = ", ".join(f"{key}={value!r}" for key, value in config.items() if key not in _OMITTED)
        return f"{type(self.layer).__name__}({own})"

    @property
    def supports_jit(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """True if the layer and all layers in it support XLA."""
        return all(layer.supports_jit for layer in keras_private.list_layers(self.layer))

    @property
    def variables(self) -> list[Any]:
        """Generators and other state of the layer."""
        return list({id(variable): variable for variable in self.layer.variables}.values())

    def seed(self, seed: int, place: int) -> None:
        """Restart the generators of the layer."""
        weights = {id(weight) for weight in self.layer.weights}
        generators = [variable for variable in self.variables if id(variable) not in weights]
        for number, generator in enumerate(generators):
            word = zlib.crc32(f"augment {seed} {place} {number}".encode()) >> 1
            generator.assign([word, 0])

    def __call__(self, x: Any, rng: Rng) -> Any:
        """Return the output of the layer."""
        try:
            return self.layer(x, training=True)
        except _USER_ERRORS as error:
            raise _inapplicable(self, x, error) from error


def _inapplicable(part: Augmentation, x: Any, error: Exception) -> UserError:
    specs = ", ".join(f"{leaf.dtype.name}{leaf.shape.as_list()}" for leaf in tf.nest.flatten(x))
    return UserError(
        f"the augmentation {part!r} cannot be applied to {specs}: {type(error).__name__}: {error} It must be TensorFlow"
        " code that accepts a batch."
    )
