"""The names of all augmentations, without importing any of them."""

from __future__ import annotations

from typing import Any

from batchsel._names import Names

_BUILT_IN = {
    "crop": "crop:Crop",
    "flip": "flip:Flip",
    "jitter": "jitter:Jitter",
    "erasing": "erasing:Erasing",
    "rand_augment": "rand_augment:RandAugment",
    "mixup": "mixup:Mixup",
    "cutmix": "cutmix:CutMix",
}
_NAMES = Names("augmentation", __package__, _BUILT_IN, "batchsel.augmentations")


def names() -> dict[str, str]:
    """Where each augmentation is, as ``module:attribute``, by name.

    Installed packages register theirs under the entry-point group ``batchsel.augmentations``.

    Example:
        >>> sorted(names())[:3]
        ['crop', 'cutmix', 'erasing']
    """
    return _NAMES.targets()


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
    _NAMES.target(name)


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
    return _NAMES.load(name)


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
    return _NAMES.doc(name)
