"""Append and read records: each run is one line of JSON. Needs no TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import IO, Any, NamedTuple

from batchsel.core.filesystem.reading import check_is_file
from batchsel.core.locking.locks import NoLocks, report_no_locks, wait_for_lock
from batchsel.core.target import Target
from batchsel.errors import UserError

SCHEMA = 2
FILE = "records.jsonl"
_MAYBE = (dict, NoneType)
_OF_FAILURES = {"failed": str, "spec": dict, "digest": str, "arm": dict}
_OF_RUNS = {
    "spec": dict, "digest": str, "arm": dict, "versions": dict, "machine": dict, "sizes": dict, "reached": bool,
    "crossing": _MAYBE, "first_crossing": _MAYBE, "test": dict, "counts": dict, "kept": (int, float), "visits": list,
    "seconds": dict, "selection": dict, "evaluations": list, "history": dict, "contended": bool, "started": str,
}  # fmt: skip
"""Required keys of a record and their types; records may hold more, such as the targets of the data set."""


def append(folder: Path, record: Mapping[str, Any]) -> Path:
    """Append a line to the records of a folder.

    The line is written in one piece under a lock and flushed to the disk, so that two writers never interleave
    and a kill leaves at most an incomplete last line, which the next writer terminates.

    Args:
        folder: Folder of the runs; created if it does not exist.
        record: The record, JSON.

    Returns:
        Path of the file.

    Raises:
        UserError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = append(folder, {"schema": SCHEMA, "failed": "out of luck", "spec": {}, "digest": "", "arm": {}})
        >>> [record["failed"] for record in read(folder).failures]
        ['out of luck']
    """
    path = folder / FILE
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            _lock(file, path)
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            _write_whole(file.fileno(), line, end)
    except OSError as error:
        raise UserError(
            f"cannot write the record to {path}: {error.strerror or error}. Free some space, or choose another"
            " folder with --out."
        ) from error
    return path


class Problem(NamedTuple):
    """A line that is not a usable record."""

    path: Path
    line: int
    description: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.description}"


class Records(NamedTuple):
    """Contents of files of records."""

    runs: list[dict[str, Any]]
    """Records of runs that ended."""
    failures: list[dict[str, Any]]
    """Records of runs that failed: their settings and error messages."""
    problems: list[Problem]
    """Lines that were left out."""


def read(*paths: Path) -> Records:
    """Read the records of files; a line that is damaged or has another schema is left out and reported.

    Args:
        *paths: Files, or folders that hold one.

    Raises:
        UserError: If a file cannot be read.
    """
    found = Records([], [], [])
    for path in (path / FILE if path.is_dir() else path for path in paths):
        try:
            check_is_file(path, allow_shell_pipes=True)
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise UserError(f"cannot read the records {path}: {error.strerror}.") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                _add_line(found, path, number, line)
    return found


def read_folder(folder: Path) -> Records:
    """Read the records of a folder of runs; none if nothing has been recorded there yet."""
    return read(folder) if (folder / FILE).is_file() else Records([], [], [])


def _add_line(found: Records, path: Path, number: int, line: bytes) -> None:
    try:
        record = json.loads(line)
    except ValueError:
        found.problems.append(Problem(path, number, "damaged or half written; it is left out"))
        return
    description = problem(record)
    if description:
        found.problems.append(Problem(path, number, f"{description}; it is left out"))
    elif "failed" in record:
        found.failures.append(record)
    else:
        found.runs.append(record)


def problem(record: Any) -> str | None:
    """Return what is wrong with a record, or None.

    Args:
        record: A value read from JSON.

    Example:
        >>> problem({"schema": 99})
        'its schema is 99, expected 2'
    """
    if not isinstance(record, dict):
        return "it is not a record"
    if record.get("schema") != SCHEMA:
        return f"its schema is {record.get('schema')!r}, expected {SCHEMA}"
    expected = _OF_FAILURES if "failed" in record else _OF_RUNS
    for key, kinds in expected.items():
        if key not in record:
            return f"it has no {key!r}"
        if not isinstance(record[key], kinds):
            return f"its {key!r} has the type {type(record[key]).__name__}"
    if "failed" in record:
        return None
    return _evaluations_problem(record) or _targets_problem(record) or _study_problem(record)


def _evaluations_problem(record: dict[str, Any]) -> str | None:
    points = [*record["evaluations"], *(point for point in (record["crossing"], record["first_crossing"]) if point)]
    for point in points:
        if not isinstance(point, dict) or not all(
            isinstance(point.get(key), int | float) for key in ("steps", "samples", "scored", "seconds")
        ):
            return "an evaluation lacks its counts"
    return "its run reached the target without a crossing" if record["reached"] and not record["crossing"] else None


def _targets_problem(record: dict[str, Any]) -> str | None:
    targets = record.get("targets", {})
    try:
        for text in targets.values():
            Target.parse(text)
    except (AttributeError, TypeError, UserError):
        return f"its targets are {targets!r}"
    return None


def _study_problem(record: dict[str, Any]) -> str | None:
    """Check keys that old records lack: the levels of the arm, and the experiment of the run."""
    levels, about = record["arm"].get("levels", {}), record.get("about", {})
    if not isinstance(levels, dict) or not all(isinstance(level, str) for level in levels.values()):
        return f"its levels are {levels!r}"
    if not isinstance(about, dict) or not isinstance(about.get("analysis", {}), dict):
        return f"its description of the experiment is {about!r}"
    return None


def _write_whole(descriptor: int, line: bytes, end: int) -> None:
    """Write a whole line, or leave the file as long as it was."""
    try:
        written = 0
        while written < len(line):
            written += os.write(descriptor, line[written:])
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _lock(file: IO[bytes], path: Path) -> None:
    """Wait until no other process writes; without such a lock, lines are short enough to be written in one piece."""
    try:
        wait_for_lock(file.fileno())
    except NoLocks as error:
        report_no_locks(path, error, "The record is written without a lock; let one process at a time write there.")
