"""The file that `batchsel tune` writes and `batchsel compare --tuned` reads: the best settings of each arm."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchsel.cards.experiment_cards import Tuning
from batchsel.core.files import atomic_write
from batchsel.errors import UserError

if TYPE_CHECKING:
    from batchsel.experiments.compare.experiment import Experiment

FILE = "tuned.toml"
"""Its name beside the records of a card."""
_STATED = "stated"
"""The key that holds what was stated when it was tuned; no name of a data set, for it is no table."""


def stated_digest(experiment: Experiment, tuning: Tuning) -> str:
    """The start of a SHA-256 over what settings are tuned for: data sets, arms, their settings, and the tuning itself.

    Args:
        experiment: What is tuned, before that.
        tuning: How.
    """
    how = json.dumps([experiment.digest(), dataclasses.asdict(tuning)], sort_keys=True, default=str)
    return hashlib.sha256(how.encode()).hexdigest()[:16]


def write(path: Path, trials: Mapping[str, Mapping[str, Sequence[Any]]], stated: str = "") -> None:
    """Writes the best trial of each arm.

    Args:
        path: The file, TOML: ``[DATASET.ARM]`` with its settings.
        trials: For each data set and arm the trials, the best first.
        stated: The `stated_digest` of what they are the best of; empty to leave it out.
    """
    import tomli_w

    best = {name: {arm: dict(tried[0].settings) for arm, tried in arms.items()} for name, arms in trials.items()}
    with atomic_write(path) as beside:
        beside.write_text(tomli_w.dumps(({_STATED: stated} if stated else {}) | best), "utf-8")


def read(path: Path, stated: str = "") -> dict[str, dict[str, dict[str, Any]]]:
    """Reads what `write` wrote.

    Args:
        path: The file.
        stated: The `stated_digest` of what is stated now; empty where it does not matter. A file that does not say what
            it was tuned for is taken as it is: earlier versions wrote none.

    Raises:
        UserError: If it cannot be read, is of another form, or was tuned for something else.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the tuned settings {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the tuned settings {path} are no TOML: {error}.") from None
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
