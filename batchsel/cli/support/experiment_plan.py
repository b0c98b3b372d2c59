"""What `batchsel experiment NAME --plan` prints: how many runs there will be, and the settings of each arm."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchsel.cli.support.output import format_columns

_DEPENDING = ("horizon", "rs2")
"""Controls of which nobody knows before the arms have run how many there will be."""
_UNTOLD = ("seed", "dataset")


def plan(card: Any, experiment: Any, folder: Path) -> dict[str, Any]:
    """What would be run, plain values.

    Args:
        card: The card, or its scaled form.
        experiment: What it states, a `batchsel.experiments.compare.experiment.Experiment`.
        folder: Folder of the records.

    Raises:
        UserError: If a setting is wrong or a name unknown, or what was tuned is not what the card states any more.
    """
    from batchsel.experiments.compare.jobs import key_of
    from batchsel.experiments.run.records import read_folder
    from batchsel.experiments.spec.spec import check_names
    from batchsel.experiments.tuning import tuned_settings

    if card.tuning is not None and (folder / tuned_settings.FILE).is_file():
        digest = tuned_settings.stated_digest(experiment, card.tuning)
        experiment = dataclasses.replace(experiment, tuned=tuned_settings.read(folder / tuned_settings.FILE, digest))
    jobs, done = experiment.jobs(), {key_of(record) for record in read_folder(folder).runs}
    settings: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in experiment.datasets}
    pairs = list(itertools.product(settings, experiment.arms))
    for dataset, arm in pairs:
        spec = experiment.spec(dataset, arm, experiment.seeds[0])
        check_names(spec)
        settings[dataset][arm] = {key: of for key, of in spec.values().items() if key not in _UNTOLD}
    return {
        "form": card.form,
        "question": card.question,
        "baseline": experiment.baseline,
        "seeds": len(experiment.seeds),
        "runs": len(jobs),
        "recorded": sum(job.key in done for job in jobs),
        "trials": 0 if card.tuning is None or experiment.tuned else _trials(card.tuning) * len(pairs),
        "again": "again" in card.controls,
        "controls_that_follow": [name for name in card.controls if name in _DEPENDING],
        "measure": list(card.measure),
        "analysis": dict(card.analysis),
        "settings": settings,
    }


def lines(stated: Mapping[str, Any]) -> list[str]:
    """A plan as text: what is the same for all arms of a data set once, then what each sets otherwise.

    Args:
        stated: What `plan` returned.
    """
    arms, sets = max(map(len, stated["settings"].values())), len(stated["settings"])
    again = " and the baseline once more" if stated["again"] else ""
    told = [
        stated["question"],
        "",
        f"{stated['form']} form: {_count(arms, 'arm')}{again} on {_count(stated['seeds'], 'seed')} of"
        f" {_count(sets, 'data set')}: {_count(stated['runs'], 'run')}, of which {stated['recorded']} are recorded",
    ]
    if stated["trials"]:
        told.append(f"before them, tuning: {_count(stated['trials'], 'run')}")
    if stated["controls_that_follow"]:
        told.append(f"after them, controls that depend on the arms: {', '.join(stated['controls_that_follow'])}")
    if stated["measure"]:
        told.append(f"measured of each run besides: {', '.join(stated['measure'])}")
    if stated["analysis"]:
        told.append(f"analysis: {_written(stated['analysis'])}")
    for dataset, of_arms in stated["settings"].items():
        first = of_arms[stated["baseline"]]
        same = {key: of for key, of in first.items() if all(arm.get(key) == of for arm in of_arms.values())}
        rows = [
            (f"  {name}", _written({key: of for key, of in settings.items() if key not in same}))
            for name, settings in of_arms.items()
        ]
        told += ["", f"{dataset}: {_written(same)}", *format_columns(rows)]
    return told


def _trials(tuning: Any) -> int:
    """Runs of an arm on a data set while it is tuned."""
    return (tuning.trials or math.prod(map(len, tuning.grid.values()))) * tuning.seeds


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _written(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {of}" for key, of in values.items())
