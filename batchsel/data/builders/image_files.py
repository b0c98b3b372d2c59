"""Image files as a source: decoded on access, and brought to one shape."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.reading import reading

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Formats of Pillow behind these suffixes; it would open any other behind them too, EPS by running Ghostscript."""
BROKEN = "cannot be decoded"


class ImageFiles:
    """Source of samples that are decoded from image files on access.

    An image of another size is scaled until it covers the shape, and cropped to its center.

    Args:
        paths: One file a sample.
        labels: ``int32[n]`` classes.
        shape: Height, width, and 3 channels (color) or 1 (gray).

    Example:
        >>> files = ImageFiles([Path("/nowhere/a.png")], np.array([0]), (8, 8, 3))
        >>> files.take(np.array([0]))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere/a.png: No such file or directory. Check the path ...
    """

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, shape: tuple[int, int, int]) -> None:
        self.paths = list(paths)
        self.labels = np.asarray(labels, np.int32)
        self.shape = shape
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="batchsel-images")

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode images, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Returns:
            ``uint8[k, *shape]`` images and ``int32[k]`` classes.

        Raises:
            UserError: If a file cannot be decoded; the message names it.
        """
        images = np.empty((len(indices), *self.shape), np.uint8)

        def decode(index: int) -> None:
            images[index] = decode_image_file(self.paths[indices[index]], self.shape)

        for _ in self._threads.map(decode, range(len(indices))):
            pass
        return images, self.labels[indices]


def decode_image_file(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Decode an image and bring it to a shape.

    Args:
        path: Its file.
        shape: As for `ImageFiles`.

    Returns:
        ``uint8[*shape]``.

    Raises:
        UserError: If the file cannot be decoded; the message names it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("RGB", (20, 10), "red").save(Path(folder, "a.png"))
        ...     decode_image_file(Path(folder, "a.png"), (8, 8, 3))[0, 0].tolist()
        [255, 0, 0]
    """
    from PIL import Image

    with reading(path, BROKEN, "Download it again, or leave it out."), Image.open(path, formats=FORMATS) as image:
        # A JPEG can be decoded at a smaller size, which is faster.
        image.draft(_mode(shape), (shape[1], shape[0]))
        return _fit(image, shape)


def fit_image(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Bring the pixels of an image to a shape.

    Args:
        pixels: ``uint8[height, width, channels]``, with 1, 3 or 4 channels.
        shape: As for `ImageFiles`.

    Returns:
        ``uint8[*shape]``.

    Example:
        >>> fit_image(np.full((20, 10, 1), 7, np.uint8), (8, 8, 3))[0, 0].tolist()
        [7, 7, 7]
    """
    from PIL import Image

    return _fit(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), shape)


def _fit(image: Any, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)  # cameras store their orientation
    if image.mode == "F":
        raise ValueError("its pixels are fractions; save it with 8 bits")
    if image.mode.startswith("I"):
        # 16 bits, of which Pillow would clip everything above 255 to white.
        image = Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    image = image.convert(_mode(shape))
    if image.size != (shape[1], shape[0]):
        image = ImageOps.fit(image, (shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(shape)


def _mode(shape: tuple[int, int, int]) -> str:
    return "RGB" if shape[2] == 3 else "L"
