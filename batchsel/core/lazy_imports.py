"""Public names that are imported on first use, so that importing a package is fast."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchsel.core.registry import Registry


def attach(
    package: str, targets: Mapping[str, str], registry: Registry | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package with lazy names.

    ``__getattr__`` also answers for ``__all__``.

    Args:
        package: The ``__name__`` of the package.
        targets: For each public name ``module``, ``module:attribute``, or ``module:`` for the module
            itself; modules are named within the package.
        registry: A registry whose built-in classes and functions are public too.

    Example:
        >>> get, names = attach("batchsel", {"Rng": "core.rng"})
        >>> get("Rng").__name__, names()
        ('Rng', ['Rng'])
    """

    def public() -> list[str]:
        own = [entry.attribute for entry in registry.built_in_entries.values()] if registry else []
        return sorted({*targets, *own})

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name == "__all__":
            return public()
        if name in targets:
            module, colon, attribute = targets[name].partition(":")
            loaded = importlib.import_module(f"{package}.{module}")
            return loaded if colon and not attribute else getattr(loaded, attribute or name)
        if registry and not name.startswith("_"):
            for entry in registry.built_in_entries.values():
                if entry.attribute == name:
                    return entry.load()
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__, public
