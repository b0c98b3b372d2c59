"""Diagnostics of a run, requested by name: off the clock and without effect on the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from batchsel.data import Dataset
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import load_arrays, take_samples
from batchsel.experiments.spec.resolve import check_diagnostics
from batchsel.training.callbacks import AtStages
from batchsel.training.diagnostics.feature_snr import MAX_SAMPLES, FeatureSNR
from batchsel.training.diagnostics.noise_scale import NoiseScale
from batchsel.training.trainer import Trainer

_STAGES = 5
"""After the one before training."""
_TRAIN_SAMPLES = 10_000


class DiagnosticProbes:
    """Traced functions that measure a model, shared by all runs of its trainer.

    Args:
        trainer: The trainer; no reference to it is kept.

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
        """Probe of the gradient noise scale."""
        return NoiseScale(self._model)

    @cached_property
    def features(self) -> FeatureSNR:
        """Probe that compares features with earlier ones."""
        return FeatureSNR(self._model)


class Diagnostics:
    """Diagnostics of one run, created before it.

    Args:
        names: Of "end", "noise_scale" and "snr".
        trainer: The trainer of the run, built.
        dataset: Its data.
        budget: Its budget in text form.
        probes: Those of the trainer.

    Raises:
        UserError: If a name is unknown, or the features of the model cannot be compared.
    """

    def __init__(
        self, names: Sequence[str], trainer: Trainer, dataset: Dataset, budget: str, probes: DiagnosticProbes
    ) -> None:
        check_diagnostics(names)
        self._names = names
        self._trainer = trainer
        self._dataset = dataset
        self._budget = Budget.parse(budget)
        self._probes = probes
        shares = [(stage + 1) / _STAGES for stage in range(_STAGES)]
        self._noise = AtStages(self._measure_noise, self._used_share, shares)
        # At the end the features are those that they are compared with.
        self._weights = AtStages(self._keep_weights, self._used_share, shares[:-1])
        if "snr" in names:
            _ = probes.features  # refuses models that it cannot compare, before anything is trained

    @property
    def callbacks(self) -> list[Any]:
        """Callbacks that measure before training and at stages evenly spaced over the budget."""
        stages = {"noise_scale": self._noise, "snr": self._weights}
        return [callback for name, callback in stages.items() if name in self._names]

    def record(self, test: dict[str, float] | None) -> dict[str, Any]:
        """Return the entries of the record by name, JSON, numbers to six digits.

        Args:
            test: Results on the test part, if they were those of the weights at the end; else None.
        """
        makers: dict[str, Callable[[], Any]] = {
            "end": partial(self._end, test),
            "noise_scale": lambda: self._noise.values,
            "snr": self._snr,
        }
        return {name: round_numbers(make()) for name, make in makers.items() if name in self._names}

    def _used_share(self) -> float:
        return self._budget.share(self._trainer.progress, self._trainer.clock.training)

    def _measure_noise(self) -> dict[str, Any]:
        trainer, train = self._trainer, self._dataset.train
        samples = trainer.counts["samples"]
        take = partial(take_samples, train)
        measured = self._probes.noise_scale(take, len(train), seed=trainer.seed, stage=samples)
        return round_numbers({"samples": samples, "passes": samples / trainer.loop.n, **measured})

    def _keep_weights(self) -> tuple[int, list[np.ndarray]]:
        return self._trainer.counts["samples"], self._trainer.model.get_weights()

    def _end(self, test: dict[str, float] | None) -> dict[str, Any]:
        """Evaluate the last weights on the test part and on rows of the training part."""
        trainer, dataset = self._trainer, self._dataset
        n = len(dataset.train)
        count = min(n, _TRAIN_SAMPLES)
        train = trainer.evaluate(*take_samples(dataset.train, np.arange(count) * n // count))
        test = trainer.evaluate(*load_arrays(dataset.test)) if test is None else test
        return {"test": test, "train": train, "train_samples": count}

    def _snr(self) -> dict[str, Any]:
        """Compare the features at each stage with those at the end of the run, which are the signal."""
        trainer, validation, features = self._trainer, self._dataset.validation, self._probes.features
        kept = [(samples, weights) for samples, weights in self._weights.values if samples < trainer.counts["samples"]]
        n = len(validation)
        count = min(n, MAX_SAMPLES)
        x, _ = take_samples(validation, np.arange(count) * n // count)
        decibels = features.decibels(x, [weights for _, weights in kept])
        stages = [{"samples": samples, "db": db} for (samples, _), db in zip(kept, decibels, strict=True)]
        return {"layers": features.layers, "stages": stages}


def round_numbers(value: Any) -> Any:
    """Return nested JSON with numbers rounded to six significant digits, None where they are not finite.

    Args:
        value: Dicts and lists of numbers, texts and None.

    Example:
        >>> round_numbers({"scale": 1234.56789, "many": 64, "db": [float("inf"), None]})
        {'scale': 1234.57, 'many': 64, 'db': [None, None]}
    """
    if isinstance(value, dict):
        return {key: round_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [round_numbers(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
