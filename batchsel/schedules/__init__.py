"""Schedules: functions of progress, the share of the budget of samples that is used up."""

from batchsel._lazy import attach

_PUBLIC = {
    "LeRaC": "lerac",
    "NAMES": "text",
    "Schedule": "learning_rate",
    "Warmup": "warmup",
    "check": "text",
    "schedule": "learning_rate:schedule",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
