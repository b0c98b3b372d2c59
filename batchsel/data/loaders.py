"""Find the code that loads a data set by its name, without importing the others.

A loader is a module with a function ``load(card, seed, folder) -> Dataset``: a file of `batchsel.data.sets`, or an
entry point of another package in the group ``batchsel.datasets``. It may have ``find(card, folder)``, which returns
the form in which the data are already there.
"""

from __future__ import annotations

from typing import Any

from batchsel.core.catalog import modules_with
from batchsel.core.registry import Registry

REGISTRY = Registry("loader of a data set", ["batchsel.data.sets"], "batchsel.datasets", modules_with("load"))
# Cards name loaders; these names stay when a module is renamed.
_RENAMED = {"class_folders": "image_folder"}


def find_loader(name: str) -> Any:
    """Return the module, or other object, that loads a data set.

    Args:
        name: The `loader` of a card: a module of `batchsel.data.sets` or an entry point.

    Returns:
        An object with a function `load(card, seed, folder)`.

    Raises:
        UsageError: If no loader has this name; the message suggests the nearest.

    Example:
        >>> find_loader("iris").__name__
        'batchsel.data.sets.iris'
    """
    return REGISTRY.load(_RENAMED.get(name, name))
