"""The protocol of a schedule: an immutable config, a pure function of where a run stands; they multiply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError


class Schedule:
    """A factor of the learning rate. Subclasses are frozen dataclasses with a `name`, and define `factor`.

    Example:
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class Halved(Schedule):
        ...     name = "halved"
        ...     def factor(self, timestamp):
        ...         return tf.where(timestamp.progress < 0.5, 1.0, 0.5)
        >>> Halved(), float(Halved()(0.75))
        (halved, 0.5)
    """

    name: ClassVar[str]
    by_layer: ClassVar[bool] = False
    """Whether layers differ: it defines `layers` then."""
    base_learning_rate: float | None = None
    """The learning rate that the factor 1 stands for; None for that of the optimizer."""

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """``float32[]``, at least 0.

        Args:
            timestamp: Where the run stands.
        """
        raise NotImplementedError

    def momentum(self, timestamp: Timestamp) -> tf.Tensor | None:
        """``float32[]`` the optimizer's momentum (β₁ of Adam and its kin), or None to leave it alone.

        Args:
            timestamp: Where the run stands.
        """
        return None

    def layers(self, timestamp: Timestamp, places: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Factors by layer, of those that differ by layer.

        Args:
            timestamp: Where the run stands.
            places: ``float32[k]`` where each group of layers lies, from 0 at the inputs to 1 at the outputs.
            rate: ``float32[]`` the learning rate that the factor 1 stands for.

        Returns:
            ``float32[k]``.
        """
        return tf.ones_like(places)

    def multiple(self, batch_size: int) -> float:
        """What it multiplies the rate with because of the batch size.

        Args:
            batch_size: Samples of an update.
        """
        return 1.0

    def bound(self, batch_size: int, multiple: float) -> Schedule:
        """The same with what depends on the batch size filled in.

        Args:
            batch_size: Samples of an update.
            multiple: What all parts together multiply the rate with because of it.
        """
        return self

    def __call__(self, progress: Any, passes: Any = None) -> tf.Tensor:
        """The factor at a moment, out of plain numbers.

        Args:
            progress: In [0, 1].
            passes: As for `Timestamp.from_progress`.
        """
        return self.factor(Timestamp.from_progress(progress, passes))

    def __or__(self, other: Schedule) -> Product:
        return Product((self,)) | other

    def __repr__(self) -> str:
        return to_text(self)


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """Schedules multiplied with each other.

    Args:
        parts: The schedules.

    Raises:
        UsageError: If two of them state the learning rate, or the momentum.

    Example:
        >>> from batchsel.schedules import schedule
        >>> schedule("cosine | warmup(0.5)")
        cosine(end=0.0) | warmup(share=0.5, start=0.0, form='linear')
    """

    name: ClassVar[str] = "product"
    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        stating = [part for part in self.parts if part.base_learning_rate is not None]
        if len(stating) > 1:
            raise UsageError(f"{self!r}: {stating[0].name} and {stating[1].name} both state the learning rate.")
        steering = [part for part in self.parts if part.momentum(Timestamp.from_progress(0.0)) is not None]
        if len(steering) > 1:
            raise UsageError(f"{self!r}: {steering[0].name} and {steering[1].name} both set the momentum.")

    @property
    def base_learning_rate(self) -> float | None:
        """That of the part which states one."""
        return next((part.base_learning_rate for part in self.parts if part.base_learning_rate is not None), None)

    @property
    def by_layer(self) -> bool:
        """Whether any part differs by layer."""
        return any(part.by_layer for part in self.parts)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """The product of the factors."""
        return _product([part.factor(timestamp) for part in self.parts])

    def momentum(self, timestamp: Timestamp) -> tf.Tensor | None:
        """That of the part which sets it."""
        return next((found for part in self.parts if (found := part.momentum(timestamp)) is not None), None)

    def layers(self, timestamp: Timestamp, places: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """The product of the factors by layer."""
        return _product([part.layers(timestamp, places, rate) for part in self.parts if part.by_layer])

    def multiple(self, batch_size: int) -> float:
        """The product of the multiples."""
        return _product([part.multiple(batch_size) for part in self.parts])

    def bound(self, batch_size: int, multiple: float) -> Product:
        """All parts bound."""
        return replace(self, parts=tuple(part.bound(batch_size, multiple) for part in self.parts))

    def __or__(self, other: Schedule) -> Product:
        return Product((*self.parts, *(other.parts if isinstance(other, Product) else (other,))))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))


@dataclass(frozen=True, repr=False)
class Function(Schedule):
    """A function of progress as a schedule.

    Args:
        function: ``progress -> factor``, TensorFlow code on ``float32[]``.

    Example:
        >>> float(Function(lambda progress: 1 - progress)(0.25))
        0.75
    """

    name: ClassVar[str] = "function"
    function: Callable[[tf.Tensor], tf.Tensor]

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """What the function gives."""
        return tf.cast(self.function(timestamp.progress), tf.float32)

    def __repr__(self) -> str:
        return f"function({getattr(self.function, '__name__', 'function')})"


def _product(factors: list[Any]) -> Any:
    return reduce(lambda one, other: one * other, factors)
