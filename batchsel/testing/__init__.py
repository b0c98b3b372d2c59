"""Checks for selectors that you write yourself; `check_selector` runs them all."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "SelectorCheckError": "failure",
    "check_selector": "battery",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
