"""File of tuned settings, which `batchsel tune` writes and `batchsel compare --tuned` reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batchsel.cards.experiment_cards import Tuning
from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.reading import check_is_file
from batchsel.core.filesystem.toml_files import parse_toml
from batchsel.errors import UserError
from batchsel.experiments.compare.experiment import Experiment

FILE = "tuned.toml"
"""Its name beside the records of a card."""
_STATED = "stated"
"""Key of the digest that the settings were tuned for. Data sets hold tables, so it cannot be one of them."""


def stated_digest(experiment: Experiment, tuning: Tuning) -> str:
    """Return the start of a SHA-256 over data sets, arms, their settings, and the tuning itself.

    Args:
        experiment: The experiment, before tuning.
        tuning: How it is tuned.
    """
    stated = json.dumps([experiment.digest(), dataclasses.asdict(tuning)], sort_keys=True, default=str)
    return hashlib.sha256(stated.encode()).hexdigest()[:16]


def write(path: Path, trials: Mapping[str, Mapping[str, Sequence[Any]]], stated: str = "") -> None:
    """Write the best trial of each arm.

    Args:
        path: The file, TOML: ``[DATASET.ARM]`` with its settings.
        trials: For each data set and arm the trials, the best first.
        stated: The `stated_digest` that they were tuned for; empty to leave it out.
    """
    import tomli_w

    best = {name: {arm: dict(tried[0].settings) for arm, tried in arms.items()} for name, arms in trials.items()}
    with atomic_write(path) as beside:
        beside.write_text(tomli_w.dumps(({_STATED: stated} if stated else {}) | best), "utf-8")


def read(path: Path, stated: str = "") -> dict[str, dict[str, dict[str, Any]]]:
    """Read a file that `write` wrote.

    Args:
        path: The file.
        stated: The `stated_digest` of the experiment now; empty where it does not matter. A file without one is
            accepted: earlier versions wrote none.

    Raises:
        UserError: If it cannot be read, is malformed, or was tuned for something else.
    """
    try:
        check_is_file(path, allow_shell_pipes=True)
        values = parse_toml(path.read_bytes(), f"the file of tuned settings {path}")
    except OSError as error:
        raise UserError(f"cannot read the tuned settings {path}: {error.strerror}.") from None
    tuned_for = values.pop(_STATED, "") if isinstance(values.get(_STATED), str) else ""
    if stated and tuned_for and stated != tuned_for:
        raise UserError(
            f"{path} was tuned for other data sets, arms, settings or another grid than the card states now: the arms"
            " would be compared with settings that were not chosen among those. Undo the change of the card; or move"
            f" {path} away to tune once more (trials that are recorded are not run again)."
        )
    for dataset, arms in values.items():
        if not isinstance(arms, dict) or not all(isinstance(settings, dict) for settings in arms.values()):
            raise UserError(
                f"{path}: {dataset!r} must hold a table of settings for each arm, as batchsel tune writes it."
            )
    return values
