"""Weights & Biases: settings and values of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchsel.errors import UserError
from batchsel.training.callbacks.packages import require
from batchsel.training.callbacks.tracker import Tracker


class WandB(Tracker):
    """Tracker of runs with Weights & Biases: settings as its configuration, and values for each interval.

    A run that the user has begun with ``wandb.init()`` is used, if neither a name nor a project is given.

    Args:
        name: Name of the run; None for one that Weights & Biases makes up.
        project: Its project; None for the one of the environment.
        group: Group of runs that belong together, such as those of an experiment.
        settings: Settings to show; None for those of the trainer.

    Raises:
        UserError: If Weights & Biases is not installed.

    Example:
        >>> batchsel.fit(model, x, y, callbacks=[batchsel.WandB("first", project="digits")])  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        project: str | None = None,
        group: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        require("wandb")
        super().__init__(settings)
        self._name = name
        self._project = project
        self._group = group

    def start(self, settings: dict[str, str]) -> str:
        """Begin a run, or go on with one."""
        import wandb

        self._ends = wandb.run is None or any((self._name, self._project))
        if not self._ends:
            self._run: Any = wandb.run
            self._run.config.update(settings, allow_val_change=True)
            return self._run.id
        try:
            self._run = wandb.init(
                name=self._name, project=self._project, group=self._group, config=settings or None, id=self.run_id,
                resume="allow" if self.run_id else None, reinit="create_new",
            )  # fmt: skip
        except wandb.Error as error:
            raise UserError(
                f"Weights & Biases cannot begin a run: {error} WANDB_MODE=offline keeps runs on this machine."
            ) from error
        return self._run.id

    def log(self, values: dict[str, float], epoch: int) -> None:
        """Log the values of an interval."""
        self._run.log({"epoch": epoch, **values})

    def end(self, error: BaseException | None) -> None:
        """End the run, unless it is one of the user."""
        if self._ends:
            self._run.finish(exit_code=int(error is not None))
