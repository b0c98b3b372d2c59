"""Builder of a model on several devices, which also checks that all of it lies on each of them."""

from __future__ import annotations

from batchsel.errors import UserError
from batchsel.training.inputs.batch import Samples
from batchsel.training.model.distributed.checks import check_within_scope
from batchsel.training.model.distributed.train_step import ReplicaTrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula


class ReplicaBuilder(ModelBuilder):
    """Builds model, optimizer and metrics on every device.

    Args:
        step: Holds the model and its replicas.
        batch_size: b.
        augmentation: As for `ModelBuilder`.
        curricula: As for `ModelBuilder`.
    """

    def __init__(
        self, step: ReplicaTrainStep, batch_size: int, augmentation: Pipeline | None, curricula: Curricula | None
    ) -> None:
        super().__init__(step, batch_size, augmentation, curricula)
        self._replicas = step.replicas

    def build(self, samples: Samples) -> Samples:
        """Build everything as `ModelBuilder.build` does, on all devices.

        Raises:
            UserError: Also if a part was made outside of the scope of the strategy, or the loss cannot be divided.
        """
        with self._step.scope():
            batch = super().build(samples)
        check_within_scope("a weight of the model", self._model.variables, self._replicas.count)
        check_within_scope("a metric", self._step.metrics.variables, self._replicas.count)
        objective = self._step.objective
        if self._replicas.count > 1 and any(loss.loss.reduction in ("none", None) for loss in objective.by_sample):
            raise UserError(
                "a loss with the reduction 'none' is added up and not averaged, so it cannot be divided among devices."
                " Compile the model with the default reduction, or train on one device."
            )
        mixers = () if self._augmentation is None else self._augmentation.mixers
        if self._replicas.count > 1 and mixers and objective.averages_batches:
            raise UserError(
                f"{' and '.join(map(repr, mixers))} mixes samples, and the loss leaves out masked steps or a class, or"
                " divides by the sum of weights, so it cannot be divided among devices. Leave that transform out, or"
                " train on one device."
            )
        return batch

    def check_batches(self, n: int, short: int | None) -> None:
        """Check that shares of batches suit the model and its metrics.

        Raises:
            UserError: If they do not.
        """
        super().check_batches(n, short)
        count, b = self._replicas.count, min(self._batch_size, n)
        if count == 1:
            return
        if self.fixed_batch is not None:
            raise UserError(
                f"the model takes batches of {self.fixed_batch} samples only, the batch_shape of its Input, and each of"
                f" {count} devices gets a part of a batch. Build it with keras.Input(shape) and no batch size."
            )
        if self._step.fills_up(b, short) and not self.handles_padding:
            raise UserError(
                f"a metric of this model must not see rows that fill up a batch, and {count} devices cannot share the"
                f" batches of {b} of {n} samples equally. Use a batch_size that is a multiple of {count}, a number of"
                " samples that is a multiple of it, and a selector that plans full batches, such as 'random'."
            )
