"""Curricula: what samples look like over time. One file for each method."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "Blur": "methods.blur",
    "Curricula": "base",
    "Curriculum": "base",
    "Resolution": "methods.resolution",
    "resolve": "resolver",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
