"""Work of a forward pass, by which passes of narrower or partial models are counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras

FORWARD_PASSES = 3
"""Cost of a trained sample in forward passes: a backward pass costs about two."""
_LOOKUPS = (keras.layers.Embedding,)
_EACH_INPUT = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.Conv2DTranspose)
"""Layers whose weights are applied at each place of the input, rather than of the output."""


def forward_work(layers: Iterable[Any]) -> int:
    """Return the multiplications of one row with the kernels of layers: their sizes times the places they apply to.

    Unknown sizes of pictures or sequences count as 1. What has no kernel, such as normalization, counts as nothing.

    Args:
        layers: Layers of a functional or Sequential model, built.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
        >>> model.add(keras.layers.Dense(2))
        >>> forward_work(model.layers)  # 6 x 6 places of 9 x 4 numbers, and 144 x 2
        1584
    """
    return sum(_work(layer) for layer in layers)


def _work(layer: Any) -> int:
    if isinstance(layer, _LOOKUPS):
        return 0
    if isinstance(layer, keras.Model):
        return forward_work(layer.layers)
    size = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    tensor: Any = (layer.input if isinstance(layer, _EACH_INPUT) else layer.output) if size else None
    if not hasattr(tensor, "shape"):  # several inputs or outputs
        return size
    shape = tensor.shape[1:]
    first = getattr(layer, "data_format", None) == "channels_first"
    places = shape[1:] if first else shape[:-1]
    return size * math.prod(place or 1 for place in places)
