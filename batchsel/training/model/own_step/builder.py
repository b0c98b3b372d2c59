"""Build a model whose loss is not known for each sample by tracing one of its steps."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training import variables
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.own_step.train_step import OwnTrainStep
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula


class OwnBuilder(ModelBuilder):
    """Builds model, optimizers and metrics as Keras does: by tracing a train step on the first data.

    Targets and weights are those that the model's code takes; they are not compared with its outputs.

    Args:
        step: The step.
        batch_size: As for `ModelBuilder`.
        augmentation: As for `ModelBuilder`.
        curricula: As for `ModelBuilder`.
    """

    def __init__(
        self, step: OwnTrainStep, batch_size: int, augmentation: Pipeline | None, curricula: Curricula | None
    ) -> None:
        super().__init__(step, batch_size, augmentation, curricula)
        self._own = step
        # The model's code may count rows: a batch must not be filled up, and evaluation has the batches of Keras.
        self.handles_padding = False
        self.batches_matter = True

    def build(self, samples: Samples) -> Samples:
        """Build model, optimizers and metrics by tracing a step on one batch, as `ModelBuilder.build` does."""
        self.fixed_batch = self._find_fixed_batch(samples)
        batch = self._first_batch(samples)
        if not self._metrics_built:
            optimizer = cast(Any, self._model.optimizer)
            unused = not getattr(optimizer, "built", True)
            self._own.trace(batch)
            if not self._model.trainable_variables:
                raise UserError("the model has no trainable weights: there is nothing to train.")
            if self.pending_seed is not None:
                variables.initialize(self._model, self.pending_seed)
                self.pending_seed = None
            if unused and optimizer.built and not self._can_remake(optimizer):
                self.first_slots = [variable.numpy() for variable in optimizer.variables]
            self._metrics_built = True
        self._check_transforms(samples, batch)
        return batch

    def check_inputs(self, samples: Samples) -> None:
        """Check that inputs are finite, or that the model handles those that are not, if it can be called."""
        if type(self._model).call is not keras.Model.call:
            super().check_inputs(samples)
            return
        rows = [arrays.nonfinite_rows(leaf) for leaf in tf.nest.flatten(samples.x)]
        arrays.reject_nonfinite("x", np.unique(np.concatenate([*rows, np.zeros([0], np.int64)])))

    def _check_weights(self, samples: Samples) -> None:
        """Leave the shapes of weights to the model's code."""

    def _can_remake(self, optimizer: keras.optimizers.Optimizer) -> bool:
        """Return whether another optimizer with the same settings would have variables of the same shapes."""
        if not variables.can_copy(optimizer):
            return False
        fresh = variables.fresh_slots(optimizer, self._model.trainable_variables)
        return [value.shape for value in fresh] == [tuple(variable.shape) for variable in optimizer.variables]
