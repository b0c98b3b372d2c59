"""Compilation of the loop as a plain graph or by XLA: a rule, not a measurement, so that runs can be repeated."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UsageError
from batchsel.selectors import Selector
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula

MODES = ("auto", "graph", "xla")

# On a CPU, XLA fuses the many small operations of a dense network into one (measured: 5 times faster than
# graph mode on 2-64-64-2, 1.5 times on 784-1024-1024-10), but its convolutions and recurrent loops are slower
# than TensorFlow's own, and Keras's random layers take ten times as long.
_SLOW_IN_XLA = (
    "Attention", "Conv", "Dropout", "GRU", "LSTM", "Noise", "Pooling", "RNN", "Random", "Resizing",
)  # fmt: skip
_LARGE = 2_000_000  # parameters; beyond this size nothing was measured
_MANY = 10_000  # samples


def use_xla(
    mode: str,
    model: keras.Model,
    selector: Selector,
    cut_padding: bool = False,
    augmentation: Pipeline | None = None,
    curricula: Curricula | None = None,
    selector_obstacle: str | None = None,
    obstacle: str | None = None,
) -> bool:
    """Return whether XLA compiles the whole loop.

    Args:
        mode: "graph", "xla", or "auto": XLA where the model is small and consists of dense and elementwise
            layers, the selector is TensorFlow code, and no Keras layer or user function augments.
        model: The model to be trained.
        selector: The selector.
        cut_padding: Whether batches have different lengths.
        augmentation: The augmentation, or None.
        curricula: The curricula, or None.
        selector_obstacle: Reason for which XLA cannot compile the selector, or None.
        obstacle: Another reason for which XLA cannot compile the loop, or None.

    Raises:
        UsageError: If the mode is unknown, or "xla" is impossible.

    Example:
        >>> import batchsel
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> use_xla("auto", model, batchsel.selectors.Random())
        True
    """
    if mode not in MODES:
        raise UsageError(f"compile must be one of {', '.join(MODES)}, got {mode!r}.")
    transforms = [transform for transform in (augmentation, curricula) if transform is not None]
    own = _obstacle(model, selector, cut_padding, transforms)
    obstacle = own or _say_selector(selector, selector_obstacle) or obstacle
    if mode == "xla" and obstacle:
        raise UsageError(f"compile='xla' is impossible: {obstacle}. Use compile='graph'.")
    if mode != "auto":
        return mode == "xla"
    return obstacle is None and _suits_xla(model) and all(transform.suits_xla for transform in transforms)


class Compilation(NamedTuple):
    """The parts of a loop that XLA compiles; the rest runs as a plain graph.

    Planning and choosing consist of many small operations on arrays of n, or of a pool, and return the same in every
    mode. Measured on a CPU around a graph-mode CNN, n = 60,000, b = 64: a plan of `loss_ema` takes 5.1 ms as a graph
    and 1.1 ms under XLA, choosing from a pool by `great` 3.2 ms and 0.3 ms. `crop | flip` of
    128 images of 32 x 32 x 3 takes 4.9 ms and 1.2 ms.
    """

    all: bool
    """Everything together."""
    planning: bool = False
    """The plans separately; compiling one takes about a second, which pays off only with many samples."""
    choosing: bool = False
    """The choice from a pool separately."""
    augmenting: bool = False
    """The transforms of a batch separately; compiling them takes seconds too."""


def choose_compilation(
    mode: str,
    model: keras.Model,
    selector: Selector,
    n: int,
    cut_padding: bool = False,
    augmentation: Pipeline | None = None,
    curricula: Curricula | None = None,
    selector_obstacle: str | None = None,
    obstacle: str | None = None,
) -> Compilation:
    """Choose the parts of a loop that XLA compiles.

    Args:
        mode: "graph", "xla", or "auto".
        model: The model to be trained.
        selector: The selector.
        n: Samples in the data set.
        cut_padding: Whether batches have different lengths.
        augmentation: The augmentation, or None.
        curricula: The curricula, or None.
        selector_obstacle: As for `use_xla`.
        obstacle: As for `use_xla`.

    Raises:
        UsageError: As `use_xla`.

    Example:
        >>> import batchsel
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
        >>> choose_compilation("auto", model, batchsel.selectors.Random(), n=60_000)
        Compilation(all=False, planning=True, choosing=True, augmenting=False)
    """
    if use_xla(mode, model, selector, cut_padding, augmentation, curricula, selector_obstacle, obstacle):
        return Compilation(all=True)
    separately = mode == "auto" and _replicas() == 1
    selecting = separately and selector.traceable and selector_obstacle is None
    return Compilation(
        all=False,
        planning=selecting and n >= _MANY,
        choosing=selecting,
        augmenting=separately and n >= _MANY and _transforms_suit_xla(augmentation, curricula),
    )


def _transforms_suit_xla(augmentation: Pipeline | None, curricula: Curricula | None) -> bool:
    """Return whether there are transforms, all fast under XLA, without curricula that it cannot compile."""
    transforms = [augmentation, curricula if curricula is None or curricula.supports_jit else None]
    suited = [transform.suits_xla for transform in transforms if transform is not None]
    return bool(suited) and all(suited)


def _obstacle(
    model: keras.Model, selector: Selector, cut_padding: bool, transforms: list[Pipeline | Curricula]
) -> str | None:
    if cut_padding:
        return "cut_padding makes batches of different length"
    if not selector.traceable:
        return f"selector {selector!r} runs Python code"
    for transform in transforms:
        if not transform.supports_jit:
            return f"{transform!r} does not support it"
    for layer in _layers(model):
        if not layer.supports_jit:
            return f"layer {layer.name!r} does not support it"
    return f"{_replicas()} replicas are in use" if _replicas() > 1 else None


def _say_selector(selector: Selector, obstacle: str | None) -> str | None:
    return None if obstacle is None else f"selector {selector!r} cannot be compiled, {obstacle}"


def _replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


def _suits_xla(model: keras.Model) -> bool:
    names = [type(layer).__name__ for layer in _layers(model)]
    slow = any(word in name for name in names for word in _SLOW_IN_XLA)
    # Counted by weight, since count_params() refuses a model that has no call of its own.
    return not slow and sum(math.prod(weight.shape) for weight in model.weights) <= _LARGE


def _layers(model: keras.Model) -> list[keras.Layer]:
    return keras_private.list_layers(model, include_self=False)
