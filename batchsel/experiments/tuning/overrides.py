"""Override settings of an experiment card. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from batchsel.cards.experiment_cards import ExperimentCard
from batchsel.errors import UsageError


def override_settings(card: ExperimentCard, overrides: Mapping[str, Any]) -> ExperimentCard:
    """Return a card in which all arms have the same given settings, whatever it states about them.

    Args:
        card: The card, or its scaled form.
        overrides: Settings by name.

    Raises:
        UsageError: If the card tunes one of the settings, or compares arms by it.

    Example:
        >>> from batchsel import cards
        >>> card = cards.load("experiments", "small_sets")
        >>> override_settings(card, {"deterministic": True}).settings["deterministic"]
        True
    """
    for name in overrides:
        if card.tuning is not None and name in card.tuning.grid:
            raise UsageError(f"the card {card.name} tunes {name}. Leave --{name.replace('_', '-')} out.")
    names = {*overrides, *(f"{name}+" for name in overrides)}
    arms = {
        arm: {name: value for name, value in settings.items() if name not in names}
        for arm, settings in card.arms.items()
    }
    for first, second in itertools.combinations(arms, 2):
        if arms[first] == arms[second] and card.arms[first] != card.arms[second]:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in overrides)
            raise UsageError(
                f"with {options} the arms {first!r} and {second!r} of the card {card.name} would be the same. Leave out"
                " the settings that it compares."
            )
    return dataclasses.replace(card, arms=arms, settings={**card.settings, **overrides})
