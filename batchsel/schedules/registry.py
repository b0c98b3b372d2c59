"""The names of all schedules, without importing any of them."""

from __future__ import annotations

from typing import Any

from batchsel._names import Names

_BUILT_IN = {
    "constant": "constant:Constant",
    "linear": "linear:Linear",
    "cosine": "cosine:Cosine",
    "polynomial": "polynomial:Polynomial",
    "exponential": "exponential:Exponential",
    "step": "step:Step",
    "inverse_sqrt": "inverse_sqrt:InverseSqrt",
    "one_cycle": "one_cycle:OneCycle",
    "warmup": "warmup:Warmup",
    "scale": "scale:Scale",
    "lerac": "lerac:LeRaC",
}
NAMES = tuple(_BUILT_IN)
"""Those that come with batchsel."""
_NAMES = Names("schedule", __package__, _BUILT_IN, "batchsel.schedules")


def names() -> dict[str, str]:
    """Where each schedule is, as ``module:attribute``, by name.

    Installed packages register theirs under the entry-point group ``batchsel.schedules``.

    Example:
        >>> sorted(names())[:3]
        ['constant', 'cosine', 'exponential']
    """
    return _NAMES.targets()


def check(name: str) -> None:
    """Makes sure that a schedule is known.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none, with the nearest names.

    Example:
        >>> check("cosin")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown schedule 'cosin'. Did you mean 'cosine'? Known: ...
    """
    _NAMES.target(name)


def load(name: str) -> Any:
    """Imports the class of a schedule.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> load("cosine").__name__
        'Cosine'
    """
    return _NAMES.load(name)


def doc(name: str) -> str:
    """The docstring of a schedule, read from its source, so that listing them imports no TensorFlow.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> doc("linear").splitlines()[0]
        'From 1 down to `end` in a straight line.'
    """
    return _NAMES.doc(name)
