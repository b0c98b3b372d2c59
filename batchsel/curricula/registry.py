"""The names of all curricula, without importing any of them."""

from __future__ import annotations

from typing import Any

from batchsel._names import Names

_BUILT_IN = {
    "blur": "blur:Blur",
    "resolution": "resolution:Resolution",
}
_NAMES = Names("curriculum", __package__, _BUILT_IN, "batchsel.curricula")


def names() -> dict[str, str]:
    """Where each curriculum is, as ``module:attribute``, by name.

    Installed packages register theirs under the entry-point group ``batchsel.curricula``.

    Example:
        >>> sorted(names())[:2]
        ['blur', 'resolution']
    """
    return _NAMES.targets()


def check(name: str) -> None:
    """Makes sure that a curriculum is known.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none, with the nearest names.

    Example:
        >>> check("blurr")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown curriculum 'blurr'. Did you mean 'blur'? Known: ...
    """
    _NAMES.target(name)


def load(name: str) -> Any:
    """Imports the class of a curriculum.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> load("blur").__name__
        'Blur'
    """
    return _NAMES.load(name)


def doc(name: str) -> str:
    """The docstring of a curriculum, read from its source, so that listing them imports no TensorFlow.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> doc("resolution").splitlines()[0]
        'Shows small pictures first, then larger ones, then the whole.'
    """
    return _NAMES.doc(name)
