"""Asks Optuna which settings to try next, for every arm alike. Needs the extra ``batchsel[tune]``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.core.ranges import Range
from batchsel.errors import UserError


class Search:
    """A search for the settings of one arm on one data set.

    All searches begin with the same settings, drawn at random, and then follow a tree-structured Parzen estimator.
    The same scores give the same settings, so that an interrupted search goes on from what is recorded.

    Source: J. Bergstra et al., *Algorithms for Hyper-Parameter Optimization*, NeurIPS 2011.

    Args:
        space: A range, or values to choose from, of each setting.

    Raises:
        UserError: If Optuna is not installed.
    """

    def __init__(self, space: Mapping[str, Sequence[Any] | Range]) -> None:
        optuna = _optuna()
        self._space = {name: _distribution(optuna, values) for name, values in space.items()}
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        self._tried: list[dict[str, Any]] = []

    def ask(self) -> dict[str, Any]:
        """The settings to be tried next."""
        self._trial = self._study.ask(self._space)
        return dict(self._trial.params)

    def on_progress(self, scores: Sequence[float]) -> None:
        """How they did, and those before them.

        The scores of those before are told once more, for all may have come to be told in another unit.

        Args:
            scores: Of all settings that were asked for, in their order. The less the better; infinite if a run failed.
        """
        self._tried.append(dict(self._trial.params))
        # The sampler goes on as it was, so that it does not draw again what it has drawn.
        self._study = _optuna().create_study(sampler=self._study.sampler)
        for settings, score in zip(self._tried, scores, strict=True):
            self._study.add_trial(self._told(settings, score))

    def _told(self, settings: dict[str, Any], score: float) -> Any:
        optuna = _optuna()
        of = {"params": settings, "distributions": self._space}
        if math.isfinite(score):
            return optuna.trial.create_trial(**of, value=score)
        return optuna.trial.create_trial(**of, state=optuna.trial.TrialState.FAIL)


def _distribution(optuna: Any, values: Sequence[Any] | Range) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(list(values))
    kind = optuna.distributions.IntDistribution if values.is_integer else optuna.distributions.FloatDistribution
    return kind(values.low, values.high, log=True)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("a search by --trials needs Optuna: pip install 'batchsel[tune]'.") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
