"""The names of all schedules and the text form of their products, without importing any of them."""

from __future__ import annotations

from batchsel.core.pipe_registry import PipeRegistry

_BUILT_IN = {
    "constant": "methods.constant:Constant",
    "linear": "methods.linear:Linear",
    "cosine": "methods.cosine:Cosine",
    "polynomial": "methods.polynomial:Polynomial",
    "exponential": "methods.exponential:Exponential",
    "step": "methods.step:Step",
    "inverse_sqrt": "methods.inverse_sqrt:InverseSqrt",
    "one_cycle": "methods.one_cycle:OneCycle",
    "warmup": "methods.warmup:Warmup",
    "scale": "methods.scale:Scale",
    "lerac": "methods.lerac:LeRaC",
}
NAMES = tuple(_BUILT_IN)
"""Those that come with batchsel."""
REGISTRY = PipeRegistry(
    "schedule",
    __package__,
    _BUILT_IN,
    "batchsel.schedules",
    example="Schedules are names with | between them, as in 'cosine | warmup(0.05)'.",
)
"""With those that installed packages register, under the entry-point group ``batchsel.schedules``.

Example:
    >>> REGISTRY.parse("cosine | warmup(0.05)")
    [cosine(end=0.0), warmup(share=0.05, start=0.0, form='linear')]
"""
