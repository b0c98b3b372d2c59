"""Curricula: changes of the inputs that depend on the time in a run. One file for each method."""

from batchsel.core.lazy_imports import attach
from batchsel.transforms.curricula.registry import REGISTRY

_PUBLIC = {"Curricula": "base", "Curriculum": "base", "resolve": "resolver"}

__getattr__, __dir__ = attach(__name__, _PUBLIC, REGISTRY)
