"""Draw predictions: samples in a grid, the prediction for each, and the right class where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, INK

_WRONG = "#D55E00"
_CELL = 1.25
"""Width of an image with its title, in inches."""


def draw_predictions(images: np.ndarray, predicted: Sequence[str], right: Sequence[str], title: str = "") -> Any:
    """Draw one image for each sample; misclassified ones have a colored frame.

    Args:
        images: ``[k, height, width, channels]``, k at least 1: bytes, or gray levels of any scale.
        predicted: ``k`` lines: the predicted class, and its probability.
        right: ``k`` names of the right class; empty where it was predicted.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> fig = draw_predictions(np.zeros((5, 8, 8, 1), np.uint8), list("33481"), ["", "8", "", "", ""], "digits")
        >>> len(fig.axes), fig.axes[1].get_title().split()
        (6, ['3', 'is', '8'])
    """
    from matplotlib.figure import Figure

    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    fig: Any = Figure(figsize=(_CELL * max(columns, 3), (_CELL + 0.3) * rows + 0.3), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    fig.suptitle(title, fontsize=9, color=GRAY)
    for place, ax in enumerate(axes):
        if place < len(images):
            _draw_image(ax, images[place], predicted[place], right[place])
        else:
            ax.set_axis_off()
    return fig


def _draw_image(axes: Any, image: np.ndarray, predicted: str, right: str) -> None:
    axes.imshow(np.squeeze(image), cmap="gray_r")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=bool(right), color=_WRONG, linewidth=2.5)
    words = f"{predicted}\nis {right}" if right else predicted
    axes.set_title(words, fontsize=7.5, color=_WRONG if right else INK, pad=3)
