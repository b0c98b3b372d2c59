"""Read and validate experiment cards: the question and how it will be answered, stated before any run.

A card has ``question``, ``story``, ``datasets`` and either arms or factors::

    [arms.NAME]                                 # settings of an arm, at least its selector
    selector = "loss_ema"

    [factors.warmup]                            # or: every combination of levels is an arm
    off = {}                                    # the arm of all first levels is the baseline
    on = { "schedule+" = "warmup(0.1)" }        # appended to the schedule that applies otherwise, with | between
    [factors]
    batch_size = [32, 64]                       # a list: values of the setting with the name of the factor
    [[without]]                                 # combinations to leave out
    batch_size = 32
    warmup = "on"

and may have ``seeds``, ``controls``, ``measure`` (additional measures of each run; "end" is required for an
analysis), ``baseline`` (of arms), ``[settings]`` of all arms, ``[tuning]``, ``[analysis]`` (its kind and parameters;
without it, arms are compared with the baseline), ``[slurm]`` (time, memory and the like of jobs, for ``--executor
slurm``), and ``[scaled]``, a form of the study for a small machine: a ``story`` that says what is smaller, and the keys
that differ; of settings, factors, analysis and slurm only the entries that differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchsel.cards.analysis_table import read_analysis
from batchsel.cards.factors import Arms, check_appended, read_factors
from batchsel.cards.scaled_form import scaled_values
from batchsel.cards.slurm_settings import read_slurm
from batchsel.cards.toml_table import Table, raise_problems
from batchsel.core.parameters.ranges import Range
from batchsel.errors import UsageError, show

MOST_SEEDS = 10_000
"""More would take years; it is mostly a slip."""
MOST_TRIALS = 100_000
BASELINE = "random"
"""Default name of the baseline."""
CONTROLS = ("again", "horizon", "rs2", "schedule")
"""The baseline again; the baseline with the horizon of an arm; a random subset as large as an arm keeps."""
MEASURES = ("end", "noise_scale", "snr")
"""Losses of the parts at the end of a run; gradient noise scale; signal-to-noise ratio of features by layer."""
SCORES = ("target", "end")
"""Scores of tuning trials: time to the target; result at the end of the budget."""


@dataclass(frozen=True)
class Tuning:
    """Tuning of every arm before the comparison.

    Args:
        grid: Values, or a range, of each setting.
        seeds: Number of seeds per combination; they are never scored.
        trials: Number of combinations per arm, found by a search; None for all combinations.
        score: Score of trials, one of `SCORES`.
    """

    grid: Mapping[str, tuple[Any, ...] | Range]
    seeds: int
    trials: int | None = None
    score: str = "target"


@dataclass(frozen=True)
class ExperimentCard:
    """An experiment as stated before it is run.

    Args:
        name: Name of the experiment, and of its file.
        question: The question to answer.
        story: Motivation, and what would count as an answer.
        datasets: Names of the data sets.
        arms: Settings of each arm by name.
        seeds: Number of scored seeds.
        settings: Settings of all arms.
        controls: Controls to run.
        tuning: Tuning of the arms, or None to use the settings as they are.
        baseline: Name of the arm that the others are compared with; "random" need not be among the arms.
        levels: Level of each factor by arm, if the card has factors.
        measure: Additional measures of each run.
        analysis: Kind and parameters of the analysis, plain values; empty to compare arms.
        slurm: Settings of jobs of SLURM, as `slurm_settings.parse_slurm` returns them.
        form: "full" or "scaled".
        scaled: The scaled form, or None.
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
    slurm: Mapping[str, str] = field(default_factory=dict)
    form: str = "full"
    scaled: ExperimentCard | None = None


def read_experiment_card(values: dict[str, Any], name: str, source: str, more: Sequence[str] = ()) -> ExperimentCard:
    """Validate a card and return it.

    Args:
        values: The card as tomllib returns it.
        name: Stem of its file.
        source: Path of the card, for errors.
        more: Problems that were found elsewhere.

    Raises:
        UserError: If the card is invalid; the message lists all problems.

    Example:
        >>> read_experiment_card({"name": "mine"}, "mine", "mine.toml")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: the card mine.toml has 4 problems: ...
    """
    problems: list[str] = []
    table = Table(values, "", problems)
    smaller = scaled_values(table, values, problems)
    scaled_problems: list[str] = []
    scaled = None if smaller is None else _form(Table(smaller, "", scaled_problems), name, "scaled", None)
    card = _form(table, name, "full", scaled)
    problems += [f"scaled.{problem}" for problem in scaled_problems if problem not in problems]
    raise_problems([*problems, *more], source)
    return card


def _form(table: Table, name: str, form: str, scaled: ExperimentCard | None) -> ExperimentCard:
    table.read("name", f"{name!r}, as its file is named", lambda value: value == name)
    settings = table.read("settings", "a table of settings", lambda value: isinstance(value, dict), {}) or {}
    before = table.problem_count
    arms = _arms(table, settings)
    # An analysis of invalid arms would only repeat their problems.
    valid_arms = arms if table.problem_count == before else None
    measure = _known_names(table, "measure", MEASURES, ())
    card = ExperimentCard(
        name=name,
        question=table.text("question"),
        story=table.text("story"),
        datasets=table.sequence("datasets", str),
        arms=arms.settings,
        seeds=table.integer("seeds", minimum=1, default=10, maximum=MOST_SEEDS),
        settings=settings,
        controls=_known_names(table, "controls", CONTROLS, CONTROLS),
        tuning=_tuning(table),
        baseline=arms.baseline,
        levels=arms.levels,
        measure=measure,
        analysis=read_analysis(table, valid_arms, measure),
        slurm=read_slurm(table),
        form=form,
        scaled=scaled,
    )
    for setting in settings:
        if setting.endswith("+"):
            table.problem("settings", f"{setting!r}: only a level or an arm can append; set {setting[:-1]!r} here.")
    table.report_unknown_keys()
    return card


def _known_names(table: Table, key: str, known: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    found = table.sequence(key, str, default) or ()
    for name in found:
        if name not in known:
            table.problem(key, f"unknown name {show(name)}; known: {', '.join(known)}.")
    return found


def _arms(table: Table, settings: Mapping[str, Any]) -> Arms:
    if _has_factors(table):
        for key in ("arms", "baseline"):
            if table.read(key, "nothing", lambda value: True, None) is not None:
                table.problem(
                    key,
                    "not allowed with [factors]: arms are combinations of levels, the baseline has all first levels.",
                )
        return read_factors(table, settings.get("selector", BASELINE))
    arms = table.read("arms", "a table [arms.NAME] for each arm", lambda value: isinstance(value, dict) and bool(value))
    for name, arm in (arms or {}).items():
        if not isinstance(arm, dict) or not isinstance(arm.get("selector"), str):
            table.problem(f"arms.{name}", f"expected a table with a selector, got {show(arm)}.")
        else:
            check_appended(table, f"arms.{name}", arm)
    baseline = table.text("baseline", BASELINE)
    if arms and baseline not in (BASELINE, None, *arms):
        table.problem("baseline", f"{baseline!r} is not one of the arms {', '.join(arms)}.")
    return Arms(arms or {}, {}, baseline or BASELINE)


def _has_factors(table: Table) -> bool:
    return table.read("factors", "anything", lambda value: True, None) is not None


def _tuning(table: Table) -> Tuning | None:
    if table.read("tuning", "a table", lambda value: isinstance(value, dict), None) is None:
        return None
    inner = table.table("tuning")
    trials = inner.integer("trials", minimum=1, default=None, maximum=MOST_TRIALS)
    grid = inner.read("grid", "lists of values by setting" + (", or ranges" if trials else ""), _is_grid)
    seeds = inner.integer("seeds", minimum=1, default=3, maximum=MOST_SEEDS)
    score = inner.choice("score", SCORES, SCORES[0])
    inner.report_unknown_keys()
    searched = {key: _values(inner, key, values, trials) for key, values in (grid or {}).items()}
    count = math.prod(len(values) for values in searched.values() if isinstance(values, tuple))
    if trials is None and count > MOST_TRIALS:
        inner.problem("grid", f"expected at most {MOST_TRIALS} combinations of values, got {show(count)}.")
    return Tuning(searched, seeds, trials, score)


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
