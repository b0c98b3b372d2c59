"""The names of all augmentations, without importing any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from batchsel._docstrings import docstring
from batchsel.errors import unknown_name

_GROUP = "batchsel.augmentations"
_BUILT_IN = {
    "crop": "crop:Crop",
    "flip": "flip:Flip",
    "jitter": "jitter:Jitter",
    "erasing": "erasing:Erasing",
    "rand_augment": "rand_augment:RandAugment",
    "mixup": "mixup:Mixup",
    "cutmix": "cutmix:CutMix",
}


def names() -> dict[str, str]:
    """Where each augmentation is, as ``module:attribute``, by name.

    Installed packages register theirs under the entry-point group ``batchsel.augmentations``.

    Example:
        >>> sorted(names())[:3]
        ['crop', 'cutmix', 'erasing']
    """
    known = {name: f"{__package__}.{target}" for name, target in _BUILT_IN.items()}
    for point in importlib.metadata.entry_points(group=_GROUP):
        known.setdefault(point.name, point.value)
    return known


def check(name: str) -> None:
    """Makes sure that an augmentation is known.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none, with the nearest names.

    Example:
        >>> check("corp")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown augmentation 'corp'. Did you mean 'crop'? Known: ...
    """
    if name not in names():
        raise unknown_name("augmentation", name, names())


def load(name: str) -> Any:
    """Imports the class of an augmentation.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> load("crop").__name__
        'Crop'
    """
    check(name)
    module, attribute = names()[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def doc(name: str) -> str:
    """The docstring of an augmentation, read from its source, so that listing them imports no TensorFlow.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none.

    Example:
        >>> doc("flip").splitlines()[0]
        'Mirrors each image with some probability.'
    """
    check(name)
    return docstring(names()[name])
