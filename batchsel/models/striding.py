"""Stride of 1x1 convolutions, taken before them: oneDNN's gradient of such a convolution can end the process."""

from __future__ import annotations

from typing import Any


def take_strided(x: Any, stride: int) -> Any:
    """Return every `stride`-th row and column, which is all that a 1x1 convolution with this stride reads.

    The gradient of that convolution from 8 to 16 channels, on images of 64x64, ends the process below TensorFlow 2.21
    on a CPU. The same convolution with stride 1 on these rows and columns gives the same numbers; no layer is added, so
    that weights of models stay as they are.

    Args:
        x: ``[b, height, width, channels]``.
        stride: The stride; 1 for all rows and columns.
    """
    return x if stride == 1 else x[:, ::stride, ::stride, :]
