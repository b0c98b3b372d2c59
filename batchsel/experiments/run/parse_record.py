"""Parse records, as `records.read` returns them, into typed ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from batchsel.errors import UserError
from batchsel.experiments.run.record_parts import Json
from batchsel.experiments.run.run_record import FailureRecord, RunRecord
from batchsel.experiments.run.validation.record_checks import check_analysis, check_run
from batchsel.experiments.run.validation.typed_json import FieldError, convert

_SCHEDULES = "course"
"""Key of the schedule log in the file."""
_KNOWN = {"schema", _SCHEDULES, *(item.name for item in fields(RunRecord))} - {"extra", "schedule_log"}
_WITH_DEFAULT = ("about", "targets", "end", "noise_scale", "snr", "images", "plane", _SCHEDULES)
"""Keys whose null or empty value stands for nothing."""


def convert_run(record: Json) -> RunRecord:
    """Convert the record of a run that ended.

    Args:
        record: A record as its line states it.

    Raises:
        FieldError: If anything in it is missing, has another type, or contradicts the rest.
    """
    values = {key: value for key, value in record.items() if key in _KNOWN and not _is_nothing(key, value)}
    if _SCHEDULES in values:
        values["schedule_log"] = values.pop(_SCHEDULES)
    run = _convert(RunRecord, values | {"extra": {key: record[key] for key in record if key not in _KNOWN}})
    check_run(run)
    return run


def convert_failure(record: Json) -> FailureRecord:
    """Convert the record of a run that failed.

    Args:
        record: A record as its line states it.

    Raises:
        FieldError: If anything in it is missing or has another type.
    """
    failure = _convert(FailureRecord, {key: record[key] for key in record if not _is_nothing(key, record[key])})
    check_analysis(failure)
    return failure


def _is_nothing(key: str, value: Any) -> bool:
    return key in _WITH_DEFAULT and value in (None, {}, [])


def _convert(cls: Any, values: dict[str, Any]) -> Any:
    values = {"about": None, "targets": {}} | values  # records of earlier versions lack them
    # Keys that earlier versions wrote as null have defaults.
    for name in ("arm", "about"):
        if isinstance(values.get(name), dict):
            values[name] = {key: value for key, value in values[name].items() if value is not None}
    try:
        return convert(cls, values)
    except FieldError as error:
        path = tuple(_SCHEDULES if key == "schedule_log" else key for key in error.path)
        raise FieldError(error.message, *path) from None


def parse_run(record: Json) -> RunRecord:
    """Parse the record of a run that ended.

    Args:
        record: A record that `records.read` found no problem with.

    Raises:
        UserError: If anything in it is missing or wrong.
    """
    return _parsed(convert_run, record)


def parse_failure(record: Json) -> FailureRecord:
    """Parse the record of a run that failed.

    Args:
        record: A record that `records.read` found no problem with.

    Raises:
        UserError: If anything in it is missing or wrong.
    """
    return _parsed(convert_failure, record)


def _parsed(function: Any, record: Json) -> Any:
    try:
        return function(record)
    except FieldError as error:
        raise UserError(f"a record is not valid: {error}. Make the run again, or delete the line.") from None


def parse_runs(records: Iterable[Json]) -> list[RunRecord]:
    """Parse records of runs that ended.

    Args:
        records: As `records.read(...).runs` holds them.
    """
    return [parse_run(record) for record in records]


def parse_failures(records: Iterable[Json]) -> list[FailureRecord]:
    """Parse records of runs that failed.

    Args:
        records: As `records.read(...).failures` holds them.
    """
    return [parse_failure(record) for record in records]
