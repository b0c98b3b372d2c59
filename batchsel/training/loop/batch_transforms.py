"""Transforms of a training batch: augmentation, then curricula."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.training.inputs.batch import Batch
from batchsel.transforms.augmentation import Mixture, Pipeline
from batchsel.transforms.curricula import Curricula


class BatchTransforms:
    """Augmentation and curricula, one after the other.

    Args:
        augmentation: Random changes of each sample, or None.
        curricula: Changes of the samples that depend on time, or None.
        compiled: Whether XLA compiles the transforms apart from the rest, except those that it cannot compile.
    """

    def __init__(self, augmentation: Pipeline | None, curricula: Curricula | None, compiled: bool = False) -> None:
        self.augmentation = augmentation
        self._curricula = curricula
        self._separate = curricula is not None and not curricula.supports_jit
        self._first = tf.function(self._transform, jit_compile=True, autograph=False) if compiled else self._transform

    @classmethod
    def from_parts(
        cls, augmentation: Pipeline | None, curricula: Curricula | None, compiled: bool
    ) -> BatchTransforms | None:
        """Return transforms, or None if there are none; arguments as for the class."""
        nothing = augmentation is None and curricula is None
        return None if nothing else cls(augmentation, curricula, compiled)

    def __call__(self, batch: Batch, seed: tf.Tensor, step: tf.Tensor, timestamp: Timestamp) -> Batch:
        """Transform the inputs of a batch.

        Args:
            batch: The batch.
            seed: Seed of the run.
            step: ``int64[]`` the step.
            timestamp: Time of the batch.

        Returns:
            The batch with new inputs, and with the mixture if they are mixed.
        """
        x, mixture = self._first(batch.x, batch.valid, seed, step, timestamp)
        if self._curricula is not None and self._separate:
            x = self._curricula(x, Rng(seed, step), timestamp)
        return batch._replace(x=x, mixture=mixture)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values for the schedule log: ``float32[]`` by name.

        Args:
            timestamp: Time of the update.
        """
        return {} if self._curricula is None else self._curricula.logged_values(timestamp)

    def _transform(
        self, x: Any, valid: tf.Tensor, seed: tf.Tensor, step: tf.Tensor, timestamp: Timestamp
    ) -> tuple[Any, Mixture | None]:
        rng, mixture = Rng(seed, step), None
        if self.augmentation is not None:
            x, mixture = self.augmentation(x, valid, rng, timestamp)
        if self._curricula is not None and not self._separate:
            x = self._curricula(x, rng, timestamp)
        return x, mixture
