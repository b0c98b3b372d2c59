"""Plan of `batchsel experiment NAME --plan`: the number of runs, and the settings of each arm."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchsel.cards.experiment_cards import ExperimentCard, Tuning
from batchsel.cli.support.output import format_columns
from batchsel.core.parameters.ranges import Range

if TYPE_CHECKING:
    from batchsel.experiments.compare.experiment import Experiment
    from batchsel.experiments.run.run_record import RunRecord
    from batchsel.experiments.spec.run_spec import RunSpec

_DEPENDENT_CONTROLS = ("horizon", "rs2", "schedule")
"""Controls whose number is unknown before the arms have run."""
_MOST_READ = 40_000_000
"""Bytes of earlier records that are read for their spread."""
_NOT_SHOWN = ("seed", "dataset")


def build_plan(card: ExperimentCard, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return the plan of an experiment, plain values.

    Args:
        card: The card, or its scaled form.
        experiment: The experiment that it states.
        folder: Folder of the records.

    Raises:
        UserError: If a setting is wrong or a name unknown, or the settings were tuned for another form of the card.
    """
    from batchsel.experiments.spec.resolve import check_names
    from batchsel.experiments.tuning import tuned_settings

    if card.tuning is not None and (folder / tuned_settings.FILE).is_file():
        digest = tuned_settings.stated_digest(experiment, card.tuning)
        experiment = dataclasses.replace(experiment, tuned=tuned_settings.read(folder / tuned_settings.FILE, digest))
    specs = {
        (dataset, arm.name): spec
        for dataset in experiment.datasets
        for arm, spec in experiment.first_specs(dataset).items()
    }
    settings: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in experiment.datasets}
    pairs = list(itertools.product(settings, experiment.arms))
    for dataset, arm in pairs:
        spec = specs[dataset, arm]
        check_names(spec)
        settings[dataset][arm] = {key: value for key, value in spec.values().items() if key not in _NOT_SHOWN}
    return {
        "form": card.form,
        "question": card.question,
        "baseline": experiment.baseline,
        "seeds": len(experiment.seeds),
        "runs": len(specs) * len(experiment.seeds),
        "recorded": _recorded_count(experiment, specs, folder),
        "folder": str(folder),
        "trials": 0 if card.tuning is None or experiment.tuned else _trial_count(card.tuning) * len(pairs),
        "again": "again" in card.controls,
        "controls_that_follow": [name for name in card.controls if name in _DEPENDENT_CONTROLS],
        "power": describe_effects(experiment, card.analysis, folder)
        if card.analysis
        else describe_power(experiment, folder),
        "measure": list(card.measure),
        "analysis": dict(card.analysis),
        "settings": settings,
    }


def describe_power(experiment: Experiment, folder: Path) -> list[str]:
    """Return what the seeds of an experiment can detect, given the spread in earlier records.

    Args:
        experiment: The experiment.
        folder: Folder of its records; those of the folders beside it count where it has none of a data set.
    """
    from batchsel.analysis.report.expected_power import expected_power, seen_spreads

    spreads = _earlier_spreads(experiment, folder, seen_spreads)
    return expected_power(list(experiment.datasets), len(experiment.seeds), len(experiment.arms) - 1, spreads)


def describe_effects(experiment: Experiment, analysis: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the effects on the final metric that the seeds of a study can detect.

    Args:
        experiment: The experiment.
        analysis: The [analysis] table of its card.
        folder: As in `describe_power`.
    """
    from batchsel.analysis.final_metrics import unit_for
    from batchsel.analysis.report.expected_power import expected_effects, seen_differences
    from batchsel.core.target import Target

    spec = next(iter(experiment.first_specs(experiment.datasets[0]).values()))
    unit = unit_for(analysis.get("metric") or Target.parse(spec.target).metric, spec.target)
    spreads = _earlier_spreads(experiment, folder, lambda runs: seen_differences(runs, unit))
    return expected_effects(list(experiment.datasets), len(experiment.seeds), unit, spreads)


def _earlier_spreads(
    experiment: Experiment, folder: Path, spread: Callable[[Sequence[RunRecord]], dict[str, float]]
) -> dict[str, float]:
    """Return a spread by data set, from the records of a folder and of those beside it."""
    from batchsel.experiments.run.records import FILE, read_typed

    spreads: dict[str, float] = {}
    size = 0
    for path in [folder / FILE, *sorted(folder.parent.glob(f"*/{FILE}"))]:
        if all(name in spreads for name in experiment.datasets) or not path.is_file():
            continue
        size += path.stat().st_size
        if size > _MOST_READ:
            break
        runs = [run for run in read_typed(path).runs if run.spec.dataset in experiment.datasets]
        spreads = spread(runs) | spreads
    return spreads


def _recorded_count(experiment: Experiment, specs: Mapping[tuple[str, str], RunSpec], folder: Path) -> int:
    """Return the number of runs that are recorded; the records are looked through, for there may be fewer than runs."""
    from batchsel.experiments.run.arms import record_key
    from batchsel.experiments.run.records import read_folder

    found = set()
    for record in read_folder(folder).runs:
        name, digest = record_key(record)
        spec, seed = specs.get((record["spec"]["dataset"], name)), record["spec"]["seed"]
        if spec is not None and seed in experiment.seeds and dataclasses.replace(spec, seed=seed).digest() == digest:
            found.add((name, digest))
    return len(found)


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """Return a plan as text: the settings that all arms of a data set share, then those of each arm.

    Args:
        plan: The plan as `build_plan` returns it.
    """
    arms, datasets = max(map(len, plan["settings"].values())), len(plan["settings"])
    # A folder is looked for below the one that the command is called in, which may be the wrong one.
    place = plan["folder"] if plan["recorded"] else f"{Path(plan['folder']).absolute()} (--out names another folder)"
    again = " and the baseline once more" if plan["again"] else ""
    lines = [
        plan["question"],
        "",
        f"{plan['form']} form: {_count(arms, 'arm')}{again} on {_count(plan['seeds'], 'seed')} of"
        f" {_count(datasets, 'data set')}: {_count(plan['runs'], 'run')}, of which {plan['recorded']} are recorded"
        f" in {place}",
    ]
    if plan["trials"]:
        lines.append(f"before them, tuning: {_count(plan['trials'], 'run')}")
    if plan["controls_that_follow"]:
        lines.append(f"after them, controls that depend on the arms: {', '.join(plan['controls_that_follow'])}")
    if plan["measure"]:
        lines.append(f"also measured in each run: {', '.join(plan['measure'])}")
    lines += plan["power"]
    if plan["analysis"]:
        lines.append(f"analysis: {_assignments(plan['analysis'])}")
    for dataset, by_arm in plan["settings"].items():
        first = by_arm[plan["baseline"]]
        shared = {key: value for key, value in first.items() if all(arm.get(key) == value for arm in by_arm.values())}
        rows = [
            (f"  {name}", _assignments({key: value for key, value in settings.items() if key not in shared}))
            for name, settings in by_arm.items()
        ]
        lines += ["", f"{dataset}: {_assignments(shared)}", *format_columns(rows)]
    return lines


def _trial_count(tuning: Tuning) -> int:
    """Return the tuning runs of an arm on a data set."""
    sizes = [len(values) for values in tuning.grid.values() if not isinstance(values, Range)]
    return (tuning.trials or math.prod(sizes)) * tuning.seeds


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())
