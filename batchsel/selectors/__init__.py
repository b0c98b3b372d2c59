"""Selectors: which samples go into each batch. One file for each method; `resolve` builds them from text."""

from batchsel.core.lazy_imports import attach
from batchsel.selectors.registry import REGISTRY

_PUBLIC = {
    "Context": "types",
    "Draw": "pipe",
    "Function": "function",
    "Modifier": "pipe",
    "NumpyFunction": "function",
    "Part": "base",
    "Pipe": "pipe",
    "Plan": "types",
    "Pooled": "pooled",
    "SampleStats": "types",
    "Score": "pipe",
    "Selection": "types",
    "Selector": "base",
    "resolve": "resolver",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC, REGISTRY)
