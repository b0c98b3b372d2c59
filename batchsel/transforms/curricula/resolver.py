"""Whatever a user gives as ``curriculum=`` becomes `Curricula`."""

from __future__ import annotations

from typing import Any

from batchsel.errors import UsageError
from batchsel.transforms.curricula.base import Curricula, Curriculum
from batchsel.transforms.curricula.registry import REGISTRY


def resolve(curriculum: Any) -> Curricula | None:
    """The curricula that a text, an object, or a list of these stands for.

    Args:
        curriculum: As in ``"blur(sigma=1.0, until=0.2)"`` or ``[Blur(), "resolution"]``; None, or nothing, for none.

    Raises:
        UsageError: If it is none of these.

    Example:
        >>> resolve("blur(2.0, until='20 passes')")
        blur(sigma=2.0, until='20 passes', form='fixed', chance=1.0, size=None)
    """
    parts = tuple(_parts(curriculum))
    return Curricula(parts) if parts else None


def _parts(curriculum: Any) -> list[Curriculum]:
    if curriculum is None or (isinstance(curriculum, str) and not curriculum.strip()):
        return []
    if isinstance(curriculum, Curricula):
        return list(curriculum.parts)
    if isinstance(curriculum, str):
        curriculum = REGISTRY.parse(curriculum)
    if isinstance(curriculum, list | tuple):
        return [part for one in curriculum for part in _parts(one)]
    if isinstance(curriculum, type) and issubclass(curriculum, Curriculum):
        curriculum = curriculum()
    if isinstance(curriculum, Curriculum):
        return [curriculum]
    raise UsageError(
        "curriculum must be a text such as 'blur(sigma=1.0, until=0.2)', an object derived from"
        f" batchsel.curricula.Curriculum, or a list of these; got {type(curriculum).__name__} {curriculum!r}."
    )
