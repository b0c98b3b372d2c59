"""The value that a user passes as ``curriculum=``, resolved to `Curricula`."""

from __future__ import annotations

from typing import Any

from batchsel.transforms.base import flatten
from batchsel.transforms.curricula.base import Curricula, Curriculum
from batchsel.transforms.curricula.registry import REGISTRY

_EXPECTED = (
    "curriculum must be a text such as 'blur(sigma=1.0, until=0.2)', an object derived from"
    " batchsel.curricula.Curriculum, or a list of these"
)


def resolve(curriculum: Any) -> Curricula | None:
    """Return the curricula that a text, an object, or a list of these stands for.

    Args:
        curriculum: As in ``"blur(sigma=1.0, until=0.2)"`` or ``[Blur(), "resolution"]``; None or "" for none.

    Raises:
        UsageError: If it is none of these.

    Example:
        >>> resolve("blur(2.0, until='20 passes')")
        blur(sigma=2.0, until='20 passes', form='fixed', chance=1.0, size=None)
    """
    parts = tuple(flatten(curriculum, Curricula, REGISTRY, _convert, _EXPECTED))
    return Curricula(parts) if parts else None


def _convert(value: Any) -> Curriculum | None:
    if isinstance(value, type) and issubclass(value, Curriculum):
        value = value()
    return value if isinstance(value, Curriculum) else None
