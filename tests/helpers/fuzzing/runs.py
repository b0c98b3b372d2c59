"""Readers of what runs leave: records, for reports and figures, and checkpoints."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random as random_numbers
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
from made_up import record_of
from study_records import budget_records, factorial_records, failure_of, sweep_records

from batchsel.analysis.comparison import analyze
from batchsel.analysis.groups import split_groups
from batchsel.analysis.plots.figures import FIGURES, draw, group_by_arm
from batchsel.analysis.plots.style import Palette
from batchsel.analysis.report.html_report import render_report
from batchsel.analysis.report.results import compute_results
from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.analysis.single_runs import split_runs
from batchsel.errors import UserError
from batchsel.experiments.run import records
from batchsel.experiments.run.parse_record import parse_run
from batchsel.experiments.run.validation.duplicates import choose
from batchsel.experiments.spec.run_spec import RunSpec
from fuzzing.harness import Target
from fuzzing.mutations import WRONG, changed, mutate_bytes, mutate_values, paths_of

COMMITTED = Path(__file__).parents[3] / "experiments"


def one_of(name: str, where: Callable[[Any], object] = bool) -> dict[str, Any]:
    """Return the first committed record of an experiment that meets a condition."""
    with open(COMMITTED / name / records.FILE, encoding="utf-8") as file:
        return next(record for record in map(json.loads, file) if where(record))


@functools.cache
def sets_of_records() -> list[list[dict[str, Any]]]:
    """Return records of comparisons, studies and single runs, with every kind of measurement."""
    some = [
        record_of(arm, seed, crossing=500 if arm == "random" else 300)
        for arm in ("random", "smart")
        for seed in range(3)
    ]
    return [
        some,
        [*some, failure_of(record_of("smart", 7))],
        [one_of("tuned_mnist", lambda record: "images" in record)],
        [one_of("large_batches/scaled", lambda record: record.get("noise_scale"))],
        [one_of("lerac_and_blur_cvt13/scaled", lambda record: record.get("snr"))],
        [one_of("small_sets", lambda record: "plane" in record)],
        [record_of("random", 0, role="single", against="")],
        factorial_records(2),
        sweep_records({"base": {8: 91, 32: 90.8}, "scaled": {8: 90.9, 32: 91}}, 2),
        budget_records(2),
    ]


def write_records(folder: Path, random: Random) -> Path:
    """Write records, one to three of whose values are wrong or missing, or whose bytes are damaged."""
    # Large sets take long.
    known = sets_of_records()
    lines: list[Any] = list(random.choices(known, [1 if len(lines) > 4 else 4 for lines in known])[0])
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        place = random.randrange(len(lines))
        paths = _paths(lines[place])
        if random.random() < 0.7:
            value = random.choice([..., *WRONG])
            lines[place] = changed(lines[place], random.choice(paths), value)
        else:
            # Of a part of the record, since copies of whole ones take long.
            path = random.choice([path for path in paths if len(path) < 3])
            lines[place] = changed(lines[place], path, mutate_values(_at(lines[place], path), random))
    raw = b"".join(_dump(line) + b"\n" for line in lines)
    path = folder / records.FILE
    path.write_bytes(mutate_bytes(raw, random) if random.random() < 0.1 else raw)
    return path


def _paths(record: Any) -> list[tuple[Any, ...]]:
    return list(paths_of(record))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _dump(line: Any) -> bytes:
    try:
        return json.dumps(line).encode()
    except (ValueError, TypeError):  # Python writes no integer of more than 4,300 digits
        return b'{"schema": ' + b"9" * 5000 + b"}"


def report_on(path: Path) -> None:
    """Read records, and compute all that reports, tables and figures state; figures are made and not rendered."""
    found = records.read_typed(path)
    if not found.runs:
        raise UserError("no record is left")
    runs, failures, notes = choose(found.runs, found.failures)
    results = compute_results(runs, failures)
    json.dumps(as_values(*results), allow_nan=False)
    as_csv(*results)
    drawn = random_numbers.Random(path.stat().st_size).random() < 0.03
    with not_rendered(drawn):
        render_report(runs, [*map(str, found.problems), *notes], failures, results).encode()
        if drawn:
            _draw(runs, failures)


@contextlib.contextmanager
def not_rendered(drawn: bool = True) -> Iterator[None]:
    """Make figures without rendering them as SVG, or none in reports: they take most of the time."""
    module = "batchsel.analysis.report.html_report"
    with (
        mock.patch("batchsel.analysis.plots.figures.to_svg", return_value="<svg></svg>"),
        mock.patch(f"{module}.to_svg", return_value="<svg></svg>"),
        contextlib.nullcontext() if drawn else mock.patch(f"{module}.render_figures", return_value=[]),
    ):
        yield


def _draw(runs: Any, failures: Any) -> None:
    compared, singles = split_runs(runs)
    compared, failures = split_groups(compared, failures)
    names = [item.arm for item in analyze(compared).summaries] + sorted({record.arm.name for record in singles})
    wanted = group_by_arm([*compared, *singles], names)
    for name in FIGURES:
        draw(name, wanted, Palette(wanted), failures)


def prepare_records() -> None:
    """Report on whole records."""
    for lines in sets_of_records():
        parsed = [parse_run(line) for line in lines if "failed" not in line]
        with not_rendered(drawn=False):
            render_report(parsed, [], [], compute_results(parsed, []))


RECORDS = Target("records", write_records, report_on, share=0.3, prepare=prepare_records)


def _old_checkpoint() -> bytes:
    """Return a checkpoint as version 0.1 wrote them: without a checksum, its weights at the target at the end."""
    held = io.BytesIO()
    values = {f"{name}.npy": np.arange(6, dtype="float32") for name in ("loop/0", "weights_at_target/0")}
    values["meta.json.npy"] = np.frombuffer(b'{"n": 50}', np.uint8)
    with zipfile.ZipFile(held, "w") as archive:
        for name, value in values.items():
            inner = io.BytesIO()
            np.save(inner, value)
            archive.writestr(zipfile.ZipInfo(name), inner.getvalue())
    return held.getvalue()


SPEC = RunSpec("digits", "mlp", "random", 20, "adam", 0.01, "linear", "8 passes", "loss<=0.9", 0)
META = {
    "n": 50, "seed": 0, "stalls": [1.5],
    "nanoseconds": dict.fromkeys(("training", "tracing", "evaluation", "checkpoint", "callbacks", "data"), 12345),
    "settings": {"selector": "random", "batch_size": 8, "xla": False},
    "progress": {
        "fit_start": 0, "fit_budget": 100, "fit_plans": 0, "origin": 0, "by_plan": False, "first_step": 0,
        "steps_per_epoch": 0, "initial": 0, "epoch_start": 7, "pending": [[0.5, 0.25]], "history": {"loss": [1.0, 0.5]},
        "evaluations": [{"steps": 7, "samples": 50, "loss": 1.0}],
    },
    "run": {"digest": SPEC.digest(), "settings": SPEC.values()},
}  # fmt: skip


@functools.cache
def _new_checkpoint() -> bytes:
    return _write_checkpoint(META)


def _write_checkpoint(meta: dict[str, Any]) -> bytes:
    import tempfile

    from batchsel.training import checkpoint

    class Variable:
        def __init__(self, value: np.ndarray) -> None:
            self._value = value

        def numpy(self) -> np.ndarray:
            return self._value

    values: Any = {"model/0/kernel": Variable(np.ones([2, 3], "float32")), "loop/0": Variable(np.zeros(50))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.npz")
        checkpoint.write(path, values, [np.ones([2, 3], "float32"), np.zeros(3, "float32")], meta)
        return path.read_bytes()


def write_checkpoint(folder: Path, random: Random) -> tuple[Callable[[Path], object], Path]:
    """Write a damaged checkpoint: one with a checksum, one of version 0.1 without, or one whose record is wrong."""
    path, kind = folder / "x.npz", random.choice(["new", "new", "old", "record"])
    if kind == "record":
        path.write_bytes(_write_checkpoint(mutate_values(META, random)))
        return use_checkpoint, path
    raw = _old_checkpoint() if kind == "old" else _new_checkpoint()
    path.write_bytes(damage(raw, random))
    return (read_old if kind == "old" else read_new), path


def damage(raw: bytes, random: Random) -> bytes:
    """Return bytes with a flipped bit, without their end, with a zeroed sector, or damaged in another way."""
    body, at = bytearray(raw), random.randrange(len(raw))
    match random.randrange(6):
        case 0 | 1 | 2:
            body[at] ^= 1 << random.randrange(8)
        case 3:
            del body[at:]
        case 4:
            at -= at % 512
            body[at : at + 512] = bytes(len(body[at : at + 512]))
        case 5:
            return mutate_bytes(raw, random, (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\x93NUMPY", b"batchsel"))
    return bytes(body)


def read_new(path: Path) -> None:
    """Read a checkpoint with a checksum, which must be refused unless it is whole."""
    from batchsel.training import checkpoint

    changed = path.read_bytes() != _new_checkpoint()
    checkpoint.read(path)
    assert not changed, "a damaged checkpoint was read"


def read_old(path: Path) -> None:
    """Read a checkpoint without a checksum: refused, or no value differs; an array of another name fits no run."""
    from batchsel.training import checkpoint

    stored = checkpoint.read(path)
    if set(stored.variables) <= {"loop/0"}:
        assert [array.tobytes() for array in stored.variables.values()] in (
            [],
            [np.arange(6, dtype="float32").tobytes()],
        )
        assert stored.meta == {"n": 50}
        assert [array.tolist() for array in stored.weights] == [[0, 1, 2, 3, 4, 5]]


def use_checkpoint(path: Path) -> None:
    """Read a checkpoint as trainers, `run --resume` and `predict` do."""
    from batchsel.core.target import Target as Goal
    from batchsel.core.target import first_reached
    from batchsel.experiments.run.run_folder import check_unchanged, noted_digest
    from batchsel.training import checkpoint
    from batchsel.training.checkpoint_meta import read_run
    from batchsel.training.fit_call.fit_record import FitRecord
    from batchsel.training.runtime.clock import Clock

    stored = read_run(path)
    meta = stored.meta
    record = FitRecord.from_json(path, meta["progress"], stored.weights)
    clock = Clock()
    clock.nanoseconds, clock.stalls = meta["nanoseconds"], meta.get("stalls", [])
    assert (
        sum(clock.seconds.values()) + sum(clock.stalls) + record.fit_start + record.fit_budget + record.epoch_start >= 0
    )
    np.array(record.pending, np.float32)
    noted_digest(meta)
    checkpoint.check_settings(path, meta["settings"], {"selector": "random", "batch_size": 8})
    goal = Goal.parse("loss<=0.9")
    first_reached([goal.is_met_by(results) for results in record.evaluations])
    check_unchanged(path.parent, SPEC, meta)


def prepare_checkpoints() -> None:
    """Read whole checkpoints of both kinds."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for raw, read in (
            (_old_checkpoint(), read_old),
            (_new_checkpoint(), read_new),
            (_new_checkpoint(), use_checkpoint),
        ):
            Path(folder, "x.npz").write_bytes(raw)
            read(Path(folder, "x.npz"))


CHECKPOINTS = Target("checkpoints", write_checkpoint, lambda made: made[0](made[1]), prepare=prepare_checkpoints)
