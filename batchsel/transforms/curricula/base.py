"""The protocol of a curriculum: an immutable config with a pure function of a batch, random numbers and the moment.

Shapes use b = batch size, h = height, w = width, c = channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError


class Curriculum:
    """Changes what the samples of a batch look like, by where the run stands. Subclasses are frozen dataclasses.

    Give a subclass a `name`, and define `__call__` and `logged_values`, which are traced by TensorFlow once:
    TensorFlow code whose random numbers come from the `Rng` that it is handed. Then the seed, the step and the moment
    of a run say all.

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
        ...     def shown(self, timestamp):
        ...         return {"brightness": self.brightness(timestamp)}
        >>> float(Dawn(0.1)(tf.constant(10.0), Rng(0, 0), Timestamp.from_progress(0.0)))
        1.0
    """

    name: ClassVar[str]
    supports_jit: ClassVar[bool] = True
    """Whether XLA can compile it."""
    suits_xla: ClassVar[bool] = True
    """Whether it is known to be fast under XLA on a CPU."""
    resizes: ClassVar[bool] = False
    """Whether it changes height and width, which the model must then take as they come."""

    def __call__(self, x: Any, rng: Rng, timestamp: Timestamp) -> Any:
        """The samples as they look at that moment.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            rng: Random numbers of this step.
            timestamp: Where the run stands.

        Returns:
            As many samples, of the same shape unless it `resizes`.
        """
        raise NotImplementedError

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment: ``float32[]`` by name, the same names at every moment.

        Args:
            timestamp: Where the run stands.
        """
        return {}

    def __or__(self, other: Curriculum | Curricula) -> Curricula:
        return Curricula((self,)) | other

    def __repr__(self) -> str:
        return to_text(self)


@dataclass(frozen=True, repr=False)
class Curricula:
    """Applies its parts from left to right.

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

    def __post_init__(self) -> None:
        for part in self.parts[:-1]:
            if part.resizes:
                raise UsageError(
                    f"{self!r}: behind {part.name!r} pictures have a size that is known only when the step runs; put it"
                    " last, and only once."
                )

    def __or__(self, other: Curriculum | Curricula) -> Curricula:
        return Curricula((*self.parts, *(other.parts if isinstance(other, Curricula) else (other,))))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))

    @property
    def supports_jit(self) -> bool:
        """Whether XLA can compile all parts."""
        return all(part.supports_jit for part in self.parts)

    @property
    def suits_xla(self) -> bool:
        """Whether all parts are known to be fast under XLA."""
        return all(part.suits_xla for part in self.parts)

    @property
    def resizes(self) -> bool:
        """Whether any part changes height and width."""
        return any(part.resizes for part in self.parts)

    def __call__(self, x: Any, rng: Rng, timestamp: Timestamp) -> Any:
        """The inputs of a training step.

        Args:
            x: ``[b, ...]`` inputs of a batch.
            rng: Random numbers of this step.
            timestamp: Where the run stands.
        """
        for place, part in enumerate(self.parts):
            x = part(x, rng._replace(scope=f"curriculum/{place}/"), timestamp)
        return x

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What all parts show; names that two of them have are numbered.

        Args:
            timestamp: Where the run stands.
        """
        found: dict[str, tf.Tensor] = {}
        for number, part in enumerate(self.parts, start=1):
            for name, value in part.logged_values(timestamp).items():
                found[f"{name} {number}" if name in found else name] = value
        return found

    def check(self, x: Any, batch_size: int) -> None:
        """Makes sure that the inputs can be changed so; traces it once, and computes nothing.

        Args:
            x: ``[1, ...]`` inputs of one sample.
            batch_size: b.

        Raises:
            UserError: If a part cannot be applied to them, or changes their form although it does not resize.
        """
        forms = tf.nest.map_structure(lambda leaf: tf.TensorSpec([batch_size, *leaf.shape[1:]], leaf.dtype), x)

        @tf.function(autograph=False)
        def changed(x: Any) -> Any:
            return self(x, Rng(tf.constant(0), tf.constant(0)), Timestamp.from_progress(0.0))

        found = changed.get_concrete_function(forms).structured_outputs
        before, after = ([leaf.shape for leaf in tf.nest.flatten(nest)] for nest in (forms, found))
        if self.resizes:
            before = [tf.TensorShape([shape[0], None, None, *shape[3:]]) for shape in before]
        if before != after:
            shapes = [" and ".join(str(shape.as_list()) for shape in side) for side in (before, after)]
            raise UserError(
                f"{self!r} turns batches of the shape {shapes[0]} into {shapes[1]}. Samples must keep their shape:"
                " evaluation shows the model plain ones. Where height and width are to change, let the curriculum say"
                " `resizes = True`."
            )
