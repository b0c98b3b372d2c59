"""Parse records, as `records.read` returns them, into typed ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

from batchsel.errors import UserError
from batchsel.experiments.run.record_parts import (
    About,
    ClockSeconds,
    Counts,
    EndResults,
    Evaluation,
    FeatureSNR,
    ImageSamples,
    Json,
    LoggedSchedules,
    NoiseMeasurement,
    PackedArray,
    Plane,
    PlaneStage,
    RecordedArm,
    RecordedSpec,
    SelectedImages,
    SelectionSeconds,
    Sizes,
    SNRStage,
)
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")
_PLAIN = (
    "digest", "versions", "machine", "reached", "test", "kept", "visits", "history", "contended", "started",
)  # fmt: skip
_OPTIONAL = ("xla", "parameters", "updates")
_PARSED = (
    "schema", "spec", "arm", "about", "sizes", "targets", "crossing", "first_crossing", "counts", "seconds",
    "selection", "evaluations", "end", "noise_scale", "snr", "course", "images", "plane",
)  # fmt: skip


def parse_run(record: Json) -> RunRecord:
    """Parse the record of a run that ended.

    Args:
        record: A record that `records.read` found no problem with.

    Raises:
        UserError: If a part of it lacks a value.
    """
    return RunRecord(
        **_described(record),
        **{key: record[key] for key in _PLAIN if key != "digest"},
        xla=record.get("xla"),
        parameters=record.get("parameters"),
        updates=record.get("updates"),
        sizes=_build(Sizes, record["sizes"]),
        targets=record.get("targets") or {},
        crossing=_evaluation(record["crossing"]),
        first_crossing=_evaluation(record["first_crossing"]),
        counts=_build(Counts, record["counts"]),
        seconds=_build(ClockSeconds, record["seconds"]),
        selection=_build(SelectionSeconds, record["selection"]),
        evaluations=[Evaluation.from_json(values) for values in record["evaluations"]],
        end=_build(EndResults, record["end"]) if record.get("end") else None,
        noise_scale=[_build(NoiseMeasurement, values) for values in record.get("noise_scale") or ()],
        snr=_snr(record.get("snr")),
        schedule_log=_build(LoggedSchedules, record["course"]) if record.get("course") else None,
        images=_images(record.get("images")),
        plane=_plane(record.get("plane")),
        extra={key: value for key, value in record.items() if key not in (*_PLAIN, *_OPTIONAL, *_PARSED)},
    )


def parse_failure(record: Json) -> FailureRecord:
    """Parse the record of a run that failed.

    Args:
        record: A record that `records.read` found no problem with.
    """
    return FailureRecord(**_described(record), failed=record["failed"])


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


def _described(record: Json) -> dict[str, Any]:
    about = record.get("about")
    return {
        "spec": RecordedSpec(record["spec"]),
        "digest": record["digest"],
        "arm": _build(RecordedArm, _without_none(record["arm"])),
        "about": _build(About, _without_none(about)) if about else None,
    }


def _without_none(values: Json) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _build(cls: type[_T], values: Json) -> _T:
    """Return an instance of a dataclass out of a mapping; keys that it does not know are skipped."""
    known = {item.name: values[item.name] for item in fields(cls) if item.name in values}
    for item in fields(cls):
        if item.name not in known and item.default is MISSING and item.default_factory is MISSING:
            raise UserError(
                f"a record is incomplete: {cls.__name__} lacks {item.name!r}. Make the run again, or delete the line."
            )
    return cls(**known)


def _evaluation(values: dict[str, Any] | None) -> Evaluation | None:
    return Evaluation.from_json(values) if values else None


def _snr(values: Json | None) -> FeatureSNR | None:
    if not values:
        return None
    return FeatureSNR(values["layers"], [_build(SNRStage, stage) for stage in values["stages"]])


def _images(values: Json | None) -> SelectedImages | None:
    if not values:
        return None
    most, least = (
        ImageSamples(_build(PackedArray, item["pixels"]), item["labels"], item["visits"])
        for item in (values["most"], values["least"])
    )
    return SelectedImages(most, least)


def _plane(values: Json | None) -> Plane | None:
    if not values:
        return None
    stages = [
        PlaneStage(stage["samples"], _build(PackedArray, stage["visits"]), _build(PackedArray, stage["classes"]))
        for stage in values["stages"]
    ]
    points, labels = (_build(PackedArray, values[key]) for key in ("points", "labels"))
    return Plane(points, labels, values["extent"], stages)
