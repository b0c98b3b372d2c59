"""How the loop is compiled: plain graph or XLA. A rule, not a measurement, so that runs can be repeated."""

from __future__ import annotations

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
) -> bool:
    """Whether the loop is compiled by XLA.

    Args:
        mode: "graph", "xla", or "auto": XLA where the model is small, made of dense and elementwise
            layers, the selector is TensorFlow code, and no Keras layer or function of the user's augments.
        model: The model to be trained.
        selector: The selector.
        cut_padding: Whether batches have different lengths.
        augmentation: What changes the samples, or None.
        curricula: What changes them over time, or None.

    Raises:
        UsageError: If the mode is unknown, or XLA is asked for and impossible.

    Example:
        >>> import batchsel
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> use_xla("auto", model, batchsel.selectors.Random())
        True
    """
    if mode not in MODES:
        raise UsageError(f"compile must be one of {', '.join(MODES)}, got {mode!r}.")
    changes = [change for change in (augmentation, curricula) if change is not None]
    obstacle = _obstacle(model, selector, cut_padding, changes)
    if mode == "xla" and obstacle:
        raise UsageError(f"compile='xla' is impossible: {obstacle}. Use compile='graph'.")
    if mode != "auto":
        return mode == "xla"
    return obstacle is None and _suits(model) and all(change.suits_xla for change in changes)


class Compilation(NamedTuple):
    """Which parts of a loop XLA compiles; the rest runs as a plain graph.

    Planning and choosing consist of many small operations on arrays of n, or of a pool, and give the same in every
    mode. Measured on a CPU around a graph-mode CNN, n = 60,000, b = 64: a plan of `loss_ema` takes 5.1 ms as a graph
    and 1.1 ms under XLA, choosing from a pool by `great` 3.2 ms and 0.3 ms. `crop | flip` of
    128 pictures of 32 x 32 x 3 takes 4.9 ms and 1.2 ms.
    """

    all: bool
    """Everything in one."""
    planning: bool = False
    """The plans alone; compiling one takes about a second, which only many samples earn back."""
    choosing: bool = False
    """The choice from a pool alone."""
    augmenting: bool = False
    """What changes the samples of a batch; compiling it takes seconds too."""


def compilation_of(
    mode: str,
    model: keras.Model,
    selector: Selector,
    n: int,
    cut_padding: bool = False,
    augmentation: Pipeline | None = None,
    curricula: Curricula | None = None,
) -> Compilation:
    """How a loop is compiled.

    Args:
        mode: "graph", "xla", or "auto".
        model: The model to be trained.
        selector: The selector.
        n: Samples in the data set.
        cut_padding: Whether batches have different lengths.
        augmentation: What changes the samples, or None.
        curricula: What changes them over time, or None.

    Raises:
        UsageError: As `use_xla`.

    Example:
        >>> import batchsel
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
        >>> compilation_of("auto", model, batchsel.selectors.Random(), n=60_000)
        Compilation(all=False, planning=True, choosing=True, augmenting=False)
    """
    if use_xla(mode, model, selector, cut_padding, augmentation, curricula):
        return Compilation(all=True)
    alone = mode == "auto" and _replicas() == 1
    return Compilation(
        all=False,
        planning=alone and selector.traceable and n >= _MANY,
        choosing=alone and selector.traceable,
        augmenting=alone and n >= _MANY and _augmenting(augmentation, curricula),
    )


def _augmenting(augmentation: Pipeline | None, curricula: Curricula | None) -> bool:
    """Whether there is something to compile, and all of it is fast; curricula that XLA cannot compile stand apart."""
    changes = [augmentation, curricula if curricula is None or curricula.supports_jit else None]
    found = [change for change in changes if change is not None]
    return bool(found) and all(change.suits_xla for change in found)


def _obstacle(
    model: keras.Model, selector: Selector, cut_padding: bool, changes: list[Pipeline | Curricula]
) -> str | None:
    if cut_padding:
        return "cut_padding makes batches of different length"
    if not selector.traceable:
        return f"selector {selector!r} runs Python code"
    for change in changes:
        if not change.supports_jit:
            return f"{change!r} does not support it"
    for layer in _layers(model):
        if not layer.supports_jit:
            return f"layer {layer.name!r} does not support it"
    return f"{_replicas()} replicas are in use" if _replicas() > 1 else None


def _replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


def _suits(model: keras.Model) -> bool:
    names = [type(layer).__name__ for layer in _layers(model)]
    slow = any(word in name for name in names for word in _SLOW_IN_XLA)
    return not slow and model.count_params() <= _LARGE


def _layers(model: keras.Model) -> list[keras.Layer]:
    return keras_private.list_layers(model, include_self=False)
