"""Files through which calls reach the jobs of a cluster, and their results come back; a shared file system has them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.atomic_write import atomic_write


def write_call(folder: Path, index: int, call: tuple[Any, ...]) -> None:
    """Write a call: a function and its arguments.

    Args:
        folder: Folder of the calls.
        index: Number of the job.
        call: The call, which can be pickled.
    """
    (folder / f"call-{index}.pickle").write_bytes(pickle.dumps(call))


def read_call(folder: Path, index: int) -> tuple[Any, ...]:
    """Return the call of a job.

    Args:
        folder: Folder of the calls.
        index: Number of the job.
    """
    return pickle.loads((folder / f"call-{index}.pickle").read_bytes())


def write_result(folder: Path, index: int, succeeded: bool, value: Any) -> None:
    """Write the result of a call, or the exception that it raised.

    Args:
        folder: Folder of the calls.
        index: Number of the job.
        succeeded: Whether it returned.
        value: The result or the exception.
    """
    try:
        content = pickle.dumps((succeeded, value))
        pickle.loads(content)  # some exceptions can be written and not read
    except Exception as error:
        content = pickle.dumps((False, RuntimeError(f"the result cannot be sent back: {error}")))
    with atomic_write(_result_path(folder, index)) as beside:
        beside.write_bytes(content)


def read_result(folder: Path, index: int) -> tuple[bool, Any] | None:
    """Return whether a call returned, and its result or exception; None if it is still under way.

    Args:
        folder: Folder of the calls.
        index: Number of the job.
    """
    try:
        return pickle.loads(_result_path(folder, index).read_bytes())
    except FileNotFoundError:
        return None


def _result_path(folder: Path, index: int) -> Path:
    return folder / f"result-{index}.pickle"
