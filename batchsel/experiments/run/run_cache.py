"""Data sets and trainers, kept between the runs of a process so that what is compiled serves many seeds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from batchsel.data import Dataset, Part
from batchsel.data.variants.corruption import with_rare_classes, with_wrong_labels
from batchsel.data.variants.subsample import with_share
from batchsel.errors import UsageError
from batchsel.experiments.run.diagnostics import DiagnosticProbes
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.spec import RunSpec
from batchsel.models.building import build_compiled
from batchsel.schedules import is_constant
from batchsel.training.diagnostics.selection_cost import selection_seconds
from batchsel.training.loop.train_step import Rows
from batchsel.training.runtime.devices import make_deterministic
from batchsel.training.trainer import Trainer

_TRAINERS = 48
"""More are not kept at a time: each holds a model and its compiled loop."""
_COMPILED = (
    "dataset", "model", "selector", "batch_size", "optimizer", "schedule", "compile",
    "deterministic", "mixed_precision", "cut_padding", "augment", "curriculum", "accumulate",
    "label_smoothing", "train_share", "imbalance",
)  # fmt: skip
"""The settings that a trainer is made of, and the size of its data, for which it would be compiled anew; the others
(seed, rate, budget, target, grid) may change from run to run."""
_OF_DATA = ("dataset", "source", "train_share", "imbalance", "label_noise", "label_noise_kind")
"""The settings that the data of a run depend on."""


class RunCache:
    """Makes what runs need, once.

    Args:
        folder: Folder of the data, or None for the usual places.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a download's label, or None.
    """

    def __init__(self, folder: str | None = None, offline: bool = False, progress: Any = None) -> None:
        self._places = (folder, offline, progress)
        self._datasets: dict[str, Dataset] = {}
        self._spoilt: dict[tuple, Dataset] = {}
        self._trainers: OrderedDict[tuple, Trainer] = OrderedDict()
        self._costs: WeakKeyDictionary[Trainer, dict[str, float]] = WeakKeyDictionary()
        self._instruments: WeakKeyDictionary[Trainer, DiagnosticProbes] = WeakKeyDictionary()

    def dataset(self, name: str) -> Dataset:
        """The data, split.

        Args:
            name: As for `sets.load`.

        Raises:
            UserError: If the data cannot be had or are not right.
        """
        if name not in self._datasets:
            self._datasets[name] = dataset_lookup.load(name, *self._places)
        return self._datasets[name]

    def data_of(self, spec: RunSpec) -> Dataset:
        """The data of a run, a part of them or made worse if that is wanted.

        Args:
            spec: The settings.

        Raises:
            UserError: As `dataset`, or if labels and classes of these data cannot be made worse.
        """
        key = tuple(getattr(spec, name) for name in _OF_DATA)
        if key not in self._spoilt:
            dataset_lookup.check_source(spec.dataset, spec.source)
            dataset = with_share(self.dataset(spec.dataset), spec.train_share)
            if spec.imbalance > 1:
                dataset = with_rare_classes(dataset, spec.imbalance)
            if spec.label_noise:
                dataset = with_wrong_labels(dataset, spec.label_noise, spec.label_noise_kind)
            self._spoilt[key] = dataset
        return self._spoilt[key]

    def trainer(self, spec: RunSpec) -> Trainer:
        """A trainer for the spec, reset to its seed.

        Args:
            spec: The settings.

        Raises:
            UserError: If the data, the model or the selector cannot be used.
        """
        if spec.deterministic:
            make_deterministic()
        key = tuple(getattr(spec, name) for name in _COMPILED)
        if key not in self._trainers:
            self._trainers[key] = self._new(spec)
            if len(self._trainers) > _TRAINERS:
                self._trainers.popitem(last=False)
        self._trainers.move_to_end(key)
        trainer = self._trainers[key]
        # A model of the user's is made anew for each seed: it may load weights, or be of a kind that Keras cannot copy.
        build = (lambda: self._model(spec)) if ".py:" in spec.model else None
        trainer.reset(spec.seed, learning_rate=spec.learning_rate, build=build)
        return trainer

    def selection_cost(self, trainer: Trainer, dataset: Dataset) -> dict[str, float]:
        """Seconds of "planning" a plan, and of "updating", "scoring" and "choosing" in a step; measured once a trainer.

        Args:
            trainer: After a run.
            dataset: The data of the run.
        """
        if trainer not in self._costs:
            train, some = dataset.train, np.arange(min(trainer.loop.width, len(dataset.train)))
            if isinstance(train, Part):
                samples, rows = Rows(train.x, np.asarray(train.y)), (train.x[some], train.y[some])
            else:
                samples, rows = None, train.take(some)
            self._costs[trainer] = selection_seconds(trainer, samples, rows)
        return self._costs[trainer]

    def instruments(self, trainer: Trainer) -> DiagnosticProbes:
        """What its runs are measured with; made once a trainer.

        Args:
            trainer: One of this workshop.
        """
        if trainer not in self._instruments:
            self._instruments[trainer] = DiagnosticProbes(trainer)
        return self._instruments[trainer]

    def _new(self, spec: RunSpec) -> Trainer:
        if spec.cut_padding and self.dataset(spec.dataset).task == "language_model":
            raise UsageError("sequences of a language model have no padding to cut; leave --cut-padding out.")
        return Trainer(
            self._model(spec),
            spec.selector,
            batch_size=spec.batch_size,
            schedule=None if is_constant(spec.schedule) else spec.schedule,
            compile=spec.compile,
            cut_padding=spec.cut_padding,
            augment=spec.augment,
            curriculum=spec.curriculum,
            accumulate=spec.accumulate or None,
        )

    def _model(self, spec: RunSpec) -> Any:
        dataset = self.dataset(spec.dataset)
        return build_compiled(
            spec.model,
            dataset.input_shape,
            dataset.outputs,
            dataset.task,
            optimizer=spec.optimizer,
            learning_rate=spec.learning_rate,
            mixed_precision=spec.mixed_precision,
            label_smoothing=spec.label_smoothing,
        )
