"""Keras callbacks: progress of a run, and functions at its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from batchsel.training.trainer import Trainer


class Watch(keras.callbacks.Callback):
    """Reports the progress of a run, about twice a second and after each evaluation.

    Args:
        watch: Called with counts, seconds on the clock, passes, progress in the budget, whether an evaluation has just
            ended, and the last evaluation.
    """

    patient = True

    def __init__(self, watch: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._watch = watch
        self._evaluation: dict[str, float] | None = None

    def set_trainer(self, trainer: Trainer) -> None:
        """Set the trainer of the run."""
        self._trainer = trainer

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report, at the end of each call of the loop."""
        self._report()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report an evaluation."""
        results = {name: value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._evaluation = {name.removeprefix("val_"): value for name, value in results.items()}
        self._report(evaluated=True)

    def _report(self, evaluated: bool = False) -> None:
        trainer = self._trainer
        counts = trainer.counts
        state = {
            **counts,
            "seconds": trainer.clock.training,
            "passes": counts["samples"] / trainer.loop.n,
            "progress": trainer.progress,
            "evaluated": evaluated,
            "evaluation": self._evaluation,
        }
        self._watch(state)


class AfterEvaluations(keras.callbacks.Callback):
    """Calls a function after each evaluation.

    Args:
        call: The function.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Call the function."""
        self._call()


class AtStages(keras.callbacks.Callback):
    """Calls a function at stages of a run: before the first step, and after the first evaluation past each stage.

    What the function returned at stages before a run was resumed comes from the checkpoint.

    Args:
        call: The function; its time is that of callbacks, off the clock.
        used: Returns the share of the budget that is used up.
        shares: The stages, as shares of the budget above 0, in their order.

    Example:
        >>> import keras, numpy as np
        >>> from batchsel.training.trainer import Trainer
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> trainer, seen = Trainer(model, batch_size=4), []
        >>> def steps():
        ...     return trainer.counts["steps"]
        >>> halves = AtStages(lambda: seen.append(steps()), lambda: steps() / 8, [0.5, 1.0])
        >>> x, y = np.zeros([8, 2], "float32"), np.zeros([8, 2], "float32")
        >>> _ = trainer.fit(x, y, epochs=4, verbose=0, callbacks=halves)
        >>> seen
        [0, 4, 8]
    """

    def __init__(self, call: Callable[[], Any], used: Callable[[], float], shares: Sequence[float]) -> None:
        super().__init__()
        self.values: list[Any] = []
        """Values that the function returned, one for each stage: numbers, texts, arrays, and lists of these."""
        self._call = call
        self._used = used
        self._shares = shares
        self._passed = 0

    def set_trainer(self, trainer: Trainer) -> None:
        """Set the trainer of the run."""
        self._trainer = trainer

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Call the function before the first step, unless a run is resumed."""
        self._passed = self._count()
        if self._trainer.counts["samples"] == self._trainer.record.fit_start:
            with self._trainer.clock.section("callbacks"):
                self.values.append(self._call())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Call the function if a stage has passed."""
        before, self._passed = self._passed, self._count()
        if self._passed > before:
            self.values.append(self._call())

    def get_state(self) -> dict[str, Any]:
        """Return what a checkpoint holds: the stages that have passed, and what the function returned."""
        return {"passed": self._passed, "values": self.values}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `get_state` returned in an earlier process."""
        self._passed, self.values = state["passed"], list(state["values"])

    def _count(self) -> int:
        """Return the number of stages that have passed."""
        used = self._used() * (1 + 1e-9)
        return sum(used >= share for share in self._shares)
