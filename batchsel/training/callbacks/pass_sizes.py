"""Number of samples in each pass of a run whose selector prunes, for a control with as many at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from batchsel.training.trainer import Trainer


class PassSizes(keras.callbacks.Callback):
    """Callback that measures the samples of each plan at evaluations, off the clock.

    A plan that is under way at an evaluation says where it ends. With an evaluation in every pass all sizes are exact;
    passes without one have the mean of those between two.

    Args:
        trainer: The trainer of the run.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> trainer = Trainer(model, "rs2(0.5)", batch_size=4)
        >>> sizes = PassSizes(trainer)
        >>> x, y = np.zeros([8, 2], "float32"), np.zeros([8, 2], "float32")
        >>> _ = trainer.fit(x, y, passes=1.5, verbose=0, callbacks=[sizes])
        >>> sizes.sizes()
        [4, 4, 4]
    """

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self._trainer = trainer
        self._ends: dict[int, int] = {}
        """Samples trained on until the end of each plan that is known, by its number from 1."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure the plan that is under way."""
        loop, counts = self._trainer.loop, self._trainer.counts
        if not loop.plan_is_pass or not counts["plans"]:
            return
        plan, cursor = loop.state.plan, int(loop.state.cursor.numpy())
        rows = plan.weights.numpy().reshape(loop.plan_steps, loop.width)[cursor : int(plan.steps.numpy())]
        self._ends[counts["plans"]] = counts["samples"] + int(np.count_nonzero(rows > 0))

    def sizes(self) -> list[int]:
        """Return the samples of each plan; empty for a selector that does not plan passes."""
        if not self._ends:
            return []
        plans = np.arange(max(self._ends) + 1)
        known = {0: 0} | self._ends
        ends = np.interp(plans, list(known), list(known.values()))
        return np.diff(np.rint(ends)).astype(int).tolist()

    def get_state(self) -> dict[str, Any]:
        """Return the ends of plans for a checkpoint."""
        return {"ends": {str(number): end for number, end in self._ends.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from the ends of plans in a checkpoint."""
        self._ends = {int(number): int(end) for number, end in state["ends"].items()}
