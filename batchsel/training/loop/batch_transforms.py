"""What happens to the samples of a batch on their way into a step: augmentation, then curricula."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.transforms.augmentation import Mixture, Pipeline
from batchsel.transforms.curricula import Curricula


class BatchTransforms:
    """Augmentations and curricula one after the other.

    Args:
        augmentation: Changes each sample by a draw of its own, or None.
        curricula: Change what samples look like over time, or None.
        compiled: Whether XLA compiles it by itself, apart from what it cannot.
    """

    def __init__(self, augmentation: Pipeline | None, curricula: Curricula | None, compiled: bool = False) -> None:
        self._augmentation = augmentation
        self._curricula = curricula
        self._apart = curricula is not None and not curricula.supports_jit
        self._first = tf.function(self._changed, jit_compile=True, autograph=False) if compiled else self._changed

    @classmethod
    def of(cls, augmentation: Pipeline | None, curricula: Curricula | None, compiled: bool) -> BatchTransforms | None:
        """A preparation, or None where nothing is to be done.

        Args:
            augmentation: As for the class.
            curricula: As for the class.
            compiled: As for the class.
        """
        nothing = augmentation is None and curricula is None
        return None if nothing else cls(augmentation, curricula, compiled)

    def __call__(
        self, x: Any, valid: tf.Tensor, seed: tf.Tensor, step: tf.Tensor, timestamp: Timestamp
    ) -> tuple[Any, Mixture | None]:
        """The inputs of a training step.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            valid: ``bool[b]`` false for rows that only fill up the batch.
            seed: Seed of the run.
            step: ``int64[]`` the step.
            timestamp: Where the run stands.

        Returns:
            The changed inputs, and of which samples they are made; None if nothing mixes them.
        """
        x, mixture = self._first(x, valid, seed, step, timestamp)
        if self._apart:
            x = self._curricula(x, Rng(seed, step), timestamp)
        return x, mixture

    def _changed(
        self, x: Any, valid: tf.Tensor, seed: tf.Tensor, step: tf.Tensor, timestamp: Timestamp
    ) -> tuple[Any, Mixture | None]:
        rng, mixture = Rng(seed, step), None
        if self._augmentation is not None:
            x, mixture = self._augmentation(x, valid, rng, timestamp)
        if self._curricula is not None and not self._apart:
            x = self._curricula(x, rng, timestamp)
        return x, mixture

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment: ``float32[]`` by name.

        Args:
            timestamp: Where the run stands.
        """
        return {} if self._curricula is None else self._curricula.logged_values(timestamp)
