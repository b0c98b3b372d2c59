"""The names of all curricula and their text form, without importing any of them."""

from __future__ import annotations

from batchsel.core.pipe_registry import PipeRegistry

REGISTRY = PipeRegistry(
    "curriculum",
    __package__,
    {
        "blur": "methods.blur:Blur",
        "resolution": "methods.resolution:Resolution",
    },
    "batchsel.curricula",
    example="Curricula are names with | between them, as in 'blur(sigma=1.0, until=0.2) | resolution(0.5)'.",
)
"""With those that installed packages register, under the entry-point group ``batchsel.transforms.curricula``.

Example:
    >>> REGISTRY.parse("resolution(0.25)")
    [resolution(start=0.25, delay=0.5, finish=0.8, multiple=4, method='bilinear')]
"""
