"""Curricula: what samples look like over time. One file for each method."""

from batchsel._lazy import attach

_PUBLIC = {
    "Blur": "blur",
    "Curricula": "base",
    "Curriculum": "base",
    "Resolution": "resolution",
    "resolve": "resolver",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
