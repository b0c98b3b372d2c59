"""Record of a run in a checkpoint: what it must hold, checked once, where it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from batchsel.core.parameters import Accepts, Between, accepts, expected, is_number
from batchsel.errors import UserError, show
from batchsel.training import checkpoint
from batchsel.training.checkpoint import Stored
from batchsel.training.runtime.clock import SECTIONS

_INT64 = 2**63 - 1
Count = Annotated[int, Between(0, _INT64)]


def _is_number(value: Any) -> bool:
    # Also NaN and infinity, as losses of the validation part may be.
    return type(value) is float or (type(value) is int and abs(value) <= _INT64)


def _are_times(value: Any) -> bool:
    return (
        isinstance(value, dict) and set(SECTIONS) <= set(value) and all(accepts(Count, time) for time in value.values())
    )


def _are_seconds(value: Any) -> bool:
    return isinstance(value, list) and all(is_number(one) and 0 <= one <= _INT64 for one in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(map(_are_numbers, value))


def _are_evaluations(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return False
    names = set(value[0]) if value else set()
    alike = all(set(row) == names and all(map(_is_number, row.values())) for row in value)
    return alike and (not value or {"samples", "loss"} <= names)


def _is_history(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(row, list) for row in value.values())


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


Table = Annotated[Mapping[str, Any], Accepts("a table", _is_table)]
Seconds = Annotated[Sequence[float], Accepts("a list of seconds", _are_seconds)]
_Position = Annotated[int, Between(0, _INT64)]
_META = {
    "n": Annotated[int, Between(1, _INT64)],
    "seed": Annotated[int, Between(-(2**63), _INT64)],
    "nanoseconds": Annotated[Mapping[str, int], Accepts("a whole number for each section of the clock", _are_times)],
    "settings": Table,
    "progress": Table,
}
_PROGRESS = {
    "fit_start": Count,
    "fit_budget": Count,
    "fit_plans": Count,
    "origin": _Position,
    "by_plan": bool | None,
    "first_step": Count,
    "steps_per_epoch": Count,
    "initial": _Position,
    "epoch_start": Count,
    "pending": Annotated[Sequence[Sequence[float]], Accepts("a list of lists of numbers", _are_rows)],
    "history": Annotated[Mapping[str, Any], Accepts("a table of lists", _is_history)],
    "evaluations": Annotated[Sequence[Table], Accepts("a list of tables with the same numbers", _are_evaluations)],
}
_RUN = {"digest": str, "settings": Table}


def read_run(path: Path) -> Stored:
    """Read the checkpoint of a trainer, with a record whose parts are of the right types.

    Args:
        path: The file.

    Raises:
        UserError: If there is no checkpoint, it cannot be read, or a part of its record is missing or wrong.
    """
    stored = checkpoint.read(path)
    meta = stored.meta
    _check(path, meta, _META, required=True)
    if not any(array.shape[:1] == (meta["n"],) for array in stored.variables.values()):
        raise _error(path, f"states {meta['n']} samples, and there is no array of as many")
    _check(path, meta["progress"], _PROGRESS, "progress.")
    _check(path, meta, {"stalls": Seconds, "callbacks": Table})
    if "run" in meta:  # what the command line notes
        _check(path, meta, {"run": Table})
        _check(path, meta["run"], _RUN, "run.", required=True)
    return stored


def _check(
    path: Path, values: Mapping[str, Any], hints: Mapping[str, Any], prefix: str = "", *, required: bool = False
) -> None:
    for name, hint in hints.items():
        if name not in values and required:
            raise _error(path, f"has no {prefix}{name}")
        if name in values and not accepts(hint, values[name]):
            raise _error(path, f"has {show(values[name])} as {prefix}{name}, expected {expected(hint, values[name])}")


def _error(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is not a checkpoint of a trainer: its record {why}. Resume from another checkpoint, or train again"
        " from the start."
    )
