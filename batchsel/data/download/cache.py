"""Arrays that take long to make, made once a machine and kept in the user's cache."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from batchsel.core.files import atomic_write
from batchsel.errors import UserError


def kept(kind: str, key: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays by name, from the cache if they are there.

    A cache that cannot be read or written is no reason to fail.

    Args:
        kind: What they are, the name of a folder.
        key: What they were made of, in full: a hash of it names the file.
        make: Makes them.

    Example:
        >>> kept("example", "squares of 3", lambda: {"x": np.arange(3) ** 2})["x"].tolist()
        [0, 1, 4]
    """
    path = cache_folder() / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        arrays = dict(make())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)
    except (OSError, UserError):
        pass
    return arrays


def cache_folder() -> Path:
    """The user's cache folder.

    Example:
        >>> cache_folder().name
        'batchsel'
    """
    import platformdirs

    return platformdirs.user_cache_path("batchsel")
