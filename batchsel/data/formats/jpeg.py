"""JPEG streams in one array, decoded once and kept."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from batchsel.data.download.cache import kept
from batchsel.data.download.hashing import content_hash
from batchsel.errors import UserError


def decoded(streams: np.ndarray, offsets: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Pictures out of JPEG streams that lie back to back.

    They are kept in the user's cache, so that decoding happens once a machine.

    Args:
        streams: ``uint8[bytes]``.
        offsets: ``int64[n + 1]`` limits of the streams.
        shape: Height, width and channels of every picture.
        where: What they are, the beginning of messages.

    Returns:
        ``uint8[n, *shape]``.

    Raises:
        UserError: If a stream cannot be decoded, or has another shape; it is named.

    Example:
        >>> decoded(np.zeros(4, np.uint8), np.array([0, 4]), (8, 8, 3), "mine")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine: picture 0 cannot be decoded ...
    """
    whole = len(offsets) > 1 and offsets[0] == 0 and offsets[-1] == len(streams) and (np.diff(offsets) > 0).all()
    if not whole:
        raise UserError(f"{where}: the limits of the streams do not fit their {len(streams)} bytes. Get the file anew.")
    key = f"{content_hash(streams)} {content_hash(offsets)} {shape}"
    return kept("decoded", key, lambda: {"x": _all(streams, offsets, shape, where)})["x"]


def _all(streams: np.ndarray, offsets: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    pictures = np.empty((len(offsets) - 1, *shape), np.uint8)

    def decode(place: int) -> None:
        pictures[place] = _picture(streams[offsets[place] : offsets[place + 1]], shape, f"{where}: picture {place}")

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(decode, range(len(pictures)), chunksize=256):
            pass
    return pictures


def _picture(stream: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(stream.tobytes())) as opened:
            picture = np.asarray(opened.convert("RGB" if shape[-1] == 3 else "L")).reshape(*shape[:2], -1)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{where} cannot be decoded ({error}). Get the file anew.") from error
    if picture.shape != shape:
        raise UserError(f"{where} has the shape {picture.shape}, expected {shape}.")
    return picture
