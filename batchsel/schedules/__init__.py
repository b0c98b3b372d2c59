"""Schedules: factors of the learning rate over a run, and how many batches make an update. One file for each."""

from batchsel._lazy import attach

_PUBLIC = {
    "Constant": "constant",
    "Cosine": "cosine",
    "Exponential": "exponential",
    "Function": "base",
    "Growth": "grow",
    "InverseSqrt": "inverse_sqrt",
    "KerasSchedule": "keras_schedule",
    "LeRaC": "lerac",
    "Linear": "linear",
    "NAMES": "registry",
    "OneCycle": "one_cycle",
    "Polynomial": "polynomial",
    "Product": "base",
    "Scale": "scale",
    "Schedule": "base",
    "Step": "step",
    "Warmup": "warmup",
    "check": "text",
    "check_growth": "grow",
    "growth": "grow",
    "is_constant": "text",
    "schedule": "resolver",
    "stated_rate": "text",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
