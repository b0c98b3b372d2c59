"""The picture of predictions: samples in a grid, what was said of each, and what is right where it was wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, INK

_WRONG = "#D55E00"
_CELL = 1.25
"""Inches of a picture with its words."""


def draw(images: np.ndarray, said: Sequence[str], right: Sequence[str], title: str = "") -> Any:
    """A picture a sample; those that were taken for another class stand in a colored frame.

    Args:
        images: ``[k, height, width, channels]``, k at least 1: bytes, or grays of any scale.
        said: ``k`` lines: the class that was predicted, and how surely.
        right: ``k`` names of the right class; empty where it was predicted.
        title: Above all of them.

    Returns:
        The figure.

    Example:
        >>> made = draw(np.zeros((5, 8, 8, 1), np.uint8), list("33481"), ["", "8", "", "", ""], "digits")
        >>> len(made.axes), made.axes[1].get_title().split()
        (6, ['3', 'is', '8'])
    """
    from matplotlib.figure import Figure

    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    made = Figure(figsize=(_CELL * max(columns, 3), (_CELL + 0.3) * rows + 0.3), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False).ravel()
    made.suptitle(title, fontsize=9, color=GRAY)
    for place, one in enumerate(axes):
        if place < len(images):
            _picture(one, images[place], said[place], right[place])
        else:
            one.set_axis_off()
    return made


def _picture(axes: Any, image: np.ndarray, said: str, right: str) -> None:
    axes.imshow(np.squeeze(image), cmap="gray_r")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=bool(right), color=_WRONG, linewidth=2.5)
    words = f"{said}\nis {right}" if right else said
    axes.set_title(words, fontsize=7.5, color=_WRONG if right else INK, pad=3)
