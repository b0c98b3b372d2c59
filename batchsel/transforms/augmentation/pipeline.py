"""Augmentations one after the other, and what mixes samples at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.errors import UsageError, UserError
from batchsel.transforms.augmentation.base import Augmentation, Mixing, Mixture


@dataclass(frozen=True, repr=False)
class Pipeline:
    """Applies its parts from left to right.

    Parts that mix samples stand last. Of several, one is drawn for each batch, with equal chance.

    Args:
        parts: The augmentations.

    Raises:
        UsageError: If something follows a part that mixes samples.

    Example:
        >>> from batchsel.transforms.augmentation import Crop, Flip, Mixup
        >>> Crop(4) | Flip() | Mixup(0.8)
        crop(padding=4, fill='zero') | flip(chance=0.5, direction='horizontal') | mixup(alpha=0.8, chance=1.0)
    """

    parts: tuple[Augmentation, ...]

    def __post_init__(self) -> None:
        for first, second in zip(self.parts, self.parts[1:], strict=False):
            if first.mixes and not second.mixes:
                raise UsageError(f"{self!r}: {first.name!r} mixes samples that are finished; put it last.")

    def __or__(self, other: Augmentation | Pipeline) -> Pipeline:
        return Pipeline((*self.parts, *(other.parts if isinstance(other, Pipeline) else (other,))))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))

    @property
    def mixers(self) -> tuple[Mixing, ...]:
        """The parts that mix samples."""
        return tuple(part for part in self.parts if part.mixes)

    @property
    def supports_jit(self) -> bool:
        """Whether XLA can compile all parts."""
        return all(part.supports_jit for part in self.parts)

    @property
    def suits_xla(self) -> bool:
        """Whether all parts are known to be fast under XLA."""
        return all(part.suits_xla for part in self.parts)

    @property
    def variables(self) -> list[Any]:
        """What the parts remember, each once."""
        return list({id(variable): variable for part in self.parts for variable in part.variables}.values())

    def seed(self, seed: int) -> None:
        """Starts over with another seed.

        Args:
            seed: Seed of the run.
        """
        for place, part in enumerate(self.parts):
            part.seed(seed, place)

    def __call__(self, x: Any, valid: tf.Tensor, rng: Rng) -> tuple[Any, Mixture | None]:
        """The inputs of a training step.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            valid: ``bool[b]`` false for rows that only fill up the batch.
            rng: Random numbers of this step.

        Returns:
            The changed inputs, and of which samples they are made; None if nothing mixes them.
        """
        scopes = [rng._replace(scope=f"augment/{place}/") for place in range(len(self.parts))]
        first = len(self.parts) - len(self.mixers)
        for part, scope in zip(self.parts[:first], scopes, strict=False):
            x = part(x, scope)
        if not self.mixers:
            return x, None
        branches = [
            lambda part=part, scope=scope: part.mix(x, valid, scope)
            for part, scope in zip(self.mixers, scopes[first:], strict=True)
        ]
        if len(branches) == 1:
            return branches[0]()
        which = rng._replace(scope="augment/").integers([], len(branches), "which")
        return tf.switch_case(which, branches)

    def check(self, x: Any, batch_size: int) -> None:
        """Makes sure that the inputs can be changed so; traces it once, and computes nothing.

        Args:
            x: ``[1, ...]`` inputs of one sample.
            batch_size: b.

        Raises:
            UserError: If a part cannot be applied to them, or changes their form.
        """
        forms = tf.nest.map_structure(lambda leaf: tf.TensorSpec([batch_size, *leaf.shape[1:]], leaf.dtype), x)

        @tf.function(autograph=False)
        def changed(x: Any) -> Any:
            return self(x, tf.ones([batch_size], tf.bool), Rng(tf.constant(0), tf.constant(0)))[0]

        found = changed.get_concrete_function(forms).structured_outputs
        shapes = [[leaf.shape for leaf in tf.nest.flatten(nest)] for nest in (forms, found)]
        if shapes[0] != shapes[1]:
            before, after = (" and ".join(str(shape.as_list()) for shape in side) for side in shapes)
            raise UserError(
                f"{self!r} turns batches of the shape {before} into {after}. Samples must keep their shape: evaluation"
                " shows the model plain ones. Change the data before training, or let a layer of the model do it."
            )
