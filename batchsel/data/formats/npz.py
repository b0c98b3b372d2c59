"""Read npz archives of NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.formats.unpacked_size import check_unpacked_size


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
    failed = f"is not a whole npz file with the arrays {', '.join(names)}"
    with reading(path, failed), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for member in arrays.zip.infolist():
            if member.filename.removesuffix(".npy") in names:
                check_unpacked_size(path, member.file_size, path.stat().st_size)
        return {name: arrays[name] for name in names}
