"""Mixtures of the rows of a share, whose partners may be in other shares of the batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.training.inputs.batch import gather_rows
from batchsel.transforms.augmentation.base import Mixture


class ShareMixture:
    """Mixture of some rows of a batch, which holds the targets of their partners; used like a `Mixture`.

    Args:
        mixture: The mixture of the whole batch.
        places: ``int32[k]`` places of the rows in the batch.
        targets: Targets of the whole batch.

    Example:
        >>> mixture = Mixture(tf.constant([2, 0, 1]), tf.constant(0.25))
        >>> share = ShareMixture(mixture, tf.constant([0, 1]), tf.constant([5, 6, 7]))
        >>> share.gather_partners(tf.constant([5, 6])).numpy().tolist()
        [7, 5]
        >>> share.gather_larger(tf.constant([5, 6])).numpy().tolist()
        [7, 5]
    """

    def __init__(self, mixture: Mixture, places: tf.Tensor, targets: Any) -> None:
        self._mixture = mixture
        self._targets = gather_rows(targets, tf.gather(mixture.partners, places))

    def weighted_mean(self, own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Return λ · own + (1 − λ) · others, as `Mixture.weighted_mean` does."""
        return self._mixture.weighted_mean(own, others)

    def gather_partners(self, rows: Any) -> Any:
        """Return the targets of the partners.

        Args:
            rows: The targets of the rows of this share, which are not needed.
        """
        return self._targets

    def gather_larger(self, rows: Any) -> Any:
        """Return, for each row, the targets of the sample with the larger share.

        Args:
            rows: The targets of the rows of this share.
        """
        larger = self._mixture.share >= 0.5
        return tf.nest.map_structure(lambda own, other: tf.where(larger, own, other), rows, self._targets)
