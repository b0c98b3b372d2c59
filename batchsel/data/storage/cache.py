"""Compute expensive arrays once per machine, and store them in the user's cache."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.reading import DAMAGED, describe, reading
from batchsel.errors import UserError

REMEDY = "It is a file of the cache, and is made again."


def load_or_compute(
    kind: str,
    key: str,
    compute: Callable[[], Mapping[str, np.ndarray]],
    is_whole: Callable[[Mapping[str, np.ndarray]], object] = bool,
) -> dict[str, np.ndarray]:
    """Return arrays by name, from the cache if they are there.

    A cache that is damaged is reported and replaced; one that cannot be written is ignored.

    Args:
        kind: Kind of the arrays, the name of a folder.
        key: Complete description of their origin, a hash of which names the file.
        compute: Computes them.
        is_whole: Decides by names, shapes and types whether arrays from the cache are those that `compute` makes; it
            may raise anything if they are not.

    Example:
        >>> load_or_compute("example", "squares of 3", lambda: {"x": np.arange(3) ** 2})["x"].tolist()
        [0, 1, 4]
    """
    path = cache_folder() / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if path.exists():
        try:
            return _read(path, is_whole)
        except UserError as error:
            report_damage(error)
    arrays: dict[str, Any] = dict(compute())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)
    except (OSError, UserError):
        pass
    return arrays


def report_damage(error: UserError) -> None:
    """Say on standard error that a file of the cache is damaged and made again.

    Args:
        error: The failure to read it, which names the file.
    """
    print(f"note: {error}", file=sys.stderr, flush=True)


def _read(path: Path, is_whole: Callable[[Mapping[str, np.ndarray]], object]) -> dict[str, np.ndarray]:
    with reading(path, DAMAGED, REMEDY), path.open("rb") as file, np.load(file, allow_pickle=False) as cached:
        arrays = {name: cached[name] for name in cached.files}
        try:
            whole = is_whole(arrays)
        except Exception as error:  # whatever arrays of other names and types may cause
            raise ValueError(f"its arrays are others: {describe(error)}") from error
        if not whole:
            raise ValueError("its arrays have other shapes, types or values")
        return arrays


def cache_folder() -> Path:
    """Return the user's cache folder.

    Example:
        >>> cache_folder().name
        'batchsel'
    """
    import platformdirs

    return platformdirs.user_cache_path("batchsel")
