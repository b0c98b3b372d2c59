"""Choose the step and what goes with it: batchsel's, or that of the model where losses of samples are unknown."""

from __future__ import annotations

from typing import NamedTuple

import keras

from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import Selector
from batchsel.training.loop.evaluation import Evaluation
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.distributed.builder import ReplicaBuilder
from batchsel.training.model.distributed.checks import check_one_device, check_replica_settings
from batchsel.training.model.distributed.evaluation import ReplicaEvaluation
from batchsel.training.model.distributed.replicas import get_replicas
from batchsel.training.model.distributed.train_step import ReplicaTrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.model_checks import check_model, find_override
from batchsel.training.model.own_step.builder import OwnBuilder
from batchsel.training.model.own_step.compatibility import check_settings, reads_batch_losses
from batchsel.training.model.own_step.evaluation import OwnEvaluation
from batchsel.training.model.own_step.train_step import OwnTrainStep
from batchsel.training.model.proxy.cut import Cut
from batchsel.training.model.proxy.proxy import Proxy
from batchsel.training.optim.lr_controller import LRController
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula


class StepSettings(NamedTuple):
    """Settings of a trainer on which its step depends, as `Engine` has them."""

    model: keras.Model
    selector: Selector
    batch_size: int
    schedule: Schedule | None
    accumulation_schedule: AccumulationSchedule | None
    cut_padding: bool
    augmentation: Pipeline | None
    curricula: Curricula | None


class StepParts(NamedTuple):
    """The parts of a trainer that depend on whose code computes the loss."""

    step: TrainStep
    builder: ModelBuilder
    evaluation: type[Evaluation]


def choose_parts(settings: StepSettings) -> StepParts:
    """Return the parts for a model, by whether it overrides how Keras trains.

    Args:
        settings: The settings.

    Raises:
        UserError: If the model is not compiled, or a setting does not suit it.
    """
    check_model(settings.model)
    override = find_override(settings.model)
    if override is not None:
        return make_own_parts(settings, override)
    model, selector, batch_size, schedule, accumulation_schedule, cut_padding, augmentation, curricula = settings
    replicas = get_replicas(model)
    if replicas is not None:
        check_replica_settings(model, replicas.count, selector)
        step = ReplicaTrainStep(
            replicas, model, selector.signals, batch_size, schedule, accumulation_schedule, cut_padding
        )
        _add_cheap_model(step, settings)
        return StepParts(step, ReplicaBuilder(step, batch_size, augmentation, curricula), ReplicaEvaluation)
    step = TrainStep(model, selector.signals, batch_size, schedule, accumulation_schedule, cut_padding)
    _add_cheap_model(step, settings)
    return StepParts(step, ModelBuilder(step, batch_size, augmentation, curricula), Evaluation)


def _add_cheap_model(step: TrainStep, settings: StepSettings) -> None:
    """Add the model that scores pools in place of the model, if the selector asks for one."""
    _, selector, batch_size, schedule, accumulation_schedule, cut_padding, _, _ = settings
    scoring = selector.scoring
    if scoring is not None and scoring.has_cheap_model:
        first = 1 if accumulation_schedule is None else accumulation_schedule.start
        sizes = batch_size, batch_size * first
        kind = Proxy if scoring.cut is None else Cut
        step.cheap_model = kind(step, scoring, selector.signals, *sizes, schedule, cut_padding)


def make_own_parts(settings: StepSettings, reason: str, before: StepParts | None = None) -> StepParts:
    """Return the parts for a model that is trained by its own step or by that of Keras, after checking the settings.

    Args:
        settings: The settings.
        reason: The part of the model for which the losses of samples are unknown.
        before: Parts of a trainer that has not trained, to be replaced; None if there are none.

    Raises:
        UserError: If a setting does not suit the model.
    """
    model, selector, batch_size, schedule, accumulation_schedule, cut_padding, augmentation, curricula = settings
    check_one_device(model, reason)
    check_settings(model, reason, selector, augmentation, accumulation_schedule, cut_padding)
    controller = LRController(model, schedule, batch_size) if before is None else before.step.lr_controller
    step = OwnTrainStep(model, reason, controller, reads_batch_losses(selector))
    builder = OwnBuilder(step, batch_size, augmentation, curricula)
    builder.pending_seed = None if before is None else before.builder.pending_seed
    return StepParts(step, builder, OwnEvaluation)
