"""The names of all augmentations and their text form, without importing any of them."""

from __future__ import annotations

from batchsel._pipes import PipeNames

REGISTRY = PipeNames(
    "augmentation",
    __package__,
    {
        "crop": "crop:Crop",
        "flip": "flip:Flip",
        "jitter": "jitter:Jitter",
        "erasing": "erasing:Erasing",
        "rand_augment": "rand_augment:RandAugment",
        "mixup": "mixup:Mixup",
        "cutmix": "cutmix:CutMix",
    },
    "batchsel.augmentations",
    example="Augmentations are names with | between them, as in 'crop(4) | flip | erasing(0.25)'.",
)
"""With those that installed packages register, under the entry-point group ``batchsel.augmentations``.

Example:
    >>> REGISTRY.parse("crop(4) | flip")
    [crop(padding=4, fill='zero'), flip(chance=0.5, direction='horizontal')]
"""
