"""Augmentation: random changes of the samples of a training step. One file for each method."""

from batchsel.core.lazy_imports import attach
from batchsel.transforms.augmentation.registry import REGISTRY

_PUBLIC = {
    "Augmentation": "base",
    "Function": "adapters",
    "KerasLayer": "adapters",
    "Mixing": "base",
    "Mixture": "base",
    "Pipeline": "pipeline",
    "resolve": "resolver",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC, REGISTRY)
