"""Augmentations: transforms that change each sample at random, or mix two samples.

Shapes use b = batch size, h = height, w = width, c = channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.transforms.base import Transform

if TYPE_CHECKING:
    from batchsel.transforms.augmentation.pipeline import Pipeline


class Augmentation(Transform):
    """A random change of each sample of a batch. Subclasses are frozen dataclasses.

    Example:
        >>> import dataclasses, tensorflow as tf
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class Negative(Augmentation):
        ...     name = "negative"
        ...     chance: float = 0.5
        ...     def __call__(self, x, rng):
        ...         chosen = rng.uniform([x.shape[0], 1, 1, 1], "negative") < self.chance
        ...         return tf.where(chosen, 255 - x, x)
        >>> Negative(0.1)
        negative(chance=0.1)
    """

    mixes: ClassVar[bool] = False
    """True for a `Mixing`."""

    @property
    def variables(self) -> list[Any]:
        """State that is kept from step to step: the generators of Keras layers."""
        return []

    def seed(self, seed: int, place: int) -> None:
        """Restart the generators of this augmentation, if it has any.

        Args:
            seed: Seed of the run.
            place: Position in the pipeline.
        """

    def __or__(self, other: Augmentation | Pipeline) -> Pipeline:
        from batchsel.transforms.augmentation.pipeline import Pipeline

        return Pipeline((self,)) | other


class Mixture(NamedTuple):
    """The two samples that each row of a mixed batch is made from, and their shares.

    Example:
        >>> mixture = Mixture(tf.constant([1, 0]), tf.constant(0.75))
        >>> mixture.weighted_mean(tf.constant([4.0, 8.0]), tf.constant([8.0, 4.0])).numpy().tolist()
        [5.0, 7.0]
    """

    partners: tf.Tensor
    """``int32[b]`` the row that each row is mixed with, which may be itself."""
    share: tf.Tensor
    """``float32[]`` λ, the share of the row itself; that of the partner is 1 − λ."""

    def weighted_mean(self, own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Return λ · own + (1 − λ) · others.

        Args:
            own: ``float32[b]`` of each row.
            others: ``float32[b]`` of the partner of each row.
        """
        return self.share * own + (1 - self.share) * others

    def gather_partners(self, rows: Any) -> Any:
        """Return the rows of the partners.

        Args:
            rows: A nest of ``[b, ...]``.
        """
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, self.partners), rows)

    def gather_larger(self, rows: Any) -> Any:
        """Return, for each row, that of the sample with the larger share.

        Args:
            rows: A nest of ``[b, ...]``.
        """
        itself = tf.range(tf.shape(self.partners)[0])
        places = tf.where(self.share >= 0.5, itself, self.partners)
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, places), rows)


class Mixing(Augmentation):
    """An augmentation that makes each row of a batch from two samples; the loss is mixed with the same shares.

    Subclasses are frozen dataclasses, and define `mix`.

    Example:
        >>> from batchsel.transforms.augmentation import Mixup
        >>> Mixup().mixes
        True
    """

    mixes = True

    def mix(self, x: Any, valid: tf.Tensor, rng: Rng) -> tuple[Any, Mixture]:
        """Return the mixed rows and their mixture.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            valid: ``bool[b]`` false for rows of padding; no real row has a row of padding as partner.
            rng: Random numbers of this step.
        """
        raise NotImplementedError
