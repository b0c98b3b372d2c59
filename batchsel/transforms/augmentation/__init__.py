"""Augmentation: how samples are changed on their way into a training step. One file for each method."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "Augmentation": "base",
    "Crop": "methods.crop",
    "CutMix": "methods.cutmix",
    "Erasing": "methods.erasing",
    "Flip": "methods.flip",
    "Function": "adapters",
    "Jitter": "methods.jitter",
    "KerasLayer": "adapters",
    "Mixing": "base",
    "Mixture": "base",
    "Mixup": "methods.mixup",
    "Pipeline": "pipeline",
    "RandAugment": "methods.rand_augment",
    "resolve": "resolver",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
