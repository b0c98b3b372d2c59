"""Cut: the first layers of the model and a head of their own score pools."""

from __future__ import annotations

import math
from typing import Any

import keras

from batchsel.core import keras_private
from batchsel.errors import UserError, shorten
from batchsel.training.inputs.batch import Batch, Samples
from batchsel.training.inputs.images import are_images, shrink
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.proxy.cheap_model import CheapModel, copy_with_plain_rate
from batchsel.training.model.proxy.forward_work import FORWARD_PASSES, forward_work
from batchsel.training.model.proxy.proxy import REMEDY

_GRID = 4
"""Places to a side of the features of pictures that the head sees, at most."""


class Cut(CheapModel):
    """The first layers of a model, followed by a copy of its last layer with weights, which is trained on all pools.

    The layers are those of the model in inference mode, and what they give is not differentiated.
    """

    learns_from_pools = True
    _trunk: Any = None

    @property
    def models(self) -> list[Any]:
        """The first layers, and the head."""
        return [self._trunk, self.step.model]

    def make(self, samples: Samples) -> tuple[TrainStep, float, float]:
        """Return the step of the head, built, and the price of a row that is scored or trained on."""
        full, cut = self._main.model, self._scoring.cut
        if len(getattr(full, "outputs", None) or ()) != 1:
            raise UserError(
                f"cannot cut {type(full).__name__} to score at a layer: it is no Sequential or functional model with"
                f" one output. {REMEDY}."
            )
        if "inputs" in self._signals:
            raise UserError(
                f"score(cut={cut!r}) does not serve a selector that compares the inputs of samples. {REMEDY}."
            )
        whole = forward_work(full.layers)
        self._trunk = _find_trunk(full, cut, whole)
        images = are_images(samples.x)
        features = self._features(shrink(samples.x, self._scoring.shrink) if images else samples.x)
        head = _make_head(full, features)
        head.compile(copy_with_plain_rate(full.optimizer), full.loss, loss_weights=keras_private.get_loss_weights(full))
        # Groups of layers are those of the model: the head follows the rate that the model has outside of them.
        schedule = None if self._schedule is None or self._schedule.by_layer else self._schedule
        step = self._main.make_companion(head, self._signals, self._update_size, schedule, cut_padding=False)
        ModelBuilder(step, self._batch_size, None, None).build(samples._replace(x=features))
        own = forward_work(head.layers) / max(whole, 1)
        return step, forward_work(self._trunk.layers) / max(whole, 1) + own, FORWARD_PASSES * own

    def inputs(self, batch: Batch) -> Batch:
        """Return a batch with the features at the cut as its inputs."""
        main = self._main
        return main.map_inputs(batch, lambda x: self._features(main.cut_sequences(batch._replace(x=x)).x))

    def _features(self, x: Any) -> Any:
        return keras_private.call_model(self._trunk, x, training=False)


def _find_trunk(model: Any, cut: Any, whole: int) -> Any:
    """Return the model up to a layer: that of a name, or the last one within a share of the forward pass."""
    if isinstance(cut, str):
        names = [layer.name for layer in model.layers]
        if cut not in names:
            raise UserError(f"score(cut={cut!r}): the model has no such layer. It has {', '.join(names)}.")
        trunk = _model_until(model, model.get_layer(cut))
        if trunk is None or not trunk.weights:
            raise UserError(f"score(cut={cut!r}): up to that layer there are no weights. Choose a later one.")
        return trunk
    trunks = [trunk for layer in model.layers if (trunk := _model_until(model, layer)) is not None and trunk.weights]
    shares = [forward_work(trunk.layers) / max(whole, 1) for trunk in trunks]
    within = [trunk for trunk, share in zip(trunks, shares, strict=True) if share <= cut]
    if not within:
        least = math.ceil(100 * min(shares, default=1.0)) / 100
        raise UserError(
            f"score(cut={cut!r}): the first layers with weights are {least:.2f} of a forward pass. Choose at least it."
        )
    return within[-1]


def _model_until(model: Any, layer: Any) -> Any:
    """Return the model up to a layer; None if it has no single output, or the output is that of the model."""
    try:
        output = layer.output
    except (AttributeError, ValueError):  # a layer that is called several times
        return None
    if not hasattr(output, "shape") or output is model.outputs[0]:
        return None
    return keras.Model(model.inputs, output)


def _make_head(model: Any, features: Any) -> Any:
    """Return a model from the features at the cut to outputs like those of a model, not compiled."""
    place = max(place for place, layer in enumerate(model.layers) if layer.weights)
    inputs = keras.Input(features.shape[1:], dtype=features.dtype.name)
    try:
        outputs = _pool(inputs, len(model.output_shape))
        for layer in model.layers[place:]:
            outputs = type(layer).from_config(layer.get_config())(outputs)
        head = keras.Model(inputs, outputs)
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = shorten(" ".join(str(error).split()), 200).rstrip(".")
        raise UserError(
            f"cannot make a head of the last layers of {type(model).__name__}: {reason}. {REMEDY}."
        ) from error
    if head.output_shape != model.output_shape:
        raise UserError(
            f"a head of the last layers of {type(model).__name__} has outputs of the shape {head.output_shape} in place"
            f" of {model.output_shape}: the last layer with weights must be Dense. {REMEDY}."
        )
    return head


def _pool(tensor: Any, rank: int) -> Any:
    """Return a row of features for each output: means over places of pictures, or over the steps of sequences."""
    sizes, features = tensor.shape[1:], tensor
    if len(sizes) + 1 == rank:
        return features
    if len(sizes) == 3:
        first = keras.config.image_data_format() == "channels_first"
        sides = sizes[1:] if first else sizes[:2]
        if None in sides:
            return keras.layers.GlobalAveragePooling2D()(features)
        by = tuple(math.ceil(side / _GRID) for side in sides)
        return keras.layers.Flatten()(keras.layers.AveragePooling2D(by, padding="same")(features))
    if len(sizes) == 2:
        return keras.layers.GlobalAveragePooling1D()(features)
    raise ValueError(f"the features at the cut have the shape {tuple(tensor.shape)}")
