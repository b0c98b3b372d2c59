"""Schedules: factors of the learning rate over a run, and how many batches make an update. One file for each."""

from batchsel.core.lazy_imports import attach
from batchsel.schedules.registry import REGISTRY

_PUBLIC = {
    "AccumulationSchedule": "accumulation",
    "Function": "base",
    "KerasSchedule": "keras_schedule",
    "Product": "base",
    "Schedule": "base",
    "base_learning_rate": "text",
    "check": "text",
    "check_growth": "accumulation",
    "growth": "accumulation",
    "is_constant": "text",
    "schedule": "resolver",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC, REGISTRY)
