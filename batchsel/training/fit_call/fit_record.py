"""Record of a call of fit, in addition to the values of its variables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.errors import UserError


@dataclasses.dataclass
class FitRecord:
    """Record of a call of fit; with the variables it is all that a resumed run needs.

    Args:
        fit_start: Samples trained on before this call.
        fit_budget: Samples that this call is to train on.
        epoch_start: Steps taken before the interval under way.
        pending: Metrics of intervals that have ended while their evaluation is still due.
        history: The history of Keras's History callback.
        evaluations: Counts, seconds and results of each evaluation.
        weights_at_target: Weights at the last evaluation that met the target after one that did not.
    """

    fit_start: int = 0
    fit_budget: int = 0
    epoch_start: int = 0
    pending: list[list[float]] = dataclasses.field(default_factory=list)
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    evaluations: list[dict[str, float]] = dataclasses.field(default_factory=list)
    weights_at_target: list[np.ndarray] | None = None

    @classmethod
    def from_json(cls, path: Path, members: dict[str, Any], weights: list[np.ndarray] | None) -> FitRecord:
        """Return the record in a checkpoint.

        Args:
            path: The checkpoint, for the message.
            members: As `to_json` returns them.
            weights: Weights at the target, or None.

        Raises:
            UserError: If the members are not those of a record.
        """
        try:
            return cls(**members, weights_at_target=weights)
        except TypeError as error:
            raise UserError(f"checkpoint {path} does not fit this version of batchsel: {error}.") from error

    def to_json(self) -> dict[str, Any]:
        """Return everything but the weights, as JSON."""
        members = [field.name for field in dataclasses.fields(self) if field.name != "weights_at_target"]
        return {name: getattr(self, name) for name in members}
