"""The names of all curricula. A curriculum is one file in `methods`; several are written as a pipe."""

from __future__ import annotations

from batchsel.core.registry import Registry

REGISTRY = Registry(
    "curriculum",
    [f"{__package__}.methods"],
    "batchsel.curricula",
    example="Curricula are names with | between them, as in 'blur(sigma=1.0, until=0.2) | resolution(0.5)'.",
    listing="batchsel curricula list",
)
"""Installed packages add theirs under the entry-point group ``batchsel.curricula``.

Example:
    >>> REGISTRY.parse("resolution(0.25)")
    [resolution(start=0.25, delay=0.5, finish=0.8, multiple=4, method='bilinear')]
"""
