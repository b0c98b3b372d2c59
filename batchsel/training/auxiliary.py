"""Auxiliary models that a selector compares with, trained on the clock before the first step."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UserError
from batchsel.selectors.base import is_user_code
from batchsel.selectors.validation.explanation import explain
from batchsel.selectors.validation.results import check_state
from batchsel.training.engine import Engine
from batchsel.training.inputs.batch import Batch, Samples, gather_rows
from batchsel.training.loop.data_feed import DataFeed, InMemoryFeed
from batchsel.training.model.proxy.forward_work import FORWARD_PASSES
from batchsel.training.model.proxy.narrow_copy import copy_model, copy_optimizer
from batchsel.training.runtime.clock import TRAINING, Clock

_REMEDY = "Provide the losses in a file"


class AuxiliaryTrainer(Protocol):
    """The part of a trainer that trains an auxiliary model."""

    model: keras.Model
    batch_size: int
    engine: Engine
    clock: Clock

    @property
    def counts(self) -> dict[str, int]:
        """Steps and samples so far."""
        ...

    def reset(self, seed: int, *, learning_rate: float | None = None) -> None:
        """Start over with another seed."""
        ...

    def fit(
        self, x: Any, y: Any, *, passes: float, sample_weight: Any, callbacks: Any, verbose: int
    ) -> keras.callbacks.History:
        """Train on arrays."""
        ...


ScoreBlock = Callable[[Samples, tf.Tensor], tf.Tensor]
"""Losses ``float32[b]`` of the samples ``int32[b]``."""


class AuxiliaryModels:
    """Copies of the model, or narrower ones, that are trained for a selector and score all samples.

    Args:
        engine: The engine of the main model, which is copied; its counters include the cost.
        clock: The clock of the run.
        make_trainer: Makes a trainer, with the settings of the main one, for a model and a batch size.
    """

    def __init__(
        self, engine: Engine, clock: Clock, make_trainer: Callable[[keras.Model, int], AuxiliaryTrainer]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._make_trainer = make_trainer
        self._trainers: dict[tuple[float, int], tuple[AuxiliaryTrainer, ScoreBlock]] = {}

    def prepare_selector(self, feed: DataFeed) -> None:
        """Let a selector that compares with auxiliary models train them, and store its new state.

        Args:
            feed: The data.

        Raises:
            UserError: If the selector needs data in memory and they are streamed, or the model cannot be copied.
        """
        selector = self._engine.selector
        if not selector.prepares:
            return
        if not isinstance(feed, InMemoryFeed):
            raise UserError(f"{selector!r} trains auxiliary models first, which needs data in memory.")
        stored = self._engine.loop.state.state
        state = tf.nest.map_structure(lambda variable: variable.read_value(), stored)
        try:
            prepared = selector.prepare(state, partial(self._train, feed.data), self._engine.seed)
            if is_user_code(selector) and prepared is not None:
                prepared = tf.nest.map_structure(tf.convert_to_tensor, prepared)
        except UserError:
            raise
        except Exception as error:  # whatever the user's code raises
            if not is_user_code(selector):
                raise
            raise explain(selector, "prepare", error) from error
        if is_user_code(selector):
            check_state(selector, "prepare", prepared, state)
        tf.nest.map_structure(lambda variable, value: variable.assign(value), stored, prepared)

    def _train(
        self,
        data: Samples,
        rows: np.ndarray,
        seed: int,
        passes: float,
        *,
        width: float = 1.0,
        every_pass: bool = False,
        scored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train an auxiliary model, and score samples by it; see `batchsel.selectors.types.TrainAuxiliary`."""
        trainer, score = self._get_trainer(width, min(self._engine.batch_size, len(rows)))
        chosen = np.arange(int(tf.nest.flatten(data.x)[0].shape[0])) if scored is None else scored
        count, size = len(chosen), trainer.batch_size
        # Padded to whole blocks, so that all have the shape that was traced.
        blocks = np.resize(chosen, [-(-count // size), size]).astype(np.int32)
        part = gather_rows(data, tf.constant(rows, tf.int32))
        lr_controller = trainer.engine.step.lr_controller
        initial_rate = self._engine.step.lr_controller.initial_rate
        trainer.reset(seed, learning_rate=None if lr_controller.schedule is None else initial_rate)
        with self._clock.section("tracing"):
            trainer.engine.build(part)
            score(data, tf.constant(blocks[0])).numpy()
        losses = []

        def score_all(epoch: int, logs: dict[str, float] | None = None) -> None:
            with self._clock.section(TRAINING):
                found = [score(data, tf.constant(block)).numpy() for block in blocks]
                losses.append(np.concatenate(found)[:count])

        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=score_all)] if every_pass else []
        trainer.fit(part.x, part.y, passes=passes, sample_weight=part.sample_weight, callbacks=callbacks, verbose=0)
        if not every_pass:
            score_all(0)
        self._clock.nanoseconds[TRAINING] += trainer.clock.nanoseconds[TRAINING]
        share = trainer.model.count_params() / self._engine.model.count_params()
        forward_passes = FORWARD_PASSES * trainer.counts["samples"] + count * len(losses)
        self._engine.loop.add_scored(math.ceil(share * forward_passes))
        return np.stack(losses) if every_pass else losses[0]

    def _get_trainer(self, width: float, batch_size: int) -> tuple[AuxiliaryTrainer, ScoreBlock]:
        """Return the trainer of a model of that width, and the function that computes losses; created once."""
        key = width, batch_size
        if key not in self._trainers:
            trainer = self._make_trainer(copy_model(self._engine.model, width, _REMEDY, copy_optimizer), batch_size)
            step = trainer.engine.step

            def score(data: Samples, indices: tf.Tensor) -> tf.Tensor:
                return step.score(Batch(indices, tf.ones([batch_size]), *gather_rows(data, indices))).loss

            self._trainers[key] = trainer, own_function(score)
        return self._trainers[key]
