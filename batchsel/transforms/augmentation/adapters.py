"""Keras layers and functions on the batch as augmentations."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation

_MISTAKES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)
_OF_NO_IMPORT = ("name", "trainable", "dtype", "seed", "data_format")


@dataclass(frozen=True, repr=False)
class Function(Augmentation):
    """A function on the batch, ``x -> x``, or ``(x, rng) -> x`` if it has a parameter `rng`.

    It is TensorFlow code, traced once; random numbers are to come from `rng`, a `batchsel.core.rng.Rng` of this step.

    Args:
        function: The function. A bare function among the augmentations is wrapped so.

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

    def __call__(self, x: Any, rng: Rng) -> Any:
        """What the function returns."""
        try:
            named = {"rng": rng} if "rng" in inspect.signature(self.function).parameters else {}
            return self.function(x, **named)
        except UserError:
            raise
        except _MISTAKES as error:
            raise _unusable(self, x, error) from error


@dataclass(frozen=True, repr=False)
class KerasLayer(Augmentation):
    """A Keras layer, called with ``training=True``.

    Its generators are variables of the run: they follow the run's seed, whatever seed the layer was made with, and are
    in every checkpoint. Weights that it has are not trained.

    Args:
        layer: The layer. A bare layer among the augmentations is wrapped so.

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
        own = ", ".join(f"{key}={value!r}" for key, value in config.items() if key not in _OF_NO_IMPORT)
        return f"{type(self.layer).__name__}({own})"

    @property
    def supports_jit(self) -> bool:
        """As the layer says of itself and of the layers in it."""
        return all(layer.supports_jit for layer in self.layer._flatten_layers())

    @property
    def variables(self) -> list[Any]:
        """Generators, and what else the layer remembers."""
        return list({id(variable): variable for variable in self.layer.variables}.values())

    def seed(self, seed: int, place: int) -> None:
        """Starts the layer's generators over."""
        weights = {id(weight) for weight in self.layer.weights}
        generators = [variable for variable in self.variables if id(variable) not in weights]
        for number, generator in enumerate(generators):
            word = zlib.crc32(f"augment {seed} {place} {number}".encode()) >> 1
            generator.assign([word, 0])

    def __call__(self, x: Any, rng: Rng) -> Any:
        """What the layer makes of the batch."""
        try:
            return self.layer(x, training=True)
        except _MISTAKES as error:
            raise _unusable(self, x, error) from error


def _unusable(part: Augmentation, x: Any, error: Exception) -> UserError:
    forms = ", ".join(f"{leaf.dtype.name}{leaf.shape.as_list()}" for leaf in tf.nest.flatten(x))
    return UserError(
        f"the augmentation {part!r} cannot be applied to {forms}: {type(error).__name__}: {error} It must be TensorFlow"
        " code on a batch."
    )
