"""Decode JPEG streams in one array, and cache the result."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from batchsel.core.filesystem.reading import describe
from batchsel.data.storage.cache import load_or_compute
from batchsel.data.storage.hashing import content_hash
from batchsel.errors import UserError


def decode_jpegs(streams: np.ndarray, offsets: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Decode JPEG streams that are stored back to back.

    The images are stored in the user's cache, so decoding happens once per machine.

    Args:
        streams: ``uint8[bytes]``.
        offsets: ``int64[n + 1]`` boundaries of the streams.
        shape: Height, width and channels of every image.
        where: Name of the streams, the beginning of messages.

    Returns:
        ``uint8[n, *shape]``.

    Raises:
        UserError: If a stream cannot be decoded, or has another shape; the message names it.

    Example:
        >>> decode_jpegs(np.zeros(4, np.uint8), np.array([0, 4]), (8, 8, 3), "mine")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine: image 0 cannot be decoded ...
    """
    bounds = streams.dtype == np.uint8 and streams.ndim == 1 and offsets.dtype.kind in "iu" and offsets.ndim == 1
    bounds = bounds and len(offsets) > 1 and offsets[0] == 0 and offsets[-1] == len(streams)
    if not bounds or not (offsets[1:] > offsets[:-1]).all():
        raise UserError(f"{where}: the offsets do not fit the {len(streams)} bytes. Download the file again.")
    key = f"{content_hash(streams)} {content_hash(offsets)} {shape}"

    def is_whole(arrays: Mapping[str, np.ndarray]) -> bool:
        return arrays["x"].shape == (len(offsets) - 1, *shape) and arrays["x"].dtype == np.uint8

    return load_or_compute("decoded", key, lambda: {"x": _decode_all(streams, offsets, shape, where)}, is_whole)["x"]


def _decode_all(streams: np.ndarray, offsets: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    images = np.empty((len(offsets) - 1, *shape), np.uint8)

    def decode(index: int) -> None:
        images[index] = _decode(streams[offsets[index] : offsets[index + 1]], shape, f"{where}: image {index}")

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(decode, range(len(images)), chunksize=256):
            pass
    return images


def _decode(stream: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(stream.tobytes()), formats=("JPEG",)) as opened:
            image = np.asarray(opened.convert("RGB" if shape[-1] == 3 else "L")).reshape(*shape[:2], -1)
    except Exception as error:  # Pillow does not document what its decoders raise
        raise UserError(f"{where} cannot be decoded ({describe(error)}). Download the file again.") from error
    if image.shape != shape:
        raise UserError(f"{where} has the shape {image.shape}, expected {shape}. Download the file again.")
    return image
