"""From the settings that a card states to those of a run: what is unknown is told, what is appended is appended."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from batchsel.errors import unknown_name
from batchsel.experiments.spec import spec
from batchsel.experiments.spec.spec import RunSpec


def resolve(given: Mapping[str, Any], card: Any) -> RunSpec:
    """Puts a spec together as `batchsel.experiments.spec.spec.resolve` does, and appends to pipes.

    Args:
        given: Settings by name. One that ends in "+" is appended to what the setting is without it, with ``|`` between;
            to nothing, it is all there is.
        card: The data-set card.

    Raises:
        UsageError: If a setting is unknown or impossible.

    Example:
        >>> from batchsel import cards
        >>> resolve({"schedule+": "warmup(0.1)", "augment+": "jitter"}, cards.load("datasets", "digits")).schedule
        'linear | warmup(0.1)'
    """
    known = [field.name for field in dataclasses.fields(RunSpec)]
    for name in given:
        if name.removesuffix("+") not in known:
            raise unknown_name("setting", name.removesuffix("+"), known)
    plain = {name: value for name, value in given.items() if not name.endswith("+")}
    found = spec.resolve(plain, {}, card)
    more = {
        name: f"{now} | {given[f'{name}+']}" if (now := getattr(found, name)) else given[f"{name}+"]
        for name in known
        if f"{name}+" in given
    }
    return spec.resolve({**plain, **more}, {}, card) if more else found
