"""What a run measures besides, off the clock and without changing the run: asked for by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from batchsel.data import Dataset
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import some, whole
from batchsel.experiments.spec.diagnostic_names import check_measures
from batchsel.training.callbacks import AtStages
from batchsel.training.diagnostics.feature_snr import MAX_SAMPLES, FeatureSNR
from batchsel.training.diagnostics.noise_scale import NoiseScale
from batchsel.training.trainer import Trainer

_STAGES = 5
"""Of the noise scale, after that before training."""
_TRAIN_SAMPLES = 10_000


class DiagnosticProbes:
    """What is traced to measure a model; kept as long as its trainer, as the workshop does, for all of its runs.

    Args:
        trainer: The trainer, which is not held on to.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> DiagnosticProbes(Trainer(model)).features.layers
        ['dense_1']
    """

    def __init__(self, trainer: Trainer) -> None:
        self._model = trainer.model

    @cached_property
    def noise_scale(self) -> NoiseScale:
        """Measures the gradient noise scale."""
        return NoiseScale(self._model)

    @cached_property
    def features(self) -> FeatureSNR:
        """Compares features with earlier ones."""
        return FeatureSNR(self._model)


class Diagnostics:
    """Measures of one run, to be made before it.

    Stages that passed before a run was resumed are not in its record.

    Args:
        names: Of "end", "noise_scale" and "snr".
        trainer: The trainer of the run, built.
        dataset: Its data.
        budget: Its budget in text form.
        instruments: Of the trainer.

    Raises:
        UserError: If a name is unknown, or the features of the model cannot be compared.
    """

    def __init__(
        self, names: Sequence[str], trainer: Trainer, dataset: Dataset, budget: str, instruments: DiagnosticProbes
    ) -> None:
        check_measures(names)
        self._names = names
        self._trainer = trainer
        self._dataset = dataset
        self._budget = Budget.parse(budget)
        self._instruments = instruments
        self._noise: list[dict[str, Any]] = []
        self._weights: list[tuple[int, list[np.ndarray]]] = []
        if "snr" in names:
            _ = instruments.features  # refuses models that it cannot compare, before anything is trained

    @property
    def callbacks(self) -> list[Any]:
        """What looks at the run at its stages: before training, and evenly spaced over the budget."""
        shares = [(place + 1) / _STAGES for place in range(_STAGES)]
        found = []
        if "noise_scale" in self._names:
            found.append(AtStages(self._measure_noise, self._used, shares))
        if "snr" in self._names:
            # At the end the features are those that they are compared with.
            found.append(AtStages(self._keep_weights, self._used, shares[:-1]))
        return found

    def record(self, test: dict[str, float] | None) -> dict[str, Any]:
        """What the record says of them, JSON: each by its name, numbers to six digits.

        Args:
            test: Results on the test part, if they were those of the weights at the end; else None.
        """
        makers: dict[str, Callable[[], Any]] = {
            "end": partial(self._end, test),
            "noise_scale": lambda: self._noise,
            "snr": self._snr,
        }
        return {name: rounded(make()) for name, make in makers.items() if name in self._names}

    def _used(self) -> float:
        trainer = self._trainer
        samples = trainer.counts["samples"]
        return self._budget.share(samples / trainer.loop.n, samples, trainer.clock.training)

    def _measure_noise(self) -> None:
        trainer, train = self._trainer, self._dataset.train
        samples = trainer.counts["samples"]
        take = partial(some, train)
        found = self._instruments.noise_scale(take, len(train), seed=trainer.seed, stage=samples)
        self._noise.append({"samples": samples, "passes": samples / trainer.loop.n, **found})

    def _keep_weights(self) -> None:
        self._weights.append((self._trainer.counts["samples"], self._trainer.model.get_weights()))

    def _end(self, test: dict[str, float] | None) -> dict[str, Any]:
        """Results with the weights at the end of the run, on the test part and on rows of the training part."""
        trainer, dataset = self._trainer, self._dataset
        n = len(dataset.train)
        count = min(n, _TRAIN_SAMPLES)
        train = trainer.evaluate(*some(dataset.train, np.arange(count) * n // count))
        test = trainer.evaluate(*whole(dataset.test)) if test is None else test
        return {"test": test, "train": train, "train_samples": count}

    def _snr(self) -> dict[str, Any]:
        """Of the features at each stage, those at the end of the run being the signal."""
        trainer, validation, features = self._trainer, self._dataset.validation, self._instruments.features
        noted = [(samples, weights) for samples, weights in self._weights if samples < trainer.counts["samples"]]
        n = len(validation)
        count = min(n, MAX_SAMPLES)
        x, _ = some(validation, np.arange(count) * n // count)
        found = features.decibels(x, [weights for _, weights in noted])
        stages = [{"samples": samples, "db": db} for (samples, _), db in zip(noted, found, strict=True)]
        return {"layers": features.layers, "stages": stages}


def rounded(value: Any) -> Any:
    """A nest of JSON with its numbers to six significant digits, None where they are not finite.

    Args:
        value: Dicts and lists of numbers, words and None.

    Example:
        >>> rounded({"scale": 1234.56789, "many": 64, "db": [float("inf"), None]})
        {'scale': 1234.57, 'many': 64, 'db': [None, None]}
    """
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
