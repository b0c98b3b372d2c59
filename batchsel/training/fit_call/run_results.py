"""Results of a trainer's run, to be read during and after a call of fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchsel.training.engine import Engine
from batchsel.training.fit_call.fit_record import FitRecord
from batchsel.training.fit_call.trained_batch import TrainedBatch, last_batch
from batchsel.training.loop.loop_state import COUNTS
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.optim.layer_groups import LayerGroups


class RunResults:
    """Knowledge of a trainer about its run: counts, losses, history, evaluations.

    Args:
        engine: The traced loop and evaluation.

    Example:
        >>> import keras
        >>> from batchsel import Trainer
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> Trainer(model).counts
        {'steps': 0, 'samples': 0, 'scored': 0, 'plans': 0}
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.record = FitRecord()
        """Record of the call of fit under way, or of the last."""
        self.batches: list[TrainedBatch] | None = None
        """Batches since the last hook of a callback that reads them, or None if no callback does."""

    @property
    def losses(self) -> np.ndarray:
        """``float32[n]``: the last known loss of every sample, infinite for samples not trained on yet.

        The samples are those trained on: augmented, and mixed if `augment` mixes them. For a model whose losses of
        samples are unknown, as with a `train_step` of its own, they are the losses of their batches.
        """
        return self.loop.state.losses.numpy()

    @property
    def last_batches(self) -> list[TrainedBatch]:
        """Batches of the call of fit under way, for callbacks, oldest first.

        By default the last one, which is the batch of the hook for callbacks that override a hook for batches. A
        callback with an attribute ``reads_batches = True`` gets all since its last hook (of a batch, if it overrides
        one, else of an epoch); like hooks for batches, this costs a return to Python after each step.
        """
        if self.batches is not None:
            return list(self.batches)
        last = last_batch(self.loop)
        return [] if last is None else [last]

    @property
    def visits(self) -> np.ndarray:
        """``int32[n]``: number of times that each sample was trained on."""
        return self.loop.state.visits.numpy()

    @property
    def schedule_log(self) -> dict[str, Any] | None:
        """Log of scheduled values in the last call of fit, at up to 200 points; None if nothing is scheduled.

        "names" (learning rate, momentum, rates of layers, parameters of curricula), "samples" trained on before each
        point, and "values" by point and name.
        """
        if self.loop.schedule_log is None:
            return None
        return self.loop.schedule_log.values(self.record.fit_budget if self.record.counts_samples else self.loop.n)

    @property
    def layer_groups(self) -> LayerGroups | None:
        """The groups of layers that have learning rates of their own; None if the schedule has none."""
        lr_controller = self.engine.step.lr_controller
        return lr_controller.groups if lr_controller.by_layer else None

    @property
    def progress(self) -> float:
        """Share of the budget of the last call of fit that is used: of its samples, or of its epochs."""
        record, counts = self.record, self.counts
        at = counts["samples"] if record.counts_samples else self.loop.position(record.window(self.loop.n))
        return (at - record.first_position) / max(record.fit_budget, 1)

    @property
    def counts(self) -> dict[str, int]:
        """Steps, samples trained on, samples scored by extra forward passes, and plans so far."""
        return self.loop.counts() if self.engine.has_loop else dict.fromkeys(COUNTS, 0)

    @property
    def seed(self) -> int:
        """Seed of the selector's random choices."""
        return self.engine.seed

    @property
    def history(self) -> dict[str, list[float]]:
        """The history of the last call of fit, as Keras's History holds it."""
        return self.record.history

    @property
    def evaluations(self) -> list[dict[str, float]]:
        """Counts, seconds and results of each evaluation of the last call of fit."""
        return self.record.evaluations

    @property
    def weights_at_target(self) -> list[np.ndarray] | None:
        """Weights at the evaluation that reached the target (or met it last, if it was not held), or None."""
        return self.record.weights_at_target

    @property
    def loop(self) -> TrainLoop:
        """The traced loop, which exists once a data set is known."""
        return self.engine.loop

    @property
    def xla(self) -> bool:
        """True if XLA compiles the whole loop."""
        return self.engine.xla

    def variables(self) -> dict[str, Any]:
        """Return every variable of the run by name, as a checkpoint holds them."""
        return self.engine.variables()
