"""Read npz archives of NumPy arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchsel.errors import UserError

# Everything that `np.load` raises for files that are damaged, incomplete, or not npz files at all.
_DAMAGE = (KeyError, TypeError, ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays of an npz file by name; never unpickle.

    Raises:
        UserError: If the file is damaged or lacks an array.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.savez(Path(folder, "a.npz"), x=np.arange(3), y=np.ones(1))
        ...     read_npz(Path(folder, "a.npz"), ["x"])
        {'x': array([0, 1, 2])}
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except _DAMAGE as error:
        raise UserError(
            f"{path} is not a whole npz file with the arrays {', '.join(names)}: {error}. "
            "Delete it and download it again."
        ) from error
