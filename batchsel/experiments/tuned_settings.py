"""The file that `batchsel tune` writes and `batchsel compare --tuned` reads: the best settings of each arm."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batchsel.errors import UserError
from batchsel.files import replacing

FILE = "tuned.toml"
"""Its name beside the records of a card."""


def write(path: Path, trials: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
    """Writes the best trial of each arm.

    Args:
        path: The file, TOML: ``[DATASET.ARM]`` with its settings.
        trials: For each data set and arm the trials, the best first.
    """
    import tomli_w

    best = {name: {arm: dict(tried[0].settings) for arm, tried in arms.items()} for name, arms in trials.items()}
    with replacing(path) as beside:
        beside.write_text(tomli_w.dumps(best), "utf-8")


def read(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Reads what `write` wrote.

    Args:
        path: The file.

    Raises:
        UserError: If it cannot be read or is of another form.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the tuned settings {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the tuned settings {path} are no TOML: {error}.") from None
    for dataset, arms in values.items():
        if not isinstance(arms, dict) or not all(isinstance(settings, dict) for settings in arms.values()):
            raise UserError(
                f"{path}: {dataset!r} must hold a table of settings for each arm, as batchsel tune writes it."
            )
    return values
