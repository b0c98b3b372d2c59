"""ModelBuilder of a model for its first data: weights, optimizer and metrics are built, and their demands are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError, reason_of
from batchsel.training import variables
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples, gather_rows, take_rows, to_tensors
from batchsel.training.inputs.compatibility import check_sizes
from batchsel.training.inputs.padding import check_cut
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.library_parts import is_of_library, sees_rows_alone
from batchsel.training.model.model_checks import check_embedded, embedded_inputs
from batchsel.training.model.objective import loss_kind
from batchsel.training.model.weight_checks import check_sample_weight
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula

_FIXED = "the model takes batches of {} samples only, the batch_shape of its Input"


class ModelBuilder:
    """Builds model, optimizer and metrics on first data.

    Args:
        step: Holds the model, its objective and its metrics.
        batch_size: b.
        augmentation: Random changes of training batches, or None.
        curricula: Changes of the samples that depend on time, or None.
    """

    def __init__(
        self, step: TrainStep, batch_size: int, augmentation: Pipeline | None, curricula: Curricula | None
    ) -> None:
        self._step = step
        self._model = step.model
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._curricula = curricula
        self._metrics_built = False
        self._input_form: Any = None
        """The `_form` of the samples that the model was built with, or None."""
        self._embedded: list[tuple[int, int]] = []
        """The `embedded_inputs` of the model."""
        self._classes: list[int] = []
        """Classes of each output with a loss that takes class ids; 0 for others."""
        self.pending_seed: int | None = None
        """Seed of weights to be drawn once the model is built."""
        self.first_slots: list[np.ndarray] | None = None
        """Variables of the optimizer before its first update, if it cannot be made again."""
        self.batches_matter = True
        """True if loss or metrics of an evaluation may depend on the size of its batches."""
        self.handles_padding = True
        """True if weights of 0 leave rows out of the loss and of all metrics."""
        self.fixed_batch: int | None = None
        """The only number of samples that the model takes at once, or None."""

    def build(self, samples: Samples) -> Samples:
        """Build model, optimizer and metrics by a forward pass on one batch.

        Args:
            samples: Arrays; the first samples are used, repeatedly if there are fewer than a batch.

        Returns:
            The batch.

        Raises:
            UserError: If the model has nothing to train, or its loss and the data do not fit.
        """
        with variables.preserve_untracked(self._model):  # a loss may count how often it is computed
            return self._build(samples)

    def _build(self, samples: Samples) -> Samples:
        self.fixed_batch = self._find_fixed_batch(samples)
        batch = self._first_batch(samples)
        with variables.preserve(self._model):  # a recurrent layer may keep its state
            outputs = self._call(batch.x)
        self._input_form, self._embedded = _form(samples.x), embedded_inputs(self._model)
        if not self._model.trainable_variables:
            raise UserError("the model has no trainable weights: there is nothing to train.")
        if self.pending_seed is not None:
            variables.initialize(self._model, self.pending_seed)
            self.pending_seed = None
        self._check_transforms(samples, batch)
        objective = self._step.objective
        # Zeros, because the targets cannot be checked before the kind of loss is known.
        zeros = tf.nest.map_structure(tf.zeros_like, batch.y)
        objective.build(zeros, outputs)
        if not all(map(is_of_library, objective.output_losses)):
            # A mean over the samples that has as many values as there are samples is told by one sample more.
            objective.build(*(tf.nest.map_structure(_add_row, side) for side in (zeros, outputs)))
            objective.build(zeros, outputs)
        self._check_weights(samples)
        self._build_optimizer()
        self._step.build(batch)
        self._classes = [
            loss.outputs.shape[-1] if loss_kind(loss.loss)[0] == "sparse" else 0 for loss in objective.by_sample
        ]
        if not self._metrics_built:
            # Some metrics create their variables when they see their first targets.
            self.check_labels(samples)
            self._build_metrics(batch, outputs)
        return batch

    def check_labels(self, samples: Samples, numbers: np.ndarray | None = None) -> None:
        """Check that class ids lie within the model's outputs, and numbers of words within its embeddings.

        Args:
            samples: Arrays.
            numbers: Sample numbers of the rows; None for 0 ... n-1.

        Raises:
            UserError: If any lies outside.
        """
        if self._embedded:
            check_embedded(samples.x, self._model.inputs, self._embedded, numbers)
        if not any(self._classes):
            return
        objective = self._step.objective
        for loss, labels, classes in zip(
            objective.output_losses, objective.targets(samples.y), self._classes, strict=True
        ):
            if classes and labels is not None:
                ignored = keras_private.get_loss_options(loss).get("ignore_class")
                arrays.check_labels(labels, classes, numbers, ignored)

    def _call(self, x: Any, name: str = "x") -> Any:
        """Return the outputs for a batch, and say so where the model does not take it."""
        try:
            return keras_private.call_model(self._model, x, training=False)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            if any(leaf.dtype == tf.string for leaf in tf.nest.flatten(x)):
                raise UserError(
                    "x holds texts, and the model takes numbers. Begin the model with keras.layers.StringLookup or"
                    " TextVectorization, or encode the texts as numbers first."
                ) from error
            raise UserError(f"the model cannot be called on {name}: {reason_of(error)}") from error

    def _find_fixed_batch(self, samples: Samples) -> int | None:
        """Return the only number of samples that the model takes, or None.

        A stated size alone says little: a Sequential model that was built by a call states the size of that call, and
        most layers take any.
        """
        size = _stated_batch(self._model)
        if size is None:
            return None
        try:
            self._trace(samples, size + 1)
        except (ValueError, tf.errors.InvalidArgumentError):
            return size
        return None

    def _trace(self, samples: Samples, rows: int) -> None:
        """Trace a forward pass on a number of rows, which computes nothing."""
        numbers = np.arange(rows) % arrays.length(samples)
        x = to_tensors(tf.nest.map_structure(lambda leaf: take_rows(leaf, numbers), samples.x), ()).x
        specs = tf.nest.map_structure(lambda leaf: tf.TensorSpec(leaf.shape, leaf.dtype), x)
        call = tf.function(lambda rows: keras_private.call_model(self._model, rows, training=False))
        call.get_concrete_function(specs)

    def check_batches(self, n: int, short: int | None) -> None:
        """Check that a model that takes batches of one size only gets no others.

        Args:
            n: Samples in the data set.
            short: Rows of a short batch, as `Selector.short_batch` returns them.

        Raises:
            UserError: If it does.
        """
        size = self.fixed_batch
        if size is None:
            return
        if self._batch_size != size:
            raise UserError(
                f"{_FIXED.format(size)}, and batch_size is {self._batch_size}. Train with batch_size={size}."
            )
        if short != 0:
            number = "some batches are shorter" if short is None else f"the last batch of {n} samples has {short}"
            raise UserError(
                f"{_FIXED.format(size)}, and {number}. Use a number of samples that is a multiple of {size}, and a"
                " selector that plans full batches, such as 'random' or 'fixed'."
            )

    def check_short_batch(self, samples: Samples, short: int | None) -> None:
        """Check that a model takes short batches, after a step failed.

        Args:
            samples: Arrays; the first samples are used.
            short: As in `check_batches`.

        Raises:
            UserError: If it does not.
        """
        rows = short or 1
        try:
            self._trace(samples, rows)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise UserError(
                f"the model takes batches of {self._batch_size} samples, but not the short batch of {rows} that is"
                " left over. Use a number of samples that is a multiple of batch_size, or another batch_size."
            ) from error

    def check_inputs(self, samples: Samples) -> None:
        """Check that inputs are finite, or that the model handles those that are not, such as missing values.

        Args:
            samples: Arrays.

        Raises:
            UserError: If outputs for the first of them are not finite.
        """
        bad = np.unique(np.concatenate([arrays.nonfinite_rows(leaf) for leaf in tf.nest.flatten(samples.x)] or [[]]))
        if not len(bad):
            return
        size = self.fixed_batch or min(self._batch_size, len(bad))
        rows = np.resize(bad.astype(np.int32), size)
        x = to_tensors(tf.nest.map_structure(lambda leaf: take_rows(leaf, rows), samples.x), ()).x
        with variables.preserve(self._model):
            outputs = keras_private.call_model(self._model, x, training=False)
        if not all(bool(tf.reduce_all(tf.math.is_finite(leaf))) for leaf in tf.nest.flatten(outputs)):
            arrays.reject_nonfinite("x", bad)

    def check_validation(self, samples: Samples) -> None:
        """Check inputs and weights of validation samples, and their number if the model takes batches of one size only.

        Args:
            samples: Arrays.

        Raises:
            UserError: If they do not suit the model.
        """
        self._check_weights(samples)
        n, size = arrays.length(samples), self.fixed_batch
        if self._input_form is not None and _form(samples.x) != self._input_form:
            head = self._first_batch(samples).x
            with variables.preserve(self._model):
                self._call(head, "the inputs of validation_data")
        self.check_inputs(samples)
        if size is not None and n % size:
            raise UserError(
                f"{_FIXED.format(size)}, and {n} validation samples leave {n % size} over. Leave those out."
            )

    def _check_weights(self, samples: Samples) -> None:
        objective = self._step.objective
        check_sample_weight(samples.sample_weight, objective.by_sample, objective.output_paths)

    def _first_batch(self, samples: Samples) -> Samples:
        n = arrays.length(samples)
        rows = np.arange(self.fixed_batch or min(self._batch_size, n)) % n
        head = tf.nest.map_structure(lambda leaf: None if leaf is None else leaf[: rows.max() + 1], samples)
        return gather_rows(to_tensors(*head), tf.constant(rows, tf.int32))

    def _build_optimizer(self) -> None:
        optimizer, trained = self._model.optimizer, self._model.trainable_variables
        first_time = not optimizer.built
        optimizer.build(trained)
        if first_time and not variables.can_copy(optimizer):
            self.first_slots = [variable.numpy() for variable in optimizer.variables]

    def _build_metrics(self, batch: Samples, outputs: Any) -> None:
        objective, metrics = self._step.objective, self._step.metrics
        try:
            objective.losses(batch.y, outputs, batch.sample_weight)
            metrics.build_compiled(batch.y, outputs)
            self._run_metrics(batch, outputs)
        except UserError:
            raise
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise UserError(
                f"the metrics cannot be computed from these targets, outputs and weights: {reason_of(error)}"
            ) from error

    def _run_metrics(self, batch: Samples, outputs: Any) -> None:
        """Compute the metrics once, and reset them."""
        objective, metrics = self._step.objective, self._step.metrics
        values = [(variable, variable.numpy()) for variable in metrics.variables]
        total = objective.total(batch.y, outputs, batch.sample_weight)
        self._step.run_on_all(lambda: metrics.update(total, batch.x, batch.y, outputs, batch.sample_weight))
        metrics.results()  # raises if a result is not one number
        self.batches_matter = (
            keras_private.overrides(self._model, "test_step")
            or metrics.depend_on_batches()
            or not sees_rows_alone(self._model)
        )
        divides = self._step.divides_losses or not objective.averages_batches
        self.handles_padding = divides and metrics.handles_padding(outputs)
        metrics.reset()
        for variable, value in values:  # a metric may go on over epochs, and reset nothing
            variable.assign(value)
        self._metrics_built = True

    def _check_transforms(self, samples: Samples, batch: Samples) -> None:
        """Check that the model and its inputs suit cut_padding, augmentation and curricula."""
        if self._step.cut_padding:
            self._step.padded_at_start = check_cut(self._model, samples.x)
        if self._augmentation is not None:
            self._augmentation.check(batch.x, self._batch_size)
        if self._curricula is not None:
            self._curricula.check(batch.x, self._batch_size)
            if self._curricula.resizes:
                zero = tf.constant(0)
                check_sizes(
                    self._model, batch.x, self._curricula(batch.x, Rng(zero, zero), Timestamp.from_progress(0.0))
                )


def _stated_batch(model: Any) -> int | None:
    """Return the static batch size of a model's inputs, or None."""
    sizes = {leaf.shape[0] for leaf in tf.nest.flatten(getattr(model, "inputs", None) or []) if leaf.shape}
    return max((size for size in sizes if size is not None), default=None)


def _add_row(leaf: tf.Tensor) -> tf.Tensor:
    return tf.concat([leaf, leaf[:1]], axis=0)


def _form(x: Any) -> Any:
    """Return the structure of inputs, and the shape and the kind of numbers of a sample of each."""
    leaves = tf.nest.flatten(x)
    return repr(tf.nest.map_structure(lambda leaf: 0, x)), [(tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in leaves]
