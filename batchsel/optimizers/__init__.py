"""Optimizers: those of Keras by name, and layer-wise ones for large batches."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "LAMB": "lamb",
    "LARS": "lars",
    "build": "text",
    "check": "text",
    "names": "text",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
