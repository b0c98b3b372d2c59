"""Ask Optuna for the settings to try next, for every arm alike. Needs the extra ``batchsel[tune]``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.core.parameters.ranges import Range
from batchsel.errors import UserError


class SettingsSearch:
    """Search for the settings of one arm on one data set.

    All searches begin with the same settings, drawn at random, and then follow a tree-structured Parzen estimator.
    The same scores lead to the same settings, so that an interrupted search continues from the records.

    Source: J. Bergstra et al., *Algorithms for Hyper-Parameter Optimization*, NeurIPS 2011.

    Args:
        space: A range, or values to choose from, for each setting.

    Raises:
        UserError: If Optuna is not installed.
    """

    def __init__(self, space: Mapping[str, Sequence[Any] | Range]) -> None:
        optuna = _import_optuna()
        self._space = {name: _distribution(optuna, values) for name, values in space.items()}
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        self._tried: list[dict[str, Any]] = []
        self._pending: dict[str, Any] = {}

    def ask(self) -> dict[str, Any]:
        """Return the settings to try next."""
        self._pending = dict(self._study.ask(self._space).params)
        return dict(self._pending)

    def tell(self, scores: Sequence[float]) -> None:
        """Report the scores of the settings asked for last and of all before.

        Earlier scores are reported again, because all of them may have changed to another unit.

        Args:
            scores: Scores of all settings in the order in which they were asked for. Lower is better; infinite if a run
                failed.
        """
        self._tried.append(self._pending)
        # The sampler is kept as it is, so that it does not draw again what it has drawn.
        self._study = _import_optuna().create_study(sampler=self._study.sampler)
        for settings, score in zip(self._tried, scores, strict=True):
            self._study.add_trial(self._finished_trial(settings, score))

    def _finished_trial(self, settings: dict[str, Any], score: float) -> Any:
        trial = _import_optuna().trial
        drawn = {"params": settings, "distributions": self._space}
        if math.isfinite(score):
            return trial.create_trial(**drawn, value=score)
        return trial.create_trial(**drawn, state=trial.TrialState.FAIL)


def _distribution(optuna: Any, values: Sequence[Any] | Range) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(list(values))
    kind = optuna.distributions.IntDistribution if values.is_integer else optuna.distributions.FloatDistribution
    return kind(values.low, values.high, log=True)


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("a search with --trials needs Optuna: pip install 'batchsel[tune]'.") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
