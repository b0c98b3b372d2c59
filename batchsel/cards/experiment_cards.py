"""From the TOML of an experiment card to the card: what is asked and how it will be answered, before any run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchsel.cards.reader import Table, refuse
from batchsel.errors import UsageError
from batchsel.ranges import Range

CONTROLS = ("again", "horizon", "rs2")
"""Random once more; random with its horizon cut to an arm's samples; a random part as large as an arm keeps."""


@dataclass(frozen=True)
class Tuning:
    """How every arm is tuned before it is compared.

    Args:
        grid: Values, or a range, of each setting.
        seeds: How many seeds a combination is tried on; they are never scored.
        trials: How many combinations each arm tries, found by a search; None for all of them.
    """

    grid: Mapping[str, tuple[Any, ...] | Range]
    seeds: int
    trials: int | None = None


@dataclass(frozen=True)
class ExperimentCard:
    """An experiment as it is stated before it is run.

    Args:
        name: Its name, and that of its file.
        question: What it is to answer.
        story: Why it is asked, and what would be an answer.
        datasets: Names of the data sets.
        arms: Settings of each arm by name.
        seeds: How many seeds are scored.
        settings: Settings of all arms.
        controls: Which controls are run.
        tuning: How the arms are tuned, or None to take the settings as they are.
    """

    name: str
    question: str
    story: str
    datasets: tuple[str, ...]
    arms: Mapping[str, Mapping[str, Any]]
    seeds: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    controls: tuple[str, ...] = CONTROLS
    tuning: Tuning | None = None


def read_experiment_card(values: dict[str, Any], name: str, source: str) -> ExperimentCard:
    """Checks the content of a card.

    Args:
        values: The card as tomllib gives it.
        name: The name of its file, without the ending.
        source: Where the card was found, for errors.

    Raises:
        UserError: If anything is wrong; all problems are listed.

    Example:
        >>> read_experiment_card({"name": "mine"}, "mine", "mine.toml")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: the card mine.toml has 4 problems: ...
    """
    problems: list[str] = []
    card = _card(Table(values, "", problems), name, problems)
    refuse(problems, source)
    return card


def _card(table: Table, name: str, problems: list[str]) -> ExperimentCard:
    table.read("name", f"{name!r}, as its file is named", lambda value: value == name)
    card = ExperimentCard(
        name=name,
        question=table.text("question"),
        story=table.text("story"),
        datasets=table.listed("datasets", str),
        arms=_settings_of_arms(table, problems),
        seeds=table.integer("seeds", minimum=1, default=10),
        settings=table.read("settings", "a table of settings", lambda value: isinstance(value, dict), {}),
        controls=table.listed("controls", str, CONTROLS),
        tuning=_tuning(table, problems),
    )
    for control in card.controls or ():
        if control not in CONTROLS:
            table.problem("controls", f"{control!r} is none; known: {', '.join(CONTROLS)}.")
    table.finish()
    return card


def _settings_of_arms(table: Table, problems: list[str]) -> Mapping[str, Mapping[str, Any]]:
    arms = table.read("arms", "a table [arms.NAME] for each arm", lambda value: isinstance(value, dict) and bool(value))
    for arm, settings in (arms or {}).items():
        if not isinstance(settings, dict) or not isinstance(settings.get("selector"), str):
            problems.append(f"arms.{arm}: expected a table with a selector, got {settings!r}.")
    return arms or {}


def _tuning(table: Table, problems: list[str]) -> Tuning | None:
    if table.read("tuning", "a table", lambda value: isinstance(value, dict), None) is None:
        return None
    inner = table.table("tuning")
    trials = inner.integer("trials", minimum=1, default=None)
    grid = inner.read("grid", "lists of values by setting" + (", or ranges" if trials else ""), _is_grid)
    seeds = inner.integer("seeds", minimum=1, default=3)
    inner.finish()
    return Tuning({key: _values(inner, key, of, trials) for key, of in (grid or {}).items()}, seeds, trials)


def _is_grid(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(v, list | str) and v for v in value.values())


def _values(table: Table, name: str, values: list[Any] | str, trials: int | None) -> tuple[Any, ...] | Range:
    if isinstance(values, list):
        return tuple(values)
    if trials is None:
        table.problem(f"grid.{name}", "a range can be searched only with trials = N.")
    try:
        return Range.parse(values)
    except UsageError as error:
        table.problem(f"grid.{name}", str(error))
        return ()
