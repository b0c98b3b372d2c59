"""Curricula: transforms that depend on time, such as images that are blurred first and sharp later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.transforms.base import Chain, Transform, apply


class Curriculum(Transform):
    """A change of the inputs that depends on the time in a run. Subclasses are frozen dataclasses.

    Example:
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class Dawn(Curriculum):
        ...     name = "dawn"
        ...     first: float = 0.5
        ...     def brightness(self, timestamp):
        ...         return self.first + (1 - self.first) * timestamp.progress
        ...     def __call__(self, x, rng, timestamp):
        ...         return x * self.brightness(timestamp)
        ...     def logged_values(self, timestamp):
        ...         return {"brightness": self.brightness(timestamp)}
        >>> float(Dawn(0.1)(tf.constant(10.0), Rng(0, 0), Timestamp.from_progress(0.0)))
        1.0
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # The name of the method until version 0.1.
        if "shown" in vars(cls) and "logged_values" not in vars(cls):
            cls.logged_values = vars(cls)["shown"]

    def __or__(self, other: Curriculum | Curricula) -> Curricula:
        return Curricula((self,)) | other


@dataclass(frozen=True, repr=False)
class Curricula(Chain):
    """Curricula that are applied from left to right.

    Args:
        parts: The curricula.

    Raises:
        UsageError: If something follows a part that resizes.

    Example:
        >>> from batchsel.transforms.curricula import Blur, Resolution
        >>> Blur(2.0) | Resolution(0.5)
        blur(sigma=2.0, until=0.2, form='fixed', chance=1.0, size=None) | resolution(start=0.5, ...)
    """

    parts: tuple[Curriculum, ...]
    scope = "curriculum"
    remedy = "To change height and width, set `resizes = True` in the curriculum."

    def __post_init__(self) -> None:
        for part in self.parts[:-1]:
            if part.resizes:
                raise UsageError(
                    f"{self!r}: after {part.name!r} the size of images is known only when the step runs; put it last,"
                    " and only once."
                )

    def __call__(self, x: Any, rng: Rng, timestamp: Timestamp) -> Any:
        """Return the inputs of a training step.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            rng: Random numbers of this step.
            timestamp: Time of the step.
        """
        for place, part in enumerate(self.parts):
            x = apply(part, x, self.part_rng(rng, place), timestamp)
        return x

    def _trace(self, x: Any) -> Any:
        return self(x, Rng(tf.constant(0), tf.constant(0)), Timestamp.from_progress(0.0))
