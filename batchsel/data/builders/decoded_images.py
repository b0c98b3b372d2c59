"""Decode image files once per machine, into one file of raw rows that is memory-mapped.

Reading raw rows keeps up with training; decoding does not. If the file cannot be written, for lack of space or
permission, the images are decoded on each access. A damaged file is reported and made again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.reading import DAMAGED, reading
from batchsel.data.builders.image_files import ImageFiles, decode_image_file
from batchsel.data.sources import ArraySource, Source
from batchsel.data.storage.cache import REMEDY, cache_folder, report_damage
from batchsel.data.storage.disk_space import check_disk_space, reserve_space
from batchsel.errors import UserError

_FOLDER = "pictures"  # stays: caches on disk have this name
_CHUNK, _CHUNK_BYTES = 512, 1 << 26
_CHECKED = 1 << 30
"""Bytes up to which rows are compared with their checksum when they are opened; larger files are read on access."""
_CHECKSUM = "crc32:"
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.EINTR, errno.EAGAIN)
_NAMED = 5
_REMEDY = "another folder for the cache with XDG_CACHE_HOME"
_VERSION = 2
"""Version of the conversion to one shape; rows of earlier versions are ignored."""


def decode_images(
    files: ImageFiles, name: str, skip_broken: bool = False, progress: Callable[..., Any] | None = None
) -> tuple[Source, np.ndarray]:
    """Return the images as a source of raw rows, and the rows that could be decoded.

    Args:
        files: The images.
        name: Name of the data set, for messages.
        skip_broken: Whether files that cannot be decoded are left out instead of being an error.
        progress: Creates a progress bar for a label and a verb; None for silence.

    Returns:
        ``uint8[n, *shape]`` and ``int32[n]`` as a source, and ``int64[k]``, the rows whose files could be decoded.
        If the rows cannot be written, the source is `files` itself, which decodes on access.

    Raises:
        UserError: If a file is broken and `skip_broken` is False.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.png")
        ...     _ = path.write_bytes(b"not an image")
        ...     decode_images(ImageFiles([path], np.array([0]), (8, 8, 3)), "mine")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine: 1 of 1 images cannot be decoded: ...a.png. ...
    """
    path = cache_folder() / _FOLDER / f"{_key(files)}.npy"
    shape = (len(files), *files.shape)
    cached = _read(path, shape)
    if cached is None:
        try:
            check_disk_space(path.parent, int(np.prod(shape)), f"{name}, decoded,", _REMEDY)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(files, path, name, progress)
        except (UserError, OSError) as error:
            if skip_broken:
                raise UserError(f"{name}: the list of broken images cannot be written: {error}") from error
            return files, np.arange(len(files))
        cached = _read(path, shape)
        if cached is None:  # another process removed it
            return files, np.arange(len(files))
    rows, broken = cached
    if len(broken) and not skip_broken:
        raise _broken_images(files, name, broken)
    return ArraySource(rows, files.labels), np.setdiff1d(np.arange(len(files)), broken)


def _broken_images(files: ImageFiles, name: str, broken: np.ndarray) -> UserError:
    named = ", ".join(str(files.paths[row]) for row in broken[:_NAMED])
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    return UserError(
        f"{name}: {len(broken):,} of {len(files):,} images cannot be decoded: {named}{more}. Download them again;"
        " for your own images, ':skip_broken' after the name of the folder leaves them out."
    )


def _read(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rows and the numbers of the broken ones, if both files exist and are whole."""
    if not path.exists():
        return None
    try:
        with reading(path, DAMAGED, REMEDY):
            return _read_whole(path, shape)
    except UserError as error:
        report_damage(error)
        return None


def _read_whole(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    words = _broken_list(path).read_text("ascii").split()
    # Earlier versions wrote no checksum.
    checksum = words.pop(0) if words and words[0].startswith(_CHECKSUM) else ""
    broken = np.array(words, np.int64)
    if rows.shape != shape or rows.dtype != np.uint8 or not ((broken >= 0) & (broken < len(rows))).all():
        raise ValueError("its rows have another shape or type")
    if checksum and rows.nbytes <= _CHECKED and checksum != f"{_CHECKSUM}{zlib.crc32(rows.data):08x}":
        raise ValueError("its checksum differs")
    return rows, broken


def _write(files: ImageFiles, path: Path, name: str, progress: Callable[..., Any] | None) -> None:
    with atomic_write(path) as beside:
        broken, checksum = _decode(files, beside, name, progress)
        # Written first: wherever there are rows, the list of broken ones exists.
        with atomic_write(_broken_list(path)) as listed:
            listed.write_text("\n".join([f"{_CHECKSUM}{checksum:08x}", *map(str, broken)]))


def _decode(files: ImageFiles, path: Path, name: str, progress: Callable[..., Any] | None) -> tuple[list[int], int]:
    """Write the rows, and return the numbers of the broken ones and a checksum of the rows."""
    row_bytes, checksum = int(np.prod(files.shape)), 0
    broken: list[int] = []

    def decode(row: int, pixels: np.ndarray) -> None:
        try:
            pixels[...] = decode_image_file(files.paths[row], files.shape)
        except UserError as error:
            if _is_passing(error.__cause__):
                raise
            broken.append(row)

    bar = progress(name, "decoding") if progress else None
    try:
        if bar is not None:
            bar.total = len(files) * row_bytes
        # Not through a memory map, in which a full disk kills the process.
        with open(path, "wb") as file, ThreadPoolExecutor(os.cpu_count()) as threads:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *files.shape)}
            np.lib.format.write_array_header_1_0(file, header)
            reserve_space(file, len(files) * row_bytes)
            step = max(1, min(_CHUNK, _CHUNK_BYTES // row_bytes))
            for first in range(0, len(files), step):
                chunk = range(first, min(first + step, len(files)))
                rows = np.zeros((len(chunk), *files.shape), np.uint8)
                for _ in threads.map(decode, chunk, rows):
                    pass
                file.write(rows.data)
                checksum = zlib.crc32(rows.data, checksum)
                if bar is not None:
                    bar.update(rows.nbytes)
    finally:
        if bar is not None:
            bar.close()
    return sorted(broken), checksum


def _is_passing(error: BaseException | None) -> bool:
    """Return whether a failure says something about the machine now, not about the image: it must not be stored."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _PASSING)


def _broken_list(path: Path) -> Path:
    return path.with_suffix(".broken.txt")


def _key(files: ImageFiles) -> str:
    """Return a hash of everything the rows depend on: names, sizes and times of the files, and the shape."""
    digest = hashlib.sha256(f"{_VERSION} {files.shape}".encode())
    for path in files.paths:
        try:
            status = path.stat()
            state = f"{status.st_size}\0{status.st_mtime_ns}"
        except OSError:
            state = "missing"  # reported when it is decoded
        digest.update(f"{path.absolute()}\0{state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]
