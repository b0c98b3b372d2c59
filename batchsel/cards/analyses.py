"""What an [analysis] table of an experiment card may hold, by kind; checked before any run, for it is read after all.

Factors and levels that it names are looked up among those of the card: a name that no run has would leave hours of runs
without an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batchsel.cards.factors import Arms
from batchsel.cards.reader import Table
from batchsel.errors import unknown_name

KINDS = ("factorial", "batch_sizes", "budgets")
METRICS = ("accuracy", "loss", "mae", "perplexity")
"""What models are compiled with."""
END = "end"
"""What must be measured of runs that are analyzed: results at the end of the budget."""
ROLES = ("full", "pruned", "short")
_ARM = "arm"
"""Stands for the arms' names where a factor is asked for."""


def read_analysis(table: Table, arms: Arms | None, measured: Sequence[str]) -> dict[str, Any]:
    """Reads ``[analysis]``.

    Args:
        table: The card.
        arms: What it compares, or None if that is wrong: then no name is looked up.
        measured: What it measures of each run besides.

    Returns:
        The table, empty without one; problems are added to those of the card.

    Example:
        >>> problems = []
        >>> arms = Arms({"a": {}, "b": {}}, {"a": {"blur": "off"}, "b": {"blur": "on"}}, "a")
        >>> stated = {"analysis": {"kind": "factorial", "factors": ["blurr"]}}
        >>> _ = read_analysis(Table(stated, "", problems), arms, ["end"])
        >>> problems
        ["analysis.factors: unknown factor 'blurr'. Did you mean 'blur'? Known: blur."]
    """
    stated = table.read("analysis", "a table", lambda value: isinstance(value, dict), None)
    if stated is None:
        return {}
    inner = table.table("analysis")
    kind = inner.one_of("kind", KINDS)
    if kind is None:
        return stated
    if END not in measured:
        table.problem("measure", f"an [analysis] is of results at the end of the budget; add {END!r}.")
    if arms is None:
        return stated
    _known(inner, "metric", "metric", inner.text("metric", None), METRICS)
    levels = _levels(arms)
    within = inner.listed("within", str, ()) or ()
    for name in within:
        _known(inner, "within", "factor", name, levels)
    _READERS[kind](inner, levels, arms, within)
    inner.finish()
    return stated


def _factorial(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    if not levels:
        table.problem("kind", "'factorial' is for the effects of factors; the card has none.")
        return
    stated = table.listed("factors", str, ())
    for name in stated or [name for name in levels if name not in within]:
        if _known(table, "factors", "factor", name, levels) and len(levels[name]) != 2:
            found = f"{name} has {len(levels[name])}, {', '.join(levels[name])}"
            table.problem(
                "factors", f"a factorial compares two levels of a factor; {found}. Leave it out, or levels of it."
            )


def _batch_sizes(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    _known(table, "batch", "factor", table.text("batch", None), levels)
    mode, base = table.text("mode", None), table.text("base", None)
    mode_is_known = _known(table, "mode", "factor", mode, levels)
    if base is not None and mode is None:
        table.problem("base", "a level of the factor that mode names, but there is no mode.")
    elif base is not None and mode_is_known:
        _known(table, "base", f"level of {mode}", base, levels[mode])
    table.integer("small", minimum=1, default=None)
    _points(table)


def _budgets(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    factor = table.text("factor", _ARM)
    known = {**levels, _ARM: list(arms.settings)}
    names = [table.text(role, role) for role in ROLES]  # before lookups, so that all are known keys
    if factor is not None and _known(table, "factor", "factor", factor, known):
        for role, name in zip(ROLES, names, strict=True):
            _known(table, role, _ARM if factor == _ARM else f"level of {factor}", name, known[factor])
    _points(table)


_READERS = {"factorial": _factorial, "batch_sizes": _batch_sizes, "budgets": _budgets}


def _points(table: Table) -> None:
    table.read("points", "a number of at least 0", _is_margin, None)


def _is_margin(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _levels(arms: Arms) -> dict[str, list[str]]:
    """The levels of each factor that arms have."""
    found: dict[str, dict[str, None]] = {}
    for of_arm in arms.levels.values():
        for factor, level in of_arm.items():
            found.setdefault(factor, {})[level] = None
    return {factor: list(levels) for factor, levels in found.items()}


def _known(table: Table, key: str, kind: str, name: str | None, known: Iterable[str]) -> bool:
    """Whether a name that is stated is known; one that is not is noted with the nearest that are."""
    if name is not None and name not in known:
        table.problem(key, str(unknown_name(kind, name, known)))
    return name is not None and name in known
