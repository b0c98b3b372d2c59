"""Factors of an experiment card: every combination of their levels is an arm.

A level is a table of settings, and an arm has the settings of all its levels. Two levels of one arm must not set
the same setting to different values. Settings that are pipes can be extended instead: ``"schedule+" = "warmup(0.1)"``
appends to the schedule that applies otherwise (that of another level, the card or the data set), after a ``|``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from batchsel.cards.toml_table import Table
from batchsel.errors import show

APPENDABLE = ("schedule", "curriculum", "augment", "selector")
"""Settings that are pipes, which levels and arms may append to."""
MOST_ARMS = 10_000
"""More would take years; factors multiply quickly."""

Levels = dict[str, dict[str, Any]]


class Arms(NamedTuple):
    """Arms, one for each combination of levels."""

    settings: dict[str, dict[str, Any]]
    """Settings of each arm by name, as in "lerac on, blur off"."""
    levels: dict[str, dict[str, str]]
    """Level of each factor by arm."""
    baseline: str
    """Name of the arm of all first levels."""


def read_factors(table: Table, selector: str) -> Arms:
    """Read ``[factors]`` and ``[[without]]``; problems are added to those of the card.

    Args:
        table: The card.
        selector: Selector of arms whose levels set none.

    Returns:
        The arms; none if the card has problems.

    Example:
        >>> blur = {"off": {}, "on": {"augment+": "blur"}}
        >>> arms = read_factors(Table({"factors": {"batch_size": [2, 4], "blur": blur}}, "", []), "random")
        >>> arms.baseline, arms.settings["batch_size 4, blur on"]
        ('batch_size 2, blur off', {'selector': 'random', 'batch_size': 4, 'augment+': 'blur'})
    """
    stated = table.read("factors", "a table [factors.NAME] for each factor", _is_filled_table)
    factors = {name: _levels(table, name, levels) for name, levels in (stated or {}).items()}
    if not factors or not all(factors.values()):
        return Arms({}, {}, "")
    count = math.prod(map(len, factors.values()))
    if count > MOST_ARMS:
        table.problem("factors", f"expected at most {MOST_ARMS} combinations of levels, got {show(count)}.")
        return Arms({}, {}, "")
    excluded = [_read_exclusion(pairs, factors) for pairs in table.tables("without")]
    cells = [dict(zip(factors, levels, strict=True)) for levels in itertools.product(*factors.values())]
    baseline = _name(cells[0])
    kept = {_name(cell): cell for cell in cells if not any(_matches(cell, pairs) for pairs in excluded)}
    if baseline not in kept:
        table.problem("without", f"{baseline}, the baseline, cannot be left out.")
    conflicts: dict[str, None] = {}
    arms = {name: {"selector": selector, **_merge_levels(cell, factors, conflicts)} for name, cell in kept.items()}
    for sentence in conflicts:
        table.problem("factors", sentence)
    return Arms(arms, kept, baseline)


def check_appended(table: Table, key: str, settings: Mapping[str, Any]) -> None:
    """Record problems of settings that end in "+".

    Args:
        table: The card.
        key: Key of the settings in the card.
        settings: The settings.
    """
    for name, value in settings.items():
        if name.endswith("+") and name[:-1] not in APPENDABLE:
            table.problem(
                key,
                f"{name!r} appends to a setting that is not a pipe; settings to append to are {', '.join(APPENDABLE)}.",
            )
        elif name.endswith("+") and not (isinstance(value, str) and value.strip()):
            table.problem(key, f"{name!r} must be a text such as 'warmup(0.1)', got {show(value)}.")


def _levels(table: Table, name: str, stated: Any) -> Levels:
    """Return the levels of a factor; a list holds values of the setting with the name of the factor."""
    key = f"factors.{name}"
    if isinstance(stated, list) and all(map(_is_plain, stated)):
        found = {str(value): {name: value} for value in stated}
    elif isinstance(stated, dict) and all(map(_is_level, stated.values())):
        found = {level: dict(settings) for level, settings in stated.items()}
    else:
        table.problem(key, f"expected a table of settings for each level, or a list of values, got {show(stated)}.")
        return {}
    if len(found) < 2:
        table.problem(key, f"a factor has at least two levels, got {len(found)}.")
    for level, settings in found.items():
        check_appended(table, f"{key}.{level}", settings)
    return found


def _is_filled_table(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_level(settings: Any) -> bool:
    return isinstance(settings, dict) and all(map(_is_plain, settings.values()))


def _are_levels(value: Any) -> bool:
    return _is_plain(value) or (isinstance(value, list) and all(map(_is_plain, value)))


def _read_exclusion(table: Table, factors: Mapping[str, Levels]) -> dict[str, list[str]]:
    """Return the levels by factor of combinations to leave out."""
    found = {}
    for name, levels in factors.items():
        stated = table.read(name, "a level or a list of levels", _are_levels, [])
        found[name] = list(map(str, stated if isinstance(stated, list) else [stated]))
        for level in found[name] if stated is not None else ():
            if level not in levels:
                table.problem(name, f"{show(level)} is not one of its levels {', '.join(levels)}.")
    table.report_unknown_keys()
    return {name: levels for name, levels in found.items() if levels}


def _matches(cell: Mapping[str, str], pairs: Mapping[str, list[str]]) -> bool:
    return bool(pairs) and all(cell[name] in levels for name, levels in pairs.items())


def _name(cell: Mapping[str, str]) -> str:
    return ", ".join(f"{factor} {level}" for factor, level in cell.items())


def _merge_levels(cell: Mapping[str, str], factors: Mapping[str, Levels], conflicts: dict[str, None]) -> dict[str, Any]:
    """Return the settings of all levels of an arm; disagreements are added to the conflicts."""
    found: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for factor, level in cell.items():
        for key, value in factors[factor][level].items():
            if key.endswith("+"):
                found[key] = f"{found[key]} | {value}" if key in found else value
            elif key in found and found[key] != value:
                hint = f'; append to it in one of them with "{key}+"' if key in APPENDABLE else ""
                both = f"{origin[key]} and {factor} {level} both set {key}"
                conflicts[f"{both}, to {show(found[key])} and to {show(value)}. Only one of them may{hint}."] = None
            else:
                found[key], origin[key] = value, f"{factor} {level}"
    return found
