"""MLflow: settings and values of a run, and `mlflow.keras.autolog`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from batchsel.errors import UserError
from batchsel.training.callbacks.packages import require
from batchsel.training.callbacks.tracker import Tracker


class MLflow(Tracker):
    """Tracker of runs with MLflow: settings as parameters, and values for each interval.

    Runs are stored where ``mlflow.set_tracking_uri`` or MLFLOW_TRACKING_URI say. Within ``with mlflow.start_run():``
    it logs into that run, if neither a name nor an experiment is given.

    Args:
        name: Name of the run; None for one that MLflow makes up.
        experiment: Name of its experiment, created if there is none; None for the current one.
        settings: Settings to show; None for those of the trainer.

    Raises:
        UserError: If MLflow is not installed.

    Example:
        >>> batchsel.fit(model, x, y, callbacks=[batchsel.MLflow("first", experiment="digits")])  # doctest: +SKIP
    """

    def __init__(
        self, name: str | None = None, *, experiment: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        require("mlflow")
        super().__init__(settings)
        self._name = name
        self._experiment = experiment
        self._ends = True

    def start(self, settings: dict[str, str]) -> str:
        """Begin a run, or go on with one."""
        import mlflow

        active = mlflow.active_run()
        self._ends = active is None or any((self._name, self._experiment))
        try:
            if active is None or self._ends:
                number = None if self._experiment is None else _experiment_id(self._experiment)
                active = mlflow.start_run(self.run_id, experiment_id=number, run_name=self._name, nested=True)
            mlflow.log_params(settings)
        except mlflow.MlflowException as error:
            raise UserError(f"MLflow cannot store the run: {error}") from error
        return active.info.run_id

    def log(self, values: dict[str, float], epoch: int) -> None:
        """Log the values of an interval."""
        import mlflow

        mlflow.log_metrics(values, step=epoch, run_id=self.run_id)

    def end(self, error: BaseException | None) -> None:
        """End the run, unless it is one of the user."""
        import mlflow

        if self._ends:
            mlflow.end_run("FINISHED" if error is None else "FAILED" if isinstance(error, Exception) else "KILLED")


class AutologgedMLflow(MLflow):
    """The tracker that `mlflow.keras.autolog` asks for; as with `model.fit`, it stores the model too."""

    def end(self, error: BaseException | None) -> None:
        """Store the model, and end the run."""
        from mlflow.keras import log_model
        from mlflow.utils.autologging_utils import get_autologging_config

        if error is None and get_autologging_config("keras", "log_models", True):
            log_model(self.model, name="model")
        super().end(error)


def autologged(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Return the callback that `mlflow.keras.autolog` asks for, which by itself sees nothing but `model.fit`.

    Args:
        callbacks: Callbacks of the user, among which MLflow's own may be.

    Returns:
        The callback; none if autologging is off, or a callback logs to MLflow already.
    """
    if "mlflow" not in sys.modules:
        return []
    from mlflow.utils.autologging_utils import autologging_is_disabled

    tracked = any("mlflow" in kind.__name__.lower() for callback in callbacks for kind in type(callback).__mro__)
    return [] if tracked or autologging_is_disabled("keras") else [AutologgedMLflow()]


def _experiment_id(name: str) -> str:
    """Return the id of an experiment, which is created if there is none."""
    import mlflow

    found = mlflow.get_experiment_by_name(name)
    return mlflow.create_experiment(name) if found is None else found.experiment_id
