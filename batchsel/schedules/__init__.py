"""Schedules: factors of the learning rate over a run, and how many batches make an update. One file for each."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "Constant": "methods.constant",
    "Cosine": "methods.cosine",
    "Exponential": "methods.exponential",
    "Function": "base",
    "AccumulationSchedule": "accumulation",
    "InverseSqrt": "methods.inverse_sqrt",
    "KerasSchedule": "keras_schedule",
    "LeRaC": "methods.lerac",
    "Linear": "methods.linear",
    "NAMES": "registry",
    "OneCycle": "methods.one_cycle",
    "Polynomial": "methods.polynomial",
    "Product": "base",
    "Scale": "methods.scale",
    "Schedule": "base",
    "Step": "methods.step",
    "Warmup": "methods.warmup",
    "check": "text",
    "check_growth": "accumulation",
    "growth": "accumulation",
    "is_constant": "text",
    "schedule": "resolver",
    "base_learning_rate": "text",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
