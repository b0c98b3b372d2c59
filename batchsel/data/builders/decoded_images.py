"""Pictures decoded once a machine into one file of raw rows, which is mapped into memory and read row by row.

Reading raw rows is as fast as training can ask for them; decoding is not. Where the file cannot be written, for want of
room or of leave, the pictures are decoded each time they are asked for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.files import atomic_write
from batchsel.data.builders.image_files import PictureFiles, decoded_file
from batchsel.data.download.cache import cache_folder
from batchsel.data.download.disk_space import check_space
from batchsel.data.sources import ArraySource, Source
from batchsel.errors import UserError

_CHUNK = 512
_NAMED = 5
_REMEDY = "another folder for the cache with XDG_CACHE_HOME"
_VERSION = 2
"""Of how pictures are brought into a shape: rows of an earlier one are not taken."""


def picture_rows(
    files: PictureFiles, name: str, skip_broken: bool = False, progress: Callable[..., Any] | None = None
) -> tuple[Source, np.ndarray]:
    """The pictures as a source of raw rows, and which of them are sound.

    Args:
        files: The pictures.
        name: Name of the data set, for messages.
        skip_broken: Whether files that cannot be decoded are left out instead of being refused.
        progress: Makes a progress bar for a label and a verb; None for silence.

    Returns:
        ``uint8[n, *shape]`` and ``int32[n]`` as a source, and ``int64[k]``, the rows whose files could be decoded.
        Where the rows cannot be kept, the source is `files` itself, which decodes when it is asked.

    Raises:
        UserError: If a file is broken and none may be skipped.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.png")
        ...     _ = path.write_bytes(b"no picture")
        ...     picture_rows(PictureFiles([path], np.array([0]), (8, 8, 3)), "mine")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine: 1 of 1 pictures cannot be decoded: ...a.png. ...
    """
    folder = cache_folder() / "pictures"
    path = folder / f"{_key(files)}.npy"
    found = _kept(path, (len(files), *files.shape))
    if found is None:
        try:
            check_space(folder, len(files) * int(np.prod(files.shape)), f"{name}, decoded,", _REMEDY)
            folder.mkdir(parents=True, exist_ok=True)
            _write(files, path, name, progress)
        except (UserError, OSError) as error:
            if skip_broken:
                raise UserError(f"{name}: which pictures are broken cannot be kept: {error}") from error
            return files, np.arange(len(files))
        found = _kept(path, (len(files), *files.shape))
    rows, broken = found
    if len(broken) and not skip_broken:
        named = ", ".join(str(files.paths[row]) for row in broken[:_NAMED])
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise UserError(
            f"{name}: {len(broken):,} of {len(files):,} pictures cannot be decoded: {named}{more}. Get them anew;"
            " of pictures of your own, ':skip_broken' behind the name of the folder leaves them out."
        )
    return ArraySource(rows, files.labels), np.setdiff1d(np.arange(len(files)), broken)


def _kept(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and the numbers of those that are none, if both files are there and whole."""
    try:
        rows = np.load(path, mmap_mode="r")
        broken = np.array(_list_of(path).read_text().split(), np.int64)
    except (OSError, ValueError, EOFError):
        return None
    return (rows, broken) if rows.shape == shape and rows.dtype == np.uint8 else None


def _write(files: PictureFiles, path: Path, name: str, progress: Callable[..., Any] | None) -> None:
    with atomic_write(path) as beside:
        broken = _decode(files, beside, name, progress)
        # Written first: where there are rows, it is known which of them are none.
        _list_of(path).write_text("\n".join(map(str, broken)))


def _decode(files: PictureFiles, path: Path, name: str, progress: Callable[..., Any] | None) -> list[int]:
    """Writes the rows, and says which are none."""
    rows = np.lib.format.open_memmap(path, "w+", np.uint8, (len(files), *files.shape))
    broken: list[int] = []

    def decode(row: int) -> None:
        try:
            rows[row] = decoded_file(files.paths[row], files.shape)
        except UserError:
            broken.append(row)

    bar = progress(name, "decoding") if progress else None
    try:
        if bar is not None:
            bar.total = rows.nbytes
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for first in range(0, len(files), _CHUNK):
                some = range(first, min(first + _CHUNK, len(files)))
                for _ in threads.map(decode, some):
                    pass
                if bar is not None:
                    bar.update(len(some) * rows[0].nbytes)
    finally:
        if bar is not None:
            bar.close()
    rows.flush()
    return sorted(broken)


def _list_of(path: Path) -> Path:
    return path.with_suffix(".broken.txt")


def _key(files: PictureFiles) -> str:
    """A hash of what the rows are made of: names, sizes and times of the files, and the shape."""
    found = hashlib.sha256(f"{_VERSION} {files.shape}".encode())
    for path in files.paths:
        try:
            there = path.stat()
            known = f"{there.st_size}\0{there.st_mtime_ns}"
        except OSError:
            known = "missing"  # told of when it is decoded
        found.update(f"{path.absolute()}\0{known}\n".encode(errors="surrogateescape"))
    return found.hexdigest()[:32]
