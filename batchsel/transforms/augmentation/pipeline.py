"""Augmentations in sequence; those that mix samples come last."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.transforms.augmentation.base import Augmentation, Mixing, Mixture
from batchsel.transforms.augmentation.methods.during import During
from batchsel.transforms.base import Chain, apply


@dataclass(frozen=True, repr=False)
class Pipeline(Chain):
    """Augmentations that are applied from left to right.

    Parts that mix samples come last. Of several, one is drawn for each batch, with equal chance. Parts behind a
    `During` are applied in its time.

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
    scope = "augment"
    remedy = "Change the data before training, or let a layer of the model do it."

    def __post_init__(self) -> None:
        for first, second in zip(self.parts, self.parts[1:], strict=False):
            if first.mixes and not second.mixes:
                raise UsageError(f"{self!r}: {first.name!r} mixes finished samples; put it last.")

    @property
    def mixers(self) -> tuple[Mixing, ...]:
        """The parts that mix samples."""
        return tuple(part for part in self.parts if isinstance(part, Mixing))

    @property
    def variables(self) -> list[Any]:
        """Variables of the parts, each once."""
        return list({id(variable): variable for part in self.parts for variable in part.variables}.values())

    def seed(self, seed: int) -> None:
        """Restart the generators of the parts.

        Args:
            seed: Seed of the run.
        """
        for place, part in enumerate(self.parts):
            part.seed(seed, place)

    def __call__(self, x: Any, valid: tf.Tensor, rng: Rng, timestamp: Timestamp) -> tuple[Any, Mixture | None]:
        """Return the inputs of a training step.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            valid: ``bool[b]`` false for rows of padding.
            rng: Random numbers of this step.
            timestamp: Time of the step.

        Returns:
            The changed inputs and their mixture; None if they are not mixed.
        """
        first = len(self.parts) - len(self.mixers)
        holds = None
        for place, part in enumerate(self.parts[:first]):
            if isinstance(part, During):
                holds = part.holds(timestamp)
                continue
            applied = functools.partial(apply, part, x, self.part_rng(rng, place), timestamp)
            x = applied() if holds is None else tf.cond(holds, applied, functools.partial(_unchanged, x))
        branches = [
            functools.partial(part.mix, x, valid, self.part_rng(rng, place))
            for place, part in enumerate(self.mixers, start=first)
        ]
        if not branches:
            return x, None
        mixed = functools.partial(self._mix_by_one, branches, rng)
        if holds is None:
            return mixed()
        itself = Mixture(tf.range(tf.shape(valid)[0]), tf.ones([]))
        return tf.cond(holds, mixed, lambda: (_unchanged(x), itself))

    def _mix_by_one(self, branches: list[Callable[[], Any]], rng: Rng) -> tuple[Any, Mixture]:
        """Return what one of the parts that mix makes of a batch."""
        if len(branches) < 2:
            return branches[0]()
        branch = rng.scoped(f"{self.scope}/").integers([], len(branches), "which")
        return tf.switch_case(branch, branches)

    def _trace(self, x: Any) -> Any:
        valid = tf.ones([tf.nest.flatten(x)[0].shape[0]], tf.bool)
        return self(x, valid, Rng(tf.constant(0), tf.constant(0)), Timestamp.from_progress(0.0))[0]


def _unchanged(x: Any) -> Any:
    return tf.nest.map_structure(tf.identity, x)
