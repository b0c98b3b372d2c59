"""Records: one run is one line of JSON. Needs no TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from batchsel.errors import UserError

SCHEMA = 1
FILE = "records.jsonl"


def append(folder: Path, record: Mapping[str, Any]) -> Path:
    """Adds a line to the records of a folder.

    The line is written in one piece under a lock and brought to the disk, so that two writers never mix
    and a kill leaves at most a last line without its end, which the next writer closes off.

    Args:
        folder: Folder of the runs; made if it does not exist.
        record: The record, JSON.

    Returns:
        The file.

    Raises:
        UserError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = append(folder, {"schema": 1}); _ = append(folder, {"schema": 1})
        >>> len(read(folder / FILE))
        2
    """
    path = folder / FILE
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            _lock(file)
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            os.write(file.fileno(), line)
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"cannot write the record to {path}: {error.strerror or error}. Free some space or choose another"
            " folder with --out."
        ) from error
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a file; a line that is damaged or of another schema is left out.

    Args:
        path: The file.

    Raises:
        UserError: If there is no such file.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the records {path}: {error.strerror}.") from error
    return [record for record in map(_parsed, lines) if record.get("schema") == SCHEMA]


def _lock(file: IO[bytes]) -> None:
    """Waits until no other process writes; where there is no such lock, lines are short enough to go in whole."""
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _parsed(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}
