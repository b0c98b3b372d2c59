"""Moving moments of batch normalization, which lag behind the weights in runs of few updates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import keras
import numpy as np

from batchsel.core.keras_private.models import list_layers

_UPDATES = 3
"""Updates, in units of 1/(1 - momentum), after which 95 % of the first moments are forgotten."""


def warn_of_lagging_moments(model: keras.Model, steps: int, batch_size: int, stacklevel: int) -> None:
    """Warn if a run is too short for the moments that evaluations use, which begin at 0 and 1.

    Args:
        model: The model; layers whose moments have been trained or loaded are not meant.
        steps: Steps of the run.
        batch_size: Rows of a batch.
        stacklevel: Frames from here to the user's call.
    """
    slow = []
    for layer in _untrained(model):
        # Ghost batches update the moments one after the other.
        updates = steps * max(batch_size // getattr(layer, "size", batch_size), 1)
        if layer.momentum < 1 and updates < _UPDATES / (1 - layer.momentum) * (1 - 1e-6):
            slow.append((layer.momentum, updates))
    if slow:
        momentum, updates = max(slow)
        warnings.warn(
            f"batch normalization lags behind: its moving moments have momentum {momentum:g} and {updates:,} updates in"
            f" this run, and need {_UPDATES / (1 - momentum):,.0f}, so metrics of validation and test look worse than"
            " the model is. Give the layers momentum=0.9, or train with smaller batches or longer.",
            stacklevel=stacklevel + 1,
        )


def _untrained(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    for layer in list_layers(model):
        if not isinstance(layer, keras.layers.BatchNormalization) or not (layer.trainable and layer.built):
            continue
        if not np.any(layer.moving_mean.numpy()) and np.all(layer.moving_variance.numpy() == 1):
            yield layer
