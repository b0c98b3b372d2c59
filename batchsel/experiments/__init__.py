"""Experiments: what a run is, running it, and the records it leaves."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {"RunSpec": "spec", "append": "records", "read": "records", "run": "runner:run"}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
