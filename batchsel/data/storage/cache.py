"""Compute expensive arrays once per machine, and store them in the user's cache."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.errors import UserError


def load_or_compute(kind: str, key: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return arrays by name, from the cache if they are there.

    A cache that cannot be read or written is ignored.

    Args:
        kind: Kind of the arrays, the name of a folder.
        key: Complete description of their origin, a hash of which names the file.
        compute: Computes them.

    Example:
        >>> load_or_compute("example", "squares of 3", lambda: {"x": np.arange(3) ** 2})["x"].tolist()
        [0, 1, 4]
    """
    path = cache_folder() / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as cached:
            return {name: cached[name] for name in cached.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        arrays: dict[str, Any] = dict(compute())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)
    except (OSError, UserError):
        pass
    return arrays


def cache_folder() -> Path:
    """Return the user's cache folder.

    Example:
        >>> cache_folder().name
        'batchsel'
    """
    import platformdirs

    return platformdirs.user_cache_path("batchsel")
