"""Append and read records: each run is one line of JSON. Needs no TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from batchsel.core.filesystem.atomic_write import check_output, is_stream
from batchsel.core.filesystem.json_text import parse_json
from batchsel.core.filesystem.reading import check_is_file
from batchsel.core.locking.holder import find_users
from batchsel.core.locking.locks import NoLocks, report_no_locks, wait_for_lock
from batchsel.errors import UsageError, UserError
from batchsel.experiments.run.parse_record import convert_failure, convert_run
from batchsel.experiments.run.run_record import FailureRecord, RunRecord
from batchsel.experiments.run.validation.typed_json import FieldError

SCHEMA = 2
FILE = "records.jsonl"
PATIENCE = 3.0
"""Seconds of waiting for another writer after which it is named: it may be stopped."""


def append(folder: Path, record: Mapping[str, Any]) -> Path:
    r"""Append a line to the records of a folder.

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
        >>> append(Path(tempfile.mkdtemp()), {"schema": SCHEMA, "failed": "out of luck"}).read_text()
        '{"schema": 2, "failed": "out of luck"}\n'
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


def check_folder(folder: Path, *others: str) -> None:
    """Check that records can be written to a folder, before anything is run for them.

    Args:
        folder: Folder of the runs; it need not exist.
        *others: Names of more files that are to be written there.

    Raises:
        UserError: If they cannot, or the records are not a file, from which they could be read again.

    Example:
        >>> check_folder(Path("/dev/null"))
        Traceback (most recent call last):
        batchsel.errors.UserError: cannot write records to /dev/null: it is not a folder. Choose another one with --out.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    remedy = "Choose another one with --out."
    if not there.is_dir():
        raise UserError(f"cannot write records to {folder}: {_place(there, folder)} is not a folder. {remedy}")
    if not os.access(there, os.W_OK | os.X_OK) and not (folder / FILE).exists():
        raise UserError(f"cannot write records to {folder}: {_place(there, folder)} is not writable. {remedy}")
    for name in (FILE, *others) if there == folder else ():
        check_output(folder / name)
    if is_stream(folder / FILE):
        raise UserError(f"cannot write records to {folder / FILE}: it is a device or a pipe. {remedy}")


def _place(there: Path, folder: Path) -> str:
    return "it" if there == folder else str(there)


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


class TypedRecords(NamedTuple):
    """Contents of files of records, parsed."""

    runs: list[RunRecord]
    """Records of runs that ended."""
    failures: list[FailureRecord]
    """Records of runs that failed."""
    problems: list[Problem]
    """Lines that were left out."""


def record_files(path: Path) -> list[Path]:
    """Return the files of records that a path stands for.

    Args:
        path: A file; a folder that holds one; or one whose sub-folders do, such as that of an experiment with its forms
            `scaled` and `full`. Records of tuning are left out.

    Raises:
        UsageError: If it is a TOML file, such as the card of an experiment.
    """
    if path.suffix == ".toml" and path.is_file():
        raise UsageError(f"{path} is no file of records. If it is a card, `batchsel experiment {path}` runs it.")
    if not path.is_dir():
        return [path]
    below = sorted(file for file in path.glob(f"*/{FILE}") if file.parent.name != "tuning")
    return below if below and not (path / FILE).exists() else [path / FILE]


def read(*paths: Path) -> Records:
    """Read the records of files; a line that is damaged or has another schema is left out and reported.

    Args:
        *paths: As for `record_files`.

    Raises:
        UserError: If a file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "records.jsonl").write_text("a damaged line")
        ...     found = read(Path(folder))
        >>> found.runs, len(found.problems)
        ([], 1)
    """
    found = Records([], [], [])
    for raw, _ in _read_lines(paths, found.problems):
        (found.failures if "failed" in raw else found.runs).append(raw)
    return found


def read_typed(*paths: Path) -> TypedRecords:
    """Read the records of files and parse them, each line as a whole or not at all.

    Args:
        *paths: As for `record_files`.

    Raises:
        UserError: If a file cannot be read.
    """
    found = TypedRecords([], [], [])
    for _, parsed in _read_lines(paths, found.problems):
        if isinstance(parsed, FailureRecord):
            found.failures.append(parsed)
        else:
            found.runs.append(parsed)
    return found


def read_folder(folder: Path) -> Records:
    """Read the records of a folder of runs; none if nothing has been recorded there yet."""
    return read(folder) if (folder / FILE).is_file() else Records([], [], [])


def find(folder: Path, arm: str, digest: str) -> dict[str, Any] | None:
    """Return the record of a run in a folder, or None if it is not recorded there.

    Args:
        folder: Folder of the runs.
        arm: Name of its arm.
        digest: Digest of its settings.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        for line in file:
            if digest.encode() in line:  # other lines need not be parsed
                with contextlib.suppress(FieldError):
                    record = _load(line)
                    if isinstance(_parse(record), RunRecord) and _key(record) == (arm, digest):
                        return record
    return None


def _key(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["arm"]["name"], record["digest"]


def _read_lines(
    paths: Iterable[Path], problems: list[Problem]
) -> Iterator[tuple[dict[str, Any], RunRecord | FailureRecord]]:
    """Yield the records of files, as they are and parsed; add a problem for each line that is no record."""
    for path in (file for given in paths for file in record_files(given)):
        try:
            check_is_file(path, allow_shell_pipes=True)
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        try:
                            raw = _load(line)
                            parsed = _parse(raw)
                        except FieldError as error:
                            text = str(error) if error.path else error.message
                            problems.append(Problem(path, number, f"{text}; it is left out"))
                        else:
                            yield raw, parsed
        except OSError as error:
            raise UserError(f"cannot read the records {path}: {error.strerror}.{_advice(path)}") from error


def _advice(path: Path) -> str:
    """Return where records may be instead of in the folder of a run, which is beside them."""
    beside = path.parent.parent / FILE
    return f" Those of runs in {beside.parent} are in {beside}." if beside.is_file() else ""


def _load(line: bytes) -> Any:
    try:
        return parse_json(line, parse_constant=_refuse_constant)
    except FieldError:
        raise
    except ValueError:
        raise FieldError("damaged or half written") from None


def _refuse_constant(name: str) -> Any:
    raise FieldError(f"it holds the number {name}, expected finite ones")


def problem(record: Any) -> str | None:
    """Return what is wrong with a record, or None.

    Args:
        record: A value read from JSON.

    Example:
        >>> problem({"schema": 99})
        'its schema is 99, expected 2'
    """
    try:
        _parse(record)
    except FieldError as error:
        return str(error) if error.path else error.message
    return None


def _parse(record: Any) -> RunRecord | FailureRecord:
    if not isinstance(record, dict):
        raise FieldError("it is not a record")
    if record.get("schema") != SCHEMA:
        raise FieldError(f"is {record.get('schema')!r}, expected {SCHEMA}", "schema")
    return convert_failure(record) if "failed" in record else convert_run(record)


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

    def on_wait() -> None:
        users = " and ".join(map(str, find_users(path))) or "a process of another user or machine"
        print(f"waiting for {path}, which is open in {users} and locked", file=sys.stderr, flush=True)

    try:
        wait_for_lock(file.fileno(), on_wait=on_wait, patience=PATIENCE)
    except NoLocks as error:
        report_no_locks(path, error, "The record is written without a lock; let one process at a time write there.")
