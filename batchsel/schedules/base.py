"""The protocol of learning-rate schedules: immutable, pure functions of a run's time, combined by multiplication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.parameters import check_fields
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError


class Schedule:
    """A factor of the learning rate over a run.

    Subclasses are frozen dataclasses with a `name`, and define `factor`.

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
    """True if layers have different rates; then `layer_factors` is defined."""
    layer_grouping: int | str | None = None
    """Groups of layers with rates of their own, as in `layer_groups`; None for one a depth."""
    base_learning_rate: float | None = None
    """The learning rate that the factor 1 stands for; None for that of the optimizer."""

    def __post_init__(self) -> None:
        """Check the parameters by their annotations; a subclass that overrides it calls it."""
        check_fields(self)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor, ``float32[]`` of at least 0.

        Args:
            timestamp: Time of the update.
        """
        raise NotImplementedError

    def momentum(self, timestamp: Timestamp) -> tf.Tensor | None:
        """Return the optimizer's momentum (β₁ of Adam and its variants), ``float32[]``; None to leave it alone.

        Args:
            timestamp: Time of the update.
        """
        return None

    def layer_factors(self, timestamp: Timestamp, positions: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Return an additional factor for each group of layers, ``float32[k]``.

        Args:
            timestamp: Time of the update.
            positions: ``float32[k]`` of the groups, evenly spaced from 0 at the inputs to 1 at the outputs.
            rate: ``float32[]`` learning rate that the factor 1 stands for.
        """
        return tf.ones_like(positions)

    def multiple(self, batch_size: int) -> float:
        """Return the part of the factor that depends on the batch size alone.

        Args:
            batch_size: Samples of an update.
        """
        return 1.0

    def bind(self, batch_size: int, multiple: float) -> Schedule:
        """Return the schedule with the batch size filled in.

        Args:
            batch_size: Samples of an update.
            multiple: Product of the `multiple` of all schedules that are multiplied.
        """
        return self

    def __call__(self, progress: Any, passes: Any = None) -> tf.Tensor:
        """Return the factor at a time given in plain numbers.

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
    """The product of several schedules.

    Args:
        parts: The schedules.

    Raises:
        UsageError: If two of them set the learning rate or the momentum, or group layers differently.

    Example:
        >>> from batchsel.schedules import schedule
        >>> schedule("cosine | warmup(0.5)")
        cosine(end=0.0) | warmup(share=0.5, start=0.0, form='linear')
    """

    name: ClassVar[str] = "product"
    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        rates = [part for part in self.parts if part.base_learning_rate is not None]
        if len(rates) > 1:
            raise UsageError(f"{self!r}: {rates[0].name} and {rates[1].name} both set the learning rate; drop one.")
        momenta = [part for part in self.parts if part.momentum(Timestamp.from_progress(0.0)) is not None]
        if len(momenta) > 1:
            raise UsageError(f"{self!r}: {momenta[0].name} and {momenta[1].name} both set the momentum; drop one.")
        groupings = {part.layer_grouping for part in self.parts if part.by_layer}
        if len(groupings) > 1:
            raise UsageError(f"{self!r}: layers are grouped in {len(groupings)} ways. Give both the same groups.")

    @property
    def base_learning_rate(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The learning rate that one of the schedules sets."""
        return next((part.base_learning_rate for part in self.parts if part.base_learning_rate is not None), None)

    @property
    def by_layer(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """True if layers have different rates in any of the schedules."""
        return any(part.by_layer for part in self.parts)

    @property
    def layer_grouping(self) -> int | str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The groups of layers that the schedules with rates by layer state."""
        return next((part.layer_grouping for part in self.parts if part.by_layer), None)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the product of the factors."""
        return _product([part.factor(timestamp) for part in self.parts])

    def momentum(self, timestamp: Timestamp) -> tf.Tensor | None:
        """Return the momentum that one of the schedules sets."""
        return next((found for part in self.parts if (found := part.momentum(timestamp)) is not None), None)

    def layer_factors(self, timestamp: Timestamp, positions: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Return the product of the factors by layer."""
        return _product([part.layer_factors(timestamp, positions, rate) for part in self.parts if part.by_layer])

    def multiple(self, batch_size: int) -> float:
        """Return the product of the multiples."""
        return _product([part.multiple(batch_size) for part in self.parts])

    def bind(self, batch_size: int, multiple: float) -> Product:
        """Return the product of the schedules with the batch size filled in."""
        return replace(self, parts=tuple(part.bind(batch_size, multiple) for part in self.parts))

    def __or__(self, other: Schedule) -> Product:
        return Product((*self.parts, *list_parts(other)))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))


@dataclass(frozen=True, repr=False)
class FunctionSchedule(Schedule):
    """A function of progress as a schedule.

    Args:
        function: ``progress -> factor``, TensorFlow code on ``float32[]``.

    Example:
        >>> float(FunctionSchedule(lambda progress: 1 - progress)(0.25))
        0.75
    """

    name: ClassVar[str] = "function"
    function: Callable[..., Any]

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the value of the function."""
        return tf.cast(self.function(timestamp.progress), tf.float32)

    def __repr__(self) -> str:
        return f"function({getattr(self.function, '__name__', 'function')})"


def list_parts(schedule: Schedule) -> tuple[Schedule, ...]:
    """Return the factors of a product; a schedule that is not a product is its only factor.

    Example:
        >>> list_parts(FunctionSchedule(abs))
        (function(abs),)
    """
    return schedule.parts if isinstance(schedule, Product) else (schedule,)


def _product(factors: list[Any]) -> Any:
    return reduce(lambda one, other: one * other, factors)
