"""Validate the ``[analysis]`` table of an experiment card before any run.

Its factors and levels are looked up among those of the card: an unknown name would leave hours of runs without an
answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batchsel.cards.factors import Arms
from batchsel.cards.toml_table import Table
from batchsel.errors import unknown_name

KINDS = ("factorial", "batch_sizes", "budgets", "horizon")
METRICS = ("accuracy", "loss", "mae", "perplexity")
"""Metrics that models are compiled with."""
END = "end"
"""Measure that an analysis requires: results at the end of the budget."""
ROLES = ("full", "pruned", "short")
_ARM = "arm"
"""Pseudo-factor whose levels are the names of the arms."""


def read_analysis(table: Table, arms: Arms | None, measured: Sequence[str]) -> dict[str, Any]:
    """Read ``[analysis]``; problems are added to those of the card.

    Args:
        table: The card.
        arms: Arms of the card, or None if they are invalid: then no name is looked up.
        measured: Additional measures of each run.

    Returns:
        The table; empty if there is none.

    Example:
        >>> problems = []
        >>> arms = Arms({"a": {}, "b": {}}, {"a": {"blur": "off"}, "b": {"blur": "on"}}, "a")
        >>> stated = {"analysis": {"kind": "factorial", "factors": ["blurr"]}}
        >>> _ = read_analysis(Table(stated, "", problems), arms, ["end"])
        >>> problems
        ["analysis.factors: unknown factor 'blurr'. Did you mean 'blur'? Known: blur."]
    """
    stated = table.mapping("analysis", None)
    if stated is None:
        return {}
    inner = table.table("analysis")
    kind = inner.choice("kind", KINDS)
    if kind is None:
        return stated
    if END not in measured:
        table.problem("measure", f"an [analysis] needs results at the end of the budget; add {END!r}.")
    if arms is None:
        return stated
    _check_name(inner, "metric", "metric", inner.text("metric", None), METRICS)
    levels = _levels(arms)
    within = inner.sequence("within", str, ()) or ()
    for name in within:
        _check_name(inner, "within", "factor", name, levels)
    _READERS[kind](inner, levels, arms, within)
    inner.report_unknown_keys()
    return stated


def _factorial(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    if not levels:
        table.problem("kind", "'factorial' needs factors; the card has none.")
        return
    stated = table.sequence("factors", str, ())
    for name in stated or [name for name in levels if name not in within]:
        if _check_name(table, "factors", "factor", name, levels) and len(levels[name]) != 2:
            count = f"{name} has {len(levels[name])}, {', '.join(levels[name])}"
            table.problem(
                "factors", f"a factorial compares two levels of a factor; {count}. Leave it out, or levels of it."
            )


def _batch_sizes(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    _check_name(table, "batch", "factor", table.text("batch", None), levels)
    mode, base = table.text("mode", None), table.text("base", None)
    mode_is_known = _check_name(table, "mode", "factor", mode, levels)
    if base is not None and mode is None:
        table.problem("base", "a level of the factor that mode names, but there is no mode.")
    elif base is not None and mode_is_known:
        _check_name(table, "base", f"level of {mode}", base, levels[mode])
    table.integer("small", minimum=1, default=None)
    _points(table)


def _budgets(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    factor = table.text("factor", _ARM)
    known = {**levels, _ARM: list(arms.settings)}
    names = [table.text(role, role) for role in ROLES]  # read first, so that all are known keys
    if factor is not None and _check_name(table, "factor", "factor", factor, known):
        for role, name in zip(ROLES, names, strict=True):
            _check_name(table, role, _ARM if factor == _ARM else f"level of {factor}", name, known[factor])
    _points(table)


def _horizon(table: Table, levels: Mapping[str, list[str]], arms: Arms, within: Sequence[str]) -> None:
    factor, budget, base = table.text("factor", "selector"), table.text("budget", "budget"), table.text("base", None)
    factor_is_known = _check_name(table, "factor", "factor", factor, levels)
    if factor_is_known and base is not None:
        _check_name(table, "base", f"level of {factor}", base, levels[factor])
    if _check_name(table, "budget", "factor", budget, levels) and len(levels[budget]) < 2:
        table.problem("budget", f"a horizon needs two budgets or more; {budget} has one, {levels[budget][0]}.")


_READERS = {"factorial": _factorial, "batch_sizes": _batch_sizes, "budgets": _budgets, "horizon": _horizon}


def _points(table: Table) -> None:
    table.read("points", "a number of at least 0", _is_margin, None)


def _is_margin(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _levels(arms: Arms) -> dict[str, list[str]]:
    """Return the levels of each factor that occur in arms."""
    found: dict[str, dict[str, None]] = {}
    for levels in arms.levels.values():
        for factor, level in levels.items():
            found.setdefault(factor, {})[level] = None
    return {factor: list(names) for factor, names in found.items()}


def _check_name(table: Table, key: str, kind: str, name: str | None, known: Iterable[str]) -> bool:
    """Return True for a known name; record a problem for an unknown one, with the nearest names."""
    if name is not None and name not in known:
        table.problem(key, str(unknown_name(kind, name, known)))
    return name is not None and name in known
