"""Signal-to-noise ratio of a network's features during training, against its current ones, by layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UserError
from batchsel.training import variables
from batchsel.training.inputs.batch import to_tensors
from batchsel.training.model.layer_names import layer_labels

MAX_SAMPLES = 640
"""Ten batches of 64."""
_MAX_LAYERS = 12
_BATCH = 64
_MAX_NUMBERS = 2**25
"""Limit for all features of a batch, to save memory."""


class FeatureSNR:
    """Comparison of a model's features with those under earlier weights.

    The features f* under the current weights are the signal, their difference from the features f under earlier
    weights is the noise: 10 log10(mean f*^2 / mean (f - f*)^2) decibels for each layer, over samples, positions and
    channels. 0 dB means that the difference is as large as the features themselves. Features that are unrelated to the
    current ones may lie above 0 dB if their means exceed their spread.

    Features are the outputs of the model's blocks, which are layers with names such as ``stage2_block1`` (or
    ``stage2`` if no blocks have names), and of the first and the last layer with a kernel, a trainable weight of two
    axes or more; if fewer than two blocks have names, of all layers with a kernel. If there are more than 12, 12 are
    selected evenly by depth, including the first and the last. Forward passes are in inference mode.

    Args:
        model: A built Keras model with a graph of layers: Sequential or functional.

    Raises:
        UserError: If the model has no graph of layers, or no layer has a kernel.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
        >>> model.set_weights([2 * np.eye(2)])
        >>> snr = FeatureSNR(model)
        >>> snr.layers, snr.decibels(np.ones([8, 2]), [[np.eye(2)]])  # 2 was 1: noise half the signal
        (['dense_1'], [[6.0205...]])
    """

    def __init__(self, model: keras.Model) -> None:
        selected = _select_layers(model)
        self._model = model
        labels = layer_labels(model)
        self.layers = [labels[id(layer)] for layer in selected]
        """Names of the compared layers, by depth; names that Keras numbers by process are numbered within the model."""
        try:
            inputs = model.inputs[0] if len(model.inputs) == 1 else model.input
            self._features = keras.Model(inputs, [layer.output for layer in selected])
        except (AttributeError, KeyError, ValueError) as error:
            raise UserError(f"the features of {model.name!r} cannot be compared: {error}") from error
        self._run = own_function(self._outputs)

    def decibels(self, x: Any, earlier: Sequence[list[np.ndarray]]) -> list[list[float | None]]:
        """Return the ratio of each layer, for each of the earlier weights.

        Args:
            x: Inputs, first axis k; at most the first 640 are compared, in full batches.
            earlier: Weights as `model.get_weights` returns them. The model keeps its current weights.

        Returns:
            Decibels by earlier weights and layer, None where features are equal to the current ones or not finite.
        """
        x = to_tensors(x, ()).x
        size, count = self._sizes(x)
        current_weights = self._model.get_weights()
        signal = np.zeros(len(self.layers))
        noise = np.zeros([len(earlier), len(self.layers)])
        with variables.preserve(self._model):
            for start in range(0, count, size):
                rows = tf.nest.map_structure(lambda leaf, start=start: leaf[start : start + size], x)
                self._model.set_weights(current_weights)
                current = self._run(rows)
                signal += _sums_of_squares(current)
                for position, weights in enumerate(earlier):
                    self._model.set_weights(weights)
                    noise[position] += _sums_of_squares([f - b for f, b in zip(self._run(rows), current, strict=True)])
        return [[_decibels(s, n) for s, n in zip(signal, row, strict=True)] for row in noise]

    def _sizes(self, x: Any) -> tuple[int, int]:
        """Return the samples of a batch, and of all batches."""
        k = min(MAX_SAMPLES, int(tf.nest.flatten(x)[0].shape[0]))
        one = self._outputs(tf.nest.map_structure(lambda leaf: leaf[:1], x))
        numbers = sum(int(tf.size(feature)) for feature in one)
        size = max(1, min(_BATCH, k, _MAX_NUMBERS // max(numbers, 1)))
        return size, k - k % size

    def _outputs(self, x: Any) -> list[tf.Tensor]:
        outputs = self._features(x, training=False)
        return [tf.cast(feature, tf.float32) for feature in tf.nest.flatten(outputs)]


def _select_layers(model: keras.Model) -> list[keras.Layer]:
    layers = list(getattr(model, "layers", []))
    if getattr(model, "inputs", None) is None:
        raise UserError(
            f"the features of {model.name!r}, a {type(model).__name__}, cannot be compared: only Sequential and"
            " functional models have a graph of layers. Build it as one of these, or leave out this measurement."
        )
    kernels = [layer for layer in layers if any(len(weight.shape) > 1 for weight in layer.trainable_weights)]
    if not kernels:
        raise UserError(f"the features of {model.name!r} cannot be compared: none of its layers has a kernel.")
    for kind in ("block", "stage"):
        named = [layer for layer in layers if re.search(rf"(^|_){kind}_?\d+$", layer.name)]
        if len(named) > 1:
            selected = {id(layer) for layer in (kernels[0], *named, kernels[-1])}
            return _select_evenly([layer for layer in layers if id(layer) in selected])
    return _select_evenly(kernels)


def _select_evenly(layers: list[keras.Layer]) -> list[keras.Layer]:
    positions = np.linspace(0, len(layers) - 1, min(_MAX_LAYERS, len(layers)))
    return [layers[int(position)] for position in np.round(positions)]


def _sums_of_squares(features: list[tf.Tensor]) -> np.ndarray:
    return np.array([float(tf.reduce_sum(tf.square(feature))) for feature in features])


def _decibels(signal: float, noise: float) -> float | None:
    if not (0 < signal < math.inf and 0 < noise < math.inf):
        return None
    return 10 * math.log10(signal / noise)
