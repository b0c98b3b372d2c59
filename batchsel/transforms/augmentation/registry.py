"""The names of all augmentations. An augmentation is one file in `methods`; several are written as a pipe."""

from __future__ import annotations

from batchsel.core.registry import Registry

REGISTRY = Registry(
    "augmentation",
    [f"{__package__}.methods"],
    "batchsel.augmentations",
    example="Augmentations are names with | between them, as in 'crop(4) | flip | erasing(0.25)'.",
    listing="batchsel augmentations list",
)
"""Installed packages add theirs under the entry-point group ``batchsel.augmentations``.

Example:
    >>> REGISTRY.parse("crop(4) | flip")
    [crop(padding=4, fill='zero'), flip(chance=0.5, direction='horizontal')]
"""
