"""The names of all selectors and parts, without importing any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Any

from batchsel._docstrings import docstring
from batchsel.errors import unknown_name

_GROUP = "batchsel.selectors"
_BUILT_IN = {
    "random": ("order", "random:Random"),
    "fixed": ("order", "fixed:Fixed"),
    "rs2": ("order", "rs2:RS2"),
    "loss_ema": ("history", "loss_ema:LossEMA"),
    "smart": ("history", "smart:smart"),
    "candidates": ("candidates", "candidates:Candidates"),
    "warmup": ("modifier", "warmup:Warmup"),
    "anneal": ("modifier", "anneal:Anneal"),
    "mix": ("modifier", "mix:Mix"),
    "proportional": ("draw", "proportional:Proportional"),
    "explore_exploit": ("draw", "explore_exploit:ExploreExploit"),
}


@dataclass(frozen=True)
class Entry:
    """One name that the text form knows.

    Args:
        name: The name.
        family: "order", "history", "candidates", "modifier", "draw", or "plugin".
        target: Where it is, as ``module:attribute``.

    Example:
        >>> find("loss_ema").family
        'history'
    """

    name: str
    family: str
    target: str

    def load(self) -> Any:
        """Imports the class (or the function that composes it)."""
        module, attribute = self.target.split(":")
        return getattr(importlib.import_module(module), attribute)

    def doc(self) -> str:
        """Its docstring, read from the source, so that listing selectors imports no TensorFlow."""
        return docstring(self.target)


def entries() -> dict[str, Entry]:
    """All entries by name: those of batchsel and those that installed packages registered.

    Packages register under the entry-point group ``batchsel.selectors``.

    Example:
        >>> "random" in entries()
        True
    """
    known = {name: Entry(name, family, f"{__package__}.{target}") for name, (family, target) in _BUILT_IN.items()}
    for point in importlib.metadata.entry_points(group=_GROUP):
        known.setdefault(point.name, Entry(point.name, "plugin", point.value))
    return known


def find(name: str) -> Entry:
    """The entry of a name.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none, with the nearest names.

    Example:
        >>> find("rendom")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown selector 'rendom'. Did you mean 'random'? Known: ...
    """
    known = entries()
    if name not in known:
        raise unknown_name("selector", name, known)
    return known[name]
