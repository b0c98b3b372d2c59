"""The protocol of a transform: an immutable config with a pure function of a batch, random numbers and time.

Augmentations and curricula are transforms. Shapes use b = batch size, h = height, w = width, c = channels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.parameters import check_fields
from batchsel.core.registry import Registry
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError, show


class Transform:
    """A change of the inputs of a training batch. Subclasses are frozen dataclasses.

    Give a subclass a `name`, and define ``__call__(x, rng, timestamp)``, which is traced by TensorFlow once:
    TensorFlow code whose random numbers come from `rng`. Then the seed and the step of a run determine all draws. A
    transform that does not depend on time may leave the last parameter out.
    """

    name: ClassVar[str]
    __call__: Callable[..., Any]
    """Returns as many samples as ``x`` has, of the same shape unless the transform `resizes`.

    Args:
        x: ``[b, ...]`` inputs of a batch.
        rng: Random numbers of this step.
        timestamp: Time of the step.
    """
    supports_jit: ClassVar[bool] = True
    """True if XLA can compile it."""
    suits_xla: ClassVar[bool] = True
    """True if it is known to be fast under XLA on a CPU."""
    resizes: ClassVar[bool] = False
    """True if it changes height and width, so that the model must accept any size."""

    def __post_init__(self) -> None:
        """Check the parameters by their annotations; a subclass that overrides it calls it."""
        check_fields(self)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values to record of a step: ``float32[]`` by name, with the same names at every step.

        Args:
            timestamp: Time of the step.
        """
        return {}

    def __repr__(self) -> str:
        return to_text(self)


def apply(transform: Transform, x: Any, rng: Rng, timestamp: Timestamp) -> Any:
    """Call a transform, with the time if it has a parameter for it.

    Args:
        transform: The transform.
        x: ``[b, ...]`` inputs of a batch.
        rng: Random numbers of this step.
        timestamp: Time of the step.
    """
    try:
        inspect.signature(transform).bind(x, rng, timestamp)
    except TypeError:
        return transform(x, rng)
    return transform(x, rng, timestamp)


@dataclass(frozen=True, repr=False)
class Chain:
    """Transforms that are applied from left to right.

    Args:
        parts: The transforms.
    """

    parts: tuple[Any, ...]
    scope: ClassVar[str]
    """Prefix of the random streams; each part has its own below it."""
    remedy: ClassVar[str]
    """Advice to users whose transform changes the shape of samples."""

    def __or__(self, other: Any) -> Self:
        return type(self)((*self.parts, *(other.parts if isinstance(other, Chain) else (other,))))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))

    @property
    def supports_jit(self) -> bool:
        """True if XLA can compile all parts."""
        return all(part.supports_jit for part in self.parts)

    @property
    def suits_xla(self) -> bool:
        """True if all parts are known to be fast under XLA."""
        return all(part.suits_xla for part in self.parts)

    @property
    def resizes(self) -> bool:
        """True if any part changes height and width."""
        return any(part.resizes for part in self.parts)

    def part_rng(self, rng: Rng, place: int) -> Rng:
        """Return the random numbers of a part.

        Args:
            rng: Random numbers of this step.
            place: Position of the part.
        """
        return rng.scoped(f"{self.scope}/{place}/")

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values that all parts record of a step; names that two of them share are numbered.

        Args:
            timestamp: Time of the step.
        """
        found: dict[str, tf.Tensor] = {}
        for number, part in enumerate(self.parts, start=1):
            for name, value in part.logged_values(timestamp).items():
                found[f"{name} {number}" if name in found else name] = value
        return found

    def check(self, x: Any, batch_size: int) -> None:
        """Check that the transforms can be applied to the inputs, by tracing them once.

        Args:
            x: ``[1, ...]`` inputs of one sample.
            batch_size: b.

        Raises:
            UserError: If a part cannot be applied to them, or changes their shape although it does not resize.
        """
        specs = tf.nest.map_structure(lambda leaf: tf.TensorSpec([batch_size, *leaf.shape[1:]], leaf.dtype), x)
        found = tf.function(self._trace, autograph=False).get_concrete_function(specs).structured_outputs
        before, after = ([leaf.shape for leaf in tf.nest.flatten(nest)] for nest in (specs, found))
        if self.resizes:
            before = [tf.TensorShape([shape[0], None, None, *shape[3:]]) for shape in before]
        if before != after:
            shapes = [" and ".join(str(shape.as_list()) for shape in side) for side in (before, after)]
            raise UserError(
                f"{self!r} turns batches of the shape {shapes[0]} into {shapes[1]}. Samples must keep their shape:"
                f" evaluation uses unchanged samples. {self.remedy}"
            )

    def _trace(self, x: Any) -> Any:
        """Return the transformed inputs of a first step, for `check`."""
        raise NotImplementedError


_Part = TypeVar("_Part", bound=Transform)


def flatten(
    value: Any, chain: type[Chain], registry: Registry, convert: Callable[[Any], _Part | None], expected: str
) -> list[_Part]:
    """Return the transforms that a text, an object, or a list of these stands for.

    Args:
        value: As given by the user; None or an empty text for none.
        chain: Class of chains, whose parts are used as they are.
        registry: Names for texts.
        convert: Turns one object into a transform; returns None for any other object.
        expected: Start of the error message: a sentence that lists the accepted values.

    Raises:
        UsageError: If it is none of these.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, chain):
        return list(value.parts)
    if isinstance(value, str):
        value = registry.parse(value)
    if isinstance(value, list | tuple):
        return [part for one in value for part in flatten(one, chain, registry, convert, expected)]
    part = convert(value)
    if part is None:
        raise UsageError(f"{expected}; got {type(value).__name__} {show(value)}.")
    return [part]
