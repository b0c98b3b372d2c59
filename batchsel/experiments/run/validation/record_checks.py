"""Check that the parts of a typed record fit together, so that whatever reads it can rely on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.core.target import Target
from batchsel.errors import UserError
from batchsel.experiments.run.record_parts import ROLES, Evaluation, ImageSamples, PackedArray, Plane
from batchsel.experiments.run.run_record import FailureRecord, RunRecord
from batchsel.experiments.run.validation.typed_json import FieldError, convert

_ANALYSIS: Mapping[str, Any] = {
    **dict.fromkeys(("kind", "metric", "batch", "mode", "base", "factor", "full", "pruned", "short"), str),
    **dict.fromkeys(("within", "factors"), Sequence[str]),
    "small": int,
    "points": float,
}
"""Types of the keys of an [analysis] table that analyses read."""


def check_run(record: RunRecord) -> None:
    """Check the record of a run that ended.

    Raises:
        FieldError: If it contradicts itself, or holds what no run can have had.
    """
    check_analysis(record)
    record.spec.check_complete()
    if record.arm.role not in ROLES:
        raise FieldError(f"is {record.arm.role!r}, expected one of {', '.join(ROLES)}", "arm", "role")
    _at_least(0, record.seconds, "seconds", "training", "tracing", "evaluation", "checkpoint", "callbacks", "data")
    _at_least(0, record.selection, "selection", "planning", "scoring", "choosing", "updating")
    _at_least(0, record.counts, "counts", "steps", "samples", "scored", "plans")
    _at_least(1, record.sizes, "sizes", "train")
    _at_least(1, record.spec, "spec", "batch_size")
    _at_least(0, record, "", "kept")
    if min(record.visits, default=0) < 0 or sum(record.visits) < 1:
        raise FieldError("are not numbers of samples", "visits")
    load = record.machine.get("load")
    if load is not None and type(load) not in (int, float):
        raise FieldError(f"is {load!r}, expected a number", "machine", "load")
    _check_evaluations(record)
    _check_details(record)


def check_analysis(record: RunRecord | FailureRecord) -> None:
    """Check the [analysis] table that a run was made for.

    Raises:
        FieldError: If a key that analyses read has another type.
    """
    for key, value in record.analysis.items():
        try:
            convert(_ANALYSIS.get(key, Any), value)
        except FieldError as error:
            raise error.inside(key).inside("analysis").inside("about") from None


def _check_evaluations(record: RunRecord) -> None:
    if not record.evaluations:
        raise FieldError("are empty", "evaluations")
    if record.reached and not record.crossing:
        raise FieldError("is null, though the run reached its target", "crossing")
    metrics = [_target(record.spec.target, "spec", "target").metric]
    named = [_target(text, "targets", name).metric for name, text in record.targets.items()]
    metrics += [metric for metric in dict.fromkeys(named) if metric in record.test]
    points = record.evaluations
    # Most records are in order, and there are many: which evaluation is wrong is looked for only where one is.
    lowest = min(map(min, itertools.islice(zip(*points, strict=True), 4)))
    if lowest < 0 or any(None in [point.values.get(metric) for point in points] for metric in metrics):
        for place, point in enumerate(points):
            _check_point(point, metrics, "evaluations", place)
    for name, point in (("crossing", record.crossing), ("first_crossing", record.first_crossing)):
        if point is not None:
            _check_point(point, metrics[:1], name)


def _check_point(point: Evaluation, metrics: Iterable[str], *path: str | int) -> None:
    if min(point.steps, point.samples, point.scored, point.seconds) < 0:
        raise FieldError("holds a negative count", *path)
    for metric in metrics:
        if point.values.get(metric) is None:
            raise FieldError("is missing" if metric not in point.values else "is null", *path, metric)


def _target(text: str, *path: str) -> Target:
    try:
        return Target.parse(text)
    except UserError:
        raise FieldError(f"is {text!r}, which is not a target", *path) from None


def _at_least(least: int, part: Any, name: str, *names: str) -> None:
    for each in names:
        if getattr(part, each) < least:
            raise FieldError(f"is {getattr(part, each)}, expected at least {least}", *([name] if name else []), each)


def _check_details(record: RunRecord) -> None:
    log, snr = record.schedule_log, record.snr
    if log is not None:
        _check_lengths([log.samples, log.values], "course", "values")
        _check_lengths([log.names, *log.values], "course", "values")
    if snr is not None:
        _check_lengths([snr.layers, *(stage.db for stage in snr.stages)], "snr", "stages")
    if record.images is not None:
        _check_images(record.images.most, "images", "most")
        _check_images(record.images.least, "images", "least")
    if record.plane is not None:
        _check_plane(record.plane)


def _check_lengths(parts: Iterable[Sequence[Any]], *path: str) -> None:
    if len({len(part) for part in parts}) > 1:
        raise FieldError("has rows of different lengths", *path)


def _check_images(samples: ImageSamples, *path: str) -> None:
    pixels = _unpack(samples.pixels, *path, "pixels")
    if pixels.ndim != 4 or pixels.shape[3] not in (1, 3) or not pixels.size:
        raise FieldError(f"has the shape {list(pixels.shape)}, which is not that of images", *path, "pixels", "shape")
    _check_lengths([pixels.tolist(), samples.labels, samples.visits], *path)


def _check_plane(plane: Plane) -> None:
    points, labels = _unpack(plane.points, "plane", "points"), _unpack(plane.labels, "plane", "labels")
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not points.size:
        raise FieldError("are not points of a plane with a label each", "plane", "points")
    x_low, x_high, y_low, y_high = plane.extent if len(plane.extent) == 4 else (1, 0, 1, 0)
    if not (x_low < x_high and y_low < y_high):
        raise FieldError("is not that of a plane", "plane", "extent")
    if labels.dtype.kind != "u" or not np.isfinite(points).all():
        raise FieldError("are not those of points", "plane", "labels")
    if not plane.stages:
        raise FieldError("are empty", "plane", "stages")
    for place, stage in enumerate(plane.stages):
        # A path holds keys and positions: plane.stages[2].visits
        path: tuple[str | int, ...] = ("plane", "stages", place)
        visits, classes = _unpack(stage.visits, *path, "visits"), _unpack(stage.classes, *path, "classes")
        if visits.shape != labels.shape or visits.dtype.kind != "u":
            raise FieldError("has not a number of visits for each point", *path, "visits")
        if classes.ndim != 2 or classes.dtype.kind != "u" or not classes.size:
            raise FieldError("is not a grid of classes", *path, "classes")


def _unpack(packed: PackedArray, *path: str | int) -> np.ndarray:
    try:
        array = packed.unpack()
    except (ValueError, TypeError, OverflowError) as error:
        raise FieldError(f"cannot be unpacked ({error})", *path) from None
    if array.dtype.kind not in "iuf":
        raise FieldError(f"has the type {array.dtype}, expected numbers", *path, "dtype")
    return array
