"""Scaled forms of experiment cards: the same study, small enough for two cores and an hour."""

from __future__ import annotations

from typing import Any

from batchsel.cards.toml_table import Table

_MERGED = ("settings", "factors", "analysis", "slurm")
"""Tables in which a scaled form overrides single keys; other keys of it replace those of the card."""
_KEYS = (*_MERGED, "datasets", "seeds", "arms", "without", "tuning", "controls", "measure")


def scaled_values(table: Table, values: dict[str, Any], problems: list[str]) -> dict[str, Any] | None:
    """Return the values of the scaled form of a card.

    Args:
        table: The card.
        values: The card as tomllib returns it.
        problems: List that problems of ``[scaled]`` itself are added to.

    Returns:
        The values of the card, overridden by those of ``[scaled]``, and both stories; None without ``[scaled]``.

    Example:
        >>> card = {"story": "Why.", "seeds": 9, "settings": {"model": "cnn", "budget": 8}}
        >>> card["scaled"] = {"story": "Fewer passes.", "seeds": 3, "settings": {"budget": 1}}
        >>> scaled_values(Table(card, "", []), card, [])
        {'story': 'Why. Fewer passes.', 'seeds': 3, 'settings': {'model': 'cnn', 'budget': 1}}
    """
    own = table.read("scaled", "a table [scaled]", lambda value: isinstance(value, dict), None)
    if own is None:
        return None
    inner = Table(own, "scaled.", problems)
    story = inner.text("story")
    for key in _KEYS:
        inner.read(key, "anything", lambda value: True, None)  # its problems are reported with the whole form
    inner.report_unknown_keys()
    found = {key: value for key, value in values.items() if key != "scaled"}
    for key in (key for key in _KEYS if key in own):
        both = key in _MERGED and isinstance(found.get(key), dict) and isinstance(own[key], dict)
        found[key] = {**found[key], **own[key]} if both else own[key]
    return found | {"story": f"{str(found.get('story', '')).strip()} {story}"}
