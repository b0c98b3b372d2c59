"""The names of all schedules. A schedule is one file in `methods`; products of schedules are written as pipes."""

from __future__ import annotations

from batchsel.core.registry import Registry

REGISTRY = Registry(
    "schedule",
    [f"{__package__}.methods"],
    "batchsel.schedules",
    example="Schedules are names with | between them, as in 'cosine | warmup(0.05)'.",
    listing="batchsel schedules list",
)
"""Installed packages add theirs under the entry-point group ``batchsel.schedules``."""
