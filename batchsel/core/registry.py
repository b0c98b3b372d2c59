"""Names of things in modules that are imported only when they are wanted, and of those that packages register."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchsel.core.docstrings import docstring
from batchsel.errors import unknown_name


@dataclass(frozen=True)
class Registry:
    """The names of one kind of thing.

    Args:
        kind: What they are, for messages.
        package: Where the built-in ones are.
        built_in: ``module:attribute`` in that package, by name.
        group: Entry-point group under which installed packages register theirs.

    Example:
        >>> Registry("model", "batchsel.models", {"mlp": "mlp:mlp"}, "batchsel.models").targets()["mlp"]
        'batchsel.models.mlp:mlp'
    """

    kind: str
    package: str
    built_in: Mapping[str, str]
    group: str

    def targets(self) -> dict[str, str]:
        """Where each is, as ``module:attribute``, by name."""
        known = {name: f"{self.package}.{target}" for name, target in self.built_in.items()}
        for point in importlib.metadata.entry_points(group=self.group):
            known.setdefault(point.name, point.value)
        return known

    def target(self, name: str) -> str:
        """Where the thing of that name is.

        Args:
            name: The name.

        Raises:
            UsageError: If there is none, with the nearest names.
        """
        known = self.targets()
        if name not in known:
            raise unknown_name(self.kind, name, known)
        return known[name]

    def load(self, name: str) -> Any:
        """Imports the thing of that name.

        Args:
            name: The name.

        Raises:
            UsageError: If there is none.
        """
        module, attribute = self.target(name).split(":")
        return getattr(importlib.import_module(module), attribute)

    def doc(self, name: str) -> str:
        """Its docstring, read from the source, so that listing imports no TensorFlow.

        Args:
            name: The name.

        Raises:
            UsageError: If there is none.
        """
        return docstring(self.target(name))
