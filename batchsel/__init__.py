"""batchsel: which samples go into each training batch, for Keras, fast and measured honestly.

Public names are imported on first use; importing batchsel does not import TensorFlow.
"""

import importlib.metadata as _metadata

from batchsel.core.lazy_imports import attach as _attach

_PUBLIC = {
    "SmoothedCrossentropy": "core.label_smoothing",
    "Rng": "core.rng",
    "Target": "core.target",
    "TensorBoard": "training.callbacks",
    "Trainer": "training.trainer",
    "UserError": "errors",
    "augmentation": "transforms.augmentation:",
    "curricula": "transforms.curricula:",
    "fit": "training.fit_model",
    "optimizers": "optimizers:",
    "schedules": "schedules:",
    "selectors": "selectors:",
}

try:
    __version__ = _metadata.version("batchsel")
except _metadata.PackageNotFoundError:  # a bare checkout
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = _attach(__name__, _PUBLIC)
