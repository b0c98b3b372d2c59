"""Schedules: functions of progress, the share of the budget of samples that is used up."""

from batchsel._lazy import attach

_PUBLIC = {"NAMES": "learning_rate", "Schedule": "learning_rate", "schedule": "learning_rate:schedule"}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
