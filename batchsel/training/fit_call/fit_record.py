"""Record of a call of fit, in addition to the values of its variables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.errors import UsageError, UserError
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.train_loop import TrainLoop


@dataclasses.dataclass
class FitRecord:
    """Record of a call of fit; with the variables it is all that a resumed run needs.

    Args:
        fit_start: Samples trained on before this call.
        fit_budget: Samples that this call is to train on, or positions to pass if it counts plans.
        fit_plans: Plans made before this call.
        origin: Position before this call; samples trained on, unless it counts plans.
        by_plan: Whether the budget of this call counts plans; None in checkpoints of before it did.
        first_step: Steps taken before this call.
        steps_per_epoch: Steps of an epoch, if the budget counts those; else 0.
        initial: Position at which this call begins, relative to the begin of its first epoch: n for each epoch that
            `initial_epoch` leaves out.
        epoch_start: Steps taken before the interval under way.
        pending: Metrics of intervals that have ended while their evaluation is still due.
        history: The history of Keras's History callback.
        evaluations: Counts, seconds and results of each evaluation.
        weights_at_target: Weights at the last evaluation that met the target after one that did not.
    """

    fit_start: int = 0
    fit_budget: int = 0
    fit_plans: int = 0
    origin: int = 0
    by_plan: bool | None = None
    first_step: int = 0
    steps_per_epoch: int = 0
    initial: int = 0
    epoch_start: int = 0
    pending: list[list[float]] = dataclasses.field(default_factory=list)
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    evaluations: list[dict[str, float]] = dataclasses.field(default_factory=list)
    weights_at_target: list[np.ndarray] | None = None

    @classmethod
    def begin(cls, loop: TrainLoop, by_plan: bool, steps_per_epoch: int = 0, initial: int = 0) -> FitRecord:
        """Return the record of a call of fit that begins.

        Args:
            loop: The loop, in the state that it begins with.
            by_plan: Whether its budget counts plans.
            steps_per_epoch: Steps of an epoch, if its budget counts those; else 0.
            initial: Position at which it begins, relative to the begin of its first epoch.
        """
        counts = loop.counts()
        origin = 0 if steps_per_epoch else loop.position(BudgetWindow.from_numbers(0, 1, loop.n, by_plan=by_plan))
        return cls(
            fit_start=counts["samples"], epoch_start=counts["steps"], fit_plans=counts["plans"], origin=origin,
            by_plan=by_plan, first_step=counts["steps"], steps_per_epoch=steps_per_epoch, initial=initial,
        )  # fmt: skip

    @property
    def counts_samples(self) -> bool:
        """True if positions are samples."""
        return not (self.by_plan or self.steps_per_epoch)

    @property
    def first_position(self) -> int:
        """Position of the begin of the first epoch, before this call if it leaves epochs out."""
        return self.origin - self.initial

    def resume(self, by_plan: bool, steps_per_epoch: int = 0) -> None:
        """Check that a call of fit that is resumed has the unit of budget with which it began.

        Args:
            by_plan: Whether its budget counts plans.
            steps_per_epoch: Steps of an epoch, if its budget counts those; else 0.

        Raises:
            UsageError: If it does not.
        """
        if self.steps_per_epoch != steps_per_epoch:
            raise UsageError(
                f"the call of fit that is resumed had steps_per_epoch={self.steps_per_epoch or None}, and not"
                f" {steps_per_epoch or None}. Pass it as before."
            )
        if self.by_plan is None:
            # Its budget counted samples, whatever it was called.
            self.by_plan, self.origin = False, self.fit_start
        elif self.by_plan != by_plan:
            began, now = ("epochs", "passes") if self.by_plan else ("passes", "epochs")
            raise UsageError(
                f"the call of fit that is resumed had a budget in {began}, not in {now}. Pass {began}= as before."
            )

    def window(self, n: int) -> BudgetWindow:
        """Return the window of the budget of this call.

        Args:
            n: Samples in the data.
        """
        skipped = self.initial // n if self.by_plan else 0
        return BudgetWindow.from_numbers(
            self.fit_start - self.initial, self.fit_budget, n, origin=self.first_position,
            plans=self.fit_plans - skipped, by_plan=bool(self.by_plan),
            first_step=self.first_step, steps=self.steps_per_epoch,
        )  # fmt: skip

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
