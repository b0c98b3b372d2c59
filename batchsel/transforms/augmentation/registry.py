"""The names of all augmentations and their text form, without importing any of them."""

from __future__ import annotations

from batchsel.core.pipe_registry import PipeRegistry

REGISTRY = PipeRegistry(
    "augmentation",
    __package__,
    {
        "crop": "methods.crop:Crop",
        "flip": "methods.flip:Flip",
        "jitter": "methods.jitter:Jitter",
        "erasing": "methods.erasing:Erasing",
        "rand_augment": "methods.rand_augment:RandAugment",
        "mixup": "methods.mixup:Mixup",
        "cutmix": "methods.cutmix:CutMix",
    },
    "batchsel.augmentations",
    example="Augmentations are names with | between them, as in 'crop(4) | flip | erasing(0.25)'.",
)
"""With those that installed packages register, under the entry-point group ``batchsel.augmentations``.

Example:
    >>> REGISTRY.parse("crop(4) | flip")
    [crop(padding=4, fill='zero'), flip(chance=0.5, direction='horizontal')]
"""
