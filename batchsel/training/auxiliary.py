"""Models that are trained beside the one that matters, so that a selector can compare with them; on the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UserError
from batchsel.selectors.types import TrainAuxiliary
from batchsel.training import variables
from batchsel.training.loop.data_feed import DataFeed, InMemoryFeed
from batchsel.training.loop.train_step import Rows
from batchsel.training.loop.turn import gather_rows
from batchsel.training.runtime.clock import TRAINING

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

_SIZES = {"units", "filters", "output_dim"}
"""Parameters of Keras layers that say how wide they are."""
_FORWARDS = 3
"""Forward passes that a sample trained on costs: a backward pass costs about two."""


class AuxiliaryModels:
    """Trains models of the same form as a trainer's, or narrower ones, and scores all of its samples by them.

    Args:
        trainer: Whose model is copied, and on whose clock and counts the cost is.

    Raises:
        UserError: If the model cannot be copied.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._outer = trainer
        self._inner: dict[tuple[float, int], tuple[Trainer, Callable[[Rows, tf.Tensor], tf.Tensor]]] = {}

    def learner(self, feed: DataFeed) -> TrainAuxiliary:
        """What a selector's `prepare` is given.

        Args:
            feed: The data.

        Returns:
            The function.

        Raises:
            UserError: If the data are streamed.
        """
        if not isinstance(feed, InMemoryFeed):
            raise UserError(f"{self._outer.selector!r} trains models of its own first, which needs data in memory.")
        return partial(self._learn, feed.data)

    def _learn(
        self, data: Rows, rows: np.ndarray, seed: int, passes: float, *, width: float = 1.0, every_pass: bool = False
    ) -> np.ndarray:
        inner, score = self._of(width, min(self._outer.batch_size, len(rows)))
        outer, n = self._outer, int(tf.nest.flatten(data.x)[0].shape[0])
        part = gather_rows(data, tf.constant(rows, tf.int32))
        inner.reset(seed, learning_rate=outer.engine.step.lr_controller.initial_rate if inner.schedule else None)
        with outer.clock.section("tracing"):
            inner.engine.build(Rows(*part))
            score(data, tf.constant(0)).numpy()
        found = []

        def look(epoch: int, logs: dict | None = None) -> None:
            with outer.clock.section(TRAINING):
                starts = range(0, n, inner.batch_size)
                found.append(np.concatenate([score(data, tf.constant(start)).numpy() for start in starts])[:n])

        looks = [keras.callbacks.LambdaCallback(on_epoch_end=look)] if every_pass else []
        inner.fit(part.x, part.y, epochs=passes, sample_weight=part.sample_weight, callbacks=looks, verbose=0)
        if not every_pass:
            look(0)
        outer.clock.nanoseconds[TRAINING] += inner.clock.nanoseconds[TRAINING]
        share = inner.model.count_params() / outer.model.count_params()
        passed = _FORWARDS * inner.counts["samples"] + n * len(found)
        outer.loop.state.scored.assign_add(math.ceil(share * passed))
        return np.stack(found) if every_pass else found[0]

    def _of(self, width: float, batch_size: int) -> tuple[Trainer, Callable[[Rows, tf.Tensor], tf.Tensor]]:
        """The trainer of a model of that width, and the function that gives losses under it; made once."""
        key = width, batch_size
        if key not in self._inner:
            outer = self._outer
            model = _copy(outer.model, width)
            decays = hasattr(model.optimizer.learning_rate, "assign")
            inner = type(outer)(
                model,
                batch_size=batch_size,
                schedule="linear" if decays else None,
                compile=outer.engine.mode,
                cut_padding=outer.engine.step.cut_padding,
                augment=outer.augmentation,
            )

            def score(data: Rows, start: tf.Tensor) -> tf.Tensor:
                indices = (start + tf.range(batch_size)) % tf.nest.flatten(data.x)[0].shape[0]
                return inner.engine.step.score(gather_rows(data, indices), indices, tf.ones([batch_size])).loss

            self._inner[key] = inner, tf.function(score, autograph=False)
        return self._inner[key]


def _copy(model: keras.Model, width: float) -> Any:
    """A model of the same form with weights of its own, compiled alike."""
    try:
        copy = variables.clone(model, clone_function=None if width == 1 else _narrower(model, width))
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        copy.compile(optimizer, model.loss, loss_weights=keras_private.get_loss_weights(model), metrics=None)
    except (NotImplementedError, TypeError, ValueError) as error:
        kind = "second" if width == 1 else "narrower"
        raise UserError(
            f"cannot copy {type(model).__name__} to train a {kind} one of it: {error}. Give the losses by a file."
        ) from error
    if copy.output_shape != model.output_shape:
        raise UserError(
            f"a narrower {type(model).__name__} has outputs of the shape {copy.output_shape} in place of"
            f" {model.output_shape}. Give the losses by a file, or choose width=1.0."
        )
    return copy


def _narrower(model: keras.Model, width: float) -> Callable[[keras.Layer], keras.Layer]:
    """Makes layers with fewer units or filters; the last one that has any keeps them, and so do outputs."""
    sized = [layer for layer in model.layers if _SIZES & set(layer.get_config())]
    ends = {id(output) for output in model.outputs}
    kept = {id(layer) for layer in (*sized[-1:], *(layer for layer in sized if id(layer.output) in ends))}

    def narrowed(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if id(layer) not in kept:
            config |= {size: max(1, round(config[size] * width)) for size in _SIZES & set(config)}
        return type(layer).from_config(config)

    return narrowed
