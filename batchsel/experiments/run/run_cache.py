"""Cache of data sets and trainers for the runs of a process, so that many seeds share what is compiled."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from batchsel.data import Dataset, Split
from batchsel.experiments.run.build_run import build_data, build_model, build_trainer
from batchsel.experiments.run.diagnostics import DiagnosticProbes
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.user_code import check_code
from batchsel.training.diagnostics.scoring_quality import SCORED_POOLS, scoring_quality
from batchsel.training.diagnostics.selection_cost import selection_seconds
from batchsel.training.inputs.batch import Samples
from batchsel.training.runtime.devices import make_deterministic
from batchsel.training.trainer import Trainer

_MAX_TRAINERS = 48
"""Each holds a model and its compiled loop."""


class RunCache:
    """Data sets, trainers and their measurements, each created once.

    Args:
        folder: Folder of the data, or None for the default ones.
        offline: Whether downloads are forbidden.
        progress: Function that creates a progress bar for a download's label, or None.
    """

    def __init__(self, folder: str | None = None, offline: bool = False, progress: Any = None) -> None:
        self._load_options = (folder, offline, progress)
        self._datasets: dict[str, Dataset] = {}
        self._variants: dict[tuple[Any, ...], Dataset] = {}
        self._trainers: OrderedDict[tuple[Any, ...], Trainer] = OrderedDict()
        self._costs: WeakKeyDictionary[Trainer, dict[str, float]] = WeakKeyDictionary()
        self._probes: WeakKeyDictionary[Trainer, DiagnosticProbes] = WeakKeyDictionary()

    def named_dataset(self, name: str) -> Dataset:
        """Return a data set as its files hold it, split.

        Args:
            name: As for `dataset_lookup.load`.

        Raises:
            UserError: If the data cannot be loaded or are invalid.
        """
        if name not in self._datasets:
            self._datasets[name] = dataset_lookup.load(name, *self._load_options)
        return self._datasets[name]

    def dataset(self, spec: RunSpec) -> Dataset:
        """Return the data of a run, subsampled or corrupted as its settings state.

        Raises:
            UserError: If the data cannot be loaded or are invalid, or cannot be corrupted in that way.
        """
        key = spec.data_key()
        if key not in self._variants:
            dataset_lookup.check_source(spec.dataset, spec.source)
            self._variants[key] = build_data(spec, self.named_dataset(spec.dataset))
        return self._variants[key]

    def trainer(self, spec: RunSpec) -> Trainer:
        """Return a trainer for the settings, reset to their seed.

        Raises:
            UserError: If the data, the model or the selector cannot be used.
        """
        if spec.deterministic:
            make_deterministic()
        check_code(spec.values())
        key = spec.trainer_key()
        if key not in self._trainers:
            self._trainers[key] = build_trainer(spec, self.named_dataset(spec.dataset))
            if len(self._trainers) > _MAX_TRAINERS:
                self._trainers.popitem(last=False)
        self._trainers.move_to_end(key)
        trainer = self._trainers[key]
        # A user's model is built again for each seed: it may load weights, or be of a kind that Keras cannot copy.
        build = (lambda: build_model(spec, self.named_dataset(spec.dataset))) if ".py:" in spec.model else None
        trainer.reset(spec.seed, learning_rate=spec.learning_rate, build=build)
        return trainer

    def selection_cost(self, trainer: Trainer, dataset: Dataset) -> dict[str, float]:
        """Return seconds of "planning" per plan, and of "updating", "scoring" and "choosing" per step.

        They are measured once per trainer.

        Args:
            trainer: The trainer, after a run.
            dataset: The data of the run.
        """
        if trainer not in self._costs:
            train, rows = dataset.train, np.arange(min(trainer.loop.width, len(dataset.train)))
            if isinstance(train, Split):
                samples, batch = Samples(train.x, np.asarray(train.y)), (train.x[rows], train.y[rows])
            else:
                samples, batch = None, train.take(rows)
            self._costs[trainer] = selection_seconds(trainer, samples, batch)
        return self._costs[trainer]

    def scoring_quality(self, trainer: Trainer, dataset: Dataset) -> dict[str, float] | None:
        """Return what cheaper scores of a trainer cost and how well they rank; None if it has none.

        Args:
            trainer: The trainer, after a run.
            dataset: The data of the run.
        """
        if trainer.selector.scoring is None:
            return None
        n, wanted = len(dataset.train), SCORED_POOLS * trainer.loop.width
        rows = np.resize(np.random.default_rng(trainer.seed).permutation(n), wanted)
        return scoring_quality(trainer, rows, *dataset_lookup.take_samples(dataset.train, rows))

    def probes(self, trainer: Trainer) -> DiagnosticProbes:
        """Return the diagnostic probes of a trainer, created once.

        Args:
            trainer: A trainer of this cache.
        """
        if trainer not in self._probes:
            self._probes[trainer] = DiagnosticProbes(trainer)
        return self._probes[trainer]
