"""Pictures in files, as a source: decoded when they are asked for, and brought into one shape."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class PictureFiles:
    """Files of pictures as a source of samples.

    A picture of another size is scaled until it covers the shape, and its middle is cut out.

    Args:
        paths: One file a sample.
        labels: ``int32[n]`` classes.
        shape: Height, width, and 3 channels (colors) or 1 (gray).

    Example:
        >>> files = PictureFiles([Path("/nowhere/a.png")], np.array([0]), (8, 8, 3))
        >>> files.take(np.array([0]))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: /nowhere/a.png cannot be decoded ([Errno 2] No such file or directory: ...
    """

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, shape: tuple[int, int, int]) -> None:
        self.paths = list(paths)
        self.labels = np.asarray(labels, np.int32)
        self.shape = shape
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="batchsel-pictures")

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decodes pictures, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Returns:
            ``uint8[k, *shape]`` pictures and ``int32[k]`` classes.

        Raises:
            UserError: If a file cannot be decoded; it is named.
        """
        pictures = np.empty((len(indices), *self.shape), np.uint8)

        def decode(place: int) -> None:
            pictures[place] = decoded_file(self.paths[indices[place]], self.shape)

        for _ in self._threads.map(decode, range(len(indices))):
            pass
        return pictures, self.labels[indices]


def decoded_file(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """A picture of one shape.

    Args:
        path: Its file.
        shape: As for `PictureFiles`.

    Returns:
        ``uint8[*shape]``.

    Raises:
        UserError: If the file cannot be decoded; it is named.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("RGB", (20, 10), "red").save(Path(folder, "a.png"))
        ...     decoded_file(Path(folder, "a.png"), (8, 8, 3))[0, 0].tolist()
        [255, 0, 0]
    """
    from PIL import Image

    try:
        with Image.open(path) as opened:
            # A JPEG can be decoded at a smaller size, which is faster.
            opened.draft(_mode(shape), (shape[1], shape[0]))
            return _fitted(opened, shape)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be decoded ({error}). Get it anew, or leave it out.") from error


def fitted(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Pixels brought into one shape.

    Args:
        pixels: ``uint8[height, width, channels]``, 1, 3 or 4 channels.
        shape: As for `PictureFiles`.

    Returns:
        ``uint8[*shape]``.

    Example:
        >>> fitted(np.full((20, 10, 1), 7, np.uint8), (8, 8, 3))[0, 0].tolist()
        [7, 7, 7]
    """
    from PIL import Image

    return _fitted(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), shape)


def _fitted(picture: Any, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)  # cameras store how they were held
    if picture.mode == "F":
        raise ValueError("its pixels are fractions; save it with 8 bits")
    if picture.mode.startswith("I"):
        # 16 bits, of which Pillow would take all above 255 for white.
        picture = Image.fromarray(np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8))
    picture = picture.convert(_mode(shape))
    if picture.size != (shape[1], shape[0]):
        picture = ImageOps.fit(picture, (shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(shape)


def _mode(shape: tuple[int, int, int]) -> str:
    return "RGB" if shape[2] == 3 else "L"
