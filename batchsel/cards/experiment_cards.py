"""From the TOML of an experiment card to the card: what is asked and how it will be answered, before any run.

A card names ``question``, ``story``, ``datasets`` and either arms or factors::

    [arms.NAME]                                 # settings of an arm, at least its selector
    selector = "loss_ema"

    [factors.warmup]                            # or: every combination of levels is an arm
    off = {}                                    # the arm of all first levels is the baseline
    on = { "schedule+" = "warmup(0.1)" }        # appended to what the schedule is without it, with | between
    [factors]
    batch_size = [32, 64]                       # a list: values of the setting that the factor is named for
    [[without]]                                 # combinations that are left out
    batch_size = 32
    warmup = "on"

and may name ``seeds``, ``controls``, ``measure`` (what is measured of each run besides; "end" where there is an
analysis), ``baseline`` (of arms), ``[settings]`` of all arms, ``[tuning]``, ``[analysis]`` (its kind and what that
wants to know; without it, arms are compared with the baseline), and ``[scaled]``, a form of the study for a small
machine: a ``story`` that says what is smaller, and whatever of these is otherwise; of settings, factors and analysis
only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchsel.cards.analyses import read_analysis
from batchsel.cards.factors import Arms, check_appended, read_factors
from batchsel.cards.reader import Table, refuse
from batchsel.cards.scaled_form import scaled_values
from batchsel.core.ranges import Range
from batchsel.errors import UsageError

BASELINE = "random"
"""The name of the baseline where a card names none."""
CONTROLS = ("again", "horizon", "rs2")
"""The baseline once more; it with its horizon cut to an arm's samples; a random part as large as an arm keeps."""
MEASURES = ("end", "noise_scale", "snr")
"""Losses of the parts at the end of a run; the gradient noise scale; the signal-to-noise of features by layer."""
SCORES = ("target", "end")
"""What trials of tuning are scored by: how soon they reach the target; how good they are at the end of their budget."""


@dataclass(frozen=True)
class Tuning:
    """How every arm is tuned before it is compared.

    Args:
        grid: Values, or a range, of each setting.
        seeds: How many seeds a combination is tried on; they are never scored.
        trials: How many combinations each arm tries, found by a search; None for all of them.
        score: Of `SCORES` what decides between them.
    """

    grid: Mapping[str, tuple[Any, ...] | Range]
    seeds: int
    trials: int | None = None
    score: str = "target"


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
        baseline: Name of the arm that the others are compared with; "random" need not be among the arms.
        levels: Of each arm made by factors, the level of each factor.
        measure: What is measured of each run besides.
        analysis: The kind of the analysis and what it wants to know, plain values; empty for the comparison of arms.
        form: "full" or "scaled".
        scaled: Its scaled form, or None.
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
    baseline: str = BASELINE
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    measure: tuple[str, ...] = ()
    analysis: Mapping[str, Any] = field(default_factory=dict)
    form: str = "full"
    scaled: ExperimentCard | None = None


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
    table = Table(values, "", problems)
    smaller = scaled_values(table, values, problems)
    scaled = None
    if smaller is not None:
        of_both: list[str] = []
        scaled = _form(Table(smaller, "", of_both), name, "scaled", None)
    card = _form(table, name, "full", scaled)
    if smaller is not None:
        problems += [f"scaled.{problem}" for problem in of_both if problem not in problems]
    refuse(problems, source)
    return card


def _form(table: Table, name: str, form: str, scaled: ExperimentCard | None) -> ExperimentCard:
    table.read("name", f"{name!r}, as its file is named", lambda value: value == name)
    settings = table.read("settings", "a table of settings", lambda value: isinstance(value, dict), {}) or {}
    before = table.found
    arms = _arms(table, settings)
    # Of arms that are wrong, an analysis could only be told the same once more.
    analyzed = arms if table.found == before else None
    measure = _known(table, "measure", MEASURES, ())
    card = ExperimentCard(
        name=name,
        question=table.text("question"),
        story=table.text("story"),
        datasets=table.listed("datasets", str),
        arms=arms.settings,
        seeds=table.integer("seeds", minimum=1, default=10),
        settings=settings,
        controls=_known(table, "controls", CONTROLS, CONTROLS),
        tuning=_tuning(table),
        baseline=arms.baseline,
        levels=arms.levels,
        measure=measure,
        analysis=read_analysis(table, analyzed, measure),
        form=form,
        scaled=scaled,
    )
    for setting in settings:
        if setting.endswith("+"):
            table.problem("settings", f"{setting!r}: only a level or an arm can append; say {setting[:-1]!r} here.")
    table.finish()
    return card


def _known(table: Table, key: str, known: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    found = table.listed(key, str, default) or ()
    for name in found:
        if name not in known:
            table.problem(key, f"{name!r} is none; known: {', '.join(known)}.")
    return found


def _arms(table: Table, settings: Mapping[str, Any]) -> Arms:
    if _has_factors(table):
        for key in ("arms", "baseline"):
            if table.read(key, "nothing", lambda value: True, None) is not None:
                table.problem(key, "none with [factors]: levels make the arms, and all first levels the baseline.")
        return read_factors(table, settings.get("selector", BASELINE))
    arms = table.read("arms", "a table [arms.NAME] for each arm", lambda value: isinstance(value, dict) and bool(value))
    for name, arm in (arms or {}).items():
        if not isinstance(arm, dict) or not isinstance(arm.get("selector"), str):
            table.problem(f"arms.{name}", f"expected a table with a selector, got {arm!r}.")
        else:
            check_appended(table, f"arms.{name}", arm)
    baseline = table.text("baseline", BASELINE)
    if arms and baseline not in (BASELINE, None, *arms):
        table.problem("baseline", f"{baseline!r} is none of the arms: {', '.join(arms)}.")
    return Arms(arms or {}, {}, baseline)


def _has_factors(table: Table) -> bool:
    return table.read("factors", "anything", lambda value: True, None) is not None


def _tuning(table: Table) -> Tuning | None:
    if table.read("tuning", "a table", lambda value: isinstance(value, dict), None) is None:
        return None
    inner = table.table("tuning")
    trials = inner.integer("trials", minimum=1, default=None)
    grid = inner.read("grid", "lists of values by setting" + (", or ranges" if trials else ""), _is_grid)
    seeds = inner.integer("seeds", minimum=1, default=3)
    score = inner.one_of("score", SCORES, SCORES[0])
    inner.finish()
    return Tuning({key: _values(inner, key, of, trials) for key, of in (grid or {}).items()}, seeds, trials, score)


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
