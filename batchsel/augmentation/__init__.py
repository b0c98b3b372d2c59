"""Augmentation: how samples are changed on their way into a training step. One file for each method."""

from batchsel._lazy import attach

_PUBLIC = {
    "Augmentation": "base",
    "Crop": "crop",
    "CutMix": "cutmix",
    "Erasing": "erasing",
    "Flip": "flip",
    "Function": "foreign",
    "Jitter": "jitter",
    "KerasLayer": "foreign",
    "Mixing": "base",
    "Mixture": "base",
    "Mixup": "mixup",
    "Pipeline": "pipeline",
    "RandAugment": "rand_augment",
    "resolve": "resolver",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
