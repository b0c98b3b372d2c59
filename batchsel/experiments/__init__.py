"""Experiments: settings of runs, running and recording them, comparing and tuning arms."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {"RunSpec": "spec.run_spec", "append": "run.records", "read": "run.records"}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
