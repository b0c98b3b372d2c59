"""Public names that are imported on first use, so that importing a package costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def attach(package: str, targets: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package with lazy names.

    Args:
        package: Its ``__name__``.
        targets: For each public name ``module``, ``module:attribute``, or ``module:`` for the module
            itself; modules are named within the package.

    Returns:
        The three, to be assigned in the package.

    Example:
        >>> get, _, names = attach("batchsel", {"Rng": "rng"})
        >>> get("Rng").__name__, names
        ('Rng', ['Rng'])
    """

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name not in targets:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, colon, attribute = targets[name].partition(":")
        loaded = importlib.import_module(f"{package}.{module}")
        return loaded if colon and not attribute else getattr(loaded, attribute or name)

    return __getattr__, lambda: sorted(targets), sorted(targets)
