"""Schedules of the learning rate, and of the number of batches in an update."""

from batchsel.core.lazy_imports import attach
from batchsel.schedules.registry import REGISTRY

_PUBLIC = {
    "AccumulationSchedule": "accumulation",
    "FunctionSchedule": "base",
    "KerasSchedule": "keras_schedule",
    "Product": "base",
    "Schedule": "base",
    "accumulation_schedule": "accumulation",
    "accumulation_version": "accumulation",
    "base_learning_rate": "text",
    "check": "text",
    "check_accumulation": "accumulation",
    "is_constant": "text",
    "schedule": "resolver",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC, REGISTRY)
