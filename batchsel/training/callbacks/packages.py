"""Packages of trackers, which are optional. Needs no TensorFlow."""

from __future__ import annotations

import importlib.util

from batchsel.errors import UserError

_PACKAGES = {
    "tensorboard": "TensorBoard is not installed (TensorFlow does not include it)",
    "mlflow": "MLflow is not installed",
    "wandb": "Weights & Biases is not installed",
}
TRACKERS = tuple(_PACKAGES)
"""Names of the trackers."""


def require(tracker: str) -> None:
    """Check that the package of a tracker is installed.

    Args:
        tracker: One of `TRACKERS`; packages and extras of batchsel have the same name.

    Raises:
        UserError: If it is not installed.
    """
    found = importlib.util.find_spec(tracker)
    # A folder of logs, such as the ./wandb of Weights & Biases, looks like a package without a file.
    if found is None or found.origin is None:
        raise UserError(f"{_PACKAGES[tracker]}: pip install 'batchsel[{tracker}]'.")
