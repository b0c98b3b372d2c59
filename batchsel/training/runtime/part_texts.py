"""Texts of the parts of a trainer, as checkpoints hold them, compared across versions of batchsel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchsel import schedules, selectors
from batchsel.errors import UserError
from batchsel.selectors.registry import plan_version
from batchsel.transforms import augmentation, curricula

_READERS = {
    "selector": selectors.resolve,
    "schedule": schedules.schedule,
    "augment": augmentation.resolve,
    "curriculum": curricula.resolve,
    "accumulate": schedules.accumulation_schedule,
}


def part_texts(parts: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the texts of parts, and the version of the selector's plans.

    Args:
        parts: Selector, schedule, augmentation, curriculum and accumulation by name, None for no part.
    """
    texts = {name: None if part is None else repr(part) for name, part in parts.items()}
    return {**texts, "plan_version": plan_version(texts["selector"] or "")}


def rewritten(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored settings with the texts of parts as this version writes them.

    A version that adds a parameter to a part writes it differently, although nothing else changes.

    Args:
        stored: Settings of a checkpoint.
    """
    settings = {"plan_version": "", **stored}
    for name, read in _READERS.items():
        if isinstance(settings.get(name), str):
            try:
                settings[name] = repr(read(settings[name]))
            except (UserError, NotImplementedError):  # a part of the user's own
                continue
    return settings
