"""From settings to a run: where each setting takes effect on the data, the model or the trainer."""

from __future__ import annotations

from typing import Any

from batchsel.data import Dataset
from batchsel.data.variants.corruption import corrupt_labels, make_imbalanced
from batchsel.data.variants.subsample import subsample
from batchsel.errors import UsageError
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.models.building import build_compiled, check_vocabulary
from batchsel.schedules import is_constant
from batchsel.training.model.distributed.scope import device_scope
from batchsel.training.trainer import Trainer


def build_data(spec: RunSpec, dataset: Dataset) -> Dataset:
    """Return the data of a run, subsampled, imbalanced or with wrong labels as its settings state.

    Args:
        spec: The settings.
        dataset: The data set as its files hold it.

    Raises:
        UserError: If the data cannot be changed in that way.
    """
    dataset = subsample(dataset, spec.train_share)
    if spec.imbalance > 1:
        dataset = make_imbalanced(dataset, spec.imbalance)
    if spec.label_noise:
        dataset = corrupt_labels(dataset, spec.label_noise, spec.label_noise_kind)
    return dataset


def build_model(spec: RunSpec, dataset: Dataset) -> Any:
    """Return the compiled model of a run.

    Args:
        spec: The settings.
        dataset: Gives the shapes of inputs and outputs, and the task.

    Raises:
        UserError: If a setting is wrong, or the model knows fewer words than the data have.
    """
    model = build_compiled(
        spec.model,
        dataset.input_shape,
        dataset.outputs,
        dataset.task,
        optimizer=spec.optimizer,
        learning_rate=spec.learning_rate,
        mixed_precision=spec.mixed_precision,
        label_smoothing=spec.label_smoothing,
        vocabulary=dataset.vocabulary_size,
    )
    words = dataset.outputs if dataset.task == "language_model" else dataset.vocabulary_size
    if words is not None:
        check_vocabulary(spec.model, model, dataset.input_shape, words)
    return model


def build_trainer(spec: RunSpec, dataset: Dataset) -> Trainer:
    """Return the trainer of a run.

    Args:
        spec: The settings.
        dataset: As for `build_model`.

    Raises:
        UserError: If the data, the model or the selector cannot be used.
    """
    if spec.cut_padding and dataset.task == "language_model":
        raise UsageError("sequences of a language model have no padding to cut. Leave --cut-padding out.")
    with device_scope(spec.devices):
        model = build_model(spec, dataset)
    return Trainer(
        model,
        spec.selector,
        batch_size=spec.batch_size,
        schedule=None if is_constant(spec.schedule) else spec.schedule,
        compile=spec.compile,
        cut_padding=spec.cut_padding,
        augment=spec.augment,
        curriculum=spec.curriculum,
        accumulate=spec.accumulate or None,
    )
