"""The protocol of an augmentation: an immutable config with a pure function of a batch and random numbers.

Shapes use b = batch size, h = height, w = width, c = channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.rng import Rng

if TYPE_CHECKING:
    from batchsel.transforms.augmentation.pipeline import Pipeline


class Augmentation:
    """Changes the samples of a batch, each by a draw of its own. Subclasses are frozen dataclasses.

    Give a subclass a `name`, and define `__call__`, which is traced by TensorFlow once: TensorFlow code whose random
    numbers come from the `Rng` that it is handed. Then the seed and the step of a run say all that is drawn.

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

    name: ClassVar[str]
    mixes: ClassVar[bool] = False
    """Whether it is a `Mixing`."""
    supports_jit: ClassVar[bool] = True
    """Whether XLA can compile it."""
    suits_xla: ClassVar[bool] = True
    """Whether it is known to be fast under XLA on a CPU."""

    def __call__(self, x: Any, rng: Rng) -> Any:
        """The samples, changed.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            rng: Random numbers of this step.

        Returns:
            As many samples of the same shape.
        """
        raise NotImplementedError

    @property
    def variables(self) -> list[Any]:
        """What it remembers from step to step besides: the generators of Keras layers."""
        return []

    def seed(self, seed: int, place: int) -> None:
        """Starts over with another seed, where it has generators of its own.

        Args:
            seed: Seed of the run.
            place: Where it stands in its pipeline.
        """

    def __or__(self, other: Augmentation | Pipeline) -> Pipeline:
        from batchsel.transforms.augmentation.pipeline import Pipeline

        return Pipeline((self,)) | other

    def __repr__(self) -> str:
        return to_text(self)


class Mixture(NamedTuple):
    """Of which two samples each row of a mixed batch is made.

    Example:
        >>> mixture = Mixture(tf.constant([1, 0]), tf.constant(0.75))
        >>> mixture.of(tf.constant([4.0, 8.0]), tf.constant([8.0, 4.0])).numpy().tolist()
        [5.0, 7.0]
    """

    partners: tf.Tensor
    """``int32[b]`` the row that each row is mixed with, which may be itself."""
    share: tf.Tensor
    """``float32[]`` λ, the share of the row itself; the partner's is 1 − λ."""

    def of(self, own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """The mean, weighed by the shares, λ · own + (1 − λ) · others.

        Args:
            own: ``float32[b]`` of each row.
            others: ``float32[b]`` of each row's partner.
        """
        return self.share * own + (1 - self.share) * others

    def others(self, rows: Any) -> Any:
        """Those of the partners.

        Args:
            rows: A nest of ``[b, ...]``.
        """
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, self.partners), rows)

    def larger(self, rows: Any) -> Any:
        """Those of the sample that has the larger share in each row.

        Args:
            rows: A nest of ``[b, ...]``.
        """
        itself = tf.range(self.partners.shape[0])
        places = tf.where(self.share >= 0.5, itself, self.partners)
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, places), rows)


class Mixing(Augmentation):
    """Makes each row of a batch of two samples; the loss is mixed in the same shares.

    Subclasses are frozen dataclasses, and define `mix`.

    Example:
        >>> from batchsel.transforms.augmentation import Mixup
        >>> Mixup().mixes
        True
    """

    mixes = True

    def mix(self, x: Any, valid: tf.Tensor, rng: Rng) -> tuple[Any, Mixture]:
        """The mixed rows, and of what they are made.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            valid: ``bool[b]`` false for rows that only fill up the batch; no real row has one of them as partner.
            rng: Random numbers of this step.
        """
        raise NotImplementedError
